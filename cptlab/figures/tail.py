"""How rare classes fare: accuracy by training pictures, and thirds of the long tail."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from cptlab.figures.seeds import training_curves
from cptlab.style import method_look, method_order
from cptlab.tables import method_table

THIRDS = ["head", "medium", "tail"]
DODGE = 0.06  # octaves over which methods spread; n_k = 15 and 16 are 0.09 apart


def accuracy_by_shots(frame: pd.DataFrame, ax: Axes, *, legend: bool = True) -> Axes:
    """Class accuracy against the number of training pictures: means with intervals, faint classes.

    The classes of one n_k are averaged first, so that intervals are over seeds, as elsewhere.

    Args:
        frame: a row per class: columns "method", "n_k", "accuracy" in percent and "seed".
        ax: axes to draw on.
        legend: draw one, right of the axes.

    Raises:
        ValueError: on missing columns or classes without training pictures.
    """
    groups = ["method", "n_k", "seed"]
    missing = [name for name in [*groups, "accuracy"] if name not in frame.columns]
    if missing:
        raise ValueError(f"The frame lacks the columns {missing}; it has {list(frame.columns)}.")
    if not (frame["n_k"] >= 1).all():
        raise ValueError("Some classes have no training pictures (n_k); leave them out.")
    means = frame.groupby(groups, as_index=False, sort=False)["accuracy"].mean()
    table = method_table(means, ["accuracy"], by=["method", "n_k"]).sort_values("n_k")
    order = method_order(frame["method"])
    for shift, label in zip(_spread(len(order), DODGE), order, strict=True):
        rows, look = table[table["method"] == label], method_look(label)
        classes = frame[frame["method"] == label]
        ax.scatter(
            classes["n_k"] * 2**shift,
            classes["accuracy"],
            s=12,
            color=look.color,
            marker=look.marker,
            alpha=0.2,
            linewidth=0,
            rasterized=len(classes) > 500,
        )
        ax.errorbar(
            rows["n_k"] * 2**shift,
            rows["mean"],
            yerr=_whiskers(rows),
            color=look.color,
            marker=look.marker,
            markersize=4.5,
            linewidth=1.2,
            elinewidth=0.8,
            label=label,
        )
    _in_powers_of_two(ax, frame["n_k"].max())
    ax.set(xlabel="training pictures of the class, $n_k$", ylabel="class accuracy (%)")
    if legend:
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def few_shot_curves(frame: pd.DataFrame, ax: Axes, *, y: str = "all") -> Axes:
    """Mean accuracy over seeds with its interval against the number of shots, a line per method.

    A method with one number of shots only (zero-shot) is drawn as a level.

    Args:
        frame: columns "method", "shots", "seed" and `y` in percent.
        ax: axes to draw on.
        y: quantity to draw.

    Raises:
        ValueError: on missing columns or several rows for one seed.
    """
    shots = frame.groupby("method")["shots"].transform("nunique")
    training_curves(
        frame[(shots > 1) | (frame["shots"].nunique() == 1)],
        y=y,
        ax=ax,
        x="shots",
        band="interval",
    )
    if frame["shots"].nunique() > 1:
        for label in method_order(frame.loc[shots == 1, "method"]):
            level, look = frame.loc[frame["method"] == label, y].mean(), method_look(label)
            ax.axhline(level, color=look.color, linestyle=":", linewidth=1.2, label=label)
    _in_powers_of_two(ax, frame["shots"].max())
    ax.set(xlabel="training pictures of every class", ylabel="accuracy on all classes (%)")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def thirds_bars(frame: pd.DataFrame, ax: Axes, *, legend: bool = True) -> Axes:
    """Accuracy of the head, medium and tail third of the classes: a bar per method with interval.

    Args:
        frame: a row per run: columns "method", "seed", and "head", "medium", "tail" in percent.
        ax: axes to draw on.
        legend: draw one, right of the axes.

    Raises:
        ValueError: on missing columns or several rows for one seed.
    """
    table = method_table(frame, THIRDS, by=["method"])
    order = method_order(frame["method"])
    width = 0.82 / len(order)
    for shift, label in zip(_spread(len(order), 0.82 - width), order, strict=True):
        rows = table[table["method"] == label].set_index("metric").loc[THIRDS]
        x, look = np.arange(len(THIRDS)) + shift, method_look(label)
        ax.bar(x, rows["mean"], 0.9 * width, color=look.color, alpha=0.35)
        ax.errorbar(
            x,
            rows["mean"],
            yerr=_whiskers(rows),
            marker=look.marker,
            linestyle="none",
            color=look.color,
            markersize=5,
            capsize=2,
            linewidth=1.2,
            label=label,
        )
    ax.set_xticks(range(len(THIRDS)), [f"{name} third" for name in THIRDS])
    ax.set(ylabel="class accuracy (%)", ylim=(0, None))
    ax.grid(False, axis="x")
    ax.tick_params(axis="x", length=0)
    if legend:
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def _in_powers_of_two(ax: Axes, largest: int) -> None:
    """Logarithmic x axis with ticks at 1, 2, 4, ..."""
    ax.set_xscale("log", base=2)
    powers = 2 ** np.arange(np.ceil(np.log2(largest)) + 1)
    ax.xaxis.set_major_locator(FixedLocator(powers))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))


def _whiskers(rows: pd.DataFrame) -> np.ndarray:
    """(2, n) lengths below and above the means; 0 where there is no interval."""
    return np.nan_to_num([rows["mean"] - rows["lower"], rows["upper"] - rows["mean"]])


def _spread(n: int, width: float) -> np.ndarray:
    """(n,) shifts around 0, `width` from first to last."""
    return np.linspace(-width / 2, width / 2, n) if n > 1 else np.zeros(n)
