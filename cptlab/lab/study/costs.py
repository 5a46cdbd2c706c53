"""Accuracy beside the cost of methods, and with other numbers of steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from cptlab.lab.study.claims.variants import PLAIN, ZERO_SHOT
from cptlab.lab.study.paired import paired, taking_part
from cptlab.lab.study.tables import cell, for_every_seed, method_table

METRICS = ["H", "tail"]
STEPS = ["H", "base", "new", "tail"]
MAIN = "CPT (pair mean)"


def accuracies(table: pd.DataFrame, tau: float) -> pd.DataFrame:
    """`method_table` of `METRICS` at an imbalance ratio, over seeds, of means over data sets."""
    groups = table[table["tau"] == tau].groupby(["method", "seed"], sort=False)
    return method_table(groups[METRICS].mean().reset_index(), METRICS, by=["method"])


def cells(accuracies: pd.DataFrame) -> pd.DataFrame:
    """The accuracies as text: a row per method, a column per metric."""
    texts = accuracies.assign(cell=[cell(row) for row in accuracies.itertuples()])
    return texts.pivot(index="method", columns="metric", values="cell")


def unmeasured(accuracies: pd.DataFrame, measured: Iterable[str]) -> str:
    """A sentence on methods whose cost is not known; empty if there are none."""
    known = set(measured)
    lacking = [name for name in dict.fromkeys(accuracies["method"]) if name not in known]
    return f"Not measured, and left out below: {', '.join(lacking)}." if lacking else ""


def steps_gaps(table: pd.DataFrame, changed: Sequence[str]) -> pd.DataFrame:
    """Runs with other numbers of steps, and the usual ones, against what takes part (`paired`).

    Args:
        table: all of these runs.
        changed: labels of those with other steps, such as "CoOp (published steps)".
    """
    shown = [*changed, *(name.rpartition(" (")[0] for name in changed)]
    runs = table.groupby(["method", "tau", "seed"], sort=False)[STEPS].mean().reset_index()
    longer = [name for name in changed if name.startswith(PLAIN)]
    references = taking_part(runs["method"], (PLAIN, *longer, ZERO_SHOT, MAIN))
    gaps = paired(for_every_seed(runs, ZERO_SHOT), STEPS, references)
    return gaps[gaps["method"].isin(shown)].sort_values("method", kind="stable")
