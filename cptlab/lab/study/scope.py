"""What figures rest on, as sentences that follow from the finished runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cptlab.checks import counted, first_few, shown
from cptlab.lab.runs.results import Result
from cptlab.lab.study.intervals import FEWEST
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.studies import base_to_new

COLUMNS = ["dataset", "tau", "seed", "class_order", "protocol"]
"""What of a run its scope is told from."""
HEAD_AND_TAIL = {
    "permuted": "each seed draws anew which classes are head and which are tail",
    "name": "classes go from head to tail in the order of their names, the same for every seed",
    "count": "classes go from head to tail by their number of images, the same for every seed",
}
"""Order of classes -> how head and tail are drawn (`cptlab.data.long_tail`)."""
MOST = 6
"""Data sets that are named; of more, the first ones."""


def scope(profile: Profile, results: Sequence[Result], missing: int) -> str:
    """What the figures of a profile rest on, and its comparison of methods above all.

    results, missing: what `origin.stored` returns.
    """
    if not results:
        return "None of its runs is stored here: what the figures rest on cannot be told."
    number = f"{len(results):,}" + (f" of {missing + len(results):,}" if missing else "")
    told = f"The figures rest on {number} runs"
    compared = base_to_new(profile)
    specs = [result.spec for result in results if result.spec in compared]
    if not specs:
        return f"{told}; none of them is of the comparison of methods."
    runs = pd.DataFrame([{name: getattr(spec, name) for name in COLUMNS} for spec in specs])
    return f"{told}, those that compare methods on {len(runs):,}: {design_of(runs)}"


def design_of(runs: pd.DataFrame) -> str:
    """Data sets, imbalance ratios and seeds of runs, and how head and tail are drawn.

    runs: a row for each, at least one, with `COLUMNS`.
    """
    names = sorted({Path(name).stem for name in runs["dataset"]})
    taus = sorted(set(runs["tau"]), reverse=True)
    counts = [rows["seed"].nunique() for _, rows in runs.groupby(["dataset", "tau"])]
    fewest, most = min(counts), max(counts)
    listed = ", ".join(map(shown, names)) if len(names) <= MOST else first_few(names)
    head = " or ".join(HEAD_AND_TAIL[order] for order in dict.fromkeys(runs["class_order"]))
    told = (
        f"{counted(len(names), 'data set')} ({listed}), "
        f"{counted(len(taus), 'imbalance ratio')} (tau = {', '.join(f'{t:g}' for t in taus)}) and "
        f"{'' if fewest == most else f'{fewest} to '}{counted(most, 'seed')}; "
        f"{head if taus[-1] < 1 else 'no class has fewer images than another'}."
    )
    if len(names) > 1 or "transfer" in set(runs["protocol"]):
        return told
    if most < FEWEST:
        return f"{told} With fewer than {FEWEST} runs of a method there are no intervals."
    return f"{told} Intervals are over its classes and seeds: they say nothing about other data."
