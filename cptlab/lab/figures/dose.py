"""Dose and response: what a method does against the weight of one of its losses."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from cptlab.lab.figures.bars import explain, keys, whiskers
from cptlab.lab.figures.forest import verdict_keys
from cptlab.lab.figures.sensitivity import MEAN, NAMES, SUM, spaced
from cptlab.lab.figures.style import BLUE, DARK, GREY, MATH, VERMILLION, headline
from cptlab.lab.study.dose_message import GAINS, WITHOUT, messages
from cptlab.lab.study.summary import LEVEL

TITLES = {
    "H": "H",
    "new": "new classes",
    "tail": "tail classes",
    "effective_rank": "effective rank",
    "drift_degrees": "drift from frozen texts (degrees)",
    "cluster_auc": "pairs inside closer than across (%)",
}


def dose_panels(
    gains: pd.DataFrame, levels: pd.DataFrame, fig: Figure, losses: tuple[str, ...]
) -> list[Axes]:
    """Panels of a loss against its weight on a logarithmic axis, and a message above them.

    For each loss a row of differences to the run without it, filled where they are separable, and
    one of what is shown as it is, if there is any; dotted: without the loss.

    Args:
        gains: what `cptlab.lab.study.dose.responses` returns.
        levels: what `levels` returns there.
        fig: empty figure to fill; its height is set.
        losses: names of losses, such as "TETF"; those without numbers are left out.

    Returns:
        The axes, row by row.
    """
    known = list(dict.fromkeys(levels["metric"]))
    losses = tuple(loss for loss in losses if loss in set(gains["loss"]))
    rows = [(loss, names) for loss in losses for names in (list(GAINS), known) if names]
    fig.set_layout_engine("constrained")
    fig.set_figheight(2.1 * len(rows) + 0.6)
    axes = fig.subplots(max(1, len(rows)), 3, squeeze=False)
    for line, (loss, names) in zip(axes, rows, strict=False):
        for ax, name in zip(line, names, strict=False):
            table = gains if name in GAINS else levels
            _panel(table[(table["loss"] == loss) & (table["metric"] == name)], name, ax)
        for ax in line[len(names) :]:
            ax.set_axis_off()
        line[0].set_xlabel(f"weight {NAMES[f'lambda_{loss.lower()}']}", **MATH)
    if losses:
        marks = {f"{text} (changes)": mark for text, mark in verdict_keys(gains).items()}
        level = Line2D([], [], color=GREY, linestyle=":", linewidth=1.2)
        explain(fig, keys(gains) | marks | {"without the loss": level})
    headline(fig, messages(gains, losses))
    return list(axes.flat)


def _panel(rows: pd.DataFrame, name: str, ax: Axes) -> None:
    """One metric against the weight; the run without the loss is a level."""
    without, drawn = rows[rows["point"] == WITHOUT], rows[rows["weight"] > 0]
    is_sum = drawn["point"].str.startswith("sum")
    ax.set_xscale("log")
    level = 0.0 if name in GAINS else without["mean"].iloc[0] if len(without) else None
    if level is not None:
        ax.axhline(level, color=GREY, linestyle=":", linewidth=1.2, zorder=1)
    for usual in drawn.loc[drawn["usual"], "weight"]:
        ax.axvline(usual, color=GREY, linewidth=0.8, zorder=0)
    means = drawn[~is_sum]
    ax.plot(means["weight"], means["mean"], color=BLUE, linewidth=1.2)
    for look, some in ((MEAN, means), (SUM, drawn[is_sum])):
        for holds, part in _by_verdict(some):
            face = look.color if holds else "white"
            style = {"markerfacecolor": face, "zorder": 3}
            whiskers(ax, part["weight"], part, look, along="y", size=5, cap=2, **style)
    for row in drawn[drawn["point"] == "sum"].itertuples():
        ax.annotate(
            "sum",
            (row.weight, row.mean),
            (4, 5),
            textcoords="offset points",
            color=VERMILLION,
            fontsize=8,
        )
    title = f"change of {TITLES[name]} (points)" if name in GAINS else TITLES[name]
    ax.set_title(title, fontsize=9, color=DARK)
    span = drawn["weight"].max() / drawn["weight"].min()
    ax.xaxis.set_major_locator(FixedLocator(spaced(means["weight"], span)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda weight, _: f"{weight:g}"))
    ax.tick_params(axis="x", labelsize=8)


def _by_verdict(rows: pd.DataFrame) -> list[tuple[bool, pd.DataFrame]]:
    """Rows that differ separably from none, or are shown as they are, and the others."""
    if "adjusted" not in rows:
        return [(True, rows)]
    holds = rows["adjusted"] <= LEVEL
    return [(True, rows[holds]), (False, rows[~holds])]
