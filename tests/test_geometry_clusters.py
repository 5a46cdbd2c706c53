"""Clusters of prototypes: recovery, invariances, determinism, objectives, their number."""

import itertools
import warnings
from typing import get_args

import numpy as np
import pytest
import torch

from cptlab.geometry import (
    ClusterMethod,
    choose_number,
    cluster_prototypes,
    cosine_matrix,
    number_of_clusters,
)
from cptlab.geometry.clusters import _refill_empty, _spherical_kmeans, _spherical_lloyd

METHODS = [name for name in get_args(ClusterMethod) if name != "random"]
BY_ANGLE = [method for method in METHODS if method != "euclidean"]


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def blobs(truth: torch.Tensor, spread: float = 0.05, d: int = 8) -> torch.Tensor:
    """Points around the unit vectors e_0, e_1, ... chosen by `truth`."""
    return torch.eye(d, dtype=torch.float64)[truth] + spread * randn(len(truth), d)


@pytest.mark.parametrize(
    ("n_classes", "expected"),
    [(500, 31), (198, 12), (98, 6), (50, 3), (24, 2), (23, 1), (19, 1), (5, 1), (1000, 62)],
)
def test_number_of_clusters_at_sixteen_classes_each(n_classes, expected):
    assert number_of_clusters(n_classes) == expected


def test_size_sets_the_number_of_clusters_found():
    assert cluster_prototypes(randn(50, 8)).unique().tolist() == [0, 1, 2]
    assert len(cluster_prototypes(randn(20, 8), size=4).unique()) == 5
    assert len(cluster_prototypes(randn(20, 8), n_clusters=7).unique()) == 7
    assert cluster_prototypes(randn(5, 8)).tolist() == [0] * 5


@pytest.mark.parametrize("method", METHODS)
def test_separated_clusters_are_found_and_numbered_by_first_class(method):
    truth = torch.tensor([2, 2, 0, 3, 0, 1, 3, 2, 1, 1, 0, 3])
    found = cluster_prototypes(blobs(truth), n_clusters=4, method=method)
    assert found.dtype == torch.int64
    assert found.tolist() == [0, 0, 1, 2, 1, 3, 2, 0, 3, 3, 1, 2]


@pytest.mark.parametrize("method", BY_ANGLE)
def test_only_euclidean_looks_at_feature_norms(method):
    truth = torch.tensor([0, 0, 0, 1, 1, 1])
    lengths = torch.tensor([1, 1, 50, 1, 1, 50.0], dtype=torch.float64)
    stretched = blobs(truth) * lengths.unsqueeze(-1)
    assert cluster_prototypes(stretched, n_clusters=2, method=method).tolist() == truth.tolist()
    assert cluster_prototypes(stretched, n_clusters=2, method="euclidean").tolist() != (
        truth.tolist()
    )


@pytest.mark.parametrize("method", METHODS)
def test_same_seed_same_clusters_whatever_the_global_state(method):
    features = randn(60, 8)
    first = cluster_prototypes(features, n_clusters=6, method=method, seed=3)
    state = np.random.get_state()[1].copy()
    np.random.default_rng().random(7)
    with torch.random.fork_rng():
        torch.manual_seed(99)
        again = cluster_prototypes(features, n_clusters=6, method=method, seed=3)
    assert first.tolist() == again.tolist()
    assert (np.random.get_state()[1] == state).all()  # nothing was drawn from the global generator


@pytest.mark.parametrize("method", METHODS)
def test_seed_reaches_the_initialisation(method):
    features = randn(80, 16)  # no structure, so that starts end in different places
    found = {
        tuple(cluster_prototypes(features, n_clusters=9, method=method, seed=s).tolist())
        for s in range(6)
    }
    assert (len(found) == 1) == (method == "kmedoids")  # which has no random start


def test_float32_and_gradients_are_accepted():
    features = blobs(torch.tensor([0, 0, 1, 1])).float().requires_grad_()
    assert cluster_prototypes(features, n_clusters=2).tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("n_clusters", [2, 3])
