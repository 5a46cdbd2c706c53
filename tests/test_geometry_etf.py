"""The textual ETF separation loss, equation (9), against hand-computed values and slow loops."""

import math

import pytest
import torch

from cptlab.geometry import textual_etf_separation


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def simplex(n: int) -> torch.Tensor:
    """n unit vectors in R^n with all pairwise cosines -1/(n-1)."""
    vectors = torch.eye(n, dtype=torch.float64) - 1 / n
    return vectors / vectors.norm(dim=-1, keepdim=True)


def value_and_gradient(loss, variable: torch.Tensor):
    variable = variable.clone().requires_grad_()
    value = loss(variable)
    (gradient,) = torch.autograd.grad(value.sum(), variable)
    return value.detach(), gradient


def etf_by_loop(prototypes, clusters, reduction, diagonal="mask", singletons="zero"):
    clusters = clusters.tolist()
    total, counted = 0.0, 0
    for cluster in set(clusters):
        members = [c for c, label in enumerate(clusters) if label == cluster]
        k = len(members)
        if k == 1:
            counted += singletons == "zero"
            continue
        counted += 1
        terms = 0.0
        for i in members:
            for j in members:
                cos = prototypes[i] @ prototypes[j] / (prototypes[i].norm() * prototypes[j].norm())
                if i != j:
                    terms = terms + (cos + 1 / (k - 1)) ** 2
                elif diagonal == "literal":
                    terms = terms + cos**2
        total = total + (terms / (k * (k - 1)) if reduction == "pair_mean" else terms)
    return total / max(counted, 1)


def test_etf_two_classes_by_hand():
    # Angle 60 degrees, k = 2: (1/2 + 1)^2 = 2.25 for each of the two ordered pairs.
    prototypes = torch.tensor([[2.0, 0.0], [0.5, math.sqrt(3) / 2]], dtype=torch.float64)
    clusters = torch.tensor([0, 0])
    assert textual_etf_separation(prototypes, clusters, "sum").item() == pytest.approx(4.5)
    assert textual_etf_separation(prototypes, clusters, "pair_mean").item() == pytest.approx(2.25)


def test_etf_three_classes_by_hand():
    # Cosines 0, -1, 0 and k = 3: (0.25 + 0.25 + 0.25) for each direction of each pair.
    prototypes = torch.tensor([[1.0, 0.0], [0.0, 3.0], [-2.0, 0.0]], dtype=torch.float64)
    clusters = torch.tensor([7, 7, 7])
    assert textual_etf_separation(prototypes, clusters, "sum").item() == pytest.approx(1.5)
    assert textual_etf_separation(prototypes, clusters, "pair_mean").item() == pytest.approx(0.25)
    literal = textual_etf_separation(prototypes, clusters, "sum", diagonal="literal")
    assert literal.item() == pytest.approx(4.5)


@pytest.mark.parametrize("reduction", ["sum", "pair_mean"])
@pytest.mark.parametrize("k", [2, 3, 8])
def test_etf_is_zero_on_a_simplex_but_not_on_right_angles(k, reduction):
    scales = torch.rand(k, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    prototypes = simplex(k) * (0.5 + scales)
    clusters = torch.zeros(k, dtype=torch.int64)
    assert textual_etf_separation(prototypes, clusters, reduction).item() == pytest.approx(0)
    # Cosine 0 everywhere: every pair costs 1/(k-1)^2.
    orthogonal = textual_etf_separation(torch.eye(k), clusters, reduction).item()
    pairs = k * (k - 1) if reduction == "sum" else 1
    assert orthogonal == pytest.approx(pairs / (k - 1) ** 2)


def test_etf_ignores_angles_between_clusters():
    # Two simplices that overlap completely: each cluster is perfect by itself.
    prototypes = torch.cat([simplex(3), simplex(3)])
    clusters = torch.tensor([0, 0, 0, 1, 1, 1])
    assert textual_etf_separation(prototypes, clusters, "sum").item() == pytest.approx(0)
    one_cluster = torch.zeros(6, dtype=torch.int64)
    assert textual_etf_separation(prototypes, one_cluster, "sum").item() > 1


@pytest.mark.parametrize("reduction", ["sum", "pair_mean"])
@pytest.mark.parametrize("diagonal", ["mask", "literal"])
@pytest.mark.parametrize("singletons", ["zero", "drop_from_M"])
def test_etf_matches_the_loop(reduction, diagonal, singletons):
    prototypes = randn(9, 5)
    clusters = torch.tensor([4, 0, 0, 9, 4, 2, 4, 0, 4])  # sizes 4, 3, 1, 1 and gaps in the labels
    options = (reduction, diagonal, singletons)
    value, gradient = value_and_gradient(
        lambda p: textual_etf_separation(p, clusters, *options), prototypes
    )
    expected, expected_gradient = value_and_gradient(
        lambda p: etf_by_loop(p, clusters, *options), prototypes
    )
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient, expected_gradient)
    assert gradient.norm() > 1e-3


