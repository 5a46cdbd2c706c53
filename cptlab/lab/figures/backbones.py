"""Differences of methods on several backbones: their mean as in a forest, and each backbone's."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cptlab.lab.figures.bars import explain, keys
from cptlab.lab.figures.forest import draw_forest, forest_height, rows_of, verdict_keys
from cptlab.lab.figures.style import DARK, WIDEST

MARKS = "x+1234"
"""Of backbones, in their order; of more than these they repeat."""


def backbone_panels(gaps: pd.DataFrame, each: pd.DataFrame, fig: Figure) -> list[Axes]:
    """A row per method with its mean difference over backbones, and below it that on each of them.

    Args:
        gaps: as for `forest_panels`.
        each: of `cptlab.lab.study.backbones.by_backbone`, its panels being metrics.
        fig: empty figure to fill; its size is set.

    Raises:
        ValueError: if there are no differences.
    """
    if gaps.empty:
        raise ValueError("There are no differences to draw: give runs of at least two methods.")
    order = rows_of(gaps)
    fig.set_size_inches(WIDEST, 2 * forest_height(gaps))
    axes = draw_forest(gaps, fig, order)
    centres = dict(zip(order, axes[0].get_yticks(), strict=True))
    names = [name for name in each.columns[3:] if not name.startswith("over ")]
    marks = {name: MARKS[i % len(MARKS)] for i, name in enumerate(names)}
    panels = gaps[["reference", "panel"]].drop_duplicates().itertuples(index=False)
    for ax, (reference, panel) in zip(axes, panels, strict=True):
        rows = each[(each["reference"] == reference) & (each["metric"] == panel)]
        for row in rows.to_dict("records"):
            for name, mark in marks.items():
                place = centres[row["method"]] + 0.3
                ax.plot(row[name], place, mark, color=DARK, markersize=5, linestyle="none")
    lines = {
        name: Line2D([], [], marker=mark, color=DARK, markersize=5, linestyle="none")
        for name, mark in marks.items()
    }
    explain(fig, keys(gaps) | verdict_keys(gaps) | lines)
    return axes
