"""The confirmatory claims as a figure: a row a claim, its interval beside the claimed side."""

from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from cptlab.lab.figures.bars import INTERVAL
from cptlab.lab.figures.ledger import VERDICT_LOOKS
from cptlab.lab.figures.style import BLUE, DARK, GREY
from cptlab.lab.study.claims.told import counted

CLAIMED = 0.1
"""Opacity of the claimed side."""


def confirmatory_panels(table: pd.DataFrame, fig: Figure) -> list[Axes]:
    """Estimates with 95 % intervals, a row per claim and a column per family.

    The claimed side is shaded, the verdict stands beside each row in words. Differences in points
    share an axis in each column, ratios have their own. A column's title counts its verdicts,
    which is the figure's message (`style.message`).

    Args:
        table: what `cptlab.lab.study.claims.confirmatory` returns.
        fig: empty figure to fill; its size is set.

    Returns:
        The axes, column by column.

    Raises:
        ValueError: if there are no rows.
    """
    if table.empty:
        raise ValueError("There are no claims to draw.")
    families = list(dict.fromkeys(table["family"]))
    units = list(dict.fromkeys(table["unit"]))
    heights = [(table["unit"] == unit).sum() / len(families) for unit in units]
    fig.set_layout_engine("constrained")
    fig.set_size_inches(8, 1.5 + 0.42 * sum(heights))
    shape = len(units), len(families)
    grid = fig.subplots(*shape, squeeze=False, height_ratios=heights, sharey="row")
    titles: list[str] = []
    for i, family in enumerate(families):
        rows = table[table["family"] == family]
        titles.append(f"CPT {family}: {counted(rows)}")
        for j, unit in enumerate(units):
            _panel(rows[rows["unit"] == unit], grid[j, i], named=i == 0)
        grid[0, i].set_title(fill(titles[i], 44), loc="left", fontsize=9)
    keys = [
        Line2D([], [], color=DARK, marker="o", markersize=5, linewidth=1.8, label=INTERVAL),
        Patch(color=BLUE, alpha=CLAIMED, label="the side that the paper claims"),
    ]
    fig.legend(handles=keys, loc="outside lower center", ncols=2, fontsize=8)
    fig.set_label("; ".join(titles))  # its message
    return list(grid.T.flat)


def _panel(rows: pd.DataFrame, ax: Axes, named: bool) -> None:
    """Claims of one unit; the first of them on top."""
    ratio = (rows["unit"] == "ratio").all()
    threshold = 1.0 if ratio else 0.0
    if ratio:
        ax.set_xscale("log", base=2)
    for y, row in enumerate(rows.itertuples()):
        _row(row, y, ax)
    _room(rows, threshold, ax)
    left, right = ax.get_xlim()
    claimed = (left, threshold) if ratio else (threshold, right)
    ax.axvspan(*claimed, color=BLUE, alpha=CLAIMED, linewidth=0, zorder=0)
    ax.axvline(threshold, color=GREY, linewidth=1, zorder=1)
    ax.set_xlim(left, right)
    ax.set_xlabel("ratio of standard deviations" if ratio else "difference (points)", fontsize=8)
    claims = zip(rows["number"], rows["claim"], strict=True)
    names = [fill(f"{number}  {claim}", 30) for number, claim in claims]
    ax.set_yticks(range(len(rows)), names, fontsize=8)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0, labelleft=named)
    ax.grid(False, axis="y")


def _row(row: Any, y: int, ax: Axes) -> None:
    """An interval, and the verdict right of the axes."""
    look = VERDICT_LOOKS[row.verdict]
    color = DARK if row.verdict in ("undecided", "not run") else look.color
    if not np.isnan(row.estimate):
        ax.plot(row.estimate, y, marker="o", color=color, markersize=5)
    if not np.isnan(row.lower):
        ax.plot([row.lower, row.upper], [y, y], color=color, linewidth=1.8)
    place = {"xycoords": ("axes fraction", "data"), "va": "center", "fontsize": 8}
    # where the interval alone would have decided
    after = "\n after Holm" if row.note.endswith("Holm's correction") else ""
    ax.annotate(f" {row.verdict}{after}", (1.0, y), color=color, annotation_clip=False, **place)


def _room(rows: pd.DataFrame, threshold: float, ax: Axes) -> None:
    """Limits around all intervals with the threshold inside, and ticks on a ratio's axis."""
    ends = [*rows["lower"], *rows["upper"], *rows["estimate"]]
    ends = [x for x in ends if np.isfinite(x)] + [threshold]
    if ax.get_xscale() == "log":
        widest = max(2.0, *(max(x, 1 / x) for x in ends)) * 1.1
        ax.set_xlim(1 / widest, widest)
        ax.xaxis.set_major_locator(FixedLocator([2.0**i for i in range(-4, 5)]))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    else:
        widest = max(1.0, *map(abs, ends)) * 1.08
        ax.set_xlim(-widest, widest)
