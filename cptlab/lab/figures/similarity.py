"""Similarity matrices (Fig. 1 a-c)."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cptlab.lab.figures.style import DARK
from cptlab.lab.figures.text import small_text

MOST_ACROSS = 5
"""Panels side by side."""


def similarity_matrix(
    similarity: np.ndarray,
    clusters: Sequence[int] | np.ndarray,
    ax: Axes,
    *,
    title: str,
    vmin: float | None = None,
    vmax: float | None = None,
    cmap: str = "viridis",
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
        cmap: colour scale.
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

    line = "white" if cmap == "viridis" else DARK
    heat = ax.imshow(similarity, cmap=cmap, vmin=vmin, vmax=vmax, interpolation="nearest")
    ax.hlines(borders, -0.5, len(clusters) - 0.5, color=line, linewidth=0.5)
    ax.vlines(borders, -0.5, len(clusters) - 0.5, color=line, linewidth=0.5)
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
    centred: Mapping[str, np.ndarray],
    clusters: Sequence[int] | np.ndarray,
    fig: Figure,
    *,
    annotations: Mapping[str, dict[str, float]] | None = None,
) -> list[Axes]:
    """Two panels of `similarity_matrix` per method: cosines, and below them centred ones.

    Cosines of all methods have one colour scale, and so have centred ones, around zero; without
    what all classes share, blocks show. Its ends leave out the most extreme 0.5 %.

    Args:
        matrices: title of a panel -> (K, K), classes ordered alike in all of them.
        centred: title -> (K, K), cosines of unit vectors minus their mean.
        clusters: (K,) cluster of each row.
        fig: empty figure to fill; its size is set to what the panels need.
        annotations: title -> numbers below it.

    Returns:
        The axes of the cosines, then those of the centred ones.

    Raises:
        ValueError: as `similarity_matrix`, or without a matrix.
    """
    if not matrices:
        raise ValueError("There is nothing to draw: give the matrix of a method.")
    titles, across = list(matrices), min(MOST_ACROSS, len(matrices))
    lines = [titles[i : i + across] for i in range(0, len(titles), across)]
    fig.set_size_inches(8 if across > 2 else 6 if across > 1 else 4, 1)
    side = (fig.get_figwidth() - 1) / across
    fig.set_layout_engine("constrained")
    fig.set_figheight((2 * side + 1.2) * len(lines))
    axes = fig.subplots(2 * len(lines), across, squeeze=False)
    low = min(float(np.min(matrix)) for matrix in matrices.values())
    end = max(_extreme(matrix) for matrix in centred.values())
    rows = (
        (matrices, axes[::2], {"vmin": low, "vmax": 1}, "cosine", "neither"),
        (centred, axes[1::2], {"vmin": -end, "vmax": end, "cmap": "RdBu_r"}, "centred", "both"),
    )
    drawn = []
    for shown, places, limits, label, extend in rows:
        for row, line in zip(places, lines, strict=True):
            for ax, title in zip(row, line):
                first = shown is matrices
                similarity_matrix(
                    shown[title],
                    clusters,
                    ax,
                    title=(title.replace(" (", "\n(") if across > 3 else title) if first else "",
                    annotations=(annotations or {}).get(title) if first else None,
                    colorbar=False,
                    **limits,
                )
                ax.title.set_fontsize(9)
                ax.set_xlabel("" if first else ax.get_xlabel())
                drawn.append(ax)
            for ax in row[len(line) :]:
                ax.set_axis_off()
            bar = fig.colorbar(row[0].images[0], ax=row, label=label, shrink=0.9, extend=extend)
            bar.ax.tick_params(labelsize=8)
    return drawn


def _extreme(matrix: np.ndarray) -> float:
    """The size that only 0.5 % of the entries off the diagonal exceed."""
    pairs = np.abs(matrix[~np.eye(len(matrix), dtype=bool)])
    return float(np.quantile(pairs, 0.995)) if len(pairs) else 1.0
