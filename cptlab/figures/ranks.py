"""Which method comes first how often: mean ranks over data sets and seeds."""

import pandas as pd
from matplotlib.axes import Axes

from cptlab.figures.comparison import method_intervals
from cptlab.tables import check_one_row_per_seed, mean_interval

BLOCK = ["dataset", "seed"]


def rank_plot(frame: pd.DataFrame, *, metric: str, ax: Axes, labels: bool = True) -> Axes:
    """Mean rank of each method with its interval; 1 is best, ties share their mean rank.

    Methods are ranked against each other within one data set and seed, and the interval resamples
    these pairs. Seeds of one data set are no independent data sets: the interval speaks of the
    data sets shown, not of others.

    Args:
        frame: columns "dataset", "method", "seed" and `metric`, of which more is better; one
            imbalance ratio.
        metric: quantity that ranks.
        ax: axes to draw on.
        labels: write the method names on the y axis.

    Raises:
        ValueError: on missing columns, several rows for one seed, or a method without a number
            for some data set and seed, as ranks among fewer methods do not compare.
    """
    check_one_row_per_seed(frame, ["dataset", "method"], [metric])
    wide = frame.pivot(index=BLOCK, columns="method", values=metric)
    if wide.isna().any(axis=None):
        gaps = ", ".join(wide.columns[wide.isna().any()])
        raise ValueError(
            f"Some data sets and seeds have no {metric} of: {gaps}. Leave these methods out, or "
            "repeat the row of one that has no seed to vary for every seed."
        )
    ranks = wide.rank(axis=1, ascending=False, method="average")
    rows = [(method, "rank", *mean_interval(ranks[method].to_numpy())) for method in ranks]
    table = pd.DataFrame(rows, columns=["method", "metric", "mean", "lower", "upper"])
    method_intervals(table, metric="rank", ax=ax, labels=labels)
    sets, count = wide.index.get_level_values("dataset").nunique(), len(wide)
    ax.set_xlim(0.7, len(ranks.columns) + 0.3)
    blocks = f"{sets} data set{'s' * (sets > 1)}, {count} ranking{'s' * (count > 1)}"
    ax.set_xlabel(f"mean rank by {metric}, 1 = best ({blocks})")
    return ax
