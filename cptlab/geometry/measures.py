"""Numbers that describe a set of prototypes and its clusters."""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.cluster.hierarchy import leaves_list, linkage
from sklearn.metrics import roc_auc_score
from torch import Tensor


def cosine_matrix(features: Tensor) -> Tensor:
    """Cosine similarity of all pairs: features (..., K, d) -> (..., K, K)."""
    unit = F.normalize(features, dim=-1)
    return unit @ unit.mT


def effective_rank(matrix: Tensor) -> Tensor:
    """Exponential of the entropy of the normalised singular values (Roy and Vetterli, 2007).

    Lies between 1 (one direction) and min(m, n) (all singular values equal).

    Args:
        matrix: (..., m, n), for instance a cosine matrix (K, K) or features (K, d).

    Returns:
        (...,) effective rank, in float64.

    Raises:
        ValueError: on a matrix of zeros or with NaN or infinite values.
    """
    if not torch.isfinite(matrix).all():
        raise ValueError("The matrix holds NaN or infinite values; it has no effective rank.")
    singular = torch.linalg.svdvals(matrix.double())
    total = singular.sum(-1, keepdim=True)
    if (total == 0).any():
        raise ValueError("A matrix of zeros has no effective rank.")
    return torch.special.entr(singular / total).sum(-1).exp()


def offdiagonal_statistics(similarity: Tensor, clusters: Tensor) -> dict[str, float]:
    """Mean and standard deviation of the similarities of different classes.

    Args:
        similarity: (K, K) similarity matrix; its diagonal is ignored.
        clusters: (K,) cluster of each class.

    Returns:
        "mean", "std" over all pairs, then the same with the prefixes "within_" and "between_"
        for pairs inside one cluster and across two. Standard deviations are of the population;
        where there is no such pair (one cluster, or only singletons) both are NaN.

    Raises:
        ValueError: if the shapes do not fit.
    """
    n_classes = len(clusters)
    if similarity.shape != (n_classes, n_classes):
        raise ValueError(
            f"similarity {tuple(similarity.shape)} must be square with one row for each of the "
            f"{n_classes} entries of clusters."
        )
    same = clusters.unsqueeze(0) == clusters.unsqueeze(1)
    different_class = ~torch.eye(n_classes, dtype=torch.bool, device=same.device)
    groups = {"": different_class, "within_": different_class & same, "between_": ~same}
    statistics = {}
    for prefix, pairs in groups.items():
        values = similarity[pairs].double()
        statistics[f"{prefix}mean"] = values.mean().item()
        spread = values.std(correction=0).item() if len(values) else float("nan")
        statistics[f"{prefix}std"] = spread
    return statistics


def cluster_auc(similarity: Tensor, clusters: Tensor) -> float | None:
    """Chance that a pair inside one cluster is more similar than a pair across two, ties one half.

    The area under the ROC curve of similarity as a sign of "same cluster": 1/2 where clusters say
    nothing, 1 where every pair inside is closer than every pair across.

    Args:
        similarity: (K, K) symmetric; its diagonal is ignored.
        clusters: (K,) cluster of each class.

    Returns:
        A number in [0, 1]; None where there are no pairs of one of the two kinds.
    """
    rows, columns = np.triu_indices(len(clusters), 1)
    labels = clusters.cpu().numpy()
    inside = labels[rows] == labels[columns]
    if inside.all() or not inside.any():
        return None
    return float(roc_auc_score(inside, similarity.detach().cpu().numpy()[rows, columns]))


def purity(clusters: Tensor, truth: Tensor) -> float:
    """Share of classes that carry the most frequent true group of their cluster, in (0, 1].

    Args:
        clusters: (K,) integer cluster of each class.
        truth: (K,) integer true group of each class.

    Raises:
        ValueError: if the two differ in length or are empty.
    """
    if clusters.shape != truth.shape or len(clusters) == 0:
        raise ValueError("clusters and truth need one entry per class, and at least one class.")
    majority = [
        truth[clusters == cluster].unique(return_counts=True)[1].max()
        for cluster in clusters.unique()
    ]
    return sum(int(count) for count in majority) / len(clusters)


def order_by_cluster(features: Tensor, clusters: Tensor) -> Tensor:
    """Permutation of the classes that puts clusters side by side and similar ones next.

    Clusters follow the optimal leaf order of a hierarchical clustering of their mean directions,
    and the classes inside a cluster that of their own directions.

    Args:
        features: (K, d) prototypes.
        clusters: (K,) cluster of each class.

    Returns:
        (K,) int64 indices: `similarity[order][:, order]` shows clusters as blocks.
    """
    unit = F.normalize(features.detach().cpu().double(), dim=-1).numpy()
    labels = clusters.cpu().numpy()
    members = [np.flatnonzero(labels == cluster) for cluster in np.unique(labels)]
    centroids = np.stack([unit[indices].mean(axis=0) for indices in members])
    centroids /= np.maximum(np.linalg.norm(centroids, axis=1, keepdims=True), 1e-12)
    blocks = [members[m][_leaf_order(unit[members[m]])] for m in _leaf_order(centroids)]
    return torch.from_numpy(np.concatenate(blocks))


def _leaf_order(points: np.ndarray) -> np.ndarray:
    """Order (n, d) points so that neighbours are similar."""
    if len(points) < 3:
        return np.arange(len(points))
    return leaves_list(linkage(points, method="average", optimal_ordering=True))
