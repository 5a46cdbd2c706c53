"""What the weights of losses do, in words, from tables of `cptlab.lab.study.dose`; no torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cptlab.lab.study.summary import LEVEL, TOO_FEW

GAINS = ("H", "new", "tail")
"""Metrics that are compared with the same run without the loss."""
WORDS = {"new": "accuracy on new classes", "tail": "tail accuracy"}
LEVELS = ("effective_rank", "drift_degrees", "cluster_auc")
"""What is shown as it is, of runs that have it stored."""
WITHOUT, SUM = "0", "sum"
"""The points without the loss, and with the sum as printed."""


def acting(table: pd.DataFrame) -> float | None:
    """The smallest weight of L_TETF above the usual one whose interval of H against the run without
    the loss excludes zero: where clusters are varied.

    table: what `responses` returns. None if there is no such weight.
    """
    rows = table[(table["loss"] == "TETF") & (table["metric"] == "H")]
    rows = rows[~rows["point"].str.startswith(SUM)]
    above = rows[rows["weight"] > rows.loc[rows["usual"], "weight"].max()]
    weights = above.loc[(above["lower"] > 0) | (above["upper"] < 0), "weight"]
    return None if weights.empty else float(weights.min())


def message(table: pd.DataFrame, metric: str = "H", loss: str = "TETF") -> str:
    """One sentence: at which weights a loss raises and lowers a metric, and where its sum lies.

    It says what holds among all comparisons with the loss left out (Benjamini-Hochberg, 5 %).

    table: what `responses` returns.
    """
    rows = table[(table["loss"] == loss) & (table["metric"] == metric)].sort_values("weight")
    name, metric = f"L_{loss}", WORDS.get(metric, metric)
    if rows.empty or rows["adjusted"].isna().all():
        return f"{TOO_FEW.capitalize()} what {name} does to {metric}"
    means, sums = (rows[rows["point"].str.startswith("sum") == is_sum] for is_sum in (False, True))
    holds = means["adjusted"] <= LEVEL
    said = [
        f"{verb} {{}} at {_weights(means['weight'], side & holds)}"
        for verb, side in (("raises", means["mean"] > 0), ("lowers", means["mean"] < 0))
        if (side & holds).any()
    ]
    text = f"{name} {' and '.join(said).format(metric, 'it')}"
    if not said:
        text = f"No weight of {name} changes {metric} separably"
    for row in sums[sums["point"] == SUM].itertuples():
        change = f"{row.mean:+.1f}" if row.adjusted <= LEVEL else "not separable"
        text += f"; the printed sum counts as a weight of {row.weight:.0f} ({change})"
    return text


def drawn(table: pd.DataFrame, losses: Sequence[str]) -> tuple[str, ...]:
    """Those of the losses that have two weights or more beside 0, which a curve needs.

    table: what `responses` returns.
    """
    points = table.groupby("loss")["point"].nunique()
    return tuple(loss for loss in losses if points.get(loss, 0) > 1)


def not_drawn(table: pd.DataFrame, losses: Sequence[str]) -> str:
    """A sentence on losses without a figure, and their messages; empty if there are none."""
    left_out = [loss for loss in losses if loss not in drawn(table, losses)]
    if not left_out:
        return ""
    names = " and ".join(f"L_{loss}" for loss in left_out)
    return (
        f"No figure of {names}: fewer than two weights were run beside 0. "
        f"{messages(table, left_out)}."
    )


def messages(table: pd.DataFrame, losses: Sequence[str]) -> str:
    """`message` of H for each loss; those with too few runs in one sentence, at the end."""
    told = {loss: message(table, "H", loss) for loss in losses}
    few = [f"L_{loss}" for loss, text in told.items() if _has_none(text)]
    said = [text for text in told.values() if not _has_none(text)]
    if few:
        verb = "does" if len(few) == 1 else "do"
        said.append(f"{TOO_FEW.capitalize()} what {' and '.join(few)} {verb} to H")
    return ". ".join(said)


def _has_none(text: str) -> bool:
    return text.lower().startswith(TOO_FEW)


def _weights(weights: pd.Series, chosen: pd.Series) -> str:
    """Those that are chosen of ascending weights, as text: "weights of 0.25 and 1"."""
    names = [f"{weight:g}" for weight in weights[chosen]]
    first = int(np.argmax(chosen))
    if len(names) > 2 and chosen[first:].all():
        return f"weights of {names[0]} and above"
    if len(names) == 1:
        return f"a weight of {names[0]}"
    return f"weights of {', '.join(names[:-1])} and {names[-1]}"
