"""The losses of equations (10) and (11) against hand-computed values and slow loops."""

import pytest
import torch

from cptlab.geometry import (
    class_wise_convergence,
    rotation_stabilization,
    textual_etf_separation,
)


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def value_and_gradient(loss, variable: torch.Tensor):
    variable = variable.clone().requires_grad_()
    value = loss(variable)
    (gradient,) = torch.autograd.grad(value.sum(), variable)
    return value.detach(), gradient


# ---------------------------------------------------------------- class-wise convergence, eq. (10)


def convergence_by_loop(images, prototypes, labels, counts, weighting="unbiased"):
    distances = []
    for image, y in zip(images, labels.tolist(), strict=True):
        gap = image / image.norm() - prototypes[y] / prototypes[y].norm()
        distances.append((gap**2).sum())
    if weighting == "plain":
        return sum(distances) / len(distances)
    if weighting == "unbiased":
        n, k = int(counts.sum()), len(counts)
        weighted = [
            n / (k * int(counts[y])) * d for d, y in zip(distances, labels.tolist(), strict=True)
        ]
        return sum(weighted) / len(weighted)
    means = []
    for y in set(labels.tolist()):
        own = [d for d, label in zip(distances, labels.tolist(), strict=True) if label == y]
        means.append(sum(own) / len(own))
    return sum(means) / len(means)


def test_convergence_by_hand():
    # Squared distances: 0 (same direction), 2 (right angle), 4 (opposite).
    images = torch.tensor([[3.0, 0.0], [0.0, 1.0], [0.0, -2.0]])
    prototypes = torch.tensor([[1.0, 0.0], [0.0, 5.0]])
    labels, counts = torch.tensor([0, 0, 1]), torch.tensor([6, 2])
    value = {
        weighting: class_wise_convergence(images, prototypes, labels, counts, weighting).item()
        for weighting in ("plain", "batch_class", "unbiased")
    }
    assert value["plain"] == pytest.approx((0 + 2 + 4) / 3)
    assert value["batch_class"] == pytest.approx((1 + 4) / 2)
    # Weights 8 / (2 * 6) = 2/3 for class 0 and 8 / (2 * 2) = 2 for class 1.
    assert value["unbiased"] == pytest.approx((2 / 3 * 0 + 2 / 3 * 2 + 2 * 4) / 3)


@pytest.mark.parametrize("weighting", ["unbiased", "batch_class", "plain"])
def test_convergence_matches_the_loop(weighting):
    images, prototypes = randn(7, 5, seed=1), randn(4, 5, seed=2)
    labels, counts = torch.tensor([0, 3, 3, 1, 0, 0, 3]), torch.tensor([16, 6, 2, 1])
    for variable, loss, reference in (
        (
            images,
            lambda f: class_wise_convergence(f, prototypes, labels, counts, weighting),
            lambda f: convergence_by_loop(f, prototypes, labels, counts, weighting),
        ),
        (
            prototypes,
            lambda g: class_wise_convergence(images, g, labels, counts, weighting),
            lambda g: convergence_by_loop(images, g, labels, counts, weighting),
        ),
    ):
        value, gradient = value_and_gradient(loss, variable)
        expected, expected_gradient = value_and_gradient(reference, variable)
        torch.testing.assert_close(value, expected)
        torch.testing.assert_close(gradient, expected_gradient)


def test_convergence_is_unbiased_for_equation_10_over_an_epoch():
    counts = torch.tensor([8, 3, 1])
    labels = torch.arange(3).repeat_interleave(counts)
    images, prototypes = randn(12, 4, seed=3), randn(3, 4, seed=4)
    equation_10 = 0.0
    for c in range(3):
        own = images[labels == c]
        unit = own / own.norm(dim=1, keepdim=True)
        equation_10 += ((unit - prototypes[c] / prototypes[c].norm()) ** 2).sum(1).mean() / 3

    generator = torch.Generator().manual_seed(5)
    means = {"unbiased": [], "batch_class": [], "plain": []}
    for _ in range(3):
        batches = torch.randperm(12, generator=generator).split(4)
        for weighting, collected in means.items():
            values = [
                class_wise_convergence(images[b], prototypes, labels[b], counts, weighting)
                for b in batches
            ]
            collected.append(torch.stack(values).mean())
    for epoch_mean in means["unbiased"]:
        torch.testing.assert_close(epoch_mean, equation_10)
    for weighting in ("batch_class", "plain"):  # the head-heavy alternatives are not
        assert (torch.stack(means[weighting]) - equation_10).abs().min() > 1e-3


def test_convergence_weightings_agree_on_balanced_batches():
    labels, counts = torch.tensor([0, 0, 1, 1]), torch.tensor([16, 16])
    values = [
        class_wise_convergence(randn(4, 3), randn(2, 3, seed=1), labels, counts, weighting)
        for weighting in ("unbiased", "batch_class", "plain")
    ]
    torch.testing.assert_close(values[0], values[1])
    torch.testing.assert_close(values[0], values[2])


def test_convergence_detach_text():
    images = randn(3, 4).requires_grad_()
    prototypes = randn(2, 4, seed=1).requires_grad_()
    labels, counts = torch.tensor([0, 1, 1]), torch.tensor([2, 5])
    loss = class_wise_convergence(images, prototypes, labels, counts, detach_text=True)
    loss.backward()
    assert prototypes.grad is None
    assert images.grad.norm() > 0
    attached = class_wise_convergence(images, prototypes, labels, counts)
    torch.testing.assert_close(attached, loss)
    attached.backward()
    assert prototypes.grad.norm() > 0


