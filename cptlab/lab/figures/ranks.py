"""Mean ranks of methods over data sets and seeds."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cptlab.lab.figures.bars import explain, keys
from cptlab.lab.figures.comparison import method_intervals
from cptlab.lab.figures.style import WIDEST


def rank_plot(
    table: pd.DataFrame,
    *,
    ax: Axes,
    title: str = "",
    labels: bool = True,
    over: str = "data set",
    order: Sequence[str] = (),
) -> Axes:
    """Mean rank of each method with its interval; 1 is best.

    Args:
        table: what `cptlab.lab.study.tables.rank_table` returns for one imbalance ratio.
        ax: axes to draw on; its label gives the numbers of data sets and rankings.
        title: title of the panel.
        labels: write the method names on the y axis.
        over: the unit within which methods are ranked, in the singular.
        order: of the methods from top to bottom; the fixed one if left out.

    Raises:
        ValueError: if the table has no rows.
    """
    method_intervals(table, metric="rank", ax=ax, title=title, labels=labels, order=order)
    sets, count = table[["datasets", "n"]].iloc[0]
    ax.set_xlim(0.5, len(table) + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=2))
    blocks = f"{sets} {over}{'s' * (sets > 1)}, {count} ranking{'s' * (count > 1)}"
    ax.set_xlabel(f"mean rank, 1 = best\n({blocks})")
    return ax


def rank_panels(table: pd.DataFrame, fig: Figure, *, over: str = "data set") -> list[Axes]:
    """A `rank_plot` for each imbalance ratio, side by side, sorted by the smallest.

    Args:
        table: tables of `cptlab.lab.study.tables.rank_table` with the column "tau".
        fig: empty figure to fill; its size is set for the numbers of panels and methods.
        over: the unit within which methods are ranked, in the singular.
    """
    taus = list(dict.fromkeys(table["tau"]))
    order = list(table[table["tau"] == min(taus)].sort_values("mean", kind="stable")["method"])
    fig.set_size_inches(WIDEST, 1.4 + 0.2 * len(order))
    axes = fig.subplots(1, len(taus), squeeze=False)[0]
    for ax, tau in zip(axes, taus, strict=True):
        rows, first = table[table["tau"] == tau], ax is axes[0]
        rank_plot(rows, ax=ax, title=f"τ = {tau:g}", labels=first, over=over, order=order)
    explain(fig, keys(table))
    return list(axes)
