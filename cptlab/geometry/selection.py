"""Choice of the number of clusters on frozen features alone."""

from collections.abc import Iterable

import pandas as pd
import torch
from sklearn.metrics import silhouette_score

from cptlab.geometry.clusters import ClusterMethod, cluster_prototypes


def choose_number(
    features: torch.Tensor,
    candidates: Iterable[int],
    method: ClusterMethod = "spherical",
    seed: int = 0,
) -> pd.DataFrame:
    """Silhouette of the clusters for each candidate number M (Rousseeuw, 1987).

    No image and no label takes part in the choice. The distance is 1 - cos under every method, so
    that methods can be compared.

    Args:
        features: (K, d) frozen prototypes.
        candidates: numbers of clusters, each in 2..K-1, where the silhouette exists.
        method: as in `cluster_prototypes`.
        seed: as in `cluster_prototypes`.

    Returns:
        One row per candidate in ascending order: "n_clusters", "silhouette" (mean over classes, in
        [-1, 1], more is better) and "best", true in the row of the largest silhouette (of equal
        ones the fewest clusters).

    Raises:
        ValueError: without candidates, on candidates outside 2..K-1, and as `cluster_prototypes`.
    """
    n_classes = len(features)
    numbers = sorted(set(candidates))
    outside = [number for number in numbers if not 2 <= number <= n_classes - 1]
    if outside or not numbers:
        raise ValueError(
            f"candidates must be numbers of clusters between 2 and K - 1 = {n_classes - 1}, where "
            f"the silhouette of K = {n_classes} classes exists; got {outside or 'none'}."
        )
    points = features.detach().cpu().double().numpy()
    scores = []
    for number in numbers:
        clusters = cluster_prototypes(features, n_clusters=number, method=method, seed=seed)
        scores.append(silhouette_score(points, clusters.numpy(), metric="cosine"))
    table = pd.DataFrame({"n_clusters": numbers, "silhouette": scores})
    table["best"] = table.index == table["silhouette"].idxmax()
    return table
