"""Variation over seeds: training curves with bands (Fig. 1 d) and violins (Fig. 4)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator

from cptlab.lab.figures.bars import band, keys, whiskers, with_keys
from cptlab.lab.figures.style import BLACK, Look, method_look, method_order
from cptlab.lab.study.summary import summarise

ZERO_SHOT = "Zero-shot"
LEVEL = {"color": BLACK, "linestyle": ":", "linewidth": 1.2, "zorder": 0}
"""How the level of zero-shot is drawn."""

LABELS = {"progress": "Training (% of epochs)", "shots": "Training images of every class"}


def training_curves(
    table: pd.DataFrame, *, ax: Axes, x: str = "epoch", ylabel: str | None = None
) -> Axes:
    """Mean along training with its interval (Fig. 1 d), or with the range of a few runs, as a band;
    across imbalance ratios as bars.

    Args:
        table: of `cptlab.lab.study.summary.summarise` for one metric, by "method" and `x`.
        ax: axes to draw on.
        x: position along training.
        ylabel: label of the y axis; the metric in percent if left out.
    """
    # Dashed lines are drawn last, on top, and finer, so that lines below them stay visible.
    order = sorted(method_order(table["method"]), key=lambda name: bool(method_look(name).dashes))
    for label in order:
        rows, look = table[table["method"] == label].sort_values(x), method_look(label)
        dashed = {"dashes": look.dashes, "linewidth": 1.2, "markersize": 4} if look.dashes else {}
        marker = {"marker": look.marker, "markeredgecolor": "white", "markeredgewidth": 0.75}
        style = marker | {"markersize": 6} | dashed
        if x == "tau":  # few places, of which some may have intervals and others not
            bare = Look(look.color, "none")
            whiskers(ax, rows[x], rows, bare, along="y", cap=2)
        else:
            band(ax, rows[x], rows, look.color, alpha=0.1)
        ax.plot(rows[x], rows["mean"], color=look.color, label=label, **style)
    ax.legend(*with_keys(ax, table, "bar" if x == "tau" else "band"))
    integers = MaxNLocator(integer=True)
    ax.xaxis.set_major_locator(MultipleLocator(20) if x == "progress" else integers)
    ylabel = ylabel or f"{table['metric'].iloc[0]} (%)"
    ax.set(xlabel=LABELS.get(x, x.capitalize()), ylabel=ylabel)
    return ax


def curve_panels(
    table: pd.DataFrame,
    groups: Mapping[str, Sequence[str]],
    fig: Figure,
    *,
    level: float | None = None,
) -> list[Axes]:
    """Panels of `training_curves` against the share of a run's epochs, with one vertical axis.

    Args:
        table: as there, by "method" and "progress".
        groups: title of a panel -> the methods in it.
        fig: empty figure to fill; its size is set to what the panels need.
        level: that of zero-shot, dotted.
    """
    across = min(2, len(groups))
    down = -(-len(groups) // across)
    fig.set_layout_engine("constrained")
    fig.set_size_inches(8 if across > 1 else 6, 3.6 * down)
    axes = list(fig.subplots(down, across, sharey=True, squeeze=False).flat)
    for ax, (title, methods) in zip(axes, groups.items()):
        if level is not None:
            ax.axhline(level, label=ZERO_SHOT, **LEVEL)
        training_curves(table[table["method"].isin(methods)], ax=ax, x="progress")
        ax.set_title(title)
    for ax in axes[len(groups) :]:
        ax.set_axis_off()
    return axes[: len(groups)]


def seed_violins(
    frame: pd.DataFrame,
    *,
    ax: Axes,
    x: str = "method",
    y: str = "H",
    ylabel: str | None = None,
    level: float | None = None,
) -> Axes:
    """Distribution over seeds: a violin, every seed, and the mean with its interval (Fig. 4).

    Args:
        frame: columns `x`, `y`, "dataset" (a single one) and "seed".
        ax: axes to draw on.
        x: method labels, one violin each.
        y: quantity to draw.
        ylabel: label of the y axis; "`y` (%)" if left out.
        level: that of zero-shot, which has no seed, dotted.

    Raises:
        ValueError: on missing columns or several rows for one run.
    """
    table = summarise(frame, [y], [x])
    if level is not None:
        ax.axhline(level, **LEVEL)
    order = method_order(frame[x])
    sns.violinplot(
        frame,
        x=x,
        y=y,
        order=order,
        hue=x,
        hue_order=order,
        palette={label: method_look(label).color for label in order},
        legend=False,
        inner=None,
        density_norm="width",
        cut=0,  # no density beyond the seeds
        alpha=0.3,
        linewidth=0.8,
        ax=ax,
    )
    for position, label in enumerate(order):
        look, values = method_look(label), np.sort(frame.loc[frame[x] == label, y].dropna())
        sides = np.resize([-0.12, 0.12], len(values))  # in turn, so that ties do not overlap
        marks = {"edgecolor": "white", "linewidth": 0.4, "zorder": 3}
        ax.scatter(position + sides, values, s=22, color=look.color, marker=look.marker, **marks)
        mean = {"along": "y", "size": 11, "zorder": 4}
        whiskers(ax, [position], table[table[x] == label], Look("black", "_"), **mean)
    if len(order) > 6:
        ax.set_xticks(range(len(order)), order, rotation=30, ha="right", rotation_mode="anchor")
    else:
        ax.set_xticks(range(len(order)), [label.replace(" ", "\n", 1) for label in order])
    ax.grid(False, axis="x")
    ax.set(xlabel="", ylabel=ylabel or f"{y} (%)")
    if told := keys(table):
        ax.legend(told.values(), told, loc="best")
    return ax
