"""Neural collapse of the methods of a study, along training and at its end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from cptlab.lab.study import lineup
from cptlab.lab.study.claims.variants import PLAIN
from cptlab.lab.study.paired import paired
from cptlab.lab.study.profiles import Profile

MOST = 10
"""Chosen methods of one figure."""


def tidy(logs: pd.DataFrame, measures: Iterable[str]) -> pd.DataFrame:
    """A row per measure that has numbers, run and epoch, from `outcomes.training_logs`."""
    known = [name for name in measures if logs[name].notna().any()]
    return logs.melt(["tau", "progress", "method", "seed"], known, "measure")


def along(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean, sample standard deviation and number of seeds along training."""
    groups = frame.groupby(["tau", "method", "measure", "progress"], sort=False)["value"]
    return groups.agg(["mean", "std", "count"]).reset_index()


def groups(profile: Profile, labels: Iterable[str]) -> dict[str, list[str]]:
    """End of a figure's name -> its methods: CPT and its controls, then the others beside IVLP; of
    chosen methods the first ten, then the others.
    """
    labels = list(dict.fromkeys(labels))
    if profile.methods:
        first, others = labels[:MOST], labels[MOST:]
    else:
        first = list(lineup.methods(profile, (*lineup.STABILITY, PLAIN)))
        others = [name for name in labels if name not in first]
        others = [PLAIN, *others] if others else []
    return {"": first} | ({"_rivals": others} if others else {})


def reference(labels: Iterable[str]) -> str:
    """IVLP if it takes part, else the first method, as zero-shot has nothing along training."""
    labels = list(labels)
    return PLAIN if PLAIN in labels else labels[0]


def gaps(last: pd.DataFrame, names: Mapping[str, tuple[str, str]]) -> pd.DataFrame:
    """Differences run by run to the reference at the smallest imbalance ratio (`paired`).

    last: rows of `tidy` after the last epoch. names: of measures, as figures title them
    (`cptlab.lab.figures.collapse.MEASURES`).
    """
    ended = last[last["tau"] == last["tau"].min()]
    titles = {name: names[name][0] for name in dict.fromkeys(ended["measure"])}
    ended = ended.replace({"measure": titles})
    wide = ended.pivot(index=["method", "seed"], columns="measure", values="value").reset_index()
    return paired(wide, list(titles.values()), [reference(last["method"])], by=["method"])
