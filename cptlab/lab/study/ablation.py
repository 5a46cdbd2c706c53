"""Combinations of CPT's losses as tidy frames (Table 1): alone, against none, and one by one."""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass
from itertools import compress

import pandas as pd

from cptlab.data import Protocol
from cptlab.emoji.catalog import CATEGORIES
from cptlab.lab.study import families, planned, studies
from cptlab.lab.study.claims.variants import (
    BY_LOSSES,
    COMBINATIONS,
    LOSSES,
    PLAIN,
    TABLE_1,
    label,
    names_of,
)
from cptlab.lab.study.comparison_message import beside, sentences
from cptlab.lab.study.findings import findings
from cptlab.lab.study.lineup import BOTH
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.studies import Study
from cptlab.lab.study.summary import PARTS, TOO_FEW, compared, corrected, to_markdown
from cptlab.lab.study.tables import differences

Combination = tuple[bool, ...]
"""Which of L_TETF, L_CC and L_RS are on."""
KEY = ["method", "dataset", "seed"]
KEYS = ["reading", "row", "losses"]
"""What names a combination of losses in tables."""


@dataclass(frozen=True)
class Quantity:
    """What is measured of each combination, under which protocol and at which imbalance ratio.

    metric: a column of the table of runs. title: of its panel.
    """

    metric: str
    tau: float
    protocol: Protocol
    title: str

    @property
    def name(self) -> str:
        return f"{self.metric}, τ = {self.tau:g}"

    @property
    def axis(self) -> str:
        what = "H" if self.metric == "H" else "accuracy"
        return f"difference in {what}\n(points), τ = {self.tau:g}"


def quantities(profile: Profile, table: pd.DataFrame) -> list[Quantity]:
    """H at each ratio of the study, and transfer at the smallest, if the data sets allow it."""
    found = [
        Quantity("H", tau, "base_to_new", "base to new")
        for tau in studies.long_tailed(profile).taus
    ]
    drawings = set(profile.transfer.datasets) <= set(CATEGORIES)
    shift = "other vendors" if drawings else "other domains"
    for metric, title in {"targets": "other data sets", "domains": shift}.items():
        if metric in table and table[metric].notna().any():
            found.append(Quantity(metric, min(profile.transfer.taus), "transfer", title))
    return found


def by_method(table: pd.DataFrame, found: list[Quantity]) -> pd.DataFrame:
    """A row per method, data set and seed with a column per quantity, and their parts (`PARTS`)."""
    columns = []
    for one in found:
        runs = table[(table["protocol"] == one.protocol) & (table["tau"] == one.tau)]
        parts = [
            {one.name: values[one.metric]} if one.metric in values else {} for values in runs[PARTS]
        ]
        columns.append(runs[KEY].assign(**{one.name: runs[one.metric], PARTS: parts}))
    names = dict.fromkeys((one.name for one in found), "first")
    joined = pd.concat(columns).groupby(KEY, sort=False)
    return joined.agg({**names, PARTS: lambda parts: dict(ChainMap(*parts))}).reset_index()


def runs(profile: Profile) -> Study:
    """The combinations of the plan for tuned methods, else those of the details."""
    return planned.ablation(profile) if profile.tuned else studies.ablation(profile)


def without_losses(profile: Profile) -> str:
    """Label of the prompts of CPT without its losses: IVLP, unless it has been tuned for itself."""
    return label(planned.NO_LOSS, BOTH[1]) if profile.tuned else PLAIN


def readings(profile: Profile) -> dict[str, dict[Combination, str]]:
    """Reading of L_TETF -> combination of losses, as the profile has them -> label of its runs."""
    shown = [on for on in COMBINATIONS if on in profile.varied.losses]
    if not profile.tuned:
        by_reading = {reading.name: reading for reading in studies.main_readings(profile)}
        return {
            name: {on: label(BY_LOSSES[on], reading) for on in shown}
            for name, reading in by_reading.items()
        }
    known = set(runs(profile).values())
    found: dict[str, dict[Combination, str]] = {"pair mean, as tuned": {}}
    for on in shown:
        row = BY_LOSSES[on] if any(on) else planned.NO_LOSS
        for reading in reversed(BOTH):
            name = label(row, reading)
            published = f"{name}{planned.AS_PUBLISHED}"
            block = found.setdefault(f"{reading.name}, as published", {})
            block[on] = published if published in known else name
        found["pair mean, as tuned"][on] = label(row, BOTH[1])
    return found


