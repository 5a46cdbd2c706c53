"""The effect of loss weights: curves of one weight (Fig. 3) and a grid of two."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from cptlab.lab.figures.bars import band, whiskers, with_keys
from cptlab.lab.figures.style import (
    BLUE,
    DARK,
    GREEN,
    GREY,
    MATH,
    ORANGE,
    PURPLE,
    VERMILLION,
    Look,
    method_order,
)
from cptlab.lab.figures.text import small_text
from cptlab.lab.study.summary import check_one_row_per_run

TAU_LOOKS = tuple(map(Look, (BLUE, GREEN, VERMILLION, PURPLE, ORANGE), "os^vD"))

SHARE = 0.12
"""Width of a method's place beside the curves, as a part of a panel of curves."""

NAMES = {
    "lambda_tetf": r"$\lambda_\mathrm{TETF}$",
    "lambda_cc": r"$\lambda_\mathrm{CC}$",
    "lambda_rs": r"$\lambda_\mathrm{RS}$",
}


def sensitivity_curves(
    table: pd.DataFrame,
    *,
    weight: str,
    default: float,
    ax: Axes,
    legend: bool = True,
) -> Axes:
    """Mean with its interval against one loss weight, a line per tau (Fig. 3).

    The values tried are equally spaced, so that 0, 0.05 and 1 can all be read.

    Args:
        table: of `cptlab.lab.study.summary.summarise` for one metric in percent, by "tau" and
            "weight".
        weight: the weight that varies, e.g. "lambda_tetf".
        default: value of the weight in all other studies, marked by a dotted line.
        ax: axes to draw on.
        legend: draw one, right of the axes.

    Raises:
        ValueError: for a default that was not tried.
    """
    values = np.sort(table["weight"].unique())
    place = _place(values, default, weight)
    table = table.sort_values("weight")
    for tau, look in tau_looks(table["tau"]).items():
        rows = table[table["tau"] == tau]
        x = np.searchsorted(values, rows["weight"])
        ax.plot(x, rows["mean"], color=look.color, marker=look.marker, label=f"τ = {tau:g}")
        band(ax, x, rows, look.color)
    ax.axvline(place, color=GREY, linewidth=1.2, linestyle=":", zorder=0, label="default")
    ax.set_xticks(range(len(values)), [f"{value:g}" for value in values])
    ax.set_xlabel(f"weight {NAMES.get(weight, weight)}", **MATH)
    ax.set_ylabel(f"{table['metric'].iloc[0]} (%)")
    if legend:
        handles, labels = with_keys(ax, table, "band")
        ax.legend(handles, labels, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def sensitivity_grid(
    table: pd.DataFrame,
    fig: Figure,
    *,
    defaults: Mapping[str, float],
    beside: pd.DataFrame | None = None,
) -> list[Axes]:
    """Panels of `sensitivity_curves`: a row per reading of L_TETF, a column per loss.

    Panels of a row share their vertical axis.

    Args:
        table: as there, by "reading" and "loss" (such as "TETF") as well.
        fig: empty figure to fill; its height is set to what the rows need.
        defaults: loss -> its weight in all other studies.
        beside: other methods, shown to the right of each row: a table by "method" and "tau".

    Returns:
        The axes, row by row.

    Raises:
        ValueError: as `sensitivity_curves`.
    """
    readings, losses = (list(dict.fromkeys(table[name])) for name in ("reading", "loss"))
    others = [] if beside is None else method_order(beside["method"])
    widths = [1.0] * len(losses) + [max(0.25, SHARE * len(others))] * bool(others)
    fig.set_layout_engine("constrained")
    fig.set_figheight(2.6 * len(readings) + 0.4 + 0.5 * bool(others))
    axes = fig.subplots(
        len(readings), len(widths), sharey="row", squeeze=False, width_ratios=widths
    )
    for row, reading in zip(axes, readings, strict=True):
        for ax, loss in zip(row, losses):
            name = f"lambda_{loss.lower()}"
            rows = table[(table["reading"] == reading) & (table["loss"] == loss)]
            sensitivity_curves(rows, weight=name, default=defaults[loss], ax=ax, legend=False)
        if others:
            _beside(beside, others, row[-1], reading == readings[-1])
        for ax in row:
            ax.label_outer()
        row[0].set_title(rf"$L_\mathrm{{TETF}}$ as a {reading}", loc="left", **MATH)
    handles, labels = with_keys(axes[0, 0], table, "band")
    fig.legend(handles, labels, loc="outside lower center", ncols=4)
    return list(axes.flat)


def _beside(table: pd.DataFrame, order: Sequence[str], ax: Axes, labels: bool) -> None:
    """Means with intervals of other methods, a place for each, in the colours of the ratios."""
    looks = tau_looks(table["tau"])
    for number, (tau, look) in enumerate(looks.items()):
        rows = table[table["tau"] == tau]
        x = rows["method"].map(order.index) + 0.2 * (number - (len(looks) - 1) / 2)
        whiskers(ax, x, rows, look, along="y", size=5, cap=2)
    ax.set_xlim(-0.6, len(order) - 0.4)
    ax.set_xticks(range(len(order)), order if labels else [""] * len(order), rotation=90)
    ax.grid(False, axis="x")


def weight_heatmaps(
    frame: pd.DataFrame, fig: Figure, *, x: str, y: str, default: tuple[float, float]
) -> list[Axes]:
    """A panel of `sensitivity_heatmap` per reading of L_TETF, each with its own colour scale.

    frame: as there, with the column "reading". fig: empty figure to fill; its size is set.
    """
    readings = list(dict.fromkeys(frame["reading"]))
    fig.set_layout_engine("constrained")
    fig.set_size_inches(4 * len(readings), 3.4)
    axes = fig.subplots(1, len(readings), squeeze=False)
    for ax, reading in zip(axes[0], readings, strict=True):
        rows = frame[frame["reading"] == reading]
        title = rf"$L_\mathrm{{TETF}}$ as a {reading}"
        sensitivity_heatmap(rows, x=x, y=y, default=default, ax=ax, title=title)
    return list(axes.flat)


def tau_looks(taus: Sequence[float] | pd.Series) -> dict[float, Look]:
    """Colour and marker of each imbalance ratio, the largest first."""
    order = sorted(set(taus), reverse=True)
    if len(order) <= len(TAU_LOOKS):
        return dict(zip(order, TAU_LOOKS))
    colors = colormaps["viridis"](np.linspace(0, 0.9, len(order)))
    markers = [TAU_LOOKS[i % len(TAU_LOOKS)].marker for i in range(len(order))]
    return dict(zip(order, map(Look, map(to_hex, colors), markers)))


def sensitivity_heatmap(
    frame: pd.DataFrame,
    *,
    x: str,
    y: str,
    value: str = "H",
    default: tuple[float, float],
    ax: Axes,
    title: str = "",
) -> Axes:
    """Means over seeds on a grid of two weights, with the standard deviation, the default framed.

    Args:
        frame: columns `x`, `y`, `value`, "dataset" (a single one) and "seed"; one imbalance
            ratio.
        x: the weight along the horizontal axis.
        y: the weight along the vertical axis.
        value: quantity to draw, in percent.
        default: the two weights, `x` first, in all other studies.
        ax: axes to draw on.
        title: title of the panel.

    Raises:
        ValueError: on missing columns, several rows for one seed, or a default that was not tried.
    """
    check_one_row_per_run(frame, [x, y], [value])
    groups = frame.groupby([y, x])[value]
    means, spread = groups.mean().unstack(), groups.std().unstack()
    place = _place(means.columns, default[0], x), _place(means.index, default[1], y)

    heat = ax.imshow(means, cmap="viridis", origin="lower", aspect="auto")
    for (row, column), mean in np.ndenumerate(means.to_numpy()):
        if np.isnan(mean):
            ax.text(column, row, "not run", ha="center", va="center", fontsize=8, color=GREY)
            continue
        luminance = np.dot(np.power(to_rgb(heat.to_rgba(mean)), 2.2), [0.2126, 0.7152, 0.0722])
        deviation = spread.iloc[row, column]
        text = f"{mean:.1f}" if np.isnan(deviation) else f"{mean:.1f}\n± {deviation:.1f}"
        color = "black" if luminance > 0.18 else "white"  # the one with more contrast
        ax.text(column, row, text, ha="center", va="center", fontsize=8, color=color)
    frame_at = (place[0] - 0.47, place[1] - 0.47)
    stroke = [withStroke(linewidth=4, foreground="white")]
    ax.add_patch(Rectangle(frame_at, 0.94, 0.94, fill=False, linewidth=2, path_effects=stroke))
    ax.set_xticks(range(len(means.columns)), [f"{v:g}" for v in means.columns])
    ax.set_yticks(range(len(means.index)), [f"{v:g}" for v in means.index])
    ax.set_xlabel(f"weight {NAMES.get(x, x)}", **MATH)
    ax.set_ylabel(f"weight {NAMES.get(y, y)}", **MATH)
    ax.set_title(title, pad=16, **MATH)
    legend = "mean ± standard deviation over seeds; framed: default"
    small_text(ax, legend, y=1, offset=4, va="bottom", color=DARK)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.figure.colorbar(heat, ax=ax, label=f"{value} (%)")
    return ax


def _place(values: np.ndarray | pd.Index, default: float, weight: str) -> int:
    """Index of the default among the sorted values of a weight."""
    close = np.flatnonzero(np.isclose(values, default))
    if not len(close):
        tried = ", ".join(f"{value:g}" for value in values)
        raise ValueError(f"The default {weight} = {default:g} was not tried; there is {tried}.")
    return int(close[0])
