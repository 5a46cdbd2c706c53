"""Methods side by side: means with intervals (Table 2)."""

import math
from collections.abc import Iterable, Mapping, Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D
from matplotlib.markers import CARETLEFTBASE, CARETRIGHTBASE
from matplotlib.ticker import MaxNLocator

from cptlab.lab.figures.bars import explain, keys, spanned, whiskers
from cptlab.lab.figures.style import GREY, NAME, method_look, method_order

ACROSS = 6
"""Panels side by side in which numbers can still be read."""


def method_intervals(
    table: pd.DataFrame,
    *,
    metric: str,
    ax: Axes,
    title: str = "",
    labels: bool = True,
    order: Sequence[str] = (),
) -> Axes:
    """One row per method: mean and interval of a metric.

    Args:
        table: rows of a table of `cptlab.lab.study.summary.summarise` for one imbalance ratio.
        metric: the metric to draw.
        ax: axes to draw on.
        title: title of the panel.
        labels: write the method names on the y axis.
        order: of the methods from top to bottom; the fixed one if left out.

    Raises:
        ValueError: if the table has no rows of the metric.
    """
    rows = table[table["metric"] == metric].set_index("method")
    if rows.empty:
        raise ValueError(f"The table has no rows of the metric {metric!r}.")
    order = order or method_order(rows.index)
    for place, label in enumerate(reversed(order)):
        if label not in rows.index:  # costly methods have one imbalance ratio
            anchor = {"xycoords": ("axes fraction", "data"), "va": "center", "color": GREY}
            ax.annotate("not run", (0.02, place), fontsize=8, **anchor)
            continue
        whiskers(ax, [place], rows.loc[[label]], method_look(label), along="x")
    if "Zero-shot" in rows.index:
        mean = rows.loc["Zero-shot", "mean"]
        ax.axvline(mean, color=GREY, linewidth=0.8, linestyle=":", zorder=0)
    names = [fill(name, NAME) if labels else "" for name in reversed(order)]
    ax.set_yticks(range(len(order)), names, fontsize=8)
    ax.set(xlabel=f"{metric} (%)", title=title, ylim=(-0.6, len(order) - 0.4))
    ax.grid(False, axis="y")
    return ax


def method_grid(table: pd.DataFrame, names: Mapping[str, str], fig: Figure) -> list[Axes]:
    """Panels of `method_intervals`: a row per imbalance ratio, a column per metric with one scale.

    The scale ends half a range beyond the means; longer intervals are cut off with an arrow, so
    that one failed run does not compress everything else. More than six metrics go below each other
    in blocks.

    Args:
        table: of `cptlab.lab.study.summary.summarise`, by method and tau.
        names: metric -> title of its column.
        fig: empty figure to fill; its height is set to what the rows need.

    Returns:
        The axes, block by block and row by row.

    Raises:
        ValueError: if the table has no rows of a metric.
    """
    count = math.ceil(len(names) / ACROSS)
    across, items = math.ceil(len(names) / count), list(names.items())
    height = table["tau"].nunique() * (0.8 + 0.18 * table["method"].nunique())
    fig.set_figheight(count * height)
    blocks = [fig] if count == 1 else list(fig.subfigures(count, 1))
    axes = []
    for i, block in enumerate(blocks):
        axes += _block(table, dict(items[i * across : (i + 1) * across]), block, across)
    told = keys(table[table["metric"].isin(names)])
    if "Zero-shot" in set(table["method"]):
        told["mean of zero-shot"] = Line2D([], [], color=GREY, linewidth=0.8, linestyle=":")
    explain(blocks[0], told)
    return axes


def _block(
    table: pd.DataFrame, names: Mapping[str, str], fig: FigureBase, across: int
) -> list[Axes]:
    """Rows of panels with so many places each; those without a metric are empty."""
    taus = list(dict.fromkeys(table["tau"]))
    grid = fig.subplots(len(taus), across, squeeze=False, sharex="col")
    for ax in grid[:, len(names) :].flat:
        ax.set_axis_off()
    axes = grid[:, : len(names)]
    for row, tau in zip(axes, taus, strict=True):
        for ax, (metric, name) in zip(row, names.items(), strict=True):
            rows = table[table["tau"] == tau]
            method_intervals(rows, metric=metric, ax=ax, labels=ax is row[0])
            ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
            ax.set_xlabel(f"{name} (%)" if tau == taus[-1] else "")
        row[0].set_ylabel(f"τ = {tau:g}")
    for column, metric in zip(axes.T, names, strict=True):
        _limit(column, table[table["metric"] == metric])
    return list(axes.flat)


def _limit(column: Iterable[Axes], rows: pd.DataFrame) -> None:
    """Bound the shared scale of a column of panels, and mark intervals that are cut off."""
    reach = np.ptp(rows["mean"]) / 2
    if reach == 0:
        return
    low, high = rows["mean"].min() - reach, rows["mean"].max() + reach
    for ax, (_, panel) in zip(column, rows.groupby("tau", sort=False), strict=True):
        left, right = ax.get_xlim()
        ax.set_xlim(max(left, low), min(right, high))
        places = {label: i for i, label in enumerate(reversed(method_order(panel["method"])))}
        columns = spanned(panel)[["method", "lower", "upper"]]
        for method, lower, upper in columns.itertuples(index=False):
            for end, beyond, arrow in (
                (low, lower < low, CARETLEFTBASE),
                (high, upper > high, CARETRIGHTBASE),
            ):
                if beyond:
                    color = method_look(method).color
                    ax.plot(end, places[method], marker=arrow, color=color, clip_on=False)
