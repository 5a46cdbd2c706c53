"""Accuracy beside the cost of methods, and with other numbers of steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from cptlab.lab.study import comparison
from cptlab.lab.study.claims.variants import PLAIN, ZERO_SHOT
from cptlab.lab.study.paired import paired, taking_part
from cptlab.lab.study.summary import corrected, summarise, text_of
from cptlab.lab.study.tables import for_every_seed

METRICS = ["H", "tail"]
STEPS = ["H", "base", "new", "tail"]
MAIN = "CPT (pair mean)"


def accuracies(table: pd.DataFrame, tau: float) -> pd.DataFrame:
    """`summary.summarise` of `METRICS` at an imbalance ratio."""
    return summarise(table[table["tau"] == tau], METRICS, by=["method"])


def gains(table: pd.DataFrame, tau: float) -> pd.DataFrame:
    """H minus zero-shot's at an imbalance ratio, corrected among all of `comparison.gaps`."""
    found = comparison.gaps(table, comparison.SHOWN, [ZERO_SHOT])
    return found[(found["metric"] == "H") & (found["tau"] == tau)]


def cells(accuracies: pd.DataFrame) -> pd.DataFrame:
    """The accuracies as text: a row per method, a column per metric."""
    texts = accuracies.assign(cell=[text_of(row) for row in accuracies.itertuples()])
    return texts.pivot(index="method", columns="metric", values="cell")


def unmeasured(accuracies: pd.DataFrame, measured: Iterable[str]) -> str:
    """A sentence on methods whose cost is not known; empty if there are none."""
    known = set(measured)
    lacking = [name for name in dict.fromkeys(accuracies["method"]) if name not in known]
    return f"Not measured, and left out below: {', '.join(lacking)}." if lacking else ""


def steps_gaps(table: pd.DataFrame, changed: Sequence[str]) -> pd.DataFrame:
    """Runs with other numbers of steps, and the usual ones, against what takes part (`paired`), a
    family for each.

    Args:
        table: all of these runs.
        changed: labels of those with other steps, such as "CoOp (published steps)".
    """
    shown = [*changed, *(name.rpartition(" (")[0] for name in changed)]
    longer = [name for name in changed if name.startswith(PLAIN)]
    references = taking_part(table["method"], (PLAIN, *longer, ZERO_SHOT, MAIN))
    gaps = paired(for_every_seed(table, ZERO_SHOT), STEPS, references)
    return corrected(gaps[gaps["method"].isin(shown)].sort_values("method", kind="stable"))
