"""The three geometric losses of CPT, equations (9) to (11).

Every function broadcasts over leading dimensions: with a leading replica dimension R the losses
have shape (R,), and replicas may differ in their clusters, labels and class counts.
"""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

PairReduction = Literal["sum", "pair_mean"]
Diagonal = Literal["mask", "literal"]
Singletons = Literal["zero", "drop_from_M"]
Weighting = Literal["unbiased", "batch_class", "plain"]
Space = Literal["normalised", "raw"]
FeatureReduction = Literal["sum_d", "mean"]


def textual_etf_separation(
    prototypes: Tensor,
    clusters: Tensor,
    reduction: PairReduction,
    diagonal: Diagonal = "mask",
    singletons: Singletons = "zero",
) -> Tensor:
    """Distance of each cluster's prototypes from a simplex equiangular tight frame, eq. (9).

    One cluster that holds all classes makes this the global ETF penalty.

    Args:
        prototypes: (..., K, d) text features; they need not be normalised.
        clusters: (..., K) integer cluster of each class; any labels, gaps allowed.
        reduction: within a cluster of k classes, "sum" adds (cos + 1/(k-1))^2 over ordered pairs
            (eq. 9 as printed), "pair_mean" averages it over them. Both then average over clusters.
        diagonal: "mask" leaves out the terms C_ii^2 = 1, "literal" adds them as eq. (9) prints
            them: a constant, namely K/M under "sum" if no cluster is a singleton. Under
            "pair_mean" the divisor stays the number of pairs, so the gradient is the same.
        singletons: a cluster of one class has no pair and contributes 0. "zero" still counts it
            in M, "drop_from_M" does not.

    Returns:
        (...,) loss.

    Raises:
        ValueError: on unknown options, non-integer clusters or shapes that do not fit.
    """
    _check_option("reduction", reduction, PairReduction)
    _check_option("diagonal", diagonal, Diagonal)
    _check_option("singletons", singletons, Singletons)
    _check_integers("clusters", clusters)
    _check_length("clusters", clusters.shape[-1], "prototypes", prototypes.shape[-2])

    unit = F.normalize(prototypes, dim=-1)
    cosine = unit @ unit.mT
    same = clusters.unsqueeze(-1) == clusters.unsqueeze(-2)
    itself = torch.eye(same.shape[-1], dtype=torch.bool, device=same.device)
    size = same.sum(-1)  # (..., K): the size of each class's own cluster
    # The clamp only touches singletons, which are masked below.
    others = (size - 1).clamp(min=1).to(cosine.dtype)
    squares = (cosine + 1 / others.unsqueeze(-1)).square().masked_fill(~same | itself, 0)
    if diagonal == "literal":
        squares = squares + cosine.square() * (itself & (size > 1).unsqueeze(-1))
    per_class = squares.sum(-1)
    if reduction == "pair_mean":
        per_class = per_class / (size * others)

    first_of_cluster = ~same.tril(-1).any(-1)
    if singletons == "drop_from_M":
        first_of_cluster = first_of_cluster & (size > 1)
    n_clusters = first_of_cluster.sum(-1).clamp(min=1)
    return per_class.sum(-1) / n_clusters


def class_wise_convergence(
    image_features: Tensor,
    prototypes: Tensor,
    labels: Tensor,
    class_counts: Tensor,
    weighting: Weighting = "unbiased",
    detach_text: bool = False,
) -> Tensor:
    """Squared distance between normalised image features and their class's prototype, eq. (10).

    Args:
        image_features: (..., B, d) features of one batch.
        prototypes: (..., K, d) text features.
        labels: (..., B) integer class of each image.
        class_counts: (..., K) number N_c of training images of each class, all at least 1.
        weighting: eq. (10) averages over classes, but a batch holds few of them.
            "unbiased" weights an image by N / (K N_y) before the batch mean, so that batches of
            equal size average to eq. (10) exactly over an epoch; "batch_class" averages the class
            means of the classes present in the batch; "plain" is the mean over images.
        detach_text: keep the gradient out of the prototypes.

    Returns:
        (...,) loss.

    Raises:
        ValueError: on unknown options, labels outside 0..K-1, empty classes or shapes that do
            not fit. Values are looked at on the CPU only: a GPU would have to wait for them.
    """
    _check_option("weighting", weighting, Weighting)
    _check_integers("labels", labels)
    _check_length("labels", labels.shape[-1], "image_features", image_features.shape[-2])
    n_classes = prototypes.shape[-2]
    _check_length("class_counts", class_counts.shape[-1], "prototypes", n_classes)
    if not labels.is_cuda:
        if labels.min() < 0 or labels.max() >= n_classes:
            raise ValueError(f"labels must lie in 0..{n_classes - 1}, one index per prototype.")
        if (class_counts < 1).any():
            raise ValueError("class_counts must be at least 1: drop classes without images.")

    image_unit = F.normalize(image_features, dim=-1)
    text_unit = F.normalize(prototypes.detach() if detach_text else prototypes, dim=-1)
    member = F.one_hot(labels, n_classes).to(text_unit.dtype)  # (..., B, K)
    distance = (image_unit - member @ text_unit).square().sum(-1)

    if weighting == "plain":
        return distance.mean(-1)
    if weighting == "unbiased":
        counts = class_counts.to(distance.dtype)
        batch_size = labels.shape[-1]
        class_weight = counts.sum(-1, keepdim=True) / (n_classes * counts) / batch_size
    else:
        in_batch = member.sum(-2)
        present = (in_batch > 0).sum(-1, keepdim=True)
        class_weight = 1 / (in_batch.clamp(min=1) * present)
    sample_weight = (member * class_weight.unsqueeze(-2)).sum(-1)
    return (sample_weight * distance).sum(-1)


def rotation_stabilization(
    prototypes: Tensor,
    frozen: Tensor,
    space: Space = "normalised",
    reduction: FeatureReduction = "sum_d",
) -> Tensor:
    """L1 distance of each prototype from its frozen counterpart, eq. (11), mean over classes.

    Args:
        prototypes: (..., K, d) text features.
        frozen: (K, d) or (..., K, d) text features of the frozen model.
        space: compare L2-"normalised" features or the "raw" ones.
        reduction: over the d coordinates, "sum_d" (the L1 norm of eq. 11) or "mean".

    Returns:
        (...,) loss.

    Raises:
        ValueError: on unknown options or if the two have different K or d.
    """
    _check_option("space", space, Space)
    _check_option("reduction", reduction, FeatureReduction)
    if prototypes.shape[-2:] != frozen.shape[-2:]:
        raise ValueError(
            f"prototypes {tuple(prototypes.shape)} and frozen {tuple(frozen.shape)} must agree in "
            "their last two dimensions (K, d)."
        )
    if space == "normalised":
        prototypes, frozen = F.normalize(prototypes, dim=-1), F.normalize(frozen, dim=-1)
    gap = (prototypes - frozen).abs()
    per_class = gap.sum(-1) if reduction == "sum_d" else gap.mean(-1)
    return per_class.mean(-1)


def _check_option(name: str, value: str, literal: object) -> None:
    allowed = get_args(literal)
    if value not in allowed:
        raise ValueError(f"{name}={value!r} is not known; choose one of {', '.join(allowed)}.")


def _check_integers(name: str, tensor: Tensor) -> None:
    if tensor.dtype.is_floating_point or tensor.dtype == torch.bool:
        raise ValueError(f"{name} must be an integer tensor, got {tensor.dtype}.")


def _check_length(name: str, length: int, other: str, expected: int) -> None:
    if length != expected:
        raise ValueError(f"{name} has {length} entries but {other} has {expected} rows.")