@pytest.mark.parametrize("weighting", ["unbiased", "batch_class", "plain"])
def test_convergence_replicas_equal_separate_calls(weighting):
    images, prototypes = randn(3, 5, 4, seed=1), randn(3, 4, 4, seed=2)
    labels = torch.randint(4, (3, 5), generator=torch.Generator().manual_seed(0))
    counts = torch.tensor([[16, 8, 4, 1], [1, 1, 1, 1], [3, 9, 2, 7]])
    together = class_wise_convergence(images, prototypes, labels, counts, weighting)
    alone = [
        class_wise_convergence(images[r], prototypes[r], labels[r], counts[r], weighting)
        for r in range(3)
    ]
    torch.testing.assert_close(together, torch.stack(alone))
    # Frozen image features, labels and counts shared by all replicas.
    shared = class_wise_convergence(images[0], prototypes, labels[0], counts[0], weighting)
    alone = [
        class_wise_convergence(images[0], prototypes[r], labels[0], counts[0], weighting)
        for r in range(3)
    ]
    torch.testing.assert_close(shared, torch.stack(alone))


def test_convergence_refuses_what_it_cannot_mean():
    images, prototypes = randn(2, 3), randn(2, 3)
    labels, counts = torch.tensor([0, 1]), torch.tensor([1, 1])
    with pytest.raises(ValueError, match=r"labels must lie in 0..1"):
        class_wise_convergence(images, prototypes, torch.tensor([0, 2]), counts)
    with pytest.raises(ValueError, match="at least 1"):
        class_wise_convergence(images, prototypes, labels, torch.tensor([4, 0]))
    with pytest.raises(ValueError, match="weighting='mean'"):
        class_wise_convergence(images, prototypes, labels, counts, "mean")
    with pytest.raises(ValueError, match="class_counts has 3 entries"):
        class_wise_convergence(images, prototypes, labels, torch.tensor([4, 1, 1]))


# ---------------------------------------------------------------- rotation stabilization, eq. (11)


def stabilization_by_loop(prototypes, frozen, space, reduction):
    total = 0.0
    for g, anchor in zip(prototypes, frozen, strict=True):
        if space == "normalised":
            g, anchor = g / g.norm(), anchor / anchor.norm()
        for coordinate in range(len(g)):
            term = abs(g[coordinate] - anchor[coordinate])
            total = total + (term / len(g) if reduction == "mean" else term)
    return total / len(prototypes)


def test_stabilization_by_hand():
    prototypes = torch.tensor([[3.0, 4.0], [2.0, 0.0]])
    frozen = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    # Normalised: |0.6| + |0.8 - 1| = 0.8 and 0; raw: 3 + 3 = 6 and 1.
    assert rotation_stabilization(prototypes, frozen).item() == pytest.approx(0.4)
    assert rotation_stabilization(prototypes, frozen, "raw").item() == pytest.approx(3.5)
    mean = rotation_stabilization(prototypes, frozen, "raw", "mean")
    assert mean.item() == pytest.approx(1.75)


@pytest.mark.parametrize("space", ["normalised", "raw"])
@pytest.mark.parametrize("reduction", ["sum_d", "mean"])
def test_stabilization_matches_the_loop(space, reduction):
    prototypes, frozen = randn(5, 4), randn(5, 4, seed=1)
    value, gradient = value_and_gradient(
        lambda g: rotation_stabilization(g, frozen, space, reduction), prototypes
    )
    expected, expected_gradient = value_and_gradient(
        lambda g: stabilization_by_loop(g, frozen, space, reduction), prototypes
    )
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient, expected_gradient)


def test_stabilization_replicas_equal_separate_calls():
    prototypes, frozen = randn(3, 5, 4), randn(3, 5, 4, seed=1)
    together = rotation_stabilization(prototypes, frozen)
    shared = rotation_stabilization(prototypes, frozen[0])
    for r in range(3):
        torch.testing.assert_close(together[r], rotation_stabilization(prototypes[r], frozen[r]))
        torch.testing.assert_close(shared[r], rotation_stabilization(prototypes[r], frozen[0]))


def test_stabilization_sees_the_rotation_that_the_etf_loss_cannot():
    # Section 3.3: pairwise angles leave a common rotation free; this term removes the freedom.
    frozen, clusters = randn(6, 4), torch.tensor([0, 0, 0, 1, 1, 1])
    rotation, _ = torch.linalg.qr(randn(4, 4, seed=1))
    rotated = frozen @ rotation
    torch.testing.assert_close(
        textual_etf_separation(rotated, clusters, "sum"),
        textual_etf_separation(frozen, clusters, "sum"),
    )
    assert rotation_stabilization(frozen, frozen).item() == 0
    assert rotation_stabilization(rotated, frozen).item() > 0.1


def test_stabilization_refuses_different_shapes():
    with pytest.raises(ValueError, match="must agree"):
        rotation_stabilization(randn(3, 4), randn(2, 4))
    with pytest.raises(ValueError, match="space='unit'"):
        rotation_stabilization(randn(3, 4), randn(3, 4), space="unit")


# ---------------------------------------------------------------------------------------- gradients


def test_gradcheck_through_replicas():
    prototypes = randn(2, 4, 3).requires_grad_()
    images = randn(2, 3, 3, seed=1).requires_grad_()
    frozen = randn(4, 3, seed=2)
    labels, counts = torch.tensor([[0, 1, 1], [3, 2, 0]]), torch.tensor([4, 3, 2, 1])
    for weighting in ("unbiased", "batch_class", "plain"):
        assert torch.autograd.gradcheck(
            lambda f, g, how=weighting: class_wise_convergence(f, g, labels, counts, how),
            (images, prototypes),
        )
    for space in ("normalised", "raw"):
        assert torch.autograd.gradcheck(
            lambda p, how=space: rotation_stabilization(p, frozen, how), prototypes
        )
