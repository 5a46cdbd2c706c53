"""Accuracy against the cost of a method."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from cptlab.lab.figures.style import GREY, method_look, method_order


def accuracy_by_cost(table: pd.DataFrame, *, metric: str, cost: str, ax: Axes) -> Axes:
    """One mark for each method: mean and interval of a metric against a cost on a log axis.

    The caller draws the legend: many methods cost the same, so names beside the marks would not
    fit. A method without cost is left of a dotted line, at "none".

    Args:
        table: rows of a `method_table` for one imbalance ratio (columns method, metric, mean,
            lower, upper; bounds may be missing) with a column of costs, not negative. Columns
            `cost` + " min" and `cost` + " max", if present, are drawn as the cost's range.
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
            xerr=_range(row, cost),
            marker=look.marker,
            linestyle="none",
            color=look.color,
            markersize=6,
            capsize=2,
            linewidth=1.2,
            label=label,
        )
    ax.set(xscale="log", xlabel=cost, ylabel=f"{metric} (%)")
    _ticks(ax, paid, nothing if len(paid) < len(rows) else None)
    return ax


def _range(row: pd.Series, cost: str) -> list[list[float]] | None:
    """Lengths of the whiskers of a cost; None without a range or without cost."""
    if f"{cost} min" not in row or not row[cost]:
        return None
    return [[row[cost] - row[f"{cost} min"]], [row[f"{cost} max"] - row[cost]]]


def _ticks(ax: Axes, paid: pd.Series, nothing: float | None) -> None:
    """Plain numbers, and "none" for methods without cost, left of a dotted line."""
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
