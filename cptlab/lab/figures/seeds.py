"""Variation over seeds: training curves with bands (Fig. 1 d) and strips of runs (Fig. 4)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    MultipleLocator,
    NullLocator,
)

from cptlab.lab.figures.bars import INTERVAL, band, explain, keys, whiskers, with_keys
from cptlab.lab.figures.clusters import equal_spans
from cptlab.lab.figures.style import BLACK, GREY, Look, method_look, method_order
from cptlab.lab.figures.text import end_labels
from cptlab.lab.study.summary import LEVEL as HOLDS
from cptlab.lab.study.summary import check_one_row_per_run

ZERO_SHOT = "Zero-shot"
LEVEL = {"color": BLACK, "linestyle": ":", "linewidth": 1.2, "zorder": 0}
"""How the level of zero-shot is drawn."""

LABELS = {
    "progress": "Training (% of epochs)",
    "shots": "Training images of every class",
    "steps": "Training steps",
}


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
    """Panels of `training_curves` against the steps of training, with common axes.

    Every line begins, dotted, at zero-shot, where no step is done, and its last height is led,
    dotted, to its name.

    Args:
        table: as there, by "method" and with the columns "steps" and "epoch".
        groups: title of a panel -> the methods in it.
        fig: empty figure to fill; its height is set to what the panels need.
        level: that of zero-shot, dotted.
    """
    fig.set_layout_engine("constrained")
    fig.set_figheight(2.7 * len(groups) + 0.4)
    most = table["steps"].max()
    axes = list(fig.subplots(len(groups), 1, sharex=True, sharey=True, squeeze=False).flat)
    for ax, (title, methods) in zip(axes, groups.items(), strict=True):
        rows = table[table["method"].isin(methods)]
        training_curves(rows, ax=ax, x="steps")
        ax.get_legend().remove()
        ax.set_title(title, loc="left", fontsize=9)
        ax.set_xlim(0, most)
        if level is not None:
            ax.axhline(level, **LEVEL)
        ax.label_outer()
    for ax, methods in zip(axes, groups.values(), strict=True):
        named = [] if level is None else [(level, ZERO_SHOT, BLACK)]
        for label, rows in table[table["method"].isin(methods)].groupby("method", sort=False):
            rows, color = rows.sort_values("steps"), method_look(str(label)).color
            first, last = rows.iloc[0], rows.iloc[-1]
            thin = {"color": color, "linewidth": 0.8, "zorder": 1}
            if level is not None:
                ax.plot([0, first["steps"]], [level, first["mean"]], linestyle=":", **thin)
            ax.plot([last["steps"], most], [last["mean"]] * 2, linestyle=(0, (1, 3)), **thin)
            named.append((last["mean"], f"{label}, {last['epoch']:g} epochs", color))
        end_labels(ax, named)
    explain(fig, keys(table, "band"))
    return axes


def seed_strips(
    frame: pd.DataFrame,
    *,
    ax: Axes,
    x: str = "method",
    y: str = "H",
    ylabel: str | None = None,
    level: float | None = None,
) -> Axes:
    """Every run as a mark, those of a seed joined by a line, and the mean of each method (Fig. 4).

    Methods share the images that a seed draws: where lines keep their order, images rather than
    methods make the spread.

    Args:
        frame: columns `x`, `y`, "dataset" (a single one) and "seed".
        ax: axes to draw on.
        x: method labels, one strip each.
        y: quantity to draw.
        ylabel: label of the y axis; "`y` (%)" if left out.
        level: that of zero-shot, which has no seed, dotted.

    Raises:
        ValueError: on missing columns or several rows for one run.
    """
    check_one_row_per_run(frame, [x], [y])
    if level is not None:
        ax.axhline(level, **LEVEL)
    order = method_order(frame[x])
    wide = frame.pivot_table(y, "seed", x)[order]
    for seed in wide.index:
        ax.plot(range(len(order)), wide.loc[seed], color=GREY, linewidth=0.7, zorder=1)
    for place, label in enumerate(order):
        look, values = method_look(label), wide[label].dropna()
        marks = {"edgecolor": "white", "linewidth": 0.4, "zorder": 3}
        places = np.full(len(values), place)
        ax.scatter(places, values, s=26, color=look.color, marker=look.marker, **marks)
        ax.hlines(values.mean(), place - 0.2, place + 0.2, color=BLACK, linewidth=1.6, zorder=2)
    ax.set_xticks(range(len(order)), [_in_lines(label) for label in order], fontsize=8)
    ax.set_xlim(-0.5, len(order) - 0.5)
    ax.grid(False, axis="x")
    ax.set(xlabel="", ylabel=ylabel or f"{y} (%)")
    return ax


def seed_panels(
    frame: pd.DataFrame,
    groups: Mapping[str, Sequence[str]],
    spreads: pd.DataFrame,
    fig: Figure,
    *,
    level: float | None = None,
) -> list[Axes]:
    """Panels of `seed_strips` with one span, and below them the ratios of spreads.

    Args:
        frame: as there, by "method", with "H".
        groups: title of a panel -> the methods in it.
        spreads: what `cptlab.lab.study.findings.spreads` returns; may be empty.
        fig: empty figure to fill; its height is set to what the panels need.
        level: that of zero-shot, dotted.
    """
    across = min(2, len(groups))
    down = -(-len(groups) // across)
    heights = [2.9 * down, 0.8 + 0.24 * len(spreads)][: 2 if len(spreads) else 1]
    fig.set_layout_engine("constrained")
    fig.set_figheight(sum(heights))
    above, *below = fig.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    axes = list(above.subplots(down, across, squeeze=False).flat)
    for ax in axes[len(groups) :]:
        ax.set_axis_off()
    axes = axes[: len(groups)]
    for ax, (title, methods) in zip(axes, groups.items(), strict=True):
        seed_strips(frame[frame["method"].isin(methods)], ax=ax, level=level)
        ax.set_title(title, fontsize=9)
    equal_spans(axes, "y")
    told = {
        "one seed": Line2D([], [], color=GREY, linewidth=0.7),
        "mean": Line2D([], [], color=BLACK, linewidth=1.6),
    }
    if level is not None:
        told[ZERO_SHOT] = Line2D([], [], **LEVEL)
    explain(above, told)
    for part in below:
        axes.append(_ratios(spreads, part.subplots()))
    return axes


def _ratios(spreads: pd.DataFrame, ax: Axes) -> Axes:
    """A row for each ratio of spreads on a logarithmic axis; filled where it is separable."""
    rows = spreads.to_dict("records")
    for place, row in enumerate(rows):
        look, bounds = method_look(row["method"]), [row["lower"], row["upper"]]
        face = look.color if row["adjusted"] <= HOLDS else "white"
        if not np.isnan(bounds).any():
            ax.plot(bounds, [place] * 2, "|-", color=look.color, linewidth=1.4)
        # a marker may be a tuple, which a format string is not
        mark = {"marker": look.marker, "color": look.color, "markerfacecolor": face}
        ax.plot(row["ratio"], place, **mark)
    names = [f"{row['method']} / {row['against']}" for row in rows]
    ax.set_yticks(range(len(names)), names, fontsize=8)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.axvline(1, color=GREY, linewidth=0.8, zorder=0)
    ax.set_xscale("log")
    left, right = ax.get_xlim()
    near = (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.4, 1.7, 2)  # logarithmic ticks are too far apart
    ax.xaxis.set_major_locator(
        FixedLocator(near) if right / left < 4 else LogLocator(subs=(1, 2, 5))
    )
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda ratio, _: f"{ratio:g}"))
    ax.set_xlim(left, right)
    ax.tick_params(axis="x", which="both", labelsize=8)
    bars = f", {INTERVAL}" if spreads["lower"].notna().any() else ""
    ax.set_xlabel(f"ratio of standard deviations over seeds{bars}; filled: separable from 1")
    ax.grid(False, axis="y")
    return ax


def _in_lines(label: str) -> str:
    """A label whose parts, such as " (sum)" or " w/o RS", have a line each."""
    return label.replace(" (", "\n(").replace(" w/o", "\nw/o")
