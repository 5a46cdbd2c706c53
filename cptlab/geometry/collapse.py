"""Measures of neural collapse, NC2 to NC4 (Papyan, Han and Donoho, 2020, PNAS 117(40)), and all of
them together; NC1 is in `scatter`.

The classes' text prototypes play the classifier. Image features and prototypes are L2-normalised
first, as CLIP compares directions. In long-tailed data the plain mean of all samples is mostly
that of the head classes, so class means are centred on the mean of the class means: every class
counts equally, and a collapsed simplex measures 0 whatever the class sizes. For balanced data this
is the paper's centre.

All numbers are floats computed in float64 on the CPU, NaN where a quantity does not exist.
"""

import math

import torch
from torch import Tensor

from cptlab.geometry.measures import cosine_matrix, effective_rank
from cptlab.geometry.scatter import (
    ROUNDING,
    centred,
    class_means,
    scatter_ratio,
    unit,
    within_class_scatter,
)


def equiangularity(vectors: Tensor, clusters: Tensor | None = None) -> dict[str, float]:
    """NC2, distance of vectors from a simplex equiangular tight frame around their own mean.

    With `clusters`, each cluster of k members is compared with the simplex of k vectors around
    the cluster's mean, and the numbers are means over clusters of at least 2. Two vectors always
    lie opposite around their mean: clusters of 2 measure 0.

    Args:
        vectors: (K, d) class means or prototypes, taken as they are.
        clusters: (K,) integer cluster of each; None takes all classes as one.

    Returns:
        "gap": mean |cos + 1/(k-1)| over pairs of the centred vectors; "std": population standard
        deviation of these cosines; "norms": coefficient of variation of the centred vectors'
        lengths. NaN without a pair. A group with a vector at its centre, which has no direction,
        has no gap and std, and is left out of the mean over clusters.
    """
    vectors = vectors.detach().cpu().double()
    groups = [vectors]
    if clusters is not None:
        clusters = clusters.cpu()
        groups = [vectors[clusters == cluster] for cluster in clusters.unique()]
    found = [_simplex_distance(group) for group in groups if len(group) > 1]
    if not found:
        return dict.fromkeys(("gap", "std", "norms"), math.nan)
    return dict(zip(("gap", "std", "norms"), torch.stack(found).nanmean(0).tolist()))


def self_duality(means: Tensor, prototypes: Tensor, both_centred: bool = True) -> float:
    """NC3, how far prototypes W are from the centred class means M, both scaled to one size.

    As Papyan et al. have it, || W / ||W||_F - M / ||M||_F ||_F with M = (m_1 - m, ..., m_K - m)
    and m the mean of the class means. Centred, the mean prototype is subtracted from W as well: a
    vector that all prototypes share changes no softmax. With CLIP it is most of W, and where the
    mean cosine of the texts is .75 the first cannot fall below 1.

    Args:
        means: (K, d) class means of `class_means`, without NaN rows.
        prototypes: (K, d) text features of the same classes.
        both_centred: centre the prototypes too; False is the measure of Papyan et al.

    Returns:
        Between 0 (equal up to scale) and 2 (opposite); NaN with fewer than two classes or if all
        rows of what is centred coincide.
    """
    if len(means) < 2:
        return math.nan
    classifier = unit(prototypes)
    scaled = [
        rows / _or_nan(torch.linalg.norm(rows))
        for rows in (
            centred(means.detach().cpu().double()),
            centred(classifier) if both_centred else classifier,
        )
    ]
    return torch.linalg.norm(scaled[0] - scaled[1]).item()


def nearest_prototype_agreement(features: Tensor, means: Tensor, prototypes: Tensor) -> float:
    """NC4, share of features whose nearest class mean is of the class their prototypes choose.

    Args:
        features: (N, d) image features, usually of test images.
        means: (K, d) class means of `class_means` on training images; a class with NaN has no
            mean and is nearest to nothing.
        prototypes: (K, d) text features; the largest cosine chooses.

    Returns:
        Share in [0, 1]; NaN without features or without class means.
    """
    images, means = unit(features), means.detach().cpu().double()
    if means.isnan().all():
        return math.nan
    # |h - m|^2 = |h|^2 + |m|^2 - 2 h m, of which |h|^2 is the same for all classes.
    distance = means.square().sum(-1) - 2 * images @ means.mT
    nearest = distance.nan_to_num(nan=math.inf).argmin(-1)
    chosen = (images @ unit(prototypes).mT).argmax(-1)
    return (nearest == chosen).double().mean().item()


