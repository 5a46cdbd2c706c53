"""Semantic clusters of the frozen prototypes, the map pi of equation (3)."""

from typing import Literal, get_args

import numpy as np
import torch
from sklearn.cluster import KMeans, SpectralClustering, kmeans_plusplus
from sklearn.metrics.pairwise import cosine_distances, cosine_similarity

ClusterMethod = Literal["spherical", "euclidean", "spectral", "kmedoids", "random"]

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
    method: ClusterMethod = "spherical",
    seed: int = 0,
) -> torch.Tensor:
    """Cluster classes by their frozen text features, once before training (section 3.2, step 1).

    Computed in float64 with NumPy, so the result does not depend on torch's threads.

    Args:
        features: (K, d) frozen prototypes.
        size: mean number of classes per cluster; sets M unless `n_clusters` is given.
        n_clusters: M itself.
        method: "spherical" k-means compares directions only; "euclidean" is k-means on the
            features as they are; "spectral" cuts the graph of (1 + cos) / 2 between all pairs
            (normalised Laplacian, k-means on its eigenvectors); "kmedoids" is PAM, whose centres
            are classes, with the distance 1 - cos; "random", a control, deals the classes out anew
            to clusters of the sizes that "spherical" finds.
        seed: of the initialisation; ten restarts of k-means, the best one is kept. "kmedoids"
            draws nothing at random, so that all seeds agree.

    Returns:
        (K,) int64 cluster of each class on the CPU, 0..M-1 in order of each cluster's first class.

    Raises:
        ValueError: on fewer than 2 classes, fewer distinct prototypes (directions, except under
            "euclidean") than clusters, NaN or infinite features, zero vectors (the same), or an
            unknown method.
    """
    points = features.detach().cpu().double().numpy()
    if points.ndim != 2 or len(points) < 2:
        raise ValueError(f"features must be (K, d) with K >= 2 classes, got {points.shape}.")
    if not np.isfinite(points).all():
        raise ValueError("features hold NaN or infinite values; check the frozen text features.")
    if method != "euclidean":
        points = _directions(points)
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
    elif method == "spectral":
        labels = _spectral(points, wanted, seed)
    elif method == "kmedoids":
        labels = _pam(cosine_distances(points), wanted)
    elif method == "random":
        labels = np.random.default_rng(seed).permutation(_spherical_kmeans(points, wanted, seed))
    else:
        known = ", ".join(get_args(ClusterMethod))
        raise ValueError(f"method={method!r} is not known; choose one of {known}.")

    found = len(np.unique(labels))
    if found < wanted:
        raise ValueError(
            f"{method} clustering found {found} clusters instead of {wanted}, as some prototypes "
            f"are equal up to rounding; choose n_clusters of at most {found}."
        )
    return torch.from_numpy(_number_by_first_class(labels))


def _directions(points: np.ndarray) -> np.ndarray:
    """Unit vectors of `points`."""
    norms = np.linalg.norm(points, axis=1, keepdims=True)
    if (norms == 0).any():
        raise ValueError("features hold a zero vector, which has no direction to cluster by.")
    return points / norms


def _spectral(units: np.ndarray, n_clusters: int, seed: int) -> np.ndarray:
    """Spectral clustering on the affinity (1 + cos) / 2 of all pairs.

    Affinities may not be negative. Shifting keeps the order of all pairs and the graph connected
    (only opposite directions get 0); clipping at 0 would call all obtuse angles equal and could
    cut classes off.
    """
    # The eigensolver needs M < K, and these two have only one answer.
    if n_clusters in (1, len(units)):
        return np.arange(len(units)) % n_clusters
    affinity = ((1 + cosine_similarity(units)) / 2).clip(0, 1)
    model = SpectralClustering(
        n_clusters,
        affinity="precomputed",
        assign_labels="kmeans",
        n_init=RESTARTS,
        random_state=seed,
    )
    return model.fit_predict(affinity)


def _pam(distance: np.ndarray, n_clusters: int) -> np.ndarray:
    """Partitioning around medoids (Kaufman and Rousseeuw 1987): BUILD, then the best SWAP in turn.

    The kept implementations are under the GPL or no longer install. `distance` is (K, K).
    """
    medoids = [int(distance.sum(0).argmin())]
    while len(medoids) < n_clusters:
        nearest = distance[:, medoids].min(1)
        gain = np.maximum(nearest[:, None] - distance, 0).sum(0)
        gain[medoids] = -1
        medoids.append(int(gain.argmax()))
    cost = distance[:, medoids].min(1).sum()
    for _ in range(MAX_ITERATIONS if n_clusters < len(distance) else 0):
        swaps = []
        for place in range(n_clusters):
            others = [m for i, m in enumerate(medoids) if i != place]
            kept = distance[:, others].min(1, initial=np.inf)
            costs = np.minimum(kept[:, None], distance).sum(0)
            swaps.append((float(costs.min()), place, int(costs.argmin())))
        best, place, candidate = min(swaps)
        if best >= cost - 1e-12 * len(distance):  # what is left is rounding
            break
        cost, medoids[place] = best, candidate
    return distance[:, medoids].argmin(1)


def _spherical_kmeans(units: np.ndarray, n_clusters: int, seed: int) -> np.ndarray:
    """Maximise the sum of cosines to the cluster directions; the best of RESTARTS tries."""
    best_labels, best_score = np.zeros(len(units), np.int64), -np.inf
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
