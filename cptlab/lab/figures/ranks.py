"""Mean ranks of methods over data sets and seeds."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from cptlab.lab.figures.comparison import method_intervals


def rank_plot(
    table: pd.DataFrame, *, ax: Axes, title: str = "", labels: bool = True, over: str = "data set"
) -> Axes:
    """Mean rank of each method with its interval; 1 is best.

    Args:
        table: what `cptlab.lab.study.tables.rank_table` returns for one imbalance ratio.
        ax: axes to draw on; its label gives the numbers of data sets and rankings.
        title: title of the panel.
        labels: write the method names on the y axis.
        over: the unit within which methods are ranked, in the singular.

    Raises:
        ValueError: if the table has no rows.
    """
    method_intervals(table, metric="rank", ax=ax, title=title, labels=labels)
    sets, count = table[["datasets", "rankings"]].iloc[0]
    ax.set_xlim(0.5, len(table) + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=2))
    blocks = f"{sets} {over}{'s' * (sets > 1)}, {count} ranking{'s' * (count > 1)}"
    ax.set_xlabel(f"mean rank, 1 = best\n({blocks})")
    return ax
