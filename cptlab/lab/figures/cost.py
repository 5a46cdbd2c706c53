"""Accuracy against the cost of a method."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from cptlab.lab.figures.bars import whiskers, with_keys
from cptlab.lab.figures.style import GREY, method_look, method_order


def accuracy_by_cost(table: pd.DataFrame, *, metric: str, cost: str, ax: Axes) -> Axes:
    """One mark for each method: mean and interval of a metric against a cost on a log axis.

    The caller draws the legend: many methods cost the same, so names beside the marks would not
    fit. A method without cost is left of a dotted line, at "none".

    Args:
        table: of `cptlab.lab.study.summary.summarise` for one imbalance ratio, by method, with a
            column of costs, not negative. Columns
            `cost` + " min" and `cost` + " max", if present, are drawn as the cost's range.
        metric: the metric to draw.
        cost: the column of costs, and the label of the axis.
        ax: axes to draw on.

    Raises:
        ValueError: if the table has no rows of the metric, no method costs anything, or the cost of
            one is not known.
    """
    rows = table[table["metric"] == metric].set_index("method")
    if rows.empty:
        raise ValueError(f"The table has no rows of the metric {metric!r}.")
    if unknown := list(rows.index[rows[cost].isna()]):
        raise ValueError(f"The cost of {', '.join(unknown)} is not known: measure it first.")
    rows = rows.loc[method_order(rows.index)]
    paid = rows.loc[rows[cost] > 0, cost]
    if paid.empty:
        raise ValueError(f"No method has a cost to draw: {cost} is 0 for all of them.")
    nothing = paid.min() / 4
    places = rows[cost].where(rows[cost] > 0, nothing)
    for label, row in rows.iterrows():
        style = {"cap": 2, "label": label, "xerr": _range(row, cost)}
        whiskers(ax, [places[label]], rows.loc[[label]], method_look(label), along="y", **style)
    ax.set(xscale="log", xlabel=cost, ylabel=f"{metric} (%)")
    _ticks(ax, paid, nothing if len(paid) < len(rows) else None)
    return ax


def cost_panels(
    table: pd.DataFrame, metrics: Sequence[str], costs: Sequence[str], fig: Figure, title: str = ""
) -> list[Axes]:
    """Panels of `accuracy_by_cost`: a row per metric, a column per cost, one legend.

    Args:
        table: as there, with all of these costs.
        metrics: of its rows.
        costs: columns.
        fig: empty figure to fill; its size is set.
        title: above all panels.

    Raises:
        ValueError: as there.
    """
    fig.set_size_inches(8, 3.75 * len(metrics))
    axes = fig.subplots(len(metrics), len(costs), squeeze=False)
    for row, metric in zip(axes, metrics, strict=True):
        for ax, cost in zip(row, costs, strict=True):
            accuracy_by_cost(table, metric=metric, cost=cost, ax=ax)
    handles, labels = with_keys(axes[0, 0], table[table["metric"].isin(metrics)])
    across = 4 if max(map(len, table["method"])) < 24 else 2
    fig.legend(handles, labels, loc="outside lower center", ncols=across)
    fig.suptitle(title, fontsize=10)
    return list(axes.flat)


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
    if paid.nunique() == 1:  # around one number there is no range to divide
        ticks = [paid.iloc[0]]
    if nothing is not None:
        ticks = [nothing, *ticks]
        ax.axvline(first, color=GREY, linewidth=0.8, linestyle=":")
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: "none" if value == nothing else f"{value:,.10g}")
    )
