"""The backbone as a factor: the same comparisons on CLIPs of other pretraining seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from cptlab.lab.runs.results import Result
from cptlab.lab.study import planned
from cptlab.lab.study.claims.variants import PLAIN, ZERO_SHOT
from cptlab.lab.study.comparison_message import difference, holds
from cptlab.lab.study.paired import paired, taking_part
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.studies import Study
from cptlab.lab.study.summary import corrected
from cptlab.lab.study.tables import differences, for_every_seed

METRICS = ["H", "new", "tail"]
REFERENCES = (ZERO_SHOT, PLAIN)
ONE = "seed0"
"""The packaged weights."""


def runs(profile: Profile) -> Study:
    """Some methods on the backbone and on its other weights; nothing for a profile without them."""
    others = planned.backbones(profile)
    return planned.on_backbone(profile) | others if others else {}


def with_backbones(results: Mapping[str, Sequence[Result]], table: pd.DataFrame) -> pd.DataFrame:
    """The table of runs with "backbone", the weights of each, and the plain labels of methods.

    results, table: as `cptlab.lab.study.outcomes.run_study` returns them.
    """
    specs = {result.spec.run_id: result.spec for own in results.values() for result in own}
    names = [specs[run_id].pretrained or ONE for run_id in table["run_id"]]
    pairs = zip(table["method"], names, strict=True)
    labels = [label.removesuffix(f", {name}") for label, name in pairs]
    return table.assign(backbone=names, method=labels)


def over_data_sets(table: pd.DataFrame) -> pd.DataFrame:
    """`METRICS` in the mean over data sets, by backbone (as "dataset"), method, tau and seed.

    So the units of an interval are backbones. Data sets and seeds count that every method has on
    every backbone. table: what `with_backbones` returns. Raises ValueError if there are none.
    """
    by = ["backbone", "method"]
    whole = [for_every_seed(rows, ZERO_SHOT) for _, rows in table.groupby("backbone", sort=False)]
    runs = pd.concat(whole, ignore_index=True)
    cells = runs.groupby(["dataset", "seed"])["H"].transform("count")
    runs = runs[cells == runs["backbone"].nunique() * runs["method"].nunique()]
    if runs.empty:
        raise ValueError("No data set and seed has all methods on all backbones: run them first.")
    means = runs.groupby([*by, "tau", "seed"], sort=False)[METRICS].mean().reset_index()
    return means.rename(columns={"backbone": "dataset"})


def gaps(means: pd.DataFrame) -> pd.DataFrame:
    """Differences to zero-shot and IVLP with intervals over backbones and seeds, a family for each.

    means: what `over_data_sets` returns. Returns `summary.corrected` of `paired`, and "panel".
    """
    found = corrected(paired(means, METRICS, taking_part(means["method"], REFERENCES)))
    return found.assign(panel=found["metric"])


def by_backbone(means: pd.DataFrame) -> pd.DataFrame:
    """The same differences on each backbone, means over seeds, and how much they vary.

    Returns:
        Columns "reference", "metric", "method", one for each backbone, and the standard deviations
        "over backbones", of their means, and "over seeds", pooled within backbones; in points.
    """
    tables = []
    for name in taking_part(means["method"], REFERENCES):
        cells = differences(means, name, METRICS)
        long = cells.melt(["method", "dataset", "seed"], METRICS, "metric", "points")
        groups = long.groupby(["metric", "method", "dataset"], sort=False)["points"]
        wide = groups.mean().unstack("dataset", sort=False)
        within = groups.var().unstack("dataset", sort=False).mean(axis=1) ** 0.5
        spread = wide.std(axis=1)
        tables.append(wide.assign(**{"over backbones": spread, "over seeds": within}))
        tables[-1].insert(0, "reference", name)
    table = pd.concat(tables).reset_index()
    return table[["reference", *table.columns.drop("reference")]]


def sentences(
    profile: Profile, table: pd.DataFrame, results: Mapping[str, Sequence[Result]]
) -> list[str]:
    """H minus that of each reference over backbones; none while no run is on other weights.

    table, results: of runs among which are those of `runs`.
    """
    others = {spec.run_id for spec in planned.backbones(profile)}
    if not table["run_id"].isin(others).any():
        return []
    shown = table[table["run_id"].isin({spec.run_id for spec in runs(profile)})]
    means = over_data_sets(with_backbones(results, shown))
    found, each = gaps(means), by_backbone(means)
    told = []
    for name, rows in found[found["metric"] == "H"].groupby("reference", sort=False):
        rows = rows.sort_values("mean", ascending=False)
        own = each[(each["reference"] == name) & (each["metric"] == "H")]
        spread = own["over backbones"]
        above, below = (holds(rows) & (rows["mean"] * sign > 0) for sign in (1, -1))
        sides = {"above": above, "below": below, "not separable": ~(above | below)}
        parts = [
            f"{side}: {', '.join(map(difference, rows[kept].itertuples()))}"
            for side, kept in sides.items()
            if kept.any()
        ]
        told.append(
            f"On {means['dataset'].nunique()} EmojiCLIPs of different pretraining seeds, H minus "
            f"that of {name}, in points: {'; '.join(parts)}. Over these backbones the differences "
            f"have standard deviations of {spread.min():.1f} to {spread.max():.1f}. (95 % "
            f"intervals over backbones and seeds; above and below hold among the "
            f"{int(rows['family'].max())} comparisons with {name}, Benjamini-Hochberg at 5 %; "
            "`backbones`.)"
        )
    return told
