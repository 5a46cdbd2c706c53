"""Few-shot learning: accuracy on all classes by the number of training images of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from cptlab.lab.runs.results import Result
from cptlab.lab.study.claims.variants import PLAIN, ZERO_SHOT
from cptlab.lab.study.paired import paired, taking_part
from cptlab.lab.study.tables import for_every_seed, method_table, to_markdown


def by_shots(results: Mapping[str, Sequence[Result]], table: pd.DataFrame) -> pd.DataFrame:
    """A row per method, number of shots and seed: "all", the mean over data sets in percent.

    results, table: as `cptlab.lab.study.outcomes.run_study` returns them.
    """
    table = table.assign(shots=[r.spec.n_max for runs in results.values() for r in runs])
    groups = table.groupby(["method", "shots", "seed"], sort=False)
    return groups["all"].mean().reset_index()


def as_markdown(frame: pd.DataFrame) -> str:
    """Means over seeds with intervals: a row per method, a column per number of shots.

    Zero-shot, which sees no training image, has its one number in every column.
    """
    summary = method_table(frame, ["all"], by=["method", "shots"])
    untrained = summary["method"] == ZERO_SHOT
    trained, once = summary[~untrained], summary[untrained].drop(columns="shots")
    everywhere = once.merge(trained[["shots"]].drop_duplicates(), how="cross")
    summary = pd.concat([trained, everywhere]).sort_values("shots", kind="stable")
    metric = [f"{shots} shot{'s' * (shots > 1)}" for shots in summary["shots"]]
    return to_markdown(summary.assign(metric=metric).drop(columns="shots"))


def gaps(frame: pd.DataFrame) -> pd.DataFrame:
    """Differences run by run to zero-shot and to IVLP, by the number of shots.

    Zero-shot's one run is used for every seed and number.
    """
    accuracy = frame.rename(columns={"all": "accuracy"})
    untrained, parts = accuracy["method"] == ZERO_SHOT, []
    for shots in sorted(set(accuracy.loc[~untrained, "shots"])):
        runs = for_every_seed(accuracy[untrained | (accuracy["shots"] == shots)], ZERO_SHOT)
        references = taking_part(runs["method"], (ZERO_SHOT, PLAIN))
        found = paired(runs.drop(columns="shots"), ["accuracy"], references, by=["method"])
        parts.append(found.assign(shots=shots))
    return pd.concat(parts)[[*parts[0].columns[:-2], "shots", "reference"]]


def at_the_ends(gaps: pd.DataFrame) -> pd.DataFrame:
    """The rows with the fewest and the most shots."""
    return gaps[gaps["shots"].isin([gaps["shots"].min(), gaps["shots"].max()])]
