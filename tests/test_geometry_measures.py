"""Measures of prototypes with answers in closed form."""

import math

import pytest
import torch

from cptlab.geometry import (
    cluster_auc,
    cosine_matrix,
    effective_rank,
    offdiagonal_statistics,
    order_by_cluster,
    purity,
)


def test_cosine_matrix_by_hand():
    features = torch.tensor([[2.0, 0.0], [3.0, 3.0], [0.0, -1.0]])
    half = math.sqrt(0.5)
    expected = torch.tensor([[1, half, 0], [half, 1, -half], [0, -half, 1]])
    torch.testing.assert_close(cosine_matrix(features), expected)
    assert cosine_matrix(features.expand(4, 3, 2)).shape == (4, 3, 3)


def test_effective_rank_counts_equal_singular_values():
    assert effective_rank(torch.eye(5)).item() == pytest.approx(5)
    assert effective_rank(3 * torch.eye(5)[:, :2]).item() == pytest.approx(2)
    assert effective_rank(torch.ones(4, 6)).item() == pytest.approx(1)


def test_effective_rank_of_two_singular_values():
    # Shares 3/4 and 1/4: entropy ln 4 - (3/4) ln 3.
    expected = 4 / 3**0.75
    assert effective_rank(torch.diag(torch.tensor([6.0, -2.0]))).item() == pytest.approx(expected)


def test_effective_rank_of_a_simplex_is_one_less_than_its_classes():
    # The cosine matrix of a simplex of K vectors has K - 1 equal eigenvalues and one zero.
    n = 6
    simplex = torch.eye(n, dtype=torch.float64) - 1 / n
    assert effective_rank(cosine_matrix(simplex)).item() == pytest.approx(n - 1)


def test_effective_rank_broadcasts_and_refuses_zeros_and_nan():
    batch = torch.stack([torch.eye(3), torch.ones(3, 3)])
    torch.testing.assert_close(effective_rank(batch), torch.tensor([3.0, 1.0]).double())
    with pytest.raises(ValueError, match="zeros"):
        effective_rank(torch.zeros(3, 3))
    with pytest.raises(ValueError, match="NaN"):
        effective_rank(torch.full((2, 2), float("nan")))


def test_offdiagonal_statistics_by_hand():
    similarity = torch.tensor(
        [[1.0, 0.8, 0.1, 0.3], [0.8, 1.0, 0.1, 0.3], [0.1, 0.1, 1.0, 0.6], [0.3, 0.3, 0.6, 1.0]]
    )
    found = offdiagonal_statistics(similarity, torch.tensor([0, 0, 1, 1]))
    assert found["within_mean"] == pytest.approx(0.7)
    assert found["within_std"] == pytest.approx(0.1)
    assert found["between_mean"] == pytest.approx(0.2)
    assert found["between_std"] == pytest.approx(0.1)
    # Six pairs: 0.8, 0.6, 0.1, 0.1, 0.3, 0.3.
    assert found["mean"] == pytest.approx(2.2 / 6)
    assert found["std"] == pytest.approx(math.sqrt(1.2 / 6 - (2.2 / 6) ** 2))


def test_offdiagonal_statistics_without_such_pairs_are_nan():
    similarity = torch.tensor([[1.0, 0.5], [0.5, 1.0]])
    one_cluster = offdiagonal_statistics(similarity, torch.tensor([0, 0]))
    assert one_cluster["within_mean"] == pytest.approx(0.5)
    assert math.isnan(one_cluster["between_mean"]) and math.isnan(one_cluster["between_std"])
    singletons = offdiagonal_statistics(similarity, torch.tensor([0, 1]))
    assert math.isnan(singletons["within_mean"]) and math.isnan(singletons["within_std"])
    with pytest.raises(ValueError, match="square"):
        offdiagonal_statistics(similarity, torch.tensor([0, 1, 1]))


def test_cluster_auc_by_hand():
    similarity = torch.zeros(4, 4)
    # inside: .8 and .2; across: .1, .2, .5, .9
    for (a, b), value in {
        (0, 1): 0.8,
        (2, 3): 0.2,
        (0, 2): 0.1,
        (0, 3): 0.2,
        (1, 2): 0.5,
        (1, 3): 0.9,
    }.items():
        similarity[a, b] = similarity[b, a] = value
    # .8 is above three of four; .2 above one and equal to one
    assert cluster_auc(similarity, torch.tensor([5, 5, 2, 2])) == pytest.approx((3 + 1.5) / 8)
    blocks = torch.tensor([0, 0, 1, 1])
    apart = (blocks[:, None] == blocks).float()
    assert cluster_auc(apart, blocks) == 1
    assert cluster_auc(1 - apart, blocks) == 0
    assert cluster_auc(torch.ones(4, 4), blocks) == 0.5
    assert cluster_auc(apart, torch.zeros(4)) is None  # no pair across
    assert cluster_auc(apart, torch.arange(4)) is None  # no pair inside


def test_purity_by_hand():
    clusters = torch.tensor([0, 0, 0, 1, 1, 2])
    truth = torch.tensor([5, 5, 9, 9, 5, 5])
    assert purity(clusters, truth) == pytest.approx((2 + 1 + 1) / 6)
    assert purity(clusters, clusters) == 1
    assert purity(torch.zeros(6, dtype=torch.int64), truth) == pytest.approx(4 / 6)
    with pytest.raises(ValueError, match="one entry per class"):
        purity(clusters, truth[:3])


def at_angles(*degrees: float) -> torch.Tensor:
    radians = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    return torch.stack([radians.cos(), radians.sin()], dim=1)


def test_order_puts_neighbouring_directions_side_by_side():
    # On an arc the order that keeps neighbours together is the order of the angles.
    features = at_angles(40, 0, 60, 20, 80)
    order = order_by_cluster(features, torch.zeros(5, dtype=torch.int64)).tolist()
    assert order in ([1, 3, 0, 2, 4], [4, 2, 0, 3, 1])


def test_order_makes_clusters_contiguous_and_orders_them_by_similarity():
    # Clusters around 0, 120 and 60 degrees: the one at 60 belongs in the middle.
    features = at_angles(0, 120, 60, 5, 125, 65, 130) * torch.arange(1, 8).unsqueeze(1)
    clusters = torch.tensor([0, 1, 2, 0, 1, 2, 1])
    order = order_by_cluster(features, clusters)
    assert order.sort().values.tolist() == list(range(7))
    assert clusters[order].tolist() in ([0, 0, 2, 2, 1, 1, 1], [1, 1, 1, 2, 2, 0, 0])


def test_order_handles_singletons_and_one_cluster():
    assert order_by_cluster(at_angles(10, 50), torch.tensor([1, 0])).sort().values.tolist() == [
        0,
        1,
    ]
    assert order_by_cluster(at_angles(10), torch.tensor([3])).tolist() == [0]
