"""The effect of loss weights: changes from the default by one weight (Fig. 3), and by two."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from cptlab.lab.figures.bars import Key, explain, keys, whiskers
from cptlab.lab.figures.style import BLUE, DARK, GREEN, GREY, MATH, VERMILLION, Look
from cptlab.lab.figures.text import small_text
from cptlab.lab.study.summary import LEVEL

MEAN, SUM, OTHER = Look(BLUE, "o"), Look(VERMILLION, "D"), Look(GREEN, "s")
LOOKS = {"pair mean": MEAN, "sum": SUM}
WORDS = {"pair mean": "mean over pairs", "sum": "sum over pairs"}
"""Readings of L_TETF."""
NAMES = {
    "lambda_tetf": r"$\lambda_\mathrm{TETF}$",
    "lambda_cc": r"$\lambda_\mathrm{CC}$",
    "lambda_rs": r"$\lambda_\mathrm{RS}$",
}


def change_curves(
    table: pd.DataFrame, *, defaults: Mapping[str, float], bound: float, ax: Axes
) -> Axes:
    """Change from the default against the weight of one loss, a line per reading of L_TETF.

    Weights are on a logarithmic axis, after a place for 0. The band is what is claimed; marks are
    filled where the change is separable from zero.

    Args:
        table: of `cptlab.lab.study.sensitivity.placed`, of one loss and imbalance ratio.
        defaults: reading -> place of the default, where nothing changes.
        bound: largest change that is claimed, in the unit of the table.
        ax: axes to draw on.
    """
    ax.axhspan(-bound, bound, color=GREY, alpha=0.2, linewidth=0)
    ax.axhline(0, color=GREY, linewidth=0.8, zorder=0)
    for reading, rows in table.groupby("reading", sort=False):
        look, default = LOOKS.get(str(reading), OTHER), defaults[str(reading)]
        line = pd.concat([rows[["place", "mean"]], pd.DataFrame({"place": [default], "mean": [0]})])
        line = line.sort_values("place")
        ax.plot(line["place"], line["mean"], color=look.color, linewidth=1.2, zorder=2)
        ax.plot(default, 0, "|", color=look.color, markersize=12, markeredgewidth=1.6, zorder=3)
        for holds, part in rows.groupby(rows["adjusted"] <= LEVEL):
            face = look.color if holds else "white"
            style = {"markerfacecolor": face, "zorder": 3}
            whiskers(ax, part["place"], part, look, along="y", size=5, cap=2, **style)
    low, high = ax.get_ylim()
    ax.set_ylim(min(low, -1.2 * bound), max(high, 1.2 * bound))
    _weights_axis(ax, [*table["place"], *defaults.values()])
    return ax


def change_panels(
    table: pd.DataFrame,
    fig: Figure,
    *,
    defaults: Mapping[tuple[str, str], float],
    bound: float,
) -> list[Axes]:
    """Panels of `change_curves`: a row per imbalance ratio, a column per loss with one scale.

    Args:
        table: as there, of all losses and ratios.
        fig: empty figure to fill; its height is set to what the rows need.
        defaults: reading and loss -> place of the default.
        bound: as there.
    """
    taus, losses = (list(dict.fromkeys(table[name])) for name in ("tau", "loss"))
    fig.set_layout_engine("constrained")
    fig.set_figheight(2.1 * len(taus) + 0.7)
    axes = fig.subplots(len(taus), len(losses), squeeze=False, sharex="col", sharey="col")
    for number, (line, tau) in enumerate(zip(axes, taus, strict=True), start=1):
        for ax, loss in zip(line, losses, strict=True):
            rows = table[(table["tau"] == tau) & (table["loss"] == loss)]
            own = {reading: at for (reading, name), at in defaults.items() if name == loss}
            change_curves(rows, defaults=own, bound=bound, ax=ax)
            if number == len(taus):
                name = f"lambda_{loss.lower()}"
                ax.set_xlabel(f"weight {NAMES.get(name, name)}", **MATH)
        line[0].set_title(f"τ = {tau:g}", loc="left", fontsize=9)
        line[0].set_ylabel("change of H (%)")
    told: dict[str, Key] = {
        WORDS.get(name, name): Line2D([], [], color=look.color, marker=look.marker)
        for name, look in ((name, LOOKS.get(name, OTHER)) for name in table["reading"].unique())
    }
    told["default"] = Line2D([], [], color=DARK, marker="|", linestyle="none", markersize=10)
    told[f"claimed: within {bound:g} %"] = Patch(color=GREY, alpha=0.2, linewidth=0)
    explain(fig, told | keys(table))
    return list(axes.flat)


def spaced(weights: Sequence[float] | pd.Series, span: float) -> list[float]:
    """Ascending weights without those whose numbers would meet on a logarithmic axis.

    span: ratio of the ends of the axis.
    """
    kept: list[float] = []
    for weight in weights:
        if not kept or np.log(weight / kept[-1]) >= np.log(span) / 8:
            kept.append(weight)
    return kept


def _weights_axis(ax: Axes, places: Sequence[float]) -> None:
    """A logarithmic axis with ticks at places; 0 stands a step left of the smallest above it."""
    above = np.unique([place for place in places if place > 0])
    step = max(2.0, (above[-1] / above[0]) ** 0.2)
    ax.set_xscale("symlog", linthresh=above[0] / step, linscale=0.3)
    shown = spaced(above, (step * above[-1] / above[0]) ** 1.1)
    ax.xaxis.set_major_locator(FixedLocator([0, *shown] if min(places) == 0 else shown))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda weight, _: f"{weight:.3g}"))
    ax.tick_params(axis="x", labelsize=8)
    ax.set_xlim(-above[0] / step / 3 if min(places) == 0 else above[0] / step, above[-1] * step)


def weight_heatmaps(
    table: pd.DataFrame, fig: Figure, *, x: str, y: str, default: tuple[float, float]
) -> list[Axes]:
    """A panel of `weight_heatmap` per reading of L_TETF, with one colour scale around zero.

    table: as there, with the column "reading". fig: empty figure to fill; its size is set.
    """
    readings = list(dict.fromkeys(table["reading"]))
    fig.set_layout_engine("constrained")
    fig.set_size_inches(max(8, 3.6 * len(readings)) if len(readings) > 1 else 5, 3.2)
    axes = fig.subplots(1, len(readings), squeeze=False)
    end = table["mean"].abs().max() or 1.0
    for ax, reading in zip(axes[0], readings, strict=True):
        rows = table[table["reading"] == reading]
        weight_heatmap(rows, x=x, y=y, default=default, end=end, ax=ax)
        ax.set_title(rf"$L_\mathrm{{TETF}}$ as a {reading}", pad=16, fontsize=9, **MATH)
    heat = axes[0, -1].collections[0]
    bar = fig.colorbar(heat, ax=axes, label="H minus that of the default (points)")
    bar.ax.tick_params(labelsize=8)
    return list(axes.flat)


def weight_heatmap(
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    default: tuple[float, float],
    end: float,
    ax: Axes,
) -> Axes:
    """Differences to the default on a grid of two weights, with their interval or range.

    Args:
        table: of `cptlab.lab.study.sensitivity.together_changes`: a row per cell but the default's.
        x: the weight along the horizontal axis.
        y: the weight along the vertical axis.
        default: the two weights, `x` first, in all other studies.
        end: difference at the ends of the colour scale.
        ax: axes to draw on.
    """
    across, up = (sorted({*table[name], at}) for name, at in zip((x, y), default, strict=True))
    means = pd.DataFrame(np.nan, index=up, columns=across)
    means.loc[default[1], default[0]] = 0.0
    words, bold = means.map(lambda mean: "default"), set()
    for _, row in table.iterrows():
        means.loc[row[y], row[x]] = mean = row["mean"]
        bare = np.isnan(row["lower"])
        span = [row[name] for name in (("least", "most") if bare else ("lower", "upper"))]
        text = f"{mean:+z.1f}" + (f"\n{span[0]:z.1f} to {span[1]:z.1f}" if row["n"] > 1 else "")
        words.loc[row[y], row[x]] = text
        if row["adjusted"] <= LEVEL:
            bold.add((across.index(row[x]), up.index(row[y])))
    colors = {"cmap": "RdBu_r", "vmin": -end, "vmax": end, "cbar": False}
    annotated = {"annot": words, "fmt": "", "annot_kws": {"fontsize": 8}}
    sns.heatmap(means, **colors, **annotated, ax=ax)
    ax.invert_yaxis()
    for text in ax.texts:
        cell = tuple(int(place) for place in text.get_position())
        text.set_fontweight("bold" if cell in bold else "normal")
    for row, column in np.argwhere(means.isna().to_numpy()):  # cells that seaborn leaves empty
        ax.text(column + 0.5, row + 0.5, "not run", ha="center", va="center", fontsize=8)
    corner = (across.index(default[0]) + 0.03, up.index(default[1]) + 0.03)
    ax.add_patch(Rectangle(corner, 0.94, 0.94, fill=False, linewidth=2))
    ax.set_xticks(np.arange(len(across)) + 0.5, [f"{v:g}" for v in across])
    ax.set_yticks(np.arange(len(up)) + 0.5, [f"{v:g}" for v in up], rotation=0)
    ax.set_xlabel(f"weight {NAMES.get(x, x)}", **MATH)
    ax.set_ylabel(f"weight {NAMES.get(y, y)}", **MATH)
    kinds = " or ".join(keys(table))
    below = "; bold: separable" if table["lower"].notna().any() else ""
    small_text(ax, f"mean, {kinds}{below}", y=1, offset=4, va="bottom", color=DARK)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    return ax
