"""The benchmark: savings against the number of classes, and runs per hour."""

from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from cptlab.lab.figures.style import BLUE, GREY, VERMILLION, method_look, method_order

PLAIN = {"naive": ("-", "full length"), "truncated": (":", "cut to the longest")}
"""Sentences of plain towers: padded to the context length, or to the longest sentence."""
SIDES = {"text": (BLUE, "o", "text side"), "step": (VERMILLION, "s", "whole step")}


def savings_by_classes(frame: pd.DataFrame, *, what: Literal["time", "memory"], ax: Axes) -> Axes:
    """Time or memory of plain towers over that of ours, against the number of classes.

    Args:
        frame: rows of the benchmark's part "towers": columns side ("text", "step"), classes, and
            ratio_time_naive, ratio_time_truncated, ratio_memory_naive, ratio_memory_truncated.
        what: the ratio to draw.
        ax: axes to draw on.
    """
    for side, (color, marker, label) in SIDES.items():
        rows = frame[frame["side"] == side].sort_values("classes")
        for variant, (style, length) in PLAIN.items():
            column = f"ratio_{what}_{variant}"
            if column in rows:
                name = f"{label}, {length}"
                ax.plot(
                    rows["classes"], rows[column], style, color=color, marker=marker, label=name
                )
    ax.axhline(1, color=GREY, linewidth=0.8)
    ax.set(xscale="log", yscale="log", xlabel="classes", ylabel=f"{what}, plain towers / ours")
    _plain_ticks(ax, sorted(frame.loc[frame["classes"] > 0, "classes"].unique()))
    ax.legend()
    return ax


def runs_per_hour(frame: pd.DataFrame, *, ax: Axes) -> Axes:
    """Runs per hour against the number of replicas in a pass; dotted: proportional.

    Args:
        frame: rows of the benchmark's part "passes": columns method, replicas, runs_per_hour.
        ax: axes to draw on.
    """
    for method in method_order(frame["method"]):
        rows, look = frame[frame["method"] == method].sort_values("replicas"), method_look(method)
        x, y = rows["replicas"], rows["runs_per_hour"]
        ax.plot(x, y, color=look.color, marker=look.marker, label=method)
        ax.plot(x, y.iloc[0] * x, ":", color=look.color, linewidth=0.9)
    ax.set(xscale="log", yscale="log", xlabel="replicas in one pass", ylabel="runs per hour")
    _plain_ticks(ax, sorted(frame["replicas"].unique()))
    ax.legend()
    return ax


def _plain_ticks(ax: Axes, places: list[int]) -> None:
    ax.xaxis.set_major_locator(FixedLocator(places))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_minor_locator(NullLocator())
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