def test_spherical_objective_equals_brute_force(n_clusters):
    points = randn(7, 3, seed=4).numpy()
    units = points / np.linalg.norm(points, axis=1, keepdims=True)

    def objective(labels) -> float:
        """Sum of cosines to the best direction of each cluster, which is |sum of its members|."""
        labels = np.asarray(labels)
        return sum(np.linalg.norm(units[labels == m].sum(axis=0)) for m in range(n_clusters))

    best = max(
        objective(labels)
        for labels in itertools.product(range(n_clusters), repeat=7)
        if len(set(labels)) == n_clusters
    )
    found = _spherical_kmeans(units, n_clusters, seed=0)
    assert objective(found) == pytest.approx(best)
    assert objective([0] * 6 + [1]) < best - 1e-3  # an arbitrary partition is worse


@pytest.mark.parametrize("n_clusters", [1, 2, 3])
def test_kmedoids_objective_equals_brute_force(n_clusters):
    features = randn(9, 3, seed=1)
    distance = (1 - cosine_matrix(features)).numpy()

    def objective(labels) -> float:
        """Sum of distances to the best member of each cluster."""
        members = [np.flatnonzero(labels == m) for m in range(n_clusters)]
        return sum(distance[np.ix_(own, own)].sum(axis=1).min() for own in members)

    best = min(
        sum(min(distance[i, m] for m in medoids) for i in range(9))
        for medoids in itertools.combinations(range(9), n_clusters)
    )
    found = cluster_prototypes(features, n_clusters=n_clusters, method="kmedoids").numpy()
    assert objective(found) == pytest.approx(best)
    assert objective(np.arange(9) % n_clusters) > best + 1e-3 or n_clusters == 1


def test_spectral_equals_the_sign_of_the_second_eigenvector_for_two_clusters():
    features = blobs(torch.tensor([0, 1, 1, 0, 0, 1, 0]), spread=0.2)
    affinity = (1 + cosine_matrix(features)) / 2
    affinity.fill_diagonal_(0)  # loops do not count
    root = affinity.sum(1).rsqrt()
    vectors = torch.linalg.eigh(root.unsqueeze(1) * affinity * root).eigenvectors
    side = vectors[:, -2] > 0
    found = cluster_prototypes(features, n_clusters=2, method="spectral")
    assert found.tolist() == (side != side[0]).long().tolist()


def test_lloyd_refills_a_cluster_that_loses_all_its_points():
    truth = torch.tensor([0, 0, 0, 1, 1, 1])
    units = blobs(truth)
    units = (units / units.norm(dim=1, keepdim=True)).numpy()
    away = -np.ones(8) / np.sqrt(8)  # no point is nearest to this start
    labels, _ = _spherical_lloyd(units, np.stack([units[0], away, away]))
    assert sorted(np.bincount(labels, minlength=3) > 0) == [True] * 3
    assert len(set(labels[:3]) & set(labels[3:])) == 0  # and the two groups are apart again


def test_refill_takes_the_worst_fitting_point_but_empties_no_cluster():
    cosine = np.array([[0.9, 0.0, 0.0], [0.5, 0.0, 0.0], [0.7, 0.0, 0.0], [0.0, 0.0, 0.1]])
    labels = cosine.argmax(axis=1)
    assert labels.tolist() == [0, 0, 0, 2]
    # Point 3 fits worst of all but is alone in its cluster; point 1 is next.
    assert _refill_empty(labels, cosine).tolist() == [0, 1, 0, 2]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_classes", [2, 6])
