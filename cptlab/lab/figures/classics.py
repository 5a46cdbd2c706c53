"""Long-tail classics on several methods."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cptlab.lab.figures.bars import explain, keys
from cptlab.lab.figures.clusters import algorithm_intervals
from cptlab.lab.study.summary import summarise


def classics_grid(frame: pd.DataFrame, metrics: Sequence[str], fig: Figure) -> list[Axes]:
    """Panels of `algorithm_intervals`: a row per method, a column per metric with one scale.

    Args:
        frame: runs at one imbalance ratio: columns "prompts" (the method), "classic", "dataset",
            "seed" and the metrics in percent.
        metrics: of the columns.
        fig: empty figure to fill; its height is set to what the rows need.

    Returns:
        The axes, row by row.

    Raises:
        ValueError: on missing columns or several rows for one run.
    """
    methods = list(dict.fromkeys(frame["prompts"]))
    each = 0.8 + 0.25 * frame["classic"].nunique()
    fig.set_figheight(each * len(methods))
    axes = fig.subplots(len(methods), len(metrics), sharex="col", squeeze=False)
    for row, name in zip(axes, methods, strict=True):
        rows = frame[frame["prompts"] == name]
        for ax, metric in zip(row, metrics, strict=True):
            first = ax is row[0]
            algorithm_intervals(rows, ax=ax, by="classic", y=metric, method=name, labels=first)
            ax.set_xlabel(f"{metric} (%)" if name == methods[-1] else "")
            if first:
                ax.set_title(name, loc="left")
    explain(fig, keys(summarise(frame, metrics, ["prompts", "classic"])))
    return list(axes.flat)
