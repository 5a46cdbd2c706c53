"""The planned study in a few lines, for the README and the first page of the site.

A table of the eight claims and some sentences, all computed; `cptlab.lab.study.conclusions` tells
everything, and says what a sentence may say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from cptlab.lab.runs.results import Result
from cptlab.lab.study import dose, families
from cptlab.lab.study.claims.confirmatory import confirmatory
from cptlab.lab.study.claims.told import counted, estimate_text
from cptlab.lab.study.claims.variants import LOSSES, ZERO_SHOT
from cptlab.lab.study.comparison_message import interval_text
from cptlab.lab.study.conclusions import (
    METRICS,
    NO_VERDICT,
    compared_runs,
    difference,
    sides,
    without_spread,
)
from cptlab.lab.study.dose_message import message
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.summary import LEVEL

READING, OTHERS = re.compile(r" \((pair mean|sum)\)"), re.compile(r" - (?:(.*), )?the best of (.*)")
TOLD = "H", "tail"
"""Metrics of the comparisons with zero-shot that are told."""


def headlines(
    profile: Profile, table: pd.DataFrame, results: Mapping[str, Sequence[Result]]
) -> str:
    """The claims as a Markdown table, and the other findings as a list.

    table, results: of the runs of `conclusions.runs`, as `outcomes.run_study` gives them.
    """
    responses = dose.responses(dose.doses(without_spread(profile, table), results))
    told = [
        *(response(responses, loss) for loss in LOSSES.values()),
        *against(compared_runs(profile, table)),
    ]
    claims = confirmatory(table, families.families(profile))
    verdicts = "".join(
        f"- **CPT {name} {in_words(rows)}**: {counted(rows)}.\n"
        for name, rows in claims.groupby("family", sort=False)
    )
    listed = "".join(f"- {text}\n" for text in told)
    return f"{verdicts}\n{claims_table(claims)}\n{listed}"


def in_words(claims: pd.DataFrame) -> str:
    """Claims 1 and 5 of one family in plain words: CPT beside plain prompts, and beside the rest.

    claims: what `confirmatory` returns, of one family.
    """
    plain, first = (claims[claims["number"] == number].iloc[0] for number in (1, 5))
    of_plain = {
        "supported": "improves on plain prompts",
        "contradicted": "is worse than plain prompts",
        "undecided": "is not shown to improve on plain prompts",
        "not run": "is not yet compared with plain prompts",
    }[plain["verdict"]]
    best = OTHERS.search(first["estimand"])
    name = best[1] if best and best[1] else "the best other"
    of_others = {
        "supported": "is ahead of every other prompt-tuning method",
        "contradicted": f"is behind {name}",
        "undecided": "is not shown to be ahead of every other prompt-tuning method",
        "not run": "is not yet compared with the other prompt-tuning methods",
    }[first["verdict"]]
    return f"{of_plain}{_estimate(plain)} and {of_others}{_estimate(first)}"


def _estimate(row: pd.Series) -> str:
    return "" if row["verdict"] == "not run" else f" (H {estimate_text(row)})"


def response(table: pd.DataFrame, loss: str) -> str:
    """At which weights a loss changes H, and by how much where that is separable.

    table: what `dose.responses` returns.
    """
    rows = table[(table["loss"] == loss) & (table["metric"] == "H")]
    rows = rows[rows["adjusted"] <= LEVEL].sort_values("weight")
    points = ", ".join(f"{row.point}: {interval_text(row)}" for row in rows.itertuples())
    by_weight = f" In points, by weight: {points}." if points else ""
    return f"**{message(table, 'H', loss)}.**{by_weight}"


def claims_table(claims: pd.DataFrame) -> str:
    """A row for each claim, a column for each family: verdict, estimate and its interval.

    claims: what `confirmatory` returns.
    """
    names = list(dict.fromkeys(claims["family"]))
    lines = [
        ["the paper says", "measured by", *(f"CPT {name}" for name in names)],
        ["---"] * (2 + len(names)),
    ]
    for claim, rows in claims.groupby("claim", sort=False):
        cells = [_verdict(rows[rows["family"] == name].iloc[0]) for name in names]
        # the same for all families: the reading, and how many others there are, are in the cells
        measured = READING.sub("", rows["estimand"].iloc[0])
        lines.append([str(claim), OTHERS.sub(" - the best other", measured), *cells])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _verdict(row: pd.Series) -> str:
    if row["verdict"] == "not run":
        return "not run yet"
    several = OTHERS.search(row["estimand"])
    best = f" (best: {several[1]})" if several and several[1] else ""
    others = f", against {several[2]}{best}" if several else ""
    return f"**{row['verdict']}** {estimate_text(row)}{others}"


def against(runs: pd.DataFrame) -> Iterator[str]:
    """Which methods are separably above and below zero-shot; of the others the number."""
    found = sides(runs)
    for metric in TOLD:
        by_side = found.get((ZERO_SHOT, metric), {})
        parts = []
        for side, rows in by_side.items():
            named = map(difference, rows.itertuples())
            if side in ("above", "below"):
                parts.append(f"{side} it {', '.join(named) or 'none'}")
            elif len(rows):
                count = f" {len(rows)} more" if side == NO_VERDICT else f" from it {len(rows)}"
                parts.append(side + count)
        if parts:
            yield f"**{METRICS[metric]} minus that of {ZERO_SHOT}**, in points: {'; '.join(parts)}."
