"""Differences of methods to a reference: one sorted row a method, filled where separable."""

from collections.abc import Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D
from matplotlib.markers import CARETLEFTBASE, CARETRIGHTBASE
from matplotlib.ticker import MaxNLocator

from cptlab.lab.figures.bars import explain, keys, spanned, whiskers
from cptlab.lab.figures.style import DARK, GREY, NAME, PALE, WIDEST, method_look
from cptlab.lab.study.comparison_message import holds

ROW = 0.2
"""Inches of a row: names of 8 points, and air between them."""


def forest_panels(table: pd.DataFrame, fig: Figure) -> list[Axes]:
    """A row per method, sorted by the first panel, with its differences to references.

    Args:
        table: differences in points: columns "method", "reference", "panel" (a title) and those of
            `cptlab.lab.study.summary.corrected`. Panels of one reference share a scale, which ends
            half a range beyond the means: longer intervals end in an arrow.
        fig: empty figure to fill; its size is set.

    Returns:
        The axes, panel by panel.

    Raises:
        ValueError: if the table has no rows.
    """
    if table.empty:
        raise ValueError("There are no differences to draw: give runs of at least two methods.")
    fig.set_size_inches(WIDEST, forest_height(table) + 0.4)
    axes = draw_forest(table, fig)
    explain(fig, keys(table) | verdict_keys(table))
    return axes


def forest_height(table: pd.DataFrame) -> float:
    """Inches that rows need with their titles and axis."""
    return 0.85 + sum(ROW * _lines(name) for name in table["method"].unique())


def draw_forest(table: pd.DataFrame, fig: FigureBase, order: Sequence[str] = ()) -> list[Axes]:
    """`forest_panels` without its size and its legend.

    order: of the methods from top to bottom; that of the first panel, then in bold, if left out.
    """
    named = table[["reference", "panel"]].drop_duplicates()
    panels = list(zip(named["reference"], named["panel"], strict=True))
    first, order = not order, list(order) or rows_of(table)
    references = [reference for reference, _ in panels]
    # an empty, narrow place between two references
    firsts = [i for i in range(1, len(panels)) if references[i] != references[i - 1]]
    widths = list(np.insert(np.ones(len(panels)), firsts, 0.06))
    grid = fig.subplots(1, len(widths), sharey=True, squeeze=False, width_ratios=widths)[0]
    axes = [ax for ax, width in zip(grid, widths, strict=True) if width == 1]
    for ax in set(grid) - set(axes):
        ax.set_axis_off()
    for ax, (reference, panel) in zip(axes, panels, strict=True):
        rows = table[(table["reference"] == reference) & (table["panel"] == panel)]
        limits = _limits(table[table["reference"] == reference])
        _panel(rows, order, limits, ax)
        ax.set_title(panel, fontsize=9, fontweight="bold" if first and ax is axes[0] else "normal")
        ax.set_xlabel(fill(f"minus {reference} (points)", 100 // len(axes)), fontsize=8)
    heights = np.cumsum([0.0, *map(_lines, order)])
    axes[0].set_yticks((heights[:-1] + heights[1:]) / 2, [fill(name, NAME) for name in order])
    axes[0].set_ylim(heights[-1], 0)
    axes[0].tick_params(axis="y", pad=7)  # an arrow at the edge must not reach into a name
    return axes


def verdict_keys(table: pd.DataFrame) -> dict[str, Line2D]:
    """What a legend has to say of filled and hollow marks, if any difference was tested."""
    if not table["adjusted"].notna().any():
        return {}
    hollow = "hollow: not separable"
    if "planned" in table and table["planned"].any():
        hollow += ", or judged as a claim"
    mark = {"linestyle": "none", "marker": "o", "color": DARK, "markersize": 6}
    return {
        "filled: separable after correction": Line2D([], [], **mark),
        hollow: Line2D([], [], markerfacecolor="white", **mark),
    }


def _panel(rows: pd.DataFrame, order: list[str], limits: tuple[float, float], ax: Axes) -> None:
    """Marks and intervals of one panel."""
    edges = np.cumsum([0, *map(_lines, order)])
    for top, bottom in zip(edges[1::2], edges[2::2]):
        ax.axhspan(top, bottom, color=PALE, alpha=0.35, linewidth=0, zorder=-2)
    places = dict(zip(order, (edges[:-1] + edges[1:]) / 2, strict=True))
    separable = dict(zip(rows["method"], holds(rows), strict=True))
    for label in rows["method"]:
        look = method_look(label)
        face = look.color if separable[label] else "white"
        row = rows[rows["method"] == label]
        style = {"markerfacecolor": face, "zorder": 3}
        whiskers(ax, [places[label]], row, look, along="x", size=6, cap=2, **style)
        for end, arrow in _beyond(row, limits):
            ax.plot(end, places[label], marker=arrow, color=look.color, clip_on=False, zorder=4)
    ax.axvline(0, color=GREY, linewidth=1, zorder=1)
    ax.set_xlim(limits)
    ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    ax.tick_params(labelsize=8)
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")


def rows_of(table: pd.DataFrame) -> list[str]:
    """Methods by falling difference in the first panel, then those that it has not."""
    same = table[["reference", "panel"]] == table[["reference", "panel"]].iloc[0]
    first = table[same.all(axis=1)]
    found = first.sort_values("mean", ascending=False, kind="stable")["method"]
    return list(dict.fromkeys([*found, *table["method"]]))


def _limits(rows: pd.DataFrame) -> tuple[float, float]:
    """The scale of a reference: all intervals, but no more than half a range beyond the means."""
    shown, means = spanned(rows), [0.0, *rows["mean"].dropna()]
    low, high = min([0.0, *shown["lower"].dropna()]), max([0.0, *shown["upper"].dropna()])
    reach = np.ptp(means) / 2
    if reach and rows["method"].nunique() > 2:
        low, high = max(low, min(means) - reach), min(high, max(means) + reach)
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def _beyond(row: pd.DataFrame, limits: tuple[float, float]) -> list[tuple[float, int]]:
    """Ends of the scale that an interval goes beyond, and the arrow of each."""
    lower, upper = spanned(row)[["lower", "upper"]].iloc[0]
    low, high = limits
    ends = [(low, CARETLEFTBASE, lower < low), (high, CARETRIGHTBASE, upper > high)]
    return [(end, arrow) for end, arrow, beyond in ends if beyond]


def _lines(name: str) -> int:
    return fill(name, NAME).count("\n") + 1
