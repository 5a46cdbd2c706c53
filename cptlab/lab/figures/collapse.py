"""Neural collapse along training, one measure per panel, with plain titles."""

from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cptlab.lab.figures.bars import explain, keys, with_keys
from cptlab.lab.figures.seeds import training_curves
from cptlab.lab.figures.style import method_look
from cptlab.lab.figures.text import end_labels

MEASURES = {
    "nc1": ("NC1: spread inside classes", "within / between, 0 = collapsed"),
    "nc1_unbiased": ("NC1 free of counts: spread inside", "within / between, 0 = collapsed"),
    "nc2_prototypes_global": ("NC2: prototypes off a simplex", "gap of cosines, all classes"),
    "nc2_prototypes_within": ("NC2 inside clusters: off a simplex", "gap of cosines, in clusters"),
    "nc3": ("NC3: prototypes off class means", "distance, both centred, 0 = same"),
    "nc3_papyan": ("NC3 as Papyan et al.", "distance, prototypes not centred"),
    "nc4": ("NC4: prototypes choose like means", "agreement, share of images"),
    "effective_rank": ("Effective rank of similarities", "directions in use"),
    "drift_degrees": ("Drift from frozen prototypes", "mean angle (degrees)"),
}
"""Measure -> title and axis label; other measures are labelled with their name. All titles differ,
because the notebook's findings use them as names."""
SHOWN = ("effective_rank", "drift_degrees")
"""What figures show of these; tables have them all."""


def collapse_curves(
    table: pd.DataFrame,
    *,
    measure: str,
    ax: Axes,
    x: Literal["epoch", "progress", "tau"] = "epoch",
    legend: bool = True,
) -> Axes:
    """Mean over seeds of one measure of collapse with its interval.

    Args:
        table: of `cptlab.lab.study.summary.summarise`, by `x`, "method" and "measure".
        measure: the measure to draw, e.g. "nc1".
        ax: axes to draw on.
        x: "epoch" or "progress" (percent of the epochs) along training, or "tau" across imbalance
            ratios, the balanced one on the left.
        legend: draw one, right of the axes.

    Raises:
        ValueError: for a measure without numbers.
    """
    rows = table[table["measure"] == measure]
    if not rows["mean"].notna().any():
        known = ", ".join(dict.fromkeys(table["measure"]))
        raise ValueError(f"The table has no numbers of the measure {measure!r}; it has {known}.")
    title, ylabel = MEASURES.get(measure, ("", measure))
    training_curves(rows, ax=ax, x=x, ylabel=ylabel)
    if x == "tau":
        taus = sorted(rows["tau"].unique(), reverse=True)
        ax.set_xscale("log")
        ax.set_xticks(taus, [f"{tau:g}" for tau in taus])
        ax.minorticks_off()
        ax.xaxis.set_inverted(True)
        ax.set_xlabel("Imbalance ratio τ")
    ax.set_title(title)
    if legend:
        kind = "bar" if x == "tau" else "band"
        ax.legend(*with_keys(ax, rows, kind), loc="center left", bbox_to_anchor=(1, 0.5))
    elif (drawn := ax.get_legend()) is not None:
        drawn.remove()
    return ax


def collapse_panels(
    table: pd.DataFrame, fig: Figure, *, x: Literal["epoch", "progress", "tau"] = "progress"
) -> list[Axes]:
    """Panels of `collapse_curves`, one below the other, lines with their names at the end.

    Shown are the measures that tell most, `SHOWN`, or without them the first two that are there.

    Args:
        table: as there.
        fig: empty figure to fill; its height is set.
        x: as there.

    Returns:
        The axes.
    """
    known = [name for name in MEASURES if name in set(table["measure"])]
    measures = [name for name in SHOWN if name in known] or known[:2]
    fig.set_layout_engine("constrained")
    fig.set_figheight(2.7 * len(measures) + 0.4)
    axes = list(fig.subplots(len(measures), 1, squeeze=False, sharex=True)[:, 0])
    for ax, measure in zip(axes, measures, strict=True):
        collapse_curves(table, measure=measure, ax=ax, x=x, legend=False)
        ax.title.set_fontsize(9)
        ax.label_outer()
    for ax, measure in zip(axes, measures, strict=True):
        rows = table[table["measure"] == measure]
        # the smallest imbalance ratio is at the right
        last = rows.sort_values(x, ascending=x != "tau").groupby("method", sort=False).last()
        ends = [(row["mean"], name, method_look(name).color) for name, row in last.iterrows()]
        end_labels(ax, ends)
    explain(fig, keys(table[table["measure"].isin(measures)], "bar" if x == "tau" else "band"))
    return axes
