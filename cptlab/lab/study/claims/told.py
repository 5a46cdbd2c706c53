"""The confirmatory claims as text: how many hold, a table, and a sentence for each."""

from typing import Any

import numpy as np
import pandas as pd

from cptlab.lab.study.claims.claim import VERDICTS

CONFIRMED = (
    "Each of the eight claims compares CPT with one control on six data sets, seeds 11 to 15 (the "
    "last one seeds 11 to 20), within the same data set and seed. A verdict takes two things: the "
    "95 % interval, over data sets and seeds, lies on one side, and the p value after Holm's "
    "correction among the eight is below .05. As tuned: every method with its own rate and length, "
    "CPT with its weight of the separation loss. As printed: that loss as a sum with the published "
    "weight, and every method with its published schedule. These are two families, corrected each "
    "by itself."
)
CONCLUDED = (
    "**What the study says.** These sentences are computed from the results: above and below is "
    "what holds in its family of comparisons, all else is an estimate that is *not separable*."
)


def counted(table: pd.DataFrame, noun: str = "claims") -> str:
    """How many claims of a family have which verdict: "of 8 claims 3 are supported, ..."."""
    counts = table["verdict"].value_counts()
    parts = [f"{counts[verdict]} {verdict}" for verdict in VERDICTS if verdict in counts]
    *first, last = parts
    listed = f"{', '.join(first)} and {last}" if first else last
    number, rest = listed.split(" ", 1)
    return f"of {len(table)} {noun} {number} {'is' if number == '1' else 'are'} {rest}"


def ledger_message(ledger: pd.DataFrame) -> str:
    """How many comparisons of the ledger have which verdict, each counted once."""
    distinct = ledger[ledger["same_as"] == ""]
    return f"Exploratory, not corrected for their number: {counted(distinct, 'comparisons')}"


def confirmatory_markdown(table: pd.DataFrame) -> str:
    """A table of `confirmatory` as Markdown, one for each family."""
    heads = ["", "claim", "estimand", "claimed", "estimate [95 %]", "p (Holm)", "verdict", "cells"]
    blocks = []
    for name, rows in table.groupby("family", sort=False):
        lines = [heads, ["---:", "---", "---", "---", "---:", "---:", "---", "---:"]]
        lines += [_line(row) for row in rows.itertuples()]
        body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        blocks.append(f"**CPT {name}**: {counted(rows)}.\n\n{body}\n")
    lacking = table[table["missing"] != ""]
    missing = "".join(
        f"- {row.family}, claim {row.number}: {row.missing}\n" for row in lacking.itertuples()
    )
    return "\n".join([*blocks, *([f"Runs that claims lack:\n\n{missing}"] if missing else [])])


def sentence(row: Any) -> str:
    """One claim: the verdict, what was estimated, and on how many runs."""
    if row.verdict == "not run":
        return f"{row.claim}: not run. {row.missing}"
    note = f"; {row.note}" if row.note else ""
    corrected = "" if np.isnan(row.p_holm) else f", {p_text(row.p_holm)} after Holm"
    return (
        f"{row.claim}: {row.verdict}. {row.estimand}: {_with_unit(row)}{corrected}, on {row.cells} "
        f"cells ({row.datasets} data sets, {row.seeds} seeds){note}."
    )


def p_text(p: float) -> str:
    """A p value with two digits: "p = 0.012", "p < 0.001"."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def estimate_text(row: Any) -> str:
    """Estimate with its interval: "+0.65 [0.30, 1.01]"; ratios have no sign."""
    sign = "" if row.unit == "ratio" else "+"
    text = f"{row.estimate:{sign}.2f}"
    return text if np.isnan(row.lower) else f"{text} [{row.lower:z.2f}, {row.upper:z.2f}]"


def _with_unit(row: Any) -> str:
    interval = "no interval"
    if not np.isnan(row.lower):
        interval = f"95 % interval {row.lower:z.2f} to {row.upper:z.2f}"
    if row.unit == "ratio":
        return f"{row.estimate:.2f} ({interval})"
    return f"{row.estimate:+.2f} points ({interval})"


def _line(row: Any) -> list[str]:
    run = row.verdict != "not run"
    verdict = f"{row.verdict} ({row.note})" if row.note else row.verdict
    return [
        str(row.number),
        f"{row.claim} ({row.source})",
        row.estimand,
        f"{row.rule}{'' if row.unit == 'ratio' else ' points'}",
        estimate_text(row) if run else "–",
        "–" if np.isnan(row.p_holm) else p_text(row.p_holm).removeprefix("p ").removeprefix("= "),
        verdict,
        str(row.cells),
    ]