def test_etf_literal_diagonal_is_the_constant_k_over_m():
    prototypes, clusters = randn(6, 4), torch.tensor([0, 0, 1, 1, 1, 0])
    masked, gradient = value_and_gradient(
        lambda p: textual_etf_separation(p, clusters, "sum"), prototypes
    )
    literal, literal_gradient = value_and_gradient(
        lambda p: textual_etf_separation(p, clusters, "sum", diagonal="literal"), prototypes
    )
    assert (literal - masked).item() == pytest.approx(6 / 2)
    torch.testing.assert_close(gradient, literal_gradient)


@pytest.mark.parametrize("reduction", ["sum", "pair_mean"])
@pytest.mark.parametrize("singletons", ["zero", "drop_from_M"])
def test_etf_of_singletons_only_is_zero_without_nan(reduction, singletons):
    value, gradient = value_and_gradient(
        lambda p: textual_etf_separation(
            p, torch.arange(4), reduction, diagonal="literal", singletons=singletons
        ),
        randn(4, 3),
    )
    assert value.item() == 0
    assert (gradient == 0).all()  # also False for NaN


def test_etf_counts_a_singleton_in_m_unless_dropped():
    pair = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # cosine 0, k = 2: two terms of 1
    prototypes, clusters = torch.cat([pair, torch.ones(1, 2)]), torch.tensor([0, 0, 1])
    assert textual_etf_separation(prototypes, clusters, "sum").item() == pytest.approx(1)
    dropped = textual_etf_separation(prototypes, clusters, "sum", singletons="drop_from_M")
    assert dropped.item() == pytest.approx(2)


@pytest.mark.parametrize("singletons", ["zero", "drop_from_M"])
def test_etf_replicas_with_their_own_clusters_equal_separate_calls(singletons):
    prototypes = randn(3, 5, 4)
    clusters = torch.tensor([[0, 0, 0, 0, 0], [0, 1, 0, 1, 2], [3, 1, 2, 0, 4]])
    together, gradient = value_and_gradient(
        lambda p: textual_etf_separation(p, clusters, "sum", singletons=singletons), prototypes
    )
    assert together.shape == (3,)
    for r in range(3):
        alone, alone_gradient = value_and_gradient(
            lambda p, own=clusters[r]: textual_etf_separation(p, own, "sum", singletons=singletons),
            prototypes[r],
        )
        torch.testing.assert_close(together[r], alone)
        torch.testing.assert_close(gradient[r], alone_gradient)


def test_etf_shares_one_cluster_map_among_replicas():
    prototypes, clusters = randn(2, 3, 6, 4), torch.tensor([0, 1, 0, 1, 1, 0])
    expanded = clusters.expand(2, 3, 6)
    shared = textual_etf_separation(prototypes, clusters, "pair_mean")
    assert shared.shape == (2, 3)
    torch.testing.assert_close(shared, textual_etf_separation(prototypes, expanded, "pair_mean"))


def test_etf_refuses_what_it_cannot_mean():
    prototypes, clusters = randn(4, 3), torch.tensor([0, 0, 1, 1])
    with pytest.raises(ValueError, match=r"reduction='mean'.*sum, pair_mean"):
        textual_etf_separation(prototypes, clusters, "mean")
    with pytest.raises(ValueError, match="clusters has 3 entries"):
        textual_etf_separation(prototypes, clusters[:3], "sum")
    with pytest.raises(ValueError, match="integer"):
        textual_etf_separation(prototypes, clusters.double(), "sum")


def test_etf_gradcheck_through_replicas():
    prototypes = randn(2, 4, 3).requires_grad_()
    clusters = torch.tensor([[0, 0, 1, 0], [0, 1, 1, 0]])
    for reduction in ("sum", "pair_mean"):
        assert torch.autograd.gradcheck(
            lambda p, how=reduction: textual_etf_separation(p, clusters, how), prototypes
        )
