"""Methods side by side, base to new and in transfer: summaries, ranks and differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cptlab.checks import counted
from cptlab.lab.runs.results import Result
from cptlab.lab.study.beside import GAIN
from cptlab.lab.study.claims.variants import PLAIN, ZERO_SHOT
from cptlab.lab.study.paired import REFERENCES, file_part, paired, sentences, taking_part
from cptlab.lab.study.summary import corrected, summarise
from cptlab.lab.study.tables import for_every_seed, gains_compared, rankings

METRICS = ["H", "base", "new", "head", "medium", "tail", GAIN]
SHOWN = ["H", "base", "new", "tail"]
THIRDS = ["head", "medium", "tail"]


def ranks(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """`tables.rankings` with zero-shot in every ranking."""
    return rankings(for_every_seed(table, ZERO_SHOT), metric)


def by_dataset(table: pd.DataFrame, metric: str = "H") -> pd.DataFrame:
    """Mean and sample standard deviation over seeds by tau, method and data set."""
    groups = table.groupby(["tau", "method", "dataset"], sort=False)
    return groups.agg(mean=(metric, "mean"), std=(metric, "std"))


def wide(by_dataset: pd.DataFrame) -> pd.DataFrame:
    """A column for each data set, of paths the last part; a row per ratio, falling, and method."""
    named = by_dataset.rename(index=lambda name: Path(name).stem, level="dataset")
    shown = pd.DataFrame(named.unstack("dataset", sort=False)).swaplevel(axis=1)
    shown = shown.sort_index(axis=1, sort_remaining=False)
    return shown.sort_values("tau", ascending=False, kind="stable").round(1)


def gains(classes: pd.DataFrame) -> pd.DataFrame:
    """Gains over zero-shot by numbers of training images, a family, with "reference" and "panel".

    classes: as for `tables.gain_table`.
    """
    found = corrected(gains_compared(classes))
    words = found["n_k"] + np.where(found["n_k"] == "1", " image", " images")
    many = found.groupby("n_k")["classes"].transform("max")
    of = [f"\n({counted(count, 'class', 'classes')})" for count in many]
    return found.assign(reference=ZERO_SHOT, panel=words + of)


def base_classes(results: Mapping[str, Sequence[Result]], tau: float) -> pd.DataFrame:
    """Accuracy of each base class in each run at an imbalance ratio, for `gains`."""
    return pd.concat(
        result.classes.query("role == 'base'").assign(
            method=label, dataset=result.spec.dataset, seed=result.spec.seed
        )
        for label, runs in results.items()
        for result in runs
        if result.spec.tau == tau
    )


def gaps(
    table: pd.DataFrame, metrics: Sequence[str], references: Sequence[str] = (PLAIN, ZERO_SHOT)
) -> pd.DataFrame:
    """Differences run by run to those references that take part (`paired`), a family for each.

    Zero-shot's one run is used for every seed; its own difference is that of the other methods to
    it, the other way round, and left out.
    """
    seeded = for_every_seed(table, ZERO_SHOT)
    found = paired(seeded, metrics, taking_part(seeded["method"], references))
    return corrected(found[found["method"] != ZERO_SHOT])


def main_findings(gaps: pd.DataFrame) -> str:
    """The differences in H and, at the smallest imbalance ratio, in tail accuracy as sentences."""
    smallest = (gaps["metric"] == "tail") & (gaps["tau"] == gaps["tau"].min())
    return sentences(gaps[(gaps["metric"] == "H") | smallest])


def drawn(gaps: pd.DataFrame) -> pd.DataFrame:
    """Those of `gaps` that the figure of the table shows, with the column "panel".

    To zero-shot H at the smallest and the largest imbalance ratio, accuracy on new classes and on
    the tail at the smallest; to what else there is H and the tail there.
    """
    least, most = gaps["tau"].min(), gaps["tau"].max()
    panels = [("H", least), ("H", most), ("new", least), ("tail", least)]
    parts = []
    for name in dict.fromkeys([*REFERENCES[::-1], *gaps["reference"]]):
        own = gaps[gaps["reference"] == name]
        for metric, tau in dict.fromkeys(panels) if len(own) else ():
            rows = own[(own["metric"] == metric) & (own["tau"] == tau)]
            parts.append(rows.assign(panel=f"{metric}, τ = {tau:g}" if most > least else metric))
        panels = [("H", least), ("tail", least)]
    return pd.concat(parts) if parts else gaps.assign(panel="")


def by_reference(gaps: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The differences to each reference by its part of a file's name: "ivlp", "zero_shot"."""
    groups = gaps.groupby("reference", sort=False)
    return {file_part(str(name)): rows.drop(columns="reference") for name, rows in groups}


def thirds(table: pd.DataFrame) -> pd.DataFrame:
    """`summary.summarise` of the head, medium and tail thirds by method."""
    return summarise(table, THIRDS, by=["method"])


def thirds_gaps(table: pd.DataFrame) -> pd.DataFrame:
    """Differences to zero-shot in the thirds, a family, with "panel" for a figure."""
    found = gaps(table, THIRDS[::-1], [ZERO_SHOT])
    return found.assign(panel=found["metric"] + " third").sort_values(
        "metric", key=lambda names: names.map(THIRDS[::-1].index), kind="stable"
    )
