"""Methods side by side: means with intervals (Table 2)."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cptlab.style import GREY, method_look, method_order


def method_intervals(
    table: pd.DataFrame, *, metric: str, ax: Axes, title: str = "", labels: bool = True
) -> Axes:
    """One row per method: mean and interval of a metric, methods in their fixed order.

    Args:
        table: rows of a `method_table` for one imbalance ratio (columns method, metric, mean,
            lower, upper).
        metric: the metric to draw.
        ax: axes to draw on.
        title: title of the panel.
        labels: write the method names on the y axis.

    Raises:
        ValueError: if the table has no rows of the metric.
    """
    rows = table[table["metric"] == metric].set_index("method")
    if rows.empty:
        raise ValueError(f"The table has no rows of the metric {metric!r}.")
    order = method_order(rows.index)
    for place, label in enumerate(reversed(order)):
        row, look = rows.loc[label], method_look(label)
        spread = np.nan_to_num([[row["mean"] - row["lower"]], [row["upper"] - row["mean"]]])
        ax.errorbar(
            row["mean"],
            place,
            xerr=spread,
            marker=look.marker,
            linestyle="none",
            color=look.color,
            markersize=6,
            capsize=3,
            linewidth=1.4,
        )
    if "Zero-shot" in order:
        mean = rows.loc["Zero-shot", "mean"]
        ax.axvline(mean, color=GREY, linewidth=0.8, linestyle=":", zorder=0)
    ax.set_yticks(range(len(order)), reversed(order) if labels else [""] * len(order))
    ax.set(xlabel=f"{metric} (%)", title=title)
    ax.grid(False, axis="y")
    return ax
