"""The gain of each class in one run."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from cptlab.lab.figures.style import BLACK, GREY, MATH, method_look

FEWEST, EACH = 30.0, 12.0
"""Area of a dot of one class in square points, and of each further class."""


def class_gains(classes: pd.DataFrame, means: pd.DataFrame, ax: Axes) -> Axes:
    """Gain over zero-shot of every class of a run, by its number of training images.

    Classes with the same gain share a dot, with their number in it; a line is the mean of a group,
    with its value beside it.

    Args:
        classes: of one method, a row per class: columns "method", "n_k" (group of numbers of
            images) and "gain" in points, as `cptlab.lab.study.tables.class_gains` returns.
        means: what `gain_table` returns there of the same classes; its order is that of groups.
        ax: axes to draw on.

    Raises:
        ValueError: if there are no rows.
    """
    if classes.empty:
        raise ValueError("There are no gains to draw: give a run of zero-shot and another.")
    groups = list(dict.fromkeys(means["n_k"]))
    look = method_look(classes["method"].iloc[0])
    counts = classes.round({"gain": 6}).groupby(["n_k", "gain"], as_index=False).size()
    x = [groups.index(n_k) for n_k in counts["n_k"]]
    size = FEWEST + EACH * counts["size"]
    ax.scatter(x, counts["gain"], s=size, color=look.color, linewidth=0, zorder=2)
    for place, gain, number in zip(x, counts["gain"], counts["size"], strict=True):
        if number > 1:
            style = {"ha": "center", "va": "center", "fontsize": 8, "zorder": 3}
            ax.text(place, gain, f"{number}", color="white", **style)
    for place, mean in enumerate(means["mean"]):
        ax.hlines(mean, place - 0.3, place + 0.3, color=BLACK, linewidth=1.2, zorder=1)
        ax.annotate(f"{mean:+.1f}", (place - 0.32, mean), va="center", fontsize=8)
    ax.axhline(0, color=GREY, linewidth=0.8, zorder=0)
    classes_in = means.set_index("n_k")["classes"]
    ticks = [f"{n_k}\n({n} class{'es' * (n > 1)})" for n_k, n in classes_in.items()]
    ax.set_xticks(range(len(ticks)), ticks)
    ax.set_xlabel("training images of the class, $n_k$", **MATH)
    ax.set_ylabel("gain over zero-shot (points)")
    ax.set_xlim(len(ticks) - 0.5, -0.6)  # from head to tail
    ax.grid(False, axis="x")
    ax.tick_params(axis="x", length=0)
    dot = Line2D([], [], linestyle="none", marker="o", color=look.color, markersize=6)
    ax.legend([dot, Line2D([], [], color=BLACK)], ["classes, with their number", "mean"])
    return ax
