"""Measures of neural collapse, NC1 to NC4 (Papyan, Han and Donoho, 2020, PNAS 117(40)).

The classes' text prototypes play the classifier. Image features and prototypes are L2-normalised
first, as CLIP compares directions. In long-tailed data the plain mean of all samples is mostly
that of the head classes, so class means are centred on the mean of the class means: every class
counts equally, and a collapsed simplex measures 0 whatever the class sizes. For balanced data this
is the paper's centre.

All numbers are floats computed in float64 on the CPU, NaN where a quantity does not exist.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from cptlab.geometry.measures import cosine_matrix, effective_rank

# Between unit vectors, lengths below this are rounding of float32 features, not directions.
ROUNDING = 1e-6


def class_means(features: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    """Mean of the normalised features of each class; the means are not normalised again.

    Args:
        features: (N, d) image features.
        labels: (N,) integer class of each, in 0..K-1.
        n_classes: K.

    Returns:
        (K, d) float64 means on the CPU; NaN in the rows of classes without samples.

    Raises:
        ValueError: on labels outside 0..K-1.
    """
    unit, labels = _unit(features), labels.cpu()
    if len(labels) and not 0 <= labels.min() <= labels.max() < n_classes:
        raise ValueError(f"labels must lie in 0..{n_classes - 1}, one index per prototype.")
    sums = torch.zeros(n_classes, unit.shape[-1], dtype=unit.dtype).index_add(0, labels, unit)
    return sums / labels.bincount(minlength=n_classes).unsqueeze(-1)


def within_class_scatter(features: Tensor, labels: Tensor) -> float:
    """NC1, variability inside classes compared with that between them: tr(S_W S_B^+) / K.

    S_W = 1/N sum_i (h_i - m_{y_i})(h_i - m_{y_i})^T over all samples and
    S_B = 1/K sum_c (m_c - m)(m_c - m)^T over the K classes that have any, with the class means m_c
    and their mean m; S_B^+ is the pseudo-inverse, as S_B has rank K - 1 at most. A class of one
    sample sits at its mean and adds nothing to S_W.

    Args:
        features: (N, d) image features.
        labels: (N,) integer class of each.

    Returns:
        NC1; NaN with fewer than two classes or if all class means coincide.
    """
    classes, labels = labels.cpu().unique(return_inverse=True)
    means = class_means(features, labels, len(classes))
    # K S_B = A^T A for the centred means A = U diag(s) V^T, so S_B^+ = K V diag(s^-2) V^T and the
    # trace is a mean of squares: no (d, d) matrix is formed.
    _, singular, directions = torch.linalg.svd(_centred(means), full_matrices=False)
    kept = singular > ROUNDING
    if not kept.any():
        return math.nan
    spread = (_unit(features) - means[labels]) @ directions[kept].mT / singular[kept]
    return spread.square().sum(-1).mean().item()


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


def self_duality(means: Tensor, prototypes: Tensor) -> float:
    """NC3, || M / ||M||_F - W / ||W||_F ||_F of centred class means M and prototypes W.

    Args:
        means: (K, d) class means of `class_means`, without NaN rows.
        prototypes: (K, d) text features of the same classes.

    Returns:
        Between 0 (equal up to scale) and 2 (opposite); NaN with fewer than two classes or if all
        rows of either coincide.
    """
    if len(means) < 2:
        return math.nan
    scaled = []
    for rows in (means.detach().cpu().double(), _unit(prototypes)):
        centred = _centred(rows)
        scaled.append(centred / _or_nan(torch.linalg.norm(centred)))
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
    unit, means = _unit(features), means.detach().cpu().double()
    if means.isnan().all():
        return math.nan
    # |h - m|^2 = |h|^2 + |m|^2 - 2 h m, of which |h|^2 is the same for all classes.
    distance = means.square().sum(-1) - 2 * unit @ means.mT
    nearest = distance.nan_to_num(nan=math.inf).argmin(-1)
    chosen = (unit @ _unit(prototypes).mT).argmax(-1)
    return (nearest == chosen).double().mean().item()


def drift(prototypes: Tensor, frozen: Tensor) -> dict[str, float]:
    """How far the prototypes have turned away from the frozen ones.

    Args:
        prototypes: (K, d) text features.
        frozen: (K, d) frozen text features.

    Returns:
        Means over classes: "cosine", 1 - cos of the two, and "degrees", the angle between them.
    """
    one, other = _unit(prototypes), _unit(frozen)
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
        train_features: (N, d) image features; classes without any are left out of nc1, nc3 and
            nc2 of the means.
        train_labels: (N,) integer class of each, in 0..K-1.
        prototypes: (K, d) text features.
        frozen: (K, d) frozen text features.
        clusters: (K,) integer cluster of each class.
        test_features: (N', d) image features for nc4, which is NaN without.

    Returns:
        "nc1"; for "nc2_prototypes_global", "nc2_prototypes_within", "nc2_means_global" and
        "nc2_means_within" (classes together, and inside clusters) the gap under this name, and
        with "_std" and "_norms" the other two numbers of `equiangularity`; "nc3"; "nc4";
        "effective_rank" of the prototypes' cosine matrix; "drift_cosine" and "drift_degrees".

    Raises:
        ValueError: on labels outside 0..K-1.
    """
    prototypes, clusters = _unit(prototypes), clusters.cpu()
    means = class_means(train_features, train_labels, len(prototypes))
    present = ~means.isnan().any(-1)
    measures = {"nc1": within_class_scatter(train_features, train_labels)}
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
    measures["nc4"] = math.nan
    if test_features is not None:
        measures["nc4"] = nearest_prototype_agreement(test_features, means, prototypes)
    similarity = cosine_matrix(prototypes)
    measures["effective_rank"] = effective_rank(similarity).item() if similarity.any() else math.nan
    return measures | {f"drift_{name}": v for name, v in drift(prototypes, frozen).items()}


def _unit(features: Tensor) -> Tensor:
    """Normalised (..., d) features in float64 on the CPU, without gradient."""
    return F.normalize(features.detach().cpu().double(), dim=-1)


def _centred(vectors: Tensor) -> Tensor:
    """(K, d) vectors minus their mean."""
    return vectors - vectors.mean(0)


def _simplex_distance(vectors: Tensor) -> Tensor:
    """Gap, std and norms of one group of k >= 2 vectors (k, d): (3,), see `equiangularity`."""
    k = len(vectors)
    centred = _centred(vectors)
    norms = centred.norm(dim=-1)
    unit = centred / _or_nan(norms).unsqueeze(-1)
    rows, columns = torch.triu_indices(k, k, 1)
    cosine = (unit @ unit.mT)[rows, columns]
    gap = (cosine + 1 / (k - 1)).abs().mean()
    variation = norms.std(correction=0) / _or_nan(norms.mean())
    return torch.stack([gap, cosine.std(correction=0), variation])


def _or_nan(lengths: Tensor) -> Tensor:
    """`lengths` with NaN for those that are mere rounding."""
    return lengths.where(lengths > ROUNDING, math.nan)
