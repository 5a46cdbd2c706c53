"""What methods gain against what they cost."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from cptlab.lab.figures.bars import explain, keys, spanned, whiskers
from cptlab.lab.figures.forest import verdict_keys
from cptlab.lab.figures.labels import name_marks
from cptlab.lab.figures.style import GREY, WIDEST, method_look, method_order
from cptlab.lab.study.comparison_message import holds

FRONT = {"color": GREY, "linewidth": 1.2, "drawstyle": "steps-post"}
"""How the line of the best methods at their cost is drawn."""


def gain_by_cost(table: pd.DataFrame, fig: Figure, *, cost: str) -> Axes:
    """A named mark for each method: difference in H to a reference that costs nothing, and a cost.

    Filled where separable. The line is the highest mean that a cost buys: no method on it has one
    that is cheaper and at least as good on average.

    Args:
        table: one metric at one imbalance ratio: columns "method", "reference" (one), "metric" and
            those of `cptlab.lab.study.summary.corrected`, and the cost, not negative. Columns
            `cost` + " min" and `cost` + " max", if present, are drawn as the cost's range.
        fig: empty figure to fill; its size is set.
        cost: the column, and the label of the axis, which is logarithmic.

    Raises:
        ValueError: if no method costs anything, or the cost of one is not known.
    """
    if unknown := list(table.loc[table[cost].isna(), "method"]):
        raise ValueError(f"The cost of {', '.join(unknown)} is not known: measure it first.")
    rows = table.set_index("method", drop=False)
    rows = rows.loc[method_order(rows.index)]
    paid = rows.loc[rows[cost] > 0, cost]
    if paid.empty:
        raise ValueError(f"No method has a cost to draw: {cost} is 0 for all of them.")
    fig.set_size_inches(WIDEST, 4.6)
    ax = fig.subplots()
    nothing = paid.min() / 2.5
    x = rows[cost].where(rows[cost] > 0, nothing)
    separable = holds(rows)
    for label in rows.index:
        look, row = method_look(label), rows.loc[[label]]
        face = look.color if separable[label] else "white"
        style = {"markerfacecolor": face, "zorder": 3, "xerr": _range(row.iloc[0], cost)}
        whiskers(ax, [x[label]], row, look, along="y", cap=2, **style)
    reference = str(rows["reference"].iloc[0])
    look = method_look(reference)
    ax.plot(nothing, 0, marker=look.marker, color=look.color, linestyle="none", zorder=3)
    ax.axhline(0, color=GREY, linewidth=0.8, linestyle=":", zorder=0)
    ax.set(xscale="log", xlabel=cost, ylabel=f"{rows['metric'].iloc[0]} minus {reference} (points)")
    ax.set_xlim(nothing / 1.3, rows[f"{cost} max" if f"{cost} max" in rows else cost].max() * 1.6)
    front = _front(x, rows["mean"], (nothing, ax.get_xlim()[1]))
    ax.plot(*front.T, zorder=1, **FRONT)
    _ticks(ax, paid, nothing)
    line = Line2D([], [], **{**FRONT, "drawstyle": "default"})
    explain(fig, keys(rows) | verdict_keys(rows) | {"best mean at a cost": line})
    fig.draw_without_rendering()
    places = dict(zip(rows.index, zip(x, rows["mean"], strict=True), strict=True))
    name_marks(ax, {reference: (nothing, 0.0)} | places, _taken(ax, rows, x, cost, front))
    return ax


def _front(costs: pd.Series, means: pd.Series, ends: tuple[float, float]) -> np.ndarray:
    """Corners (n, 2) of a line through the methods that no cheaper one equals on average.

    ends: where the reference's cost lies, and where the line ends.
    """
    best, corners = 0.0, [(ends[0], 0.0)]
    for label in costs.sort_values(kind="stable").index:
        if means[label] > best:
            best = means[label]
            corners.append((costs[label], best))
    return np.array([*corners, (ends[1], best)])


def _taken(ax: Axes, rows: pd.DataFrame, x: pd.Series, cost: str, front: np.ndarray) -> np.ndarray:
    """Boxes (n, 4) in pixels of marks, intervals, ranges of costs, and the lines."""
    shown = spanned(rows)
    y, (left, right) = shown["mean"], ax.get_xlim()
    least, most = (rows.get(f"{cost} {end}", x).where(rows[cost] > 0, x) for end in ("min", "max"))
    zero = pd.Series([0.0])
    lines = [
        (x, shown["lower"].fillna(y), x, shown["upper"].fillna(y)),
        (least, y, most, y),
        (front[:-1, 0], front[:-1, 1], front[1:, 0], front[:-1, 1]),
        ([left], zero, [right], zero),
    ]
    half = 3.5 * ax.figure.dpi / 72
    found = []
    for left, lower, right, upper in lines:
        first = ax.transData.transform(np.transpose([left, lower]))
        last = ax.transData.transform(np.transpose([right, upper]))
        found.append(np.hstack([first - half / 3, last + half / 3]))
    marks = ax.transData.transform(np.transpose([x, y]))
    return np.vstack([*found, np.hstack([marks - half, marks + half])])


def _range(row: pd.Series, cost: str) -> list[list[float]] | None:
    """Lengths of the whiskers of a cost; None without a range or without cost."""
    if f"{cost} min" not in row or not row[cost]:
        return None
    return [[row[cost] - row[f"{cost} min"]], [row[f"{cost} max"] - row[cost]]]


def _ticks(ax: Axes, paid: pd.Series, nothing: float) -> None:
    """Plain numbers, and "none" for what has no cost, left of a dotted line."""
    high = ax.get_xlim()[1]
    wide = paid.max() > 50 * paid.min()
    ticks = LogLocator(subs=(1,) if wide else (1, 2, 5)).tick_values(paid.min(), high)
    first = nothing * 1.5
    ticks = [tick for tick in ticks if first < tick <= high]
    if paid.nunique() == 1:  # around one number there is no range to divide
        ticks = [paid.iloc[0]]
    ax.axvline(first, color=GREY, linewidth=0.8, linestyle=":")
    ax.xaxis.set_major_locator(FixedLocator([nothing, *ticks]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(
        FuncFormatter(lambda x, _: "none" if x == nothing else f"{float(f'{x:.3g}'):,.10g}")
    )
    ax.grid(False, axis="x")
