"""The backbone as a factor: the same comparisons on CLIPs of other pretraining seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cptlab.lab.runs.results import Result
from cptlab.lab.study import planned
from cptlab.lab.study.claims.variants import PLAIN, ZERO_SHOT
from cptlab.lab.study.comparison_message import difference, holds
from cptlab.lab.study.intervals import mean_squares
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

    So the units of an interval are backbones. Seeds count that every method has on every data set
    and backbone. table: what `with_backbones` returns. Raises ValueError if there are none.
    """
    by = ["backbone", "method"]
    whole = [for_every_seed(rows, ZERO_SHOT) for _, rows in table.groupby("backbone", sort=False)]
    runs = pd.concat(whole, ignore_index=True)
    all_cells = runs[["backbone", "method", "dataset"]].nunique().prod()
    cells = runs.groupby("seed")[METRICS].transform("count")
    runs = runs[(cells == all_cells).all(axis=1)]
    if runs.empty:
        raise ValueError(
            "No seed has all methods on all data sets and backbones yet: `cptlab figures 16 "
            "--profile full` runs what is missing."
        )
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
        Columns "reference", "metric", "method", one for each backbone, and two standard deviations
        in points: "over backbones", without the share that seeds have in their means (from the
        mean squares of both), and "over seeds", pooled within backbones.
    """
    rows = []
    for name in taking_part(means["method"], REFERENCES):
        gaps = differences(means, name, METRICS)
        for metric in METRICS:
            for method, own in gaps.groupby("method", sort=False):
                cells = own.pivot(index="dataset", columns="seed", values=metric)
                named = {"reference": name, "metric": metric, "method": method}
                rows.append(named | cells.mean(axis=1).to_dict() | _spreads(cells.to_numpy()))
    return pd.DataFrame(rows)


def _spreads(cells: np.ndarray) -> dict[str, float]:
    """Standard deviations over the rows and columns of a table (backbones, seeds)."""
    over = "over backbones", "over seeds"
    if min(cells.shape) == 1:
        return dict.fromkeys(over, np.nan)
    of_backbones, _, rest = mean_squares(cells)
    between = max(of_backbones - rest, 0) / cells.shape[1]
    return dict(zip(over, np.sqrt([between, cells.var(axis=1, ddof=1).mean()]), strict=True))


def sentences(
    profile: Profile, table: pd.DataFrame, results: Mapping[str, Sequence[Result]]
) -> list[str]:
    """H minus that of each reference over backbones; none while runs on some are missing.

    table, results: of runs among which are those of `runs`.
    """
    ids = {spec.run_id for spec in runs(profile)}
    shown = table[table["run_id"].isin(ids)]
    if not ids or len(shown) < len(ids):
        return []
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
            f"that of {name}, in points: {'; '.join(parts)}. Standard deviations of a difference "
            f"over backbones are estimated as {spread.min():.1f} to {spread.max():.1f}, from so "
            "few. (95 % intervals over backbones and seeds, for these data sets; above and below "
            f"hold among the {int(rows['family'].max())} comparisons with {name}, "
            "Benjamini-Hochberg at 5 %; `backbones`.)"
        )
    return told
