"""Sweeps of CPT's loss weights as tidy frames: alone, against the default, and two together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cptlab.lab.runs.results import Result
from cptlab.lab.study import studies
from cptlab.lab.study.claims.variants import DEFAULT_WEIGHTS, label
from cptlab.lab.study.dose import pair_weight
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.summary import LEVEL, PARTS, TOO_FEW, compared, corrected, to_markdown
from cptlab.lab.study.tables import differences
from cptlab.methods.cpt import CPT

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


def placed(summary: pd.DataFrame, results: Mapping[str, Sequence[Result]]) -> pd.DataFrame:
    """What `changes` returns with "place": weights in units of L_TETF as a mean over pairs.

    A sum over the pairs of a cluster is their mean with a larger weight (`dose.pair_weight`); of
    several data sets the geometric mean. Other weights are their own places.

    results: of the runs, by label.
    """
    factor = sum_weight(results)
    by_sum = (summary["loss"] == "TETF") & (summary["reading"] == "sum")
    return summary.assign(place=summary["weight"] * np.where(by_sum, factor, 1.0))


def sum_weight(results: Mapping[str, Sequence[Result]]) -> float:
    """The weight of L_TETF as a mean over pairs that equals the sum with weight 1; 1 without it."""
    found = {
        result.spec.dataset: pair_weight(
            pd.Series(result.details["clusters"]).value_counts().to_numpy()
        )
        for runs in results.values()
        for result in runs
        if isinstance(result.spec.method, CPT) and result.spec.method.etf_reduction == "sum"
        if result.details["clusters"] is not None
    }
    return float(np.exp(np.mean(np.log([*found.values()])))) if found else 1.0


def default_places(summary: pd.DataFrame, factor: float) -> dict[tuple[str, str], float]:
    """Reading and loss -> place of the default weight. factor: that of `sum_weight`."""
    pairs = summary[["reading", "loss"]].drop_duplicates().itertuples(index=False)
    return {
        (reading, loss): DEFAULT_WEIGHTS[loss]
        * (factor if (reading, loss) == ("sum", "TETF") else 1)
        for reading, loss in pairs
    }


def change_message(summary: pd.DataFrame, bound: float) -> str:
    """Where changes lie within a claimed bound and where beyond it, in one sentence.

    summary: what `changes` returns. bound: in percent.
    """
    if summary.empty:
        return "No weight beside the default was run"
    bare = summary["lower"].isna()
    lower = summary["lower"].mask(bare, summary["least"])
    upper = summary["upper"].mask(bare, summary["most"])
    within, beyond = (lower >= -bound) & (upper <= bound), (lower > bound) | (upper < -bound)
    rows = summary[beyond]
    names = dict.fromkeys(f"L_{r.loss} at {r.weight:g} ({r.reading})" for r in rows.itertuples())
    some = f": {', '.join(names)}" if 0 < len(names) <= 3 else ""
    text, kind = f"H is claimed to change by at most {bound:g} %", "intervals"
    if bare.all():
        text, kind = f"Too few runs for a verdict on the claimed {bound:g} %", "ranges of runs"
    lie = f"{within.sum() or 'none'} lie within it and {beyond.sum() or 'none'} beyond it"
    return f"{text}: of {len(summary)} {kind}, {lie}{some}"


def changes_markdown(summary: pd.DataFrame) -> str:
    """What `changes` returns as Markdown, a table per reading."""
    shown = summary.assign(metric=[f"change of H at tau = {tau:g} (%)" for tau in summary["tau"]])
    return "\n".join(
        f"**L_TETF as a {reading}**\n\n" + to_markdown(rows.drop(columns=["reading", "tau"]))
        for reading, rows in shown.groupby("reading", sort=False)
    )


def together(profile: Profile, table: pd.DataFrame) -> pd.DataFrame:
    """H by two weights, in columns such as "lambda_tetf": a row for each run; empty if only one
    weight is varied.
    """
    design, pair = studies.most_imbalanced(profile), profile.varied.pair()
    here = table["dataset"].isin(design.datasets) & table["tau"].isin(design.taus)
    columns = ["reading", "dataset", "tau", *weight_columns(profile), "seed", "H", PARTS]
    parts = [
        table[here & (table["method"] == label(variant, reading))].assign(
            reading=reading.name, **dict(zip(weight_columns(profile), weights, strict=True))
        )
        for reading in studies.main_readings(profile)
        for weights, variant in profile.varied.heat_map().items()
    ]
    return pd.concat(parts)[columns] if pair else pd.DataFrame(columns=columns)


def together_changes(profile: Profile, runs: pd.DataFrame) -> pd.DataFrame:
    """H minus that of the run with both default weights, as `summary.corrected`, by "reading" and
    the two weights.

    runs: what `together` returns.
    """
    names, pair = weight_columns(profile), profile.varied.pair() or ()
    weights = runs[names].itertuples(index=False)
    labelled = runs.assign(method=[str(tuple(cell)) for cell in weights])
    default = str(tuple(DEFAULT_WEIGHTS[loss] for loss in pair))
    groups = labelled.groupby("reading", sort=False)
    gaps = pd.concat(differences(rows, default, ["H"]) for _, rows in groups)
    return corrected(compared(gaps, ["H"], ["reading", *names]))


def together_message(summary: pd.DataFrame) -> str:
    """Which pairs of weights differ from the default, in one sentence.

    summary: what `together_changes` returns.
    """
    first, last = summary.columns[1:3]
    if summary["adjusted"].isna().all():
        return f"{TOO_FEW.capitalize()} any of {len(summary)} pairs of weights from the default"
    kept = summary[summary["adjusted"] <= LEVEL]
    if kept.empty:
        return f"None of {len(summary)} pairs of weights differs separably from the default"
    row = kept.loc[kept["mean"].abs().idxmax()]
    weights = f"{name_of(first)} {row[first]:g} and {name_of(last)} {row[last]:g}"
    return (
        f"{len(kept)} of {len(summary)} pairs of weights differ separably from the default, most "
        f"with {weights} ({row['mean']:+.1f}, L_TETF as a {row['reading']})"
    )


def name_of(column: str) -> str:
    """The loss of a column such as "lambda_tetf", as "L_TETF"."""
    return f"L_{column.removeprefix('lambda_').upper()}"


def weight_columns(profile: Profile) -> list[str]:
    """Fields of CPT that hold the two weights that are varied together."""
    return [f"lambda_{loss.lower()}" for loss in profile.varied.pair() or ()]
