"""Similarity matrices (Fig. 1 a-c)."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from cptlab.lab.figures.style import DARK
from cptlab.lab.figures.text import small_text


def similarity_matrix(
    similarity: np.ndarray,
    clusters: Sequence[int] | np.ndarray,
    ax: Axes,
    *,
    title: str,
    vmin: float | None = None,
    vmax: float | None = None,
    annotations: dict[str, float] | None = None,
    colorbar: bool = True,
) -> Axes:
    """Heat map of a (K, K) similarity matrix with thin lines at the borders of clusters (Fig. 1).

    Args:
        similarity: (K, K), classes already ordered so that clusters are contiguous.
        clusters: (K,) cluster of each row in that order.
        ax: axes to draw on.
        title: title of the panel.
        vmin: cosine at the dark end of the colour scale; the smallest entry if left out.
        vmax: cosine at the bright end; the largest entry if left out.
        annotations: numbers in small print under the title, e.g. {"effective rank": 12.34}.
        colorbar: draw one; for a bar shared by panels use `ax.images[0]`.

    Raises:
        ValueError: if the shapes do not match or a cluster is not contiguous.
    """
    similarity, clusters = np.asarray(similarity), np.asarray(clusters)
    if similarity.shape != (len(clusters), len(clusters)):
        raise ValueError(
            f"similarity {similarity.shape} must be square with one row for each of the "
            f"{len(clusters)} clusters given."
        )
    borders = np.flatnonzero(clusters[1:] != clusters[:-1]) + 0.5
    if len(borders) + 1 != len(np.unique(clusters)):
        raise ValueError("Rows of one cluster must be side by side; order the classes first.")

    heat = ax.imshow(similarity, cmap="viridis", vmin=vmin, vmax=vmax, interpolation="nearest")
    ax.hlines(borders, -0.5, len(clusters) - 0.5, color="white", linewidth=0.5)
    ax.vlines(borders, -0.5, len(clusters) - 0.5, color="white", linewidth=0.5)
    ax.set(xticks=[], yticks=[], xlabel=f"{len(clusters)} classes")
    ax.grid(False)
    ax.spines[:].set_visible(False)
    lines = [f"{name} {value:.2f}" for name, value in (annotations or {}).items()]
    ax.set_title(title, pad=6 + 11 * len(lines))
    small_text(ax, "\n".join(lines), y=1, offset=4, va="bottom", color=DARK)
    if colorbar:
        ax.figure.colorbar(heat, ax=ax, label="cosine similarity", shrink=0.8)
    return ax
