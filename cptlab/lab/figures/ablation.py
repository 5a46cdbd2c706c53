"""The effect of each of the three losses: all eight combinations (Table 1)."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Affine2D, ScaledTranslation, blended_transform_factory

from cptlab.lab.figures.bars import explain, keys, whiskers
from cptlab.lab.figures.forest import verdict_keys
from cptlab.lab.figures.style import BLUE, GREY, MATH, Look, method_look, method_order
from cptlab.lab.study.claims.variants import COMBINATIONS, LOSSES, TABLE_1, names_of
from cptlab.lab.study.comparison_message import holds

MOST_ACROSS = 4
"""Panels side by side."""


def ablation_bars(
    table: pd.DataFrame,
    *,
    metric: str,
    ax: Axes,
    labels: bool = True,
    combinations: Sequence[tuple[bool, ...]] = tuple(COMBINATIONS),
    beside: pd.DataFrame | None = None,
    level: float | None = None,
) -> Axes:
    """A row per combination of losses: dots show which are on, a point its difference to no loss.

    Rows of Table 1 have its number. The dotted line is without any of the losses; points that are
    separable from it are filled.

    Args:
        table: of `cptlab.lab.study.ablation.from_none`, by "losses" (`variants.names_of`), in
            points.
        metric: quantity to draw.
        ax: axes to draw on; the dots are left of it.
        labels: draw the dots and the row numbers of Table 1; panels to the right of another share
            those of the first.
        combinations: rows, from top to bottom.
        beside: other methods, in rows below: differences to no loss by "method".
        level: the mean without any of the losses, in percent, told in its row.
    """
    rows = table[table["metric"] == metric].set_index("losses")
    none = names_of(COMBINATIONS[0])
    for place, combination in enumerate(combinations):
        name = names_of(combination)
        if name == none:
            ax.plot(0, place, "o", color=GREY, markerfacecolor="white")
            if level is not None:
                right = {"xytext": (7, 0), "textcoords": "offset points", "va": "center"}
                ax.annotate(f"{level:.1f} %", (0, place), fontsize=8, **right)
        elif name not in rows.index:
            anchor = {"xycoords": ("axes fraction", "data"), "va": "center", "color": GREY}
            ax.annotate("not run", (0.02, place), fontsize=8, **anchor)
        else:
            filled = BLUE if holds(rows.loc[[name]]).all() else "white"
            look, style = Look(BLUE, "o"), {"markerfacecolor": filled}
            whiskers(ax, [place], rows.loc[[name]], look, along="x", **style)
    others: list[str] = []
    if beside is not None:
        others, means = method_order(beside["method"]), beside[beside["metric"] == metric]
        means = means.set_index("method")
        for place, name in enumerate(others, len(combinations)):
            whiskers(ax, [place], means.loc[[name]], method_look(name), along="x")
    ax.axvline(0, color=GREY, linewidth=0.8, linestyle=":", zorder=0)
    places = range(len(combinations) + len(others))
    names = [*[""] * len(combinations), *(others if labels else [""] * len(others))]
    ax.set_yticks(places, names)
    ax.tick_params(axis="y", length=0)
    ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    ax.set(xlabel=f"{metric} (points)", ylim=(len(places) - 0.5, -0.5))
    if labels:
        _dots(ax, combinations)
    return ax


def ablation_panels(
    table: pd.DataFrame,
    fig: Figure,
    panels: Mapping[str, tuple[str, str]],
    *,
    combinations: Sequence[tuple[bool, ...]] = tuple(COMBINATIONS),
    beside: pd.DataFrame | None = None,
    levels: pd.DataFrame | None = None,
) -> list[Axes]:
    """Panels of `ablation_bars`: a band per reading of L_TETF, a panel per quantity.

    Args:
        table: as there, with a column "reading".
        fig: empty figure to fill; its size is set to what the panels need.
        panels: quantity, a metric of the table -> title and label of its axis.
        combinations, beside: as there.
        levels: of `cptlab.lab.study.summary.summarise`, with "reading" and "losses", in percent.
    """
    readings = list(dict.fromkeys(table["reading"]))
    names = list(panels)
    lines = [names[i : i + MOST_ACROSS] for i in range(0, len(names), MOST_ACROSS)]
    rows = len(combinations) + (0 if beside is None else beside["method"].nunique())
    fig.set_layout_engine("constrained")
    fig.set_size_inches(8, (1 + 0.25 * rows) * len(readings) * len(lines))
    bands = fig.subfigures(len(readings) * len(lines), 1, hspace=0.04, squeeze=False)[:, 0]
    drawn = []
    for band, (reading, line) in zip(bands, itertools.product(readings, lines), strict=True):
        title = rf"$L_\mathrm{{TETF}}$ as a {reading}"
        band.suptitle(title if line is lines[0] else " ", x=0.01, ha="left", fontsize=10, **MATH)
        axes = band.subplots(1, len(lines[0]), squeeze=False)[0]
        for ax, name in zip(axes, line):
            title, xlabel = panels[name]
            ablation_bars(
                table[table["reading"] == reading],
                metric=name,
                ax=ax,
                labels=ax is axes[0],
                combinations=combinations,
                beside=beside,
                level=_level(levels, reading, name),
            )
            ax.set(title=title, xlabel=xlabel)
            drawn.append(ax)
        for ax in axes[len(line) :]:
            ax.set_axis_off()
    explain(bands[-1], verdict_keys(table) | keys(table))
    return drawn


def _level(levels: pd.DataFrame | None, reading: str, metric: str) -> float | None:
    """The mean without any of the losses, if it is known."""
    if levels is None:
        return None
    none = (levels["losses"] == names_of(COMBINATIONS[0])) & (levels["reading"] == reading)
    means = levels.loc[none & (levels["metric"] == metric), "mean"]
    return None if means.empty else float(means.iloc[0])


def _dots(ax: Axes, combinations: Sequence[tuple[bool, ...]]) -> None:
    """Left of the axes: a column per loss, dark where it is on, joined in a row; row numbers."""
    # Columns are placed in points from the axes' left edge, because the layout decides the width of
    # the axes later: a share of it would leave too much or too little room.
    points = Affine2D().scale(1 / 72) + ax.figure.dpi_scale_trans
    left = points + ScaledTranslation(0, 0, ax.transAxes)
    outside = {"transform": blended_transform_factory(left, ax.transData), "clip_on": False}
    columns = np.array([-70, -44, -18])
    for place, combination in enumerate(combinations):
        on = columns[np.flatnonzero(combination)]
        ax.plot(columns, [place] * len(columns), "o", color="#DDDDDD", markersize=7, **outside)
        if len(on):  # an empty line would count in the layout as one at the figure's corner
            dark = {"color": "#333333", "markersize": 7, "linewidth": 2}
            ax.plot(on, [place] * len(on), "o-", **dark, **outside)
    style = {"fontsize": 8, "ha": "center", **outside}
    for x, name in zip(columns, LOSSES.values(), strict=True):
        ax.text(x, -0.6, name, **style)
    ax.text(-106, -0.6, "Table 1", **style)
    for place, combination in enumerate(combinations):
        ax.text(-106, place, TABLE_1.get(combination, ""), va="center", **style)
