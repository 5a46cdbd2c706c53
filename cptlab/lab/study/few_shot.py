"""Few-shot learning: accuracy on all classes by the number of training images of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from cptlab.lab.runs.results import Result
from cptlab.lab.study.claims.variants import PLAIN, ZERO_SHOT
from cptlab.lab.study.paired import paired, taking_part
from cptlab.lab.study.summary import corrected, summarise, to_markdown
from cptlab.lab.study.tables import for_every_seed


def with_shots(results: Mapping[str, Sequence[Result]], table: pd.DataFrame) -> pd.DataFrame:
    """The table of runs with "shots", the number of training images of every class.

    results, table: as `cptlab.lab.study.outcomes.run_study` returns them.
    """
    return table.assign(shots=[r.spec.n_max for runs in results.values() for r in runs])


def by_shots(table: pd.DataFrame) -> pd.DataFrame:
    """`summary.summarise` of "all", accuracy on all classes, by method and number of shots.

    table: what `with_shots` returns.
    """
    return summarise(table, ["all"], by=["method", "shots"])


def as_markdown(summary: pd.DataFrame) -> str:
    """What `by_shots` returns: a row per method, a column per number of shots.

    Zero-shot, which sees no training image, has its one number in every column.
    """
    untrained = summary["method"] == ZERO_SHOT
    trained, once = summary[~untrained], summary[untrained].drop(columns="shots")
    everywhere = once.merge(trained[["shots"]].drop_duplicates(), how="cross")
    summary = pd.concat([trained, everywhere]).sort_values("shots", kind="stable")
    metric = [f"{shots} shot{'s' * (shots > 1)}" for shots in summary["shots"]]
    return to_markdown(summary.assign(metric=metric).drop(columns="shots"))


def gaps(table: pd.DataFrame) -> pd.DataFrame:
    """Differences run by run to zero-shot and to IVLP, by the number of shots, a family for each.

    Zero-shot's one run is used for every seed and number. table: what `with_shots` returns.
    """
    untrained, found = table["method"] == ZERO_SHOT, []
    for shots in sorted(set(table.loc[~untrained, "shots"])):
        runs = for_every_seed(table[untrained | (table["shots"] == shots)], ZERO_SHOT)
        references = taking_part(runs["method"], (ZERO_SHOT, PLAIN))
        found.append(paired(runs, ["all"], references, by=["method"]).assign(shots=shots))
    return corrected(pd.concat(found, ignore_index=True).replace({"metric": {"all": "accuracy"}}))


def at_the_ends(gaps: pd.DataFrame) -> pd.DataFrame:
    """The rows with the fewest and the most shots."""
    return gaps[gaps["shots"].isin([gaps["shots"].min(), gaps["shots"].max()])]