def test_from_one_cluster_to_one_per_class_without_a_warning(method, n_classes):
    features = randn(n_classes, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n_clusters in range(1, n_classes + 1):
            found = cluster_prototypes(features, n_clusters=n_clusters, method=method)
            assert found.unique().tolist() == list(range(n_clusters))
    assert found.tolist() == list(range(n_classes))


@pytest.mark.parametrize("method", METHODS)
def test_clear_errors(method):
    def cluster(features, **options):
        return cluster_prototypes(features, method=method, **options)

    with pytest.raises(ValueError, match="Cannot make 5 clusters of 4 classes"):
        cluster(randn(4, 3), n_clusters=5)
    with pytest.raises(ValueError, match="1 distinct"):
        cluster(torch.ones(4, 3), n_clusters=2)
    with pytest.raises(ValueError, match="between 1 and"):
        cluster(randn(4, 3), n_clusters=0)
    with pytest.raises(ValueError, match="K >= 2"):
        cluster(randn(1, 3))
    with pytest.raises(ValueError, match="NaN"):
        cluster(torch.tensor([[1.0, float("nan")], [0.0, 1.0]]))
    with pytest.raises(ValueError, match="size must be at least 1"):
        cluster(randn(4, 3), size=0)


@pytest.mark.parametrize("method", BY_ANGLE)
def test_a_zero_vector_has_no_direction(method):
    with pytest.raises(ValueError, match="zero vector"):
        cluster_prototypes(torch.tensor([[1.0, 0.0], [0.0, 0.0]]), method=method)


@pytest.mark.parametrize("method", BY_ANGLE)
def test_a_shared_direction_counts_once(method):
    shared = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    with pytest.raises(ValueError, match="2 distinct"):
        cluster_prototypes(shared, n_clusters=3, method=method)
    assert cluster_prototypes(shared, n_clusters=3, method="euclidean").tolist() == [0, 1, 2]


def test_prototypes_closer_than_rounding_make_no_clusters():
    close = torch.tensor([[1.0, 0.0], [1.0, 1e-9], [0.0, 1.0], [1e-9, 1.0]])
    with pytest.raises(ValueError, match=r"found 2 clusters instead of 3.*at most 2"):
        cluster_prototypes(close, n_clusters=3, method="kmedoids")


def test_unknown_method():
    with pytest.raises(ValueError, match=r"method='ward'.*spherical, euclidean, spectral, kmedoid"):
        cluster_prototypes(randn(4, 3), method="ward")


def silhouette_by_loops(features: torch.Tensor, clusters: list[int]) -> float:
    """Mean of (b - a) / max(a, b); a, b: mean distance to one's own and the nearest cluster."""
    distance = 1 - cosine_matrix(features)
    total = 0.0
    for i, own in enumerate(clusters):
        to = {
            m: [distance[i, j].item() for j, c in enumerate(clusters) if c == m and j != i]
            for m in set(clusters)
        }
        if to[own]:  # the silhouette of a singleton is 0
            a = sum(to[own]) / len(to[own])
            b = min(sum(far) / len(far) for m, far in to.items() if m != own)
            total += (b - a) / max(a, b)
    return total / len(clusters)


@pytest.mark.parametrize("method", METHODS)
def test_choice_of_the_number_finds_the_true_one(method):
    features = blobs(torch.arange(24) % 4)
    table = choose_number(features, [6, 2, 4, 4, 3, 23], method)
    assert table.columns.tolist() == ["n_clusters", "silhouette", "best"]
    assert table["n_clusters"].tolist() == [2, 3, 4, 6, 23]
    assert table.loc[table["best"], "n_clusters"].tolist() == [4]
    for row in table.itertuples():
        clusters = cluster_prototypes(features, n_clusters=row.n_clusters, method=method)
        expected = silhouette_by_loops(features, clusters.tolist())
        assert row.silhouette == pytest.approx(expected, abs=1e-12)


def test_the_fewest_clusters_win_a_tie():
    # Orthogonal classes: the distance is 1 within and between clusters, so all silhouettes are 0.
    table = choose_number(torch.eye(6), [5, 3, 4])
    assert table["silhouette"].tolist() == pytest.approx([0, 0, 0])
    assert table["best"].tolist() == [True, False, False]


@pytest.mark.parametrize("candidates", [[], [1, 2], [2, 6], [0]])
def test_numbers_without_a_silhouette_are_refused(candidates):
    with pytest.raises(ValueError, match="between 2 and K - 1 = 5"):
        choose_number(randn(6, 3), candidates)


def test_random_clusters_have_the_sizes_of_spherical_ones_and_other_members():
    features = blobs(torch.arange(40) % 5)
    spherical = cluster_prototypes(features, n_clusters=5)
    first, again, other = (
        cluster_prototypes(features, n_clusters=5, method="random", seed=seed) for seed in (0, 0, 1)
    )
    assert sorted(first.bincount().tolist()) == sorted(spherical.bincount().tolist())
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, spherical)