def drift(prototypes: Tensor, frozen: Tensor) -> dict[str, float]:
    """How far the prototypes have turned away from the frozen ones.

    Args:
        prototypes: (K, d) text features.
        frozen: (K, d) frozen text features.

    Returns:
        Means over classes: "cosine", 1 - cos of the two, and "degrees", the angle between them.
    """
    one, other = unit(prototypes), unit(frozen)
    # arccos loses half the digits at small angles; this does not.
    half = torch.atan2((one - other).norm(dim=-1), (one + other).norm(dim=-1))
    return {
        "cosine": (2 * half.sin().square()).mean().item(),
        "degrees": (2 * half).rad2deg().mean().item(),
    }


def collapse_measures(
    train_features: Tensor,
    train_labels: Tensor,
    prototypes: Tensor,
    frozen: Tensor,
    clusters: Tensor,
    test_features: Tensor | None = None,
) -> dict[str, float]:
    """All measures of one replica, for the log of an epoch: finite input never raises.

    Args:
        train_features: (N, d) image features; classes without any are left out of NC1, NC3 and
            NC2 of the means.
        train_labels: (N,) integer class of each, in 0..K-1.
        prototypes: (K, d) text features.
        frozen: (K, d) frozen text features.
        clusters: (K,) integer cluster of each class.
        test_features: (N', d) image features for nc4, which is NaN without.

    Returns:
        "nc1" (`within_class_scatter`) and "nc1_unbiased" (`scatter_ratio`, free of the numbers of
        images); for "nc2_prototypes_global", "nc2_prototypes_within", "nc2_means_global" and
        "nc2_means_within" (classes together, and inside clusters) the gap under this name, and
        with "_std" and "_norms" the other two numbers of `equiangularity`; "nc3" (`self_duality`,
        centred) and "nc3_papyan" (as Papyan et al.); "nc4"; "effective_rank" of the prototypes'
        cosine matrix; "drift_cosine" and "drift_degrees".

    Raises:
        ValueError: on labels outside 0..K-1.
    """
    prototypes, clusters = unit(prototypes), clusters.cpu()
    means = class_means(train_features, train_labels, len(prototypes))
    present = ~means.isnan().any(-1)
    measures = {
        "nc1": within_class_scatter(train_features, train_labels),
        "nc1_unbiased": scatter_ratio(train_features, train_labels),
    }
    groups = {
        "prototypes_global": equiangularity(prototypes),
        "prototypes_within": equiangularity(prototypes, clusters),
        "means_global": equiangularity(means[present]),
        "means_within": equiangularity(means[present], clusters[present]),
    }
    for group, found in groups.items():
        measures[f"nc2_{group}"] = found["gap"]
        measures[f"nc2_{group}_std"] = found["std"]
        measures[f"nc2_{group}_norms"] = found["norms"]
    measures["nc3"] = self_duality(means[present], prototypes[present])
    measures["nc3_papyan"] = self_duality(means[present], prototypes[present], both_centred=False)
    measures["nc4"] = math.nan
    if test_features is not None:
        measures["nc4"] = nearest_prototype_agreement(test_features, means, prototypes)
    similarity = cosine_matrix(prototypes)
    measures["effective_rank"] = effective_rank(similarity).item() if similarity.any() else math.nan
    return measures | {f"drift_{name}": v for name, v in drift(prototypes, frozen).items()}


def _simplex_distance(vectors: Tensor) -> Tensor:
    """Gap, std and norms of one group of k >= 2 vectors (k, d): (3,), see `equiangularity`."""
    k = len(vectors)
    around = centred(vectors)
    norms = around.norm(dim=-1)
    directions = around / _or_nan(norms).unsqueeze(-1)
    rows, columns = torch.triu_indices(k, k, 1)
    cosine = (directions @ directions.mT)[rows, columns]
    gap = (cosine + 1 / (k - 1)).abs().mean()
    variation = norms.std(correction=0) / _or_nan(norms.mean())
    return torch.stack([gap, cosine.std(correction=0), variation])


def _or_nan(lengths: Tensor) -> Tensor:
    """`lengths` with NaN for those that are mere rounding."""
    return lengths.where(lengths > ROUNDING, math.nan)
