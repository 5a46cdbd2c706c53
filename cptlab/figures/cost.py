"""Accuracy against what a method costs."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator
from scipy.optimize import isotonic_regression

from cptlab.style import GREY, method_look, method_order

LABEL_GAP = 0.06
"""Between neighbouring labels, as a share of the panel's height."""
LABEL_X = 1.05
"""Where labels begin, in panel widths."""


def accuracy_by_cost(table: pd.DataFrame, *, metric: str, cost: str, ax: Axes) -> Axes:
    """One mark for each method: mean and interval of a metric against a cost on a log axis.

    Labels stand in a column at the right in the order of the marks, each with a thin line to its
    own. A method that costs nothing stands left of the axis's break, at "none".

    Args:
        table: rows of a `method_table` for one imbalance ratio (columns method, metric, mean,
            lower, upper; bounds may be missing) with a column of costs, not negative.
        metric: the metric to draw.
        cost: the column of costs, and the label of the axis.
        ax: axes to draw on.

    Raises:
        ValueError: if the table has no rows of the metric, or a method's cost is not known.
    """
    rows = table[table["metric"] == metric].set_index("method")
    if rows.empty:
        raise ValueError(f"The table has no rows of the metric {metric!r}.")
    if unknown := list(rows.index[rows[cost].isna()]):
        raise ValueError(f"The cost of {', '.join(unknown)} is not known: measure it first.")
    rows = rows.loc[method_order(rows.index)]
    paid = rows.loc[rows[cost] > 0, cost]
    nothing = paid.min() / 4 if len(paid) else 1.0
    places = rows[cost].where(rows[cost] > 0, nothing)
    for label, row in rows.iterrows():
        look = method_look(label)
        spread = np.nan_to_num([[row["mean"] - row["lower"]], [row["upper"] - row["mean"]]])
        ax.errorbar(
            places[label],
            row["mean"],
            yerr=spread,
            marker=look.marker,
            linestyle="none",
            color=look.color,
            markersize=6,
            capsize=2,
            linewidth=1.2,
        )
    ax.set(xscale="log", xlabel=cost, ylabel=f"{metric} (%)")
    _ticks(ax, paid, nothing if len(paid) < len(rows) else None)
    _labels(ax, places, rows["mean"])
    return ax


def _ticks(ax: Axes, paid: pd.Series, nothing: float | None) -> None:
    """Plain numbers; "none" at the place of methods that cost nothing, cut off by a dotted line."""
    low, high = ax.get_xlim()
    wide = paid.max() > 50 * paid.min()
    ticks = LogLocator(subs=(1,) if wide else (1, 2, 5)).tick_values(paid.min(), high)
    first = low if nothing is None else 2 * nothing
    ticks = [tick for tick in ticks if first < tick <= high]
    if nothing is not None:
        ticks = [nothing, *ticks]
        ax.axvline(first, color=GREY, linewidth=0.8, linestyle=":")
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: "none" if value == nothing else f"{value:,.10g}")
    )


def _labels(ax: Axes, x: pd.Series, y: pd.Series) -> None:
    """A column of labels, as near to the heights of their marks as they fit."""
    low, high = ax.get_ylim()
    ax.set_ylim(low, high)
    heights = ((y - low) / (high - low)).sort_values()
    gap = min(LABEL_GAP, 1 / max(len(heights) - 1, 1))
    offsets = gap * np.arange(len(heights))
    # Least moved among all orders with these gaps: what is left of them must not fall.
    moved = isotonic_regression(heights.to_numpy() - offsets).x.clip(0, 1 - offsets[-1]) + offsets
    for label, height in zip(heights.index, moved, strict=True):
        look, place = method_look(label), {"textcoords": "axes fraction", "va": "center"}
        line = {"arrowstyle": "-", "color": look.color, "linewidth": 0.7, "alpha": 0.6}
        ends = {"shrinkA": 3, "shrinkB": 4}
        mark = ax.annotate(
            "", (x[label], y[label]), (LABEL_X, height), **place, arrowprops=line | ends
        )
        mark.set_zorder(1)  # below the methods' marks
        ax.plot(
            LABEL_X,
            height,
            marker=look.marker,
            color=look.color,
            markersize=4,
            transform=ax.transAxes,
            clip_on=False,
        )
        ax.text(LABEL_X + 0.03, height, label, transform=ax.transAxes, va="center", fontsize=7)
