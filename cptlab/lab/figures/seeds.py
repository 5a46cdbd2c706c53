"""Variation over seeds: training curves with bands (Fig. 1 d) and violins (Fig. 4)."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, MultipleLocator

from cptlab.lab.figures.style import BLACK, Look, method_look, method_order
from cptlab.lab.study.tables import check_one_row_per_seed, mean_interval

ZERO_SHOT = "Zero-shot"
LEVEL = {"color": BLACK, "linestyle": ":", "linewidth": 1.2, "zorder": 0}
"""How the level of zero-shot is drawn."""

LABELS = {"progress": "Training (% of epochs)", "shots": "Training images of every class"}


def training_curves(
    frame: pd.DataFrame,
    *,
    y: str,
    ax: Axes,
    x: str = "epoch",
    hue: str = "method",
    band: Literal["std", "interval"] = "std",
    ylabel: str | None = None,
) -> Axes:
    """Mean over seeds along training, with a band around it (Fig. 1 d).

    Args:
        frame: columns `x`, `y`, `hue` and "seed".
        y: quantity to draw.
        ax: axes to draw on.
        x: position along training.
        hue: method labels.
        band: "std" is the mean plus and minus one sample standard deviation, "interval" the 95 %
            interval of the mean (`mean_interval`).
        ylabel: label of the y axis; "`y` (%)" if left out.

    Raises:
        ValueError: on missing columns, several rows for one seed, or an unknown band.
    """
    errorbars = {"std": ("sd", 1), "interval": lambda values: mean_interval(values)[1:]}
    if band not in errorbars:
        raise ValueError(f"band={band!r} is not known; choose std or interval.")
    check_one_row_per_seed(frame, [hue, x], [y])
    # Dashed lines are drawn last, on top, and finer, so that lines below them stay visible.
    order = sorted(method_order(frame[hue]), key=lambda label: bool(method_look(label).dashes))
    sns.lineplot(
        frame,
        x=x,
        y=y,
        hue=hue,
        hue_order=order,
        palette={label: method_look(label).color for label in order},
        style=hue,
        style_order=order,
        markers={label: method_look(label).marker for label in order},
        dashes={label: method_look(label).dashes for label in order},
        errorbar=errorbars[band],
        err_kws={"alpha": 0.1, "linewidth": 0},
        markersize=6,
        ax=ax,
    )
    ax.legend(title=None)
    for line in filter(Line2D.is_dashed, ax.lines):
        line.set(linewidth=1.2, markersize=4)
    integers = MaxNLocator(integer=True)
    ax.xaxis.set_major_locator(MultipleLocator(20) if x == "progress" else integers)
    ax.set(xlabel=LABELS.get(x, x.capitalize()), ylabel=ylabel or f"{y} (%)")
    return ax


def curve_panels(
    frame: pd.DataFrame,
    groups: Mapping[str, Sequence[str]],
    fig: Figure,
    *,
    y: str = "H",
    level: float | None = None,
) -> list[Axes]:
    """Panels of `training_curves` against the share of a run's epochs, with one vertical axis.

    Args:
        frame: columns "method", "progress", "seed" and `y`.
        groups: title of a panel -> the methods in it.
        fig: empty figure to fill; its size is set to what the panels need.
        y: quantity to draw.
        level: that of zero-shot, dotted.

    Raises:
        ValueError: as `training_curves`.
    """
    across = min(2, len(groups))
    down = -(-len(groups) // across)
    fig.set_layout_engine("constrained")
    fig.set_size_inches(8 if across > 1 else 6, 3.6 * down)
    axes = list(fig.subplots(down, across, sharey=True, squeeze=False).flat)
    for ax, (title, methods) in zip(axes, groups.items()):
        if level is not None:
            ax.axhline(level, label=ZERO_SHOT, **LEVEL)
        training_curves(frame[frame["method"].isin(methods)], y=y, ax=ax, x="progress")
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
        frame: columns `x`, `y` and "seed".
        ax: axes to draw on.
        x: method labels, one violin each.
        y: quantity to draw.
        ylabel: label of the y axis; "`y` (%)" if left out.
        level: that of zero-shot, which has no seed, dotted.

    Raises:
        ValueError: on missing columns or several rows for one seed.
    """
    check_one_row_per_seed(frame, [x], [y])
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
        _seeds_and_mean(ax, position, frame.loc[frame[x] == label, y], method_look(label))
    if len(order) > 6:
        ax.set_xticks(range(len(order)), order, rotation=30, ha="right", rotation_mode="anchor")
    else:
        ax.set_xticks(range(len(order)), [label.replace(" ", "\n", 1) for label in order])
    ax.grid(False, axis="x")
    ax.set(xlabel="", ylabel=ylabel or f"{y} (%)")
    return ax


def _seeds_and_mean(ax: Axes, position: float, values: pd.Series, look: Look) -> None:
    """Every value as a mark, and their mean with its interval, at one place of the x axis."""
    numbers = np.sort(values.dropna().to_numpy())
    spread = np.resize([-0.12, 0.12], len(numbers))  # alternate sides, so that ties do not overlap
    marks = {"edgecolor": "white", "linewidth": 0.4, "zorder": 3}
    ax.scatter(position + spread, numbers, s=22, color=look.color, marker=look.marker, **marks)
    mean, lower, upper = mean_interval(numbers)
    bar = {"markersize": 11, "color": "black", "capsize": 3, "linewidth": 1.4, "zorder": 4}
    ax.errorbar(position, mean, yerr=[[mean - lower], [upper - mean]], fmt="_", **bar)
