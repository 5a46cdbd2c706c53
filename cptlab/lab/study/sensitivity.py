"""Sweeps of CPT's loss weights as tidy frames: alone, against the default, and two together."""

from __future__ import annotations

import pandas as pd

from cptlab.lab.study import studies
from cptlab.lab.study.claims.variants import DEFAULT_WEIGHTS, label
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.tables import differences, method_table, to_markdown

CHANGE = "change of H (%)"


def over_datasets(table: pd.DataFrame) -> pd.DataFrame:
    """H of each method, tau and seed, averaged over data sets."""
    return table.groupby(["method", "tau", "seed"], sort=False)["H"].mean().reset_index()


def swept(profile: Profile, table: pd.DataFrame) -> pd.DataFrame:
    """H by "reading", "loss" and "weight", one weight at a time, averaged over data sets.

    table: the runs of `studies.sensitivity`.
    """
    averaged = over_datasets(table)
    return pd.concat(
        averaged[averaged["method"] == label(variant, reading)].assign(
            reading=reading.name, loss=loss, weight=weight
        )
        for reading in studies.main_readings(profile)
        for loss, sweep in profile.varied.sweeps().items()
        for weight, variant in sweep.items()
    )


def beside(profile: Profile, table: pd.DataFrame) -> pd.DataFrame:
    """H of the methods that were chosen and are not varied, averaged over data sets."""
    averaged = over_datasets(table)
    return averaged[averaged["method"].isin(studies.levels(profile))]


def changes(runs: pd.DataFrame) -> pd.DataFrame:
    """Paired difference to the run with the default weight, in percent of the mean at the default.

    runs: what `swept` returns. Returns a `method_table` of "reading", "tau", "loss" and "weight".
    """
    parts = []
    groups = runs.groupby(["reading", "loss"], sort=False)
    for (_, loss), rows in groups:  # ty: ignore[not-iterable] a tuple, as in method_table
        default = rows[rows["weight"] == DEFAULT_WEIGHTS[loss]]
        gaps = differences(rows, default["method"].iloc[0], ["H"])
        level = gaps["tau"].map(default.groupby("tau")["H"].mean())
        parts.append(gaps.assign(**{CHANGE: 100 * gaps["H"] / level}))
    return method_table(pd.concat(parts), [CHANGE], by=["reading", "tau", "loss", "weight"])


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
