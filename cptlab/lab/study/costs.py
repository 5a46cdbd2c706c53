"""Accuracy beside the cost of methods, and what their tuning is worth."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from cptlab.lab.study import comparison, planned
from cptlab.lab.study.claims.variants import ZERO_SHOT
from cptlab.lab.study.planned import AS_PUBLISHED
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.studies import Study, base_to_new
from cptlab.lab.study.summary import compared, corrected, summarise, text_of
from cptlab.lab.study.tables import differences

METRICS = ["H", "tail"]
WORTH = ["H", "base", "new", "tail"]


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


def as_published(profile: Profile) -> Study:
    """The methods with their published schedules and hyper-parameters, where these were tuned.

    Empty for a profile that takes all methods as published.
    """
    published = planned.published(profile).items()
    return {spec: name for spec, name in published if name.endswith(AS_PUBLISHED)}


def runs(profile: Profile) -> Study:
    """All of notebook 15: accuracy beside cost, and methods as published."""
    return base_to_new(profile) | as_published(profile)


def worth_of_tuning(table: pd.DataFrame) -> pd.DataFrame:
    """Each method as tuned minus itself as published, run by run: one family of `WORTH`.

    table: the runs of `runs`. Returns `summary.corrected` with "reference" and "panel", as
    `cptlab.lab.figures.forest_panels` draws it. Raises ValueError if no method has both.
    """
    labels = set(table["method"])
    pairs = [(name.removesuffix(AS_PUBLISHED), name) for name in sorted(labels)]
    gaps = [
        differences(table[table["method"].isin(pair)], pair[1], WORTH)
        for pair in pairs
        if pair[0] != pair[1] and pair[0] in labels
    ]
    if not gaps:
        raise ValueError(
            "No method has runs both as tuned and as published: train them, without --finished."
        )
    worth = corrected(compared(pd.concat(gaps, ignore_index=True), WORTH))
    return worth.assign(reference="the same as published", panel=worth["metric"])
