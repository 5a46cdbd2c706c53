"""What varies over seeds, in words, and which methods share a panel of training curves."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from cptlab.lab.study import lineup, planned, studies
from cptlab.lab.study.claims.variants import CPT, GLOBAL_ETF, WITHOUT_RS, ZERO_SHOT, label
from cptlab.lab.study.comparison_message import beside, on
from cptlab.lab.study.findings import findings, spread_findings, spreads
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.studies import Study
from cptlab.lab.study.summary import compared, corrected
from cptlab.lab.study.tables import differences, for_every_seed

MOST_CURVES = 5
"""Methods in a panel of curves with bands; more could not be told apart."""


def runs(profile: Profile) -> Study:
    """All of notebook 02; with the seeds that spreads have in the plan, if there are any."""
    if not _has_spread(profile):
        return studies.over_seeds(profile)
    level = studies.grid(profile, planned.smallest(profile), (ZERO_SHOT,))
    return studies.over_seeds(profile) | planned.spread(profile) | level


def _has_spread(profile: Profile) -> bool:
    return profile.spread is not None and not profile.methods


def of_spreads(profile: Profile, table: pd.DataFrame) -> pd.DataFrame:
    """The runs whose spreads are compared: those of the first data set; with the plan's seeds those
    of all data sets, of methods that have all of these runs.
    """
    if not _has_spread(profile):
        return table[table["dataset"] == profile.comparison.datasets[0]]
    cells = table.groupby("method")["run_id"].transform("size")
    return table[cells == cells.max()]


def by_seed(table: pd.DataFrame) -> pd.DataFrame:
    """Mean of H over data sets: a row for each method and seed."""
    names = table["dataset"].unique()
    where = names[0] if len(names) == 1 else f"mean of {len(names)} data sets"
    means = table.groupby(["method", "seed"], sort=False)["H"].mean()
    return means.reset_index().assign(dataset=where)


def curve_groups(profile: Profile, methods: Sequence[str]) -> dict[str, list[str]]:
    """Title of a panel -> methods: one panel per reading of L_TETF, or some chosen methods each."""
    if not profile.methods:
        others = {"sum over pairs": "(pair mean)", "mean over pairs": "(sum)"}
        return {
            title: [name for name in methods if other not in name]
            for title, other in others.items()
        }
    starts = range(0, len(methods), MOST_CURVES)
    parts = [list(methods[start : start + MOST_CURVES]) for start in starts]
    if len(parts) == 1:
        return {"": parts[0]}
    return {
        f"methods {start + 1} to {start + len(part)}": part
        for start, part in zip(starts, parts, strict=True)
    }


def pairs(profile: Profile, methods: Sequence[str]) -> list[tuple[str, str]]:
    """Methods whose spreads over seeds are compared: CPT with the global frame and with itself
    without the anchor; where methods were chosen, each with IVLP, if it takes part.
    """
    if profile.methods:
        first = lineup.reference(methods)
        return [(name, first) for name in methods if name != first in methods]
    return [
        (label(CPT, reading), label(other, reading))
        for reading in lineup.BOTH
        for other in (GLOBAL_ETF, WITHOUT_RS)
    ]


def compared_spreads(profile: Profile, runs: pd.DataFrame) -> pd.DataFrame:
    """`findings.spreads` of H in the profile's `pairs`; no rows where there is one seed.

    runs: of methods that vary, at one imbalance ratio.
    """
    several = runs["seed"].nunique() > 1
    names = list(dict.fromkeys(runs["method"]))
    return spreads(runs, pairs(profile, names) if several else [], "H")


def ends(runs: pd.DataFrame) -> pd.DataFrame:
    """H after training minus that of zero-shot, as `summary.corrected`, by "method".

    runs: on one data set at one imbalance ratio, zero-shot among them.
    """
    gaps = differences(for_every_seed(runs, ZERO_SHOT), ZERO_SHOT, ["H"])
    return corrected(compared(gaps, ["H"], ["method"]))


def end_message(gaps: pd.DataFrame, dataset: str) -> str:
    """Where training leads beside zero-shot, in one sentence.

    gaps: what `ends` returns. dataset: of its runs.
    """
    return f"H {on(dataset)} against {ZERO_SHOT} after training: {beside(gaps)}"


def stability_findings(profile: Profile, runs: pd.DataFrame) -> str:
    """The spread and the level of H over seeds as sentences.

    Spreads are those of `compared_spreads`; in level, methods are compared with the global frame,
    or, where methods were chosen, with IVLP, or without it with zero-shot.

    Args:
        runs: at one imbalance ratio, zero-shot among them.
    """
    tuned = runs[runs["method"] != ZERO_SHOT]
    references = [label(GLOBAL_ETF, reading) for reading in lineup.BOTH]
    if profile.methods:
        references = [lineup.reference(list(dict.fromkeys(tuned["method"])))]
    spread = by_seed(tuned).groupby("method", sort=False)["H"].std().dropna()
    if spread.empty:
        lines = ["With one seed there is no spread.\n\n"]
    else:
        least, most = spread.idxmin(), spread.idxmax()
        lines = [
            f"H varies least over seeds with {least}, by a standard deviation of "
            f"{spread[least]:.2f} points, and most with {most}, by {spread[most]:.2f}.\n\n"
        ]
    lines.append(spread_findings(compared_spreads(profile, tuned), "H"))
    seeded = for_every_seed(runs, ZERO_SHOT)
    for name in references:
        rows = seeded if name == ZERO_SHOT else tuned
        gaps = corrected(compared(differences(rows, name, ["H"]), ["H"]))
        lines.append(findings(gaps, name))
    return lines[0] + "\n".join(lines[1:])
