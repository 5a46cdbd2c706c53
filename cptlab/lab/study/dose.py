"""Dose and response: what the weight of one loss of CPT does, all else being equal.

A sum over the pairs of a cluster, as L_TETF is printed, is a mean over them with a larger weight:
for clusters of k_c classes the sum of a cluster is k_c (k_c - 1) times its mean. So both readings
are points on one axis of weights, in units of the mean; where clusters differ in size the sum's
place is that of their average.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from cptlab.lab.runs.results import Result
from cptlab.lab.study import planned, studies
from cptlab.lab.study.claims.variants import CPT as USUAL
from cptlab.lab.study.claims.variants import LOSSES, label
from cptlab.lab.study.dose_message import GAINS, LEVELS, SUM, WITHOUT
from cptlab.lab.study.lineup import BOTH
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.studies import Study
from cptlab.lab.study.summary import compared, corrected, summarise
from cptlab.lab.study.tables import differences
from cptlab.methods.base import Method
from cptlab.methods.cpt import CPT


def runs(profile: Profile) -> Study:
    """The doses of the plan for tuned methods, else the sweeps of the weights; beside them both
    readings of L_TETF, or those that were chosen.
    """
    if not profile.tuned:
        both = studies.main_readings(profile) if profile.methods else BOTH
        usual = studies.grid(profile, studies.long_tailed(profile), (USUAL,), both)
        return studies.sensitivity(profile) | usual
    left_out = [f"{label(USUAL, BOTH[1])} w/o {loss}" for loss in ("CC", "RS")]
    ablated = planned.ablation(profile).items()
    return planned.dose(profile) | {spec: name for spec, name in ablated if name in left_out}


def pair_weight(sizes: Sequence[int] | np.ndarray) -> float:
    """Weight of the mean over pairs that equals a sum of weight 1, for clusters of these sizes.

    The average of k (k - 1), as both readings average over clusters.
    """
    k = np.asarray(sizes, dtype=float)
    return float((k * (k - 1)).mean())


def doses(table: pd.DataFrame, results: Mapping[str, Sequence[Result]]) -> pd.DataFrame:
    """The runs that differ from CPT in the weight of one loss alone.

    Those at the smallest imbalance ratio with the same schedule. CPT has L_TETF as a mean over
    pairs, if that was run; the sum counts as a weight.

    Args:
        table, results: of a study (`outcomes.run_study`), with runs of CPT under some reading.

    Returns:
        Rows of the table with "loss" ("TETF"), "point" ("16", "sum", "0" without the loss),
        "weight", in units of the mean over pairs, and "usual", true at the weight that CPT has
        elsewhere; a run comes once for each loss of which it is a point, if the table has it.
    """
    smallest = table["tau"].min()
    usual = next(
        result.spec
        for name in _usual()
        for result in results.get(name, ())
        if result.spec.tau == smallest and result.spec.protocol == "base_to_new"
    )
    rows = [
        {"run_id": result.details["run_id"], **point}
        for found in results.values()
        for result in found
        if result.spec.tau == smallest and result.spec.protocol == usual.protocol
        if result.spec.schedule == usual.schedule
        for point in _points(result, usual.method)
    ]
    columns = ["run_id", "loss", "point", "weight", "usual"]
    found = pd.DataFrame(rows, columns=columns).merge(table, on="run_id")
    found = found.drop_duplicates(["loss", "point", "dataset", "seed"])
    return found.sort_values(["loss", "weight"], kind="stable", ignore_index=True)


def _usual() -> list[str]:
    """Labels of CPT, the mean over pairs first."""
    return [label(USUAL, reading) for reading in reversed(BOTH)]


def _points(result: Result, usual: Method) -> Iterator[dict[str, object]]:
    """The losses whose weight alone is another than the usual one, and that weight."""
    method = result.spec.method
    if not (isinstance(method, CPT) and isinstance(usual, CPT)):
        return
    for name, loss in LOSSES.items():
        free = {f"lambda_{name}": getattr(usual, f"lambda_{name}")}
        if loss == "TETF":
            free["etf_reduction"] = usual.etf_reduction
        if dataclasses.replace(method, **free) != usual:
            continue
        own = weight = getattr(method, f"lambda_{name}")
        point = WITHOUT if not own else f"{own:g}"
        if loss == "TETF" and own and method.etf_reduction == "sum":
            sizes = pd.Series(result.details["clusters"]).value_counts().to_numpy()
            weight = own * pair_weight(sizes)
            point = SUM if own == CPT.lambda_tetf else f"{SUM}, {own:g}"
        yield {"loss": loss, "point": point, "weight": weight, "usual": method == usual}


def responses(runs: pd.DataFrame) -> pd.DataFrame:
    """Difference to the same run without the loss, within a data set and seed.

    Args:
        runs: what `doses` returns; a loss without runs at weight 0 is left out.

    Returns:
        What `summary.corrected` returns by "loss", "point", "weight" (of a sum the geometric mean
        over data sets) and "usual"; a family is all that is compared with one loss left out.
    """
    tables = []
    for _, rows in runs.groupby("loss", sort=False):
        points = rows.assign(method=rows["point"])
        if WITHOUT in set(rows["point"]) and rows["point"].nunique() > 1:
            gaps = differences(points, WITHOUT, GAINS)
            by = ["loss", "point", "usual"]
            tables.append(_with_weights(corrected(compared(gaps, GAINS, by)), rows))
    if not tables:
        columns = ["loss", "point", "weight", "usual", "metric", "mean", "lower", "upper"]
        return pd.DataFrame(columns=[*columns, "adjusted"])
    return pd.concat(tables, ignore_index=True)


def levels(runs: pd.DataFrame) -> pd.DataFrame:
    """Means of `LEVELS` that some runs have, by "loss", "point", "weight" and "usual"."""
    known = [name for name in LEVELS if name in runs and runs[name].notna().any()]
    tables = [
        _with_weights(summarise(rows, known, ["loss", "point", "usual"]), rows)
        for _, rows in runs.groupby("loss", sort=False)
    ]
    return pd.concat(tables, ignore_index=True)


def _with_weights(table: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """With the column "weight", sorted by it."""
    means = runs.groupby("point")["weight"].agg(_geometric_mean)
    table.insert(2, "weight", table["point"].map(means))
    return table.sort_values("weight", kind="stable", ignore_index=True)


def _geometric_mean(weights: pd.Series) -> float:
    if weights.nunique() == 1:  # without rounding
        return float(weights.iloc[0])
    return float(np.exp(np.log(weights).mean()))
