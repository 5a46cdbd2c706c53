"""Similarity matrices (Fig. 1 a-c)."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
    lines = [
        f"{name} –" if np.isnan(value) else f"{name} {value:.2f}"
        for name, value in (annotations or {}).items()
    ]
    ax.set_title(title, pad=6 + 11 * len(lines))
    small_text(ax, "\n".join(lines), y=1, offset=4, va="bottom", color=DARK)
    if colorbar:
        ax.figure.colorbar(heat, ax=ax, label="cosine similarity", shrink=0.8)
    return ax


def similarity_panels(
    matrices: Mapping[str, np.ndarray],
    clusters: Sequence[int] | np.ndarray,
    fig: Figure,
    *,
    annotations: Mapping[str, dict[str, float]] | None = None,
    note: str = "",
) -> list[Axes]:
    """A panel of `similarity_matrix` per method, with one colour scale.

    Args:
        matrices: title of a panel -> (K, K), classes ordered alike in all of them.
        clusters: (K,) cluster of each row.
        fig: empty figure to fill; its size is set to what the panels need.
        annotations: title -> numbers below it.
        note: words for the first place of the last row, if it is empty.

    Raises:
        ValueError: as `similarity_matrix`, or without a matrix.
    """
    if not matrices:
        raise ValueError("There is nothing to draw: give the matrix of a method.")
    across = len(matrices) if len(matrices) < 4 else 3 if len(matrices) < 7 else 4
    down = -(-len(matrices) // across)
    fig.set_size_inches(8 if across > 1 else 4, (7.2 / max(2, across) + 1.1) * down)
    fig.set_layout_engine("constrained", h_pad=0.3 if down > 1 else 0.04)
    axes = fig.subplots(down, across, squeeze=False)
    empty = axes[-1, : down * across - len(matrices)]  # the last row is filled from the right
    panels = [ax for ax in axes.flat if ax not in [*empty]]
    low = min(float(np.min(matrix)) for matrix in matrices.values())
    for ax, (title, matrix) in zip(panels, matrices.items(), strict=True):
        similarity_matrix(
            matrix,
            clusters,
            ax,
            title=title,
            vmin=low,
            vmax=1,
            annotations=(annotations or {}).get(title),
            colorbar=False,
        )
        ax.title.set_fontsize(10 if across < 4 else 8)
    for ax in empty:
        ax.set_axis_off()
    if note and len(empty):
        empty[0].text(0.5, 0.5, note, ha="center", va="center", color=DARK)
    shrink = 0.6 if down > 1 else 0.8
    fig.colorbar(panels[0].images[0], ax=axes, label="cosine similarity", shrink=shrink)
    return panels
