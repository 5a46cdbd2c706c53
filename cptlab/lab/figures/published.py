"""The paper's printed averages, drawn as published."""

import pandas as pd
from matplotlib.axes import Axes

from cptlab.lab.figures.style import BLUE, GREEN, VERMILLION

LOOKS = ((BLUE, "o"), (GREEN, "s"), (VERMILLION, "^"))


def published_averages(frame: pd.DataFrame, *, ax: Axes, title: str) -> Axes:
    """Printed averages of one table: a row per method in the order of print, a mark per tau.

    Args:
        frame: columns method, tau, value of up to three imbalance ratios.
        ax: axes to draw on.
        title: title of the panel.

    Raises:
        ValueError: for more imbalance ratios than there are marks.
    """
    taus = sorted(frame["tau"].unique(), reverse=True)
    if len(taus) > len(LOOKS):
        raise ValueError(f"At most {len(LOOKS)} imbalance ratios can be drawn, got {taus}.")
    methods = list(dict.fromkeys(frame["method"]))
    for tau, (color, marker) in zip(taus, LOOKS):
        rows = frame[frame["tau"] == tau]
        places = [methods.index(name) for name in rows["method"]]
        ax.plot(rows["value"], places, marker, color=color, label=f"τ = {tau:g}")
    ax.set_yticks(range(len(methods)), methods)
    ax.set_ylim(len(methods) - 0.5, -0.5)
    ax.set(title=title, xlabel="average (%), as published")
    ax.grid(False, axis="y")
    return ax
