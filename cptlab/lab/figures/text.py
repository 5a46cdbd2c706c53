"""Small text beside the axes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from scipy.optimize import isotonic_regression

LINE = 10.5
"""Points from one label to the next."""


def small_text(ax: Axes, text: str, *, y: float, offset: float, va: str, color: str) -> None:
    """Centred text at height `y` of the axes (0 bottom, 1 top), `offset` points above it."""
    place = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "center"}
    ax.annotate(text, (0.5, y), (0, offset), **place, va=va, fontsize=8, color=color)


def end_labels(ax: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    """Names right of the axes, joined to where their lines end; those that would meet move apart.

    Room is measured in the current layout of the figure, so call this when all else is drawn.

    ends: height in data, text, and colour of each line.
    """
    ax.figure.get_figure(root=True).draw_without_rendering()
    ends = sorted(ends)
    heights = [ax.transData.transform((0, height))[1] * 72 / ax.figure.dpi for height, *_ in ends]
    steps = LINE * np.arange(len(ends))
    moved = isotonic_regression(np.array(heights) - steps).x + steps
    for (height, text, color), old, new in zip(ends, heights, moved, strict=True):
        line = {"arrowstyle": "-", "color": color, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 2}
        line["relpos"] = (0, 0.5)
        ax.annotate(
            text,
            (1, height),
            (16, new - old),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=color,
            arrowprops=line,
            annotation_clip=False,
        )
