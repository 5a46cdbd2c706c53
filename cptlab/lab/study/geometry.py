"""Neural collapse of the methods of a study, along training and at its end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from cptlab.lab.study import lineup
from cptlab.lab.study.claims.variants import PLAIN
from cptlab.lab.study.comparison_message import beside, on, sentences
from cptlab.lab.study.paired import paired
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.summary import corrected, summarise

MOST = 10
"""Chosen methods of one figure."""
LATER = ("nc1_unbiased", "nc3_papyan")
"""Measures that results of older versions lack."""
TWIN = {"nc1": "nc1_unbiased"}
"""Measures that depend on the numbers of images, and what is shown in their place."""


def tidy(logs: pd.DataFrame, measures: Iterable[str]) -> pd.DataFrame:
    """A row per measure that has numbers, run and epoch, from `outcomes.training_logs`.

    Of measures that came later, those that all runs have; where one replaces another (`TWIN`), it
    comes alone.
    """
    known = [name for name in measures if name in logs and logs[name].notna().any()]
    known = [name for name in known if name not in LATER or logs[name].notna().all()]
    known = [name for name in known if TWIN.get(name) not in known]
    return logs.melt(["tau", "progress", "method", "dataset", "seed"], known, "measure")


def about_nc1(measures: Iterable[str]) -> str:
    """A sentence on which NC1 is shown."""
    if TWIN["nc1"] in measures:
        return (
            "NC1 is tr(S_W) / tr(S_B), both free of the numbers of images "
            "(`cptlab.geometry.scatter_ratio`): it can be compared across imbalance ratios."
        )
    return (
        "NC1 is tr(S_W S_B^+) / K of Papyan et al., as some of these runs have no other stored. "
        "The fewer images a class has, the lower it is: compare methods by it, not imbalance "
        "ratios."
    )


def along(frame: pd.DataFrame) -> pd.DataFrame:
    """`summary.summarise` of what `tidy` returns, along training."""
    found = summarise(frame, ["value"], by=["tau", "method", "measure", "progress"])
    return found[found["n"] > 0].drop(columns="metric")


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


def gaps(
    last: pd.DataFrame, names: Mapping[str, tuple[str, str]], tau: float | None = None
) -> pd.DataFrame:
    """Differences run by run to the reference at an imbalance ratio (`paired`).

    last: rows of `tidy` after the last epoch. names: of measures, as figures title them
    (`cptlab.lab.figures.collapse.MEASURES`). tau: the smallest if left out.
    """
    ended = last[last["tau"] == (last["tau"].min() if tau is None else tau)]
    titles = {name: names[name][0] for name in dict.fromkeys(ended["measure"])}
    ended = ended.replace({"measure": titles})
    wide = ended.pivot(index=["method", "dataset", "seed"], columns="measure", values="value")
    names_, labels = list(titles.values()), [reference(last["method"])]
    return corrected(paired(wide.reset_index(), names_, labels, by=["method"]))


def end_message(
    gaps: pd.DataFrame, labels: Iterable[str], measures: Mapping[str, str], dataset: str
) -> str:
    """Where training leads in some measures beside the reference, in one sentence.

    gaps: what `gaps` returns. labels: the methods that are told. measures: title in the table ->
    words. dataset: of the runs.
    """
    if gaps.empty:
        return "One method, and none to compare it with"
    first = str(gaps["reference"].iloc[0])
    shown = gaps[gaps["method"].isin(set(labels))]
    told = [
        f"{words} {on(dataset)} against {first} after training: {beside(rows)}"
        for title, words in measures.items()
        if len(rows := shown[shown["metric"] == title])
    ]
    return sentences(told) or f"Nothing to compare with {first}"


def imbalance_message(
    last: pd.DataFrame,
    names: Mapping[str, tuple[str, str]],
    labels: Iterable[str],
    measure: str,
    dataset: str,
) -> str:
    """Where training leads in one measure at each imbalance ratio, in one sentence.

    last, names: as for `gaps`. labels: the methods that are told. measure: one of `names`.
    dataset: of the runs.
    """
    title, said = names[measure][0], {}
    words = f"{measure.replace('_', ' ')} {on(dataset)}"
    first = f"{words} against {reference(last['method'])} after training"
    for tau in sorted(last["tau"].unique(), reverse=True):
        rows = gaps(last, names, tau)
        rows = rows[(rows["metric"] == title) & rows["method"].isin(set(labels))]
        if len(rows):
            said.setdefault(beside(rows), []).append(f"{tau:g}")
    told = [f"at τ = {' and '.join(taus)}: {clause}" for clause, taus in said.items()]
    return sentences(
        [f"{first} {told[0]}", *told[1:]] if told else ["One method, and none to compare it with"]
    )
