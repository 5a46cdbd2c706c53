"""Clusters of prototypes: recovery, invariances, determinism and the objective."""

import itertools

import numpy as np
import pytest
import torch

from cptlab.geometry import cluster_prototypes, number_of_clusters
from cptlab.geometry.clusters import _refill_empty, _spherical_kmeans, _spherical_lloyd


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


@pytest.mark.parametrize("method", ["spherical", "euclidean"])
def test_separated_clusters_are_found_and_numbered_by_first_class(method):
    truth = torch.tensor([2, 2, 0, 3, 0, 1, 3, 2, 1, 1, 0, 3])
    found = cluster_prototypes(blobs(truth), n_clusters=4, method=method)
    assert found.dtype == torch.int64
    assert found.tolist() == [0, 0, 1, 2, 1, 3, 2, 0, 3, 3, 1, 2]


def test_spherical_ignores_feature_norms_and_euclidean_does_not():
    truth = torch.tensor([0, 0, 0, 1, 1, 1])
    lengths = torch.tensor([1, 1, 50, 1, 1, 50.0], dtype=torch.float64)
    stretched = blobs(truth) * lengths.unsqueeze(-1)
    assert cluster_prototypes(stretched, n_clusters=2).tolist() == truth.tolist()
    assert cluster_prototypes(stretched, n_clusters=2, method="euclidean").tolist() != (
        truth.tolist()
    )


@pytest.mark.parametrize("method", ["spherical", "euclidean"])
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


def test_seed_reaches_the_initialisation():
    features = randn(80, 16)  # no structure, so that starts end in different places
    found = {tuple(cluster_prototypes(features, n_clusters=9, seed=s).tolist()) for s in range(6)}
    assert len(found) > 1


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
    found = _spherical_kmeans(points, n_clusters, seed=0)
    assert objective(found) == pytest.approx(best)
    assert objective([0] * 6 + [1]) < best - 1e-3  # an arbitrary partition is worse


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


def test_every_class_can_be_its_own_cluster():
    assert cluster_prototypes(randn(6, 4), n_clusters=6).tolist() == list(range(6))


def test_clear_errors():
    with pytest.raises(ValueError, match="Cannot make 5 clusters of 4 classes"):
        cluster_prototypes(randn(4, 3), n_clusters=5)
    with pytest.raises(ValueError, match="1 distinct"):
        cluster_prototypes(torch.ones(4, 3), n_clusters=2)
    with pytest.raises(ValueError, match="between 1 and"):
        cluster_prototypes(randn(4, 3), n_clusters=0)
    with pytest.raises(ValueError, match="K >= 2"):
        cluster_prototypes(randn(1, 3))
    with pytest.raises(ValueError, match="NaN"):
        cluster_prototypes(torch.tensor([[1.0, float("nan")], [0.0, 1.0]]))
    with pytest.raises(ValueError, match="zero vector"):
        cluster_prototypes(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
    with pytest.raises(ValueError, match="size must be at least 1"):
        cluster_prototypes(randn(4, 3), size=0)
    with pytest.raises(ValueError, match="method='ward'"):
        cluster_prototypes(randn(4, 3), method="ward")
