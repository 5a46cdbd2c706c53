"""The effect of loss weights: curves of one weight (Fig. 3) and a grid of two."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from cptlab.lab.figures.style import BLUE, DARK, GREEN, GREY, ORANGE, PURPLE, VERMILLION, Look
from cptlab.lab.figures.text import small_text
from cptlab.lab.study.tables import check_one_row_per_seed, method_table

TAU_LOOKS = tuple(map(Look, (BLUE, GREEN, VERMILLION, PURPLE, ORANGE), "os^vD"))

NAMES = {
    "lambda_tetf": r"$\lambda_\mathrm{TETF}$",
    "lambda_cc": r"$\lambda_\mathrm{CC}$",
    "lambda_rs": r"$\lambda_\mathrm{RS}$",
}


def sensitivity_curves(
    frame: pd.DataFrame,
    *,
    weight: str,
    y: str = "H",
    default: float,
    ax: Axes,
    legend: bool = True,
) -> Axes:
    """Mean over seeds with its interval against one loss weight, a line per tau (Fig. 3).

    The values tried are equally spaced, so that 0, 0.05 and 1 can all be read.

    Args:
        frame: columns `weight`, `y`, "tau" and "seed".
        weight: the weight that varies, e.g. "lambda_tetf".
        y: quantity to draw, in percent.
        default: value of the weight in all other studies, marked by a dotted line.
        ax: axes to draw on.
        legend: draw one, right of the axes.

    Raises:
        ValueError: on missing columns, several rows for one seed, a default that was not tried, or
            more imbalance ratios than there are markers.
    """
    check_one_row_per_seed(frame, ["tau", weight], [y])
    values = np.sort(frame[weight].unique())
    place = _place(values, default, weight)
    table = method_table(frame, [y], by=["tau", weight]).sort_values(weight)
    taus = sorted(table["tau"].unique(), reverse=True)
    if len(taus) > len(TAU_LOOKS):
        raise ValueError(f"At most {len(TAU_LOOKS)} imbalance ratios can be drawn: {taus}.")
    for tau, look in zip(taus, TAU_LOOKS):
        rows = table[table["tau"] == tau]
        x = np.searchsorted(values, rows[weight])
        ax.plot(x, rows["mean"], color=look.color, marker=look.marker, label=f"τ = {tau:g}")
        ax.fill_between(x, rows["lower"], rows["upper"], color=look.color, alpha=0.18, linewidth=0)
    ax.axvline(place, color=GREY, linewidth=1.2, linestyle=":", zorder=0, label="default")
    ax.set_xticks(range(len(values)), [f"{value:g}" for value in values])
    ax.set(xlabel=f"weight {NAMES.get(weight, weight)}", ylabel=f"{y} (%)")
    if legend:
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


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
        frame: columns `x`, `y`, `value` and "seed"; one imbalance ratio.
        x: the weight along the horizontal axis.
        y: the weight along the vertical axis.
        value: quantity to draw, in percent.
        default: the two weights, `x` first, in all other studies.
        ax: axes to draw on.
        title: title of the panel.

    Raises:
        ValueError: on missing columns, several rows for one seed, or a default that was not tried.
    """
    check_one_row_per_seed(frame, [x, y], [value])
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
    ax.set(xlabel=f"weight {NAMES.get(x, x)}", ylabel=f"weight {NAMES.get(y, y)}")
    ax.set_title(title, pad=16)
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