def by_losses(profile: Profile, wide: pd.DataFrame) -> pd.DataFrame:
    """The runs of each combination of losses, with what is on in columns, by reading.

    wide: what `by_method` returns.
    """
    return pd.concat(
        wide[wide["method"] == name].assign(
            reading=reading,
            row=TABLE_1.get(on, "–"),
            losses=names_of(on),
            **dict(zip(LOSSES, on)),
        )
        for reading, names in readings(profile).items()
        for on, name in names.items()
    )


def added(runs: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Each loss on minus the same combination with it off, given what else is on.

    runs: what `by_losses` returns. names: columns of quantities. Returns `summary.compared`,
    corrected, of "reading", "added" and "given".
    """
    parts = []
    for loss, name in LOSSES.items():
        others = {column: word for column, word in LOSSES.items() if column != loss}
        named = runs.assign(method=runs[loss].map({True: name, False: "without it"}))
        for group, rows in named.groupby(["reading", *others], sort=False):
            _, *on = group  # ty: ignore[not-iterable] a tuple, as in summarise
            given = " + ".join(compress(others.values(), on)) or "none"
            if rows[loss].nunique() == 2:
                gains = differences(rows, "without it", names)
                parts.append(gains.assign(added=name, given=given))
    by = ["reading", "added", "given"]
    return corrected(measured(compared(pd.concat(parts), names, by)))


def from_none(runs: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Each combination minus the one without any of the losses; arguments as above.

    Returns `summary.compared`, corrected, of `KEYS`.
    """
    named = runs.assign(method=runs["losses"])
    groups = named.groupby("reading", sort=False)
    none = names_of(COMBINATIONS[0])
    known = [rows for _, rows in groups if (rows["losses"] == none).any()]
    if not known:
        raise ValueError(
            "No run without any of the losses is finished, which others are compared with."
        )
    gaps = pd.concat(differences(rows, none, names) for rows in known)
    return corrected(measured(compared(gaps, names, KEYS)))


def beside_none(profile: Profile, wide: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Other methods that were chosen, minus CPT without its losses: `summary.compared`, corrected.

    wide: what `by_method` returns. names: columns of quantities.
    """
    none = without_losses(profile)
    shown = wide[wide["method"].isin([none, *studies.levels(profile)])]
    return corrected(measured(compared(differences(shown, none, names), names, ["method"])))


def message(gaps: pd.DataFrame, found: list[Quantity]) -> str:
    """Which combinations of losses are above and below none in H at the smallest imbalance ratio,
    by reading.

    gaps: what `from_none` returns. found: quantities of them.
    """
    main = min((one for one in found if one.metric == "H"), key=lambda one: one.tau)
    rows = gaps[gaps["metric"] == main.name]
    if not rows["adjusted"].notna().any():
        return f"{TOO_FEW.capitalize()} any combination of losses from none"
    told = [
        f"as a {reading}: {beside(own.assign(method=own['losses']))}"
        for reading, own in rows.groupby("reading", sort=False)
    ]
    return sentences([f"H against no loss at τ = {main.tau:g}, L_TETF {told[0]}", *told[1:]])


def with_claims(profile: Profile, gaps: pd.DataFrame) -> pd.DataFrame:
    """Differences with the column "planned", where all three losses against none have the verdict
    of a claim; without it for profiles that were not planned. gaps: what `from_none` returns.
    """
    if not families.is_planned(profile):
        return gaps
    every = gaps["losses"] == names_of((True, True, True))
    main = gaps["metric"] == f"H, τ = {profile.details.smallest_tau:g}"
    judged = gaps["reading"].isin(("pair mean, as tuned", "sum, as published"))
    return gaps.assign(planned=every & main & judged)


def sentences_of(gaps: pd.DataFrame, none: str) -> str:
    """`findings` of what is not judged as a claim; a combination of losses counts as a method.

    gaps: what `from_none` or `with_claims` returns. none: label of what was subtracted.
    """
    if "planned" in gaps:
        gaps = gaps[~gaps["planned"]].drop(columns="planned")
    return findings(gaps.drop(columns="row").rename(columns={"losses": "method"}), none)


def measured(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of a table of `summary.summarise` behind which there are runs."""
    return table[table["n"] > 0]


def by_reading(table: pd.DataFrame) -> str:
    """A Markdown table per reading."""
    return "\n".join(
        f"**L_TETF as a {reading}**\n\n" + to_markdown(part.drop(columns="reading"))
        for reading, part in table.groupby("reading", sort=False)
    )
