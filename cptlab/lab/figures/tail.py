"""Accuracy by thirds of the long tail, by training images of a class, and by shots."""

from collections.abc import Sequence
from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from cptlab.lab.figures.bars import explain, keys
from cptlab.lab.figures.forest import draw_forest, forest_height, rows_of, verdict_keys
from cptlab.lab.figures.seeds import training_curves
from cptlab.lab.figures.style import (
    BLACK,
    GREY,
    WIDEST,
    method_order,
)


def few_shot_panels(table: pd.DataFrame, fig: Figure) -> list[Axes]:
    """Mean accuracy with its interval against the number of shots, a panel per method.

    In each panel a grey line is the mean of IVLP and a dotted level that of zero-shot, where the
    table has them.

    Args:
        table: of `cptlab.lab.study.summary.summarise` for the accuracy in percent, by "method" and
            "shots".
        fig: empty figure to fill; its height is set for the number of panels.

    Returns:
        The axes with a method, in the fixed order of methods.

    Raises:
        ValueError: if there is no method that learns.
    """
    order = [label for label in method_order(table["method"]) if label != "Zero-shot"]
    if not order:
        raise ValueError("There is nothing to draw: give runs of a method other than zero-shot.")
    across = min(4, len(order))
    down = -(-len(order) // across)
    fig.set_figheight(0.9 + 1.6 * down)
    axes = list(fig.subplots(down, across, sharex=True, sharey=True, squeeze=False).flat)
    means = table.set_index(["method", "shots"])["mean"]
    references = {}
    for ax, label in zip(axes, order, strict=False):
        if "IVLP" in means and label != "IVLP":
            line = means["IVLP"]
            (references["IVLP"],) = ax.plot(line.index, line, color=GREY, linewidth=1.2, zorder=1)
        if "Zero-shot" in means:
            level = means["Zero-shot"].mean()
            references["Zero-shot"] = ax.axhline(level, color=BLACK, linestyle=":", linewidth=1.2)
        training_curves(table[table["method"] == label], ax=ax, x="shots")
        ax.get_legend().remove()
        ax.set_title(fill(label, 24), fontsize=9)
        ax.set(xlabel="", ylabel="")
        _in_powers_of_two(ax, sorted(set(table["shots"])))
    for ax in axes[len(order) :]:
        ax.set_axis_off()
    for ax in axes[: len(order)][-across:]:  # in some columns the last panel is empty
        ax.tick_params(labelbottom=True)
    last = across * (down - 1)
    axes[last].set_xlabel("training images of every class", fontsize=8)
    fig.supylabel("accuracy on all classes (%)", fontsize=9)
    told = references | keys(table[table["method"].isin(order)], "band")
    explain(fig, told)
    return axes[: len(order)]


def tail_panels(thirds: pd.DataFrame, gains: pd.DataFrame, fig: Figure) -> list[Axes]:
    """Differences by thirds of the long tail and, below, by numbers of training images: the same
    methods in the same order.

    Args:
        thirds, gains: as for `forest_panels`.
        fig: empty figure to fill; its size is set.

    Returns:
        The axes of the thirds, then those of the gains.
    """
    height = forest_height(thirds)
    fig.set_size_inches(WIDEST, 2 * height + 0.6)
    above, below = list(fig.subfigures(2, 1, height_ratios=[height, height + 0.6]))
    axes = [*draw_forest(thirds, above), *draw_forest(gains, below, rows_of(thirds))]
    explain(below, keys(thirds) | verdict_keys(thirds))
    return axes


def _in_powers_of_two(ax: Axes, numbers: Sequence[int]) -> None:
    """Logarithmic x axis with a tick at each number, or at powers of two where they are many."""
    ax.set_xscale("log", base=2)
    if len(numbers) > 6:
        numbers = [2**i for i in range(max(numbers).bit_length())]
    ax.xaxis.set_major_locator(FixedLocator(numbers))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
