"""Sweeps of CPT's loss weights as tidy frames: alone, against the default, and two together."""

from __future__ import annotations

import pandas as pd

from cptlab.lab.study import studies
from cptlab.lab.study.claims.variants import DEFAULT_WEIGHTS, label
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.summary import PARTS, compared, corrected, to_markdown
from cptlab.lab.study.tables import differences

CHANGE = "change of H (%)"
RUNS = ["method", "tau", "dataset", "seed", "H", PARTS]


def swept(profile: Profile, table: pd.DataFrame) -> pd.DataFrame:
    """H by "reading", "loss" and "weight", one weight at a time: a row for each run.

    table: the runs of `studies.sensitivity`.
    """
    runs = table[RUNS]
    return pd.concat(
        runs[runs["method"] == label(variant, reading)].assign(
            reading=reading.name, loss=loss, weight=weight
        )
        for reading in studies.main_readings(profile)
        for loss, sweep in profile.varied.sweeps().items()
        for weight, variant in sweep.items()
    )


def beside(profile: Profile, table: pd.DataFrame) -> pd.DataFrame:
    """H of the methods that were chosen and are not varied: a row for each run."""
    return table.loc[table["method"].isin(studies.levels(profile)), RUNS]


def changes(runs: pd.DataFrame) -> pd.DataFrame:
    """Paired difference to the run with the default weight, in percent of the mean at the default.

    runs: what `swept` returns. Returns `summary.compared`, corrected, of "reading", "tau",
    "loss" and "weight".
    """
    parts = []
    groups = runs.groupby(["reading", "loss"], sort=False)
    for (_, loss), rows in groups:  # ty: ignore[not-iterable] a tuple, as in summarise
        default = rows[rows["weight"] == DEFAULT_WEIGHTS[loss]]
        gaps = differences(rows, default["method"].iloc[0], ["H"])
        percent = 100 / gaps["tau"].map(default.groupby("tau")["H"].mean())
        changed = [
            {CHANGE: values["H"] * factor} if "H" in values else {}
            for values, factor in zip(gaps[PARTS], percent, strict=True)
        ]
        parts.append(gaps.assign(**{CHANGE: percent * gaps["H"], PARTS: changed}))
    by = ["reading", "tau", "loss", "weight"]
    return corrected(compared(pd.concat(parts), [CHANGE], by))


def changes_markdown(summary: pd.DataFrame) -> str:
    """What `changes` returns as Markdown, a table per reading."""
    shown = summary.assign(metric=[f"change of H at tau = {tau:g} (%)" for tau in summary["tau"]])
    return "\n".join(
        f"**L_TETF as a {reading}**\n\n" + to_markdown(rows.drop(columns=["reading", "tau"]))
        for reading, rows in shown.groupby("reading", sort=False)
    )


def together(profile: Profile, table: pd.DataFrame) -> pd.DataFrame:
    """H by two weights, in columns such as "lambda_tetf"; empty if only one weight is varied."""
    design, pair = studies.most_imbalanced(profile), profile.varied.pair()
    here = table["dataset"].isin(design.datasets) & table["tau"].isin(design.taus)
    columns = ["reading", "dataset", "tau", *weight_columns(profile), "seed", "H"]
    parts = [
        table[here & (table["method"] == label(variant, reading))].assign(
            reading=reading.name, **dict(zip(weight_columns(profile), weights, strict=True))
        )
        for reading in studies.main_readings(profile)
        for weights, variant in profile.varied.heat_map().items()
    ]
    return pd.concat(parts)[columns] if pair else pd.DataFrame(columns=columns)


def weight_columns(profile: Profile) -> list[str]:
    """Fields of CPT that hold the two weights that are varied together."""
    return [f"lambda_{loss.lower()}" for loss in profile.varied.pair() or ()]
