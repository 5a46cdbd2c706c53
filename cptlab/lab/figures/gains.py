"""Several measures of each method minus those of zero-shot, on one scale."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cptlab.lab.figures.bars import explain, keys
from cptlab.lab.figures.comparison import method_intervals
from cptlab.lab.figures.style import GREY


def gain_panels(table: pd.DataFrame, names: Mapping[str, str], fig: Figure) -> list[Axes]:
    """A panel of `method_intervals` for each measure, side by side, with a line at zero.

    Args:
        table: of `cptlab.lab.study.summary.summarise` for differences in points, by method, of one
            imbalance ratio.
        names: measure -> title of its panel.
        fig: empty figure to fill; its height is set to what the rows need.

    Raises:
        ValueError: if the table has no rows of a measure.
    """
    fig.set_figheight(1.2 + 0.18 * table["method"].nunique())
    axes = list(fig.subplots(1, len(names), squeeze=False, sharex=True)[0])
    for ax, (metric, name) in zip(axes, names.items(), strict=True):
        method_intervals(table, metric=metric, ax=ax, title=name, labels=ax is axes[0])
        ax.axvline(0, color=GREY, linewidth=0.8, zorder=0)
        ax.set_xlabel("")
        ax.title.set_fontsize(9)
    axes[len(axes) // 2].set_xlabel("minus zero-shot (points)")
    explain(fig, keys(table[table["metric"].isin(names)]))
    return axes
