"""Semantic clusters of the frozen prototypes, the map pi of equation (3)."""

from typing import Literal

import numpy as np
import torch
from sklearn.cluster import KMeans, kmeans_plusplus

RESTARTS = 10
MAX_ITERATIONS = 300


def number_of_clusters(n_classes: int, size: int = 16) -> int:
    """M = max(1, round(K / size)) clusters of about `size` classes each (halves go to even)."""
    if size < 1:
        raise ValueError(f"Cluster size must be at least 1, got {size}.")
    return max(1, round(n_classes / size))


def cluster_prototypes(
    features: torch.Tensor,
    size: int = 16,
    n_clusters: int | None = None,
    method: Literal["spherical", "euclidean"] = "spherical",
    seed: int = 0,
) -> torch.Tensor:
    """Cluster classes by their frozen text features, once before training (section 3.2, step 1).

    Computed in float64 with NumPy, so the result does not depend on torch's threads.

    Args:
        features: (K, d) frozen prototypes.
        size: mean number of classes per cluster; sets M unless `n_clusters` is given.
        n_clusters: M itself.
        method: "spherical" k-means compares directions only; "euclidean" is k-means on the
            features as they are.
        seed: of the initialisation; ten restarts, the best one is kept.

    Returns:
        (K,) int64 cluster of each class on the CPU, 0..M-1 in order of each cluster's first class.

    Raises:
        ValueError: on fewer than 2 classes, fewer distinct prototypes than clusters, NaN or
            infinite features, zero vectors under "spherical", or an unknown method.
    """
    points = features.detach().cpu().double().numpy()
    if points.ndim != 2 or len(points) < 2:
        raise ValueError(f"features must be (K, d) with K >= 2 classes, got {points.shape}.")
    if not np.isfinite(points).all():
        raise ValueError("features hold NaN or infinite values; check the frozen text features.")
    wanted = number_of_clusters(len(points), size) if n_clusters is None else n_clusters
    distinct = len(np.unique(points, axis=0))
    if not 1 <= wanted <= distinct:
        raise ValueError(
            f"Cannot make {wanted} clusters of {len(points)} classes ({distinct} distinct "
            f"prototypes); choose n_clusters between 1 and {distinct}."
        )

    if method == "spherical":
        labels = _spherical_kmeans(points, wanted, seed)
    elif method == "euclidean":
        labels = KMeans(wanted, n_init=RESTARTS, random_state=seed).fit_predict(points)
    else:
        raise ValueError(f"method={method!r} is not known; choose spherical or euclidean.")
    return torch.from_numpy(_number_by_first_class(labels))


def _spherical_kmeans(points: np.ndarray, n_clusters: int, seed: int) -> np.ndarray:
    """Maximise the sum of cosines to the cluster directions; the best of RESTARTS tries."""
    norms = np.linalg.norm(points, axis=1, keepdims=True)
    if (norms == 0).any():
        raise ValueError("features hold a zero vector, which has no direction to cluster by.")
    units = points / norms
    best_labels, best_score = None, -np.inf
    for restart_seed in np.random.default_rng(seed).integers(2**31, size=RESTARTS):
        # On the unit sphere squared distance is 2 - 2 cos, so k-means++ applies unchanged.
        start, _ = kmeans_plusplus(units, n_clusters, random_state=int(restart_seed))
        labels, score = _spherical_lloyd(units, start)
        if score > best_score + 1e-12 * len(units):  # equal scores differ by rounding only
            best_labels, best_score = labels, score
    return best_labels


def _spherical_lloyd(units: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, float]:
    """Alternate assignment and renormalised means from unit `centroids`; (labels, sum of cos)."""
    labels = None
    for _ in range(MAX_ITERATIONS):
        previous = labels
        cosine = units @ centroids.T
        labels = _refill_empty(cosine.argmax(axis=1), cosine)
        if previous is not None and (labels == previous).all():
            break
        sums = np.zeros_like(centroids)
        np.add.at(sums, labels, units)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        centroids = sums / np.maximum(norms, np.finfo(float).tiny)  # opposite points sum to 0
    return labels, float((units * centroids[labels]).sum())


def _refill_empty(labels: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    """Give each empty cluster the point that fits its own cluster worst and isn't alone there."""
    labels = labels.copy()
    fit = cosine[np.arange(len(labels)), labels]
    counts = np.bincount(labels, minlength=cosine.shape[1])
    for empty in np.flatnonzero(counts == 0):
        worst = np.where(counts[labels] > 1, fit, np.inf).argmin()
        counts[labels[worst]] -= 1
        labels[worst], counts[empty], fit[worst] = empty, 1, np.inf
    return labels


def _number_by_first_class(labels: np.ndarray) -> np.ndarray:
    """Rename clusters 0..M-1 in the order in which they first appear."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return first.argsort().argsort()[inverse]
