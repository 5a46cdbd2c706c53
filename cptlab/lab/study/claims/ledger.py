"""The ledger: every claim under every reading of the losses, with a computed verdict.

A frame of runs has one row per run with the columns "dataset", "method" (label), "tau", "seed",
metrics ("H", "base", "new", "tail", "effective_rank", "targets", "domains") and, if some runs are
of transfer, "protocol"; a run without one is "base_to_new". All other settings of a run are in its
label, which `needs` lists. Verdicts are not corrected for the number of claims: among many, a few
are wrong by chance.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cptlab.lab.study.claims.claim import VERDICTS, Claim, verdict
from cptlab.lab.study.claims.comparisons import Steadier
from cptlab.lab.study.claims.declared import CLAIMS
from cptlab.lab.study.claims.readings import READINGS, Reading
from cptlab.lab.study.claims.statistics import (
    FEWEST_FOR_SPREAD,
    ROUNDING,
    MissingRuns,
    complete_pairs,
)
from cptlab.lab.study.claims.variants import ZERO_SHOT, CPTVariant, label
from cptlab.lab.study.intervals import FEWEST


def ledger(
    frame: pd.DataFrame,
    claims: Sequence[Claim] = CLAIMS,
    readings: Sequence[Reading] = READINGS,
    spread_seeds: Collection[int] = (),
) -> pd.DataFrame:
    """Test every claim at each of its imbalance ratios under each reading.

    spread_seeds: those whose runs spreads over seeds take, and no other comparison.

    Returns:
        One row per claim, tau and reading: "claim", "source", "text", "tau", "reading",
        "comparison" (as text), "rule" (the claimed side of the threshold), "estimate", "lower",
        "upper", "unit", "effect" (see `Estimate`), "pairs", "datasets" and "runs" (numbers),
        "verdict", "missing" (why it was not run, or which data sets had to be left out; else
        empty) and "same_as": the earlier reading with the same comparison, if this reading
        changes nothing in it.

    Raises:
        ValueError: on missing columns, or several rows for one run.
    """
    lacking = [c for c in ("dataset", "method", "tau", "seed") if c not in frame.columns]
    if lacking:
        raise ValueError(f"The frame lacks the columns {lacking}; it has {list(frame.columns)}.")
    of_means = frame[~frame["seed"].isin(list(spread_seeds))]
    rows = []
    for claim in claims:
        of_spread = isinstance(claim.comparison, Steadier)
        for tau in claim.taus:
            done: dict[tuple[str, ...], dict[str, object]] = {}
            for reading in readings:
                labels = _labels(claim, reading)
                if labels not in done:
                    runs = frame if of_spread else of_means
                    done[labels] = _test(runs, claim, tau, reading) | {"same_as": ""}
                    rows.append(done[labels])
                else:
                    first = done[labels]
                    repeated = {"reading": reading.name, "same_as": first["reading"]}
                    rows.append(first | repeated)
    return pd.DataFrame(rows)


def needs(claims: Sequence[Claim] = CLAIMS, readings: Sequence[Reading] = READINGS) -> pd.DataFrame:
    """The runs that claims compare: "protocol", "tau", "method" (label), "quantity", each once."""
    rows = [
        (claim.protocol, tau, name, claim.quantity)
        for claim in claims
        for tau in claim.taus
        for reading in readings
        for name in _labels(claim, reading)
    ]
    columns = ["protocol", "tau", "method", "quantity"]
    return pd.DataFrame(rows, columns=columns).drop_duplicates(ignore_index=True)


def cpt_fields(
    claims: Sequence[Claim] = CLAIMS, readings: Sequence[Reading] = READINGS
) -> dict[str, dict[str, float | str]]:
    """Label -> fields of `cptlab.methods.CPT` that differ from its defaults, for every variant."""
    return {
        variant.label(reading): variant.fields(reading)
        for claim in claims
        for variant in claim.comparison.variants
        if isinstance(variant, CPTVariant)
        for reading in readings
    }


def ledger_markdown(table: pd.DataFrame) -> str:
    """A `ledger` frame as Markdown: a row per claim and tau, a column per reading, and a count.

    A cell reads "supported 1.2 [0.4, 2.0] 18/6", without interval "undecided 1.2 (no interval)
    2/1", without spread "undecided, always 0.0 6/1", or "not run"; the last two numbers are pairs
    of runs and data sets. "as sum" refers to the column of the reading with the same comparison.
    """
    readings = list(dict.fromkeys(table["reading"]))
    lines = [
        ["claim", "tau", "claimed", *readings],
        ["---", "---:", "---", *["---"] * len(readings)],
    ]
    for _, members in table.groupby(["claim", "tau"], sort=False):
        cells = dict(zip(members["reading"], map(_cell, members.itertuples()), strict=True))
        first = members.iloc[0]
        claim, tau = f"{first['claim']} ({first['source']})", f"{first['tau']:g}"
        lines.append([claim, tau, first["rule"], *cells.values()])
    distinct = table[table["same_as"] == ""]
    counts = ", ".join(f"{(distinct['verdict'] == v).sum()} {v}" for v in VERDICTS)
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    bare = ((distinct["pairs"] > 0) & distinct["lower"].isna()).sum()
    return (
        f"{body}\n\n{len(distinct)} comparisons: {counts}.\n\n"
        f"Each ends with its pairs of runs and its data sets. {bare} have no interval, and so no "
        f"verdict: fewer than {FEWEST} pairs, or for spreads {FEWEST_FOR_SPREAD} seeds. (In "
        "transfer from a single source each data set that is tested counts.)\n"
    )


def _labels(claim: Claim, reading: Reading) -> tuple[str, ...]:
    return tuple(label(variant, reading) for variant in claim.comparison.variants)


def _test(frame: pd.DataFrame, claim: Claim, tau: float, reading: Reading) -> dict[str, object]:
    """One row of the ledger."""
    quantity, comparison = claim.quantity, claim.comparison
    unit = comparison.unit(quantity)
    rule = f"{claim.direction} {claim.threshold:g}" + ("" if unit == "ratio" else f" {unit}")
    row = {
        "claim": claim.name,
        "source": claim.source,
        "text": claim.text,
        "tau": tau,
        "reading": reading.name,
        "comparison": comparison.describe(reading, quantity),
        "rule": rule,
        "estimate": np.nan,
        "lower": np.nan,
        "upper": np.nan,
        "unit": unit,
        "effect": np.nan,
        "pairs": 0,
        "datasets": 0,
        "runs": 0,
    }
    labels = _labels(claim, reading)
    runs = _runs(frame, claim, tau, labels)
    paired = _for_every_seed(runs)
    try:
        found = comparison.estimate(paired, reading, quantity)
    except MissingRuns as lacking:
        return row | {"verdict": "not run", "missing": f"At tau = {tau:g}: {lacking}"}
    pairs = complete_pairs(paired, list(labels), quantity).index
    used = pd.MultiIndex.from_frame(runs[["dataset", "seed"]]).isin(pairs)
    used |= ((runs["method"] == ZERO_SHOT) & runs["dataset"].isin(found.datasets)).to_numpy()
    return row | {
        "estimate": found.value,
        "lower": found.lower,
        "upper": found.upper,
        "effect": found.effect,
        "pairs": found.pairs,
        "datasets": len(found.datasets),
        "runs": int(used.sum()),
        "verdict": verdict(found.lower, found.upper, claim.direction, claim.threshold),
        "missing": _left_out(runs[~used], labels),
    }


def _runs(frame: pd.DataFrame, claim: Claim, tau: float, labels: Sequence[str]) -> pd.DataFrame:
    """The rows that a claim compares; one per data set of zero-shot, as it learns nothing."""
    protocol = frame["protocol"] if "protocol" in frame else pd.Series(pd.NA, index=frame.index)
    rows = frame[(protocol.fillna("base_to_new") == claim.protocol) & frame["method"].isin(labels)]
    if claim.quantity in rows:
        rows = rows.dropna(subset=[claim.quantity])
    untrained = rows["method"] == ZERO_SHOT
    trained = rows[~untrained & np.isclose(rows["tau"].astype(float), tau)]
    return pd.concat([trained, rows[untrained].drop_duplicates("dataset")])


def _for_every_seed(runs: pd.DataFrame) -> pd.DataFrame:
    """Repeat the row of zero-shot for each seed of the others on its data set."""
    untrained = runs["method"] == ZERO_SHOT
    seeds = runs.loc[~untrained, ["dataset", "seed"]].drop_duplicates()
    repeated = runs[untrained].drop(columns="seed").merge(seeds, on="dataset")
    alone = runs[untrained & ~runs["dataset"].isin(seeds["dataset"])]
    return pd.concat([runs[~untrained], repeated, alone])


def _left_out(runs: pd.DataFrame, labels: Sequence[str]) -> str:
    """Data sets and seeds that only some of the methods ran on; `runs` are those not used."""
    trained = runs[runs["method"] != ZERO_SHOT]
    parts = []
    for dataset, members in trained.groupby("dataset"):
        seeds = members.groupby("seed")["method"].agg(set)
        lacking = [name for name in labels if not any(name in present for present in seeds)]
        numbers = ", ".join(map(str, seeds.index))
        parts.append(f"{dataset} seed {numbers} (no {'; '.join(lacking) or 'complete pair'})")
    return f"Left out: {', '.join(parts)}." if parts else ""


def _cell(row: Any) -> str:
    """A row of the ledger as `ledger_markdown` shows it."""
    if row.same_as:
        return f"as {row.same_as}"
    if row.verdict == "not run":
        return "not run"
    base = f"{row.pairs}/{row.datasets}"
    if np.isnan(row.lower):
        return f"{row.verdict} {row.estimate:.2f} (no interval) {base}"
    if row.upper - row.lower < ROUNDING:
        return f"{row.verdict}, always {row.estimate:.2f} {base}"
    return f"{row.verdict} {row.estimate:.2f} [{row.lower:.2f}, {row.upper:.2f}] {base}"
