"""The ledger of claims as a figure: a mark per claim, imbalance ratio and reading."""

import re

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from cptlab.lab.figures.style import BLUE, GREY, MATH, PALE, VERMILLION, Look

VERDICT_LOOKS = {
    "supported": Look(BLUE, "o"),
    "contradicted": Look(VERMILLION, "X"),
    "undecided": Look(GREY, "_"),
    "not run": Look("#CCCCCC", "."),
}


def verdict_matrix(ledger: pd.DataFrame, *, ax: Axes, legend: bool = True) -> Axes:
    """A row per claim and imbalance ratio, a column per reading, a mark for the verdict.

    Rows and columns of which nothing was run are left out, which the legend says.

    Args:
        ledger: a frame of `cptlab.lab.study.claims.ledger`: columns "claim", "tau", "reading",
            "verdict" and "same_as". The mark is small where an earlier reading made the same
            comparison.
        ax: axes to draw on; the height of their figure is set.
        legend: explain the marks below the axes, with the number of comparisons of each kind.

    Raises:
        ValueError: on missing columns, no rows or an unknown verdict.
    """
    needed = ["claim", "tau", "reading", "verdict", "same_as"]
    missing = [name for name in needed if name not in ledger.columns]
    if missing:
        raise ValueError(f"The ledger lacks the columns {missing}; it has {list(ledger.columns)}.")
    unknown = sorted(set(ledger["verdict"]) - set(VERDICT_LOOKS))
    if ledger.empty or unknown:
        raise ValueError(f"The ledger has no rows, or unknown verdicts: {', '.join(unknown)}.")
    everything, ledger = ledger, _run(ledger)
    rows = list(dict.fromkeys(zip(ledger["claim"], ledger["tau"], strict=True)))
    columns = list(dict.fromkeys(ledger["reading"]))
    y = [rows.index(key) for key in zip(ledger["claim"], ledger["tau"], strict=True)]
    x = [columns.index(reading) for reading in ledger["reading"]]
    marks = ledger.assign(x=x, y=y)
    for kind, look in VERDICT_LOOKS.items():
        for repeated, size in ((False, 46), (True, 10)):
            here = marks[(marks["verdict"] == kind) & ((marks["same_as"] != "") == repeated)]
            ax.scatter(here["x"], here["y"], s=size, c=look.color, marker=look.marker)
    firsts = [i for i, (claim, _) in enumerate(rows) if i == 0 or rows[i - 1][0] != claim]
    for i in firsts[1:]:
        ax.axhline(i - 0.5, color=PALE, linewidth=0.6)
    claims = [re.sub(r"L_([A-Z]+)", r"$L_\\mathrm{\1}$", claim) for claim, _ in rows]
    names = [f"{claims[i] if i in firsts else ''}   τ = {tau:g}" for i, (_, tau) in enumerate(rows)]
    ax.set_yticks(range(len(rows)), names, **MATH)
    readings = [name.replace(", ", "\n").replace("per-batch ", "per-batch\n") for name in columns]
    ax.set_xticks(np.arange(len(columns)), readings, fontsize=8)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.figure.get_figure(root=True).set_figheight(0.21 * len(rows) + 1.2)
    ax.set(xlim=(-0.6, len(columns) - 0.4), ylim=(len(rows) - 0.4, -0.6))
    ax.grid(False)
    ax.spines[:].set_visible(False)
    if legend:
        _explain_marks(everything, ledger, ax)
    return ax


def _run(ledger: pd.DataFrame) -> pd.DataFrame:
    """The rows and columns of the matrix of which something was run; all if nothing was."""
    run = ledger[(ledger["verdict"] != "not run") & (ledger["same_as"] == "")]
    if run.empty:
        return ledger
    rows = pd.MultiIndex.from_frame(ledger[["claim", "tau"]])
    here = rows.isin(pd.MultiIndex.from_frame(run[["claim", "tau"]]))
    return ledger[here & ledger["reading"].isin(run["reading"])]


def _explain_marks(ledger: pd.DataFrame, shown: pd.DataFrame, ax: Axes) -> None:
    """A legend below the axes, with the number of comparisons of each kind in the whole ledger."""
    counts = ledger[ledger["same_as"] == ""]["verdict"].value_counts()
    handles = [
        Line2D([], [], linestyle="", color=look.color, marker=look.marker, markersize=7)
        for look in VERDICT_LOOKS.values()
    ]
    labels = [f"{kind} ({counts.get(kind, 0)})" for kind in VERDICT_LOOKS]
    if len(shown) < len(ledger):
        labels[-1] += ": their own rows left out"
    if (shown["same_as"] != "").any():
        handles.append(Line2D([], [], linestyle="", color="black", marker="o", markersize=3))
        labels.append("small: the same as further left")
    place = {"loc": "upper center", "bbox_to_anchor": (0.3, 0), "ncols": 3}
    ax.legend(handles, labels, handletextpad=0.2, columnspacing=1.2, **place)
