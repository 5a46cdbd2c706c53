"""Classes in the plane, for maps."""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from scipy.linalg import orthogonal_procrustes

from cptlab.lab.caches import use_writable_caches

NEIGHBOURS = 10
MIN_DISTANCE = 0.3


def plane(features: torch.Tensor, like: np.ndarray | None = None, seed: int = 0) -> np.ndarray:
    """Positions of classes by UMAP with cosine distance (McInnes, Healy and Melville, 2018).

    It starts from the first two principal components, which exist for any few classes.

    Args:
        features: (K, d) text features.
        like: (K, 2) another map of the same classes. UMAP leaves open where a map lies and how it
            is turned; with `like` it is turned or mirrored, never stretched, to come closest.
        seed: of the layout; one seed gives one map on one machine.

    Returns:
        (K, 2) positions around (0, 0), without unit.

    Raises:
        ValueError: on fewer than 4 classes, NaN or infinite features, or a `like` of another shape.
    """
    points = features.detach().cpu().double().numpy()
    if points.ndim != 2 or len(points) < 4:
        raise ValueError(f"features must be (K, d) with K >= 4 classes, got {points.shape}.")
    if not np.isfinite(points).all():
        raise ValueError("features hold NaN or infinite values; they have no place on a map.")
    if like is not None and like.shape != (len(points), 2):
        raise ValueError(f"like must be ({len(points)}, 2), a place per class; got {like.shape}.")
    use_writable_caches()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)  # of a part that we do not use
        import umap  # takes seconds, and keeps compiled functions in a cache

    layout = umap.UMAP(
        n_neighbors=min(NEIGHBOURS, len(points) - 1),
        min_dist=MIN_DISTANCE,
        metric="cosine",
        init="pca",
        random_state=seed,
        n_jobs=1,  # a fixed seed allows no more
    )
    found = layout.fit_transform(points)
    found = found - found.mean(axis=0)
    if like is None:
        return found
    turn, _ = orthogonal_procrustes(found, like - like.mean(axis=0))
    return found @ turn


def class_maps(
    texts: Mapping[str, torch.Tensor], clusters: torch.Tensor, names: Sequence[str]
) -> dict[str, pd.DataFrame]:
    """A map of the classes per method, turned like the first.

    texts: (K, d) of each method. clusters: (K,), the same on every map. names: of the K classes.
    Returns a row per class: columns "x", "y", "cluster", "name" and "method".
    """
    maps, start = {}, None
    for method, features in texts.items():
        places = plane(features, like=start)
        start = places if start is None else start
        x, y = places.T
        columns = {"x": x, "y": y, "cluster": clusters.numpy(), "name": names, "method": method}
        maps[method] = pd.DataFrame(columns)
    return maps
