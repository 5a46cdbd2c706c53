"""The effect of each of the three losses: all eight combinations (Table 1)."""

import itertools

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Affine2D, ScaledTranslation, blended_transform_factory

from cptlab.lab.figures.style import BLUE, GREY
from cptlab.lab.study.tables import check_one_row_per_seed, method_table

LOSSES = {"tetf": "TETF", "cc": "CC", "rs": "RS"}
"""Columns that are true where a loss is on, with the paper's names of the losses."""

COMBINATIONS = sorted(itertools.product((True, False), repeat=len(LOSSES)), key=sum)
"""Top to bottom: none, each alone, each pair, all three."""

TABLE_1 = {
    (False, False, False): "(1)",
    (True, False, False): "(2)",
    (True, True, False): "(3)",
    (True, False, True): "(4)",
    (True, True, True): "(5)",
}
"""Rows of the paper's Table 1; which losses they have on is inferred from its text."""


def ablation_bars(frame: pd.DataFrame, *, metric: str, ax: Axes, labels: bool = True) -> Axes:
    """A row per combination of losses: dots show which are on, a point the mean with its interval.

    Rows of Table 1 are filled and have its number, the other three are hollow. The dotted line is
    the mean without any of the losses.

    Args:
        frame: columns "tetf", "cc", "rs" (is the loss on?), `metric` in percent and "seed".
        metric: quantity to draw.
        ax: axes to draw on; the dots are left of it.
        labels: draw the dots and the row numbers of Table 1; panels to the right of another share
            those of the first.

    Raises:
        ValueError: on missing columns or several rows for one seed.
    """
    columns = list(LOSSES)
    check_one_row_per_seed(frame, columns, [metric])
    frame = frame.astype(dict.fromkeys(columns, bool))
    table = method_table(frame, [metric], by=columns).set_index(columns)
    places = range(len(COMBINATIONS))
    for place, combination in zip(places, COMBINATIONS):
        if combination not in table.index:
            anchor = {"xycoords": ("axes fraction", "data"), "va": "center", "color": GREY}
            ax.annotate("not run", (0.02, place), fontsize=8, **anchor)
            continue
        row = table.loc[combination]
        spread = np.nan_to_num([[row["mean"] - row["lower"]], [row["upper"] - row["mean"]]])
        ax.errorbar(
            row["mean"],
            place,
            xerr=spread,
            fmt="o",
            color=BLUE,
            markerfacecolor=BLUE if combination in TABLE_1 else "white",
            markersize=6,
            capsize=3,
            linewidth=1.4,
        )
    if COMBINATIONS[0] in table.index:
        mean = table.loc[COMBINATIONS[0], "mean"]
        ax.axvline(mean, color=GREY, linewidth=0.8, linestyle=":", zorder=0)
    ax.set_yticks(places, [""] * len(places))
    ax.tick_params(axis="y", length=0)
    ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    ax.set(xlabel=f"{metric} (%)", ylim=(len(places) - 0.5, -0.5))
    if labels:
        _dots(ax)
    return ax


def _dots(ax: Axes) -> None:
    """Left of the axes: a column per loss, dark where it is on, joined in a row; row numbers."""
    # Columns are placed in points from the axes' left edge, because the layout decides the width of
    # the axes later: a share of it would leave too much or too little room.
    points = Affine2D().scale(1 / 72) + ax.figure.dpi_scale_trans
    left = points + ScaledTranslation(0, 0, ax.transAxes)
    outside = {"transform": blended_transform_factory(left, ax.transData), "clip_on": False}
    columns = np.array([-70, -44, -18])
    for place, combination in enumerate(COMBINATIONS):
        on = columns[np.flatnonzero(combination)]
        ax.plot(columns, [place] * len(columns), "o", color="#DDDDDD", markersize=7, **outside)
        if len(on):  # an empty line would count in the layout as one at the figure's corner
            dark = {"color": "#333333", "markersize": 7, "linewidth": 2}
            ax.plot(on, [place] * len(on), "o-", **dark, **outside)
    style = {"fontsize": 8, "ha": "center", **outside}
    for x, name in zip(columns, LOSSES.values(), strict=True):
        ax.text(x, -0.6, name, **style)
    ax.text(-106, -0.6, "Table 1", **style)
    for combination, number in TABLE_1.items():
        ax.text(-106, COMBINATIONS.index(combination), number, va="center", **style)
