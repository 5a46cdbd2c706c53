"""What the planned study found, as sentences that follow from its results.

A sentence says no more than its interval: above or below is what holds among its family of
comparisons, all else is told as an estimate that is not separable. No method has a rank, nothing
that is not separable is called equal or small, and no mechanism is named. Each ends with the figure
or table that it rests on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cptlab.lab.runs.results import Result
from cptlab.lab.study import backbones, dose, families, planned
from cptlab.lab.study.claims.confirmatory import confirmatory
from cptlab.lab.study.claims.estimands import MOST_MISSING, Cells
from cptlab.lab.study.claims.told import counted, sentence
from cptlab.lab.study.claims.variants import CPT, LOSSES, PLAIN, label
from cptlab.lab.study.comparison import SHOWN, gaps
from cptlab.lab.study.comparison_message import difference, interval_text
from cptlab.lab.study.dose_message import GAINS, SUM, WITHOUT, message
from cptlab.lab.study.intervals import crossed
from cptlab.lab.study.lineup import BOTH
from cptlab.lab.study.paired import file_part
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.studies import Study, base_to_new
from cptlab.lab.study.summary import LEVEL, text_of

CELLS = Cells()
SECONDS = "processor_seconds"
NO_VERDICT = "no verdict, as runs are missing"
CLAIMED = "judged as claims 1, 3 and 4"
"""CPT beside plain prompts: a planned comparison has one verdict, that of its claim."""
METRICS = {"H": "H", "new": "Accuracy on new classes", "tail": "Tail accuracy"}
MEASURES = {
    "effective_rank": "Effective rank of the class texts' cosines, in dimensions",
    "drift_degrees": "Angle between learned and frozen class texts, in degrees",
    "cluster_auc": "How often a pair of classes inside a frozen cluster is closer than a pair "
    "across two, in percent",
}


def runs(profile: Profile) -> Study:
    """All runs of the plan, on which the sentences rest; none of profiles that were not planned."""
    if not families.is_planned(profile):
        return {}
    parts = (part(profile) for part in planned.PARTS.values())
    return {spec: name for part in parts for spec, name in part.items()}


def conclusions(
    profile: Profile, table: pd.DataFrame, results: Mapping[str, Sequence[Result]]
) -> str:
    """The sentences as a Markdown list.

    table, results: of the runs of `runs`, as `outcomes.run_study` gives them.
    """
    main = main_runs(profile, table)
    doses = dose.doses(without_spread(profile, table), results)
    sentences = [
        scope(main),
        *confirmed(confirmatory(table, families.families(profile))),
        *against(compared_runs(profile, table)),
        *responses(dose.responses(doses), dose.levels(doses)),
        *backbones.sentences(profile, table, results),
        *cost(main),
    ]
    return "".join(f"- {text}\n" for text in sentences)


def without_spread(profile: Profile, table: pd.DataFrame) -> pd.DataFrame:
    """The runs without those of seeds that only spreads have: all else has the same seeds."""
    return table[~table["seed"].isin(spread_seeds(profile))]


def spread_seeds(profile: Profile) -> set[int]:
    """Seeds that only spreads have."""
    return set(profile.spread or ()) - set(profile.comparison.seeds)


def main_runs(profile: Profile, table: pd.DataFrame) -> pd.DataFrame:
    """The methods of the tables at the smallest imbalance ratio, with the seeds of the plan."""
    study = planned.main(profile)
    return table[table["run_id"].isin({spec.run_id for spec in study})]


def compared_runs(profile: Profile, table: pd.DataFrame) -> pd.DataFrame:
    """The runs of the main table at every imbalance ratio, one family of comparisons."""
    return table[table["run_id"].isin({spec.run_id for spec in base_to_new(profile)})]


def scope(main: pd.DataFrame) -> str:
    """Where all of it holds."""
    datasets, seeds = main["dataset"].nunique(), main["seed"].nunique()
    return (
        f"All numbers are of a small CLIP that was trained on drawings of emoji, on {datasets} "
        f"data sets of such drawings and {seeds} seeds. Intervals hold for other data sets and "
        "seeds of this kind; they say nothing about photographs or larger CLIPs."
    )


def confirmed(table: pd.DataFrame) -> list[str]:
    """The confirmatory claims: how many have which verdict, then each."""
    found = []
    for name, rows in table.groupby("family", sort=False):
        found.append(
            f"**CPT {name}**: {counted(rows)}, by their intervals and p values corrected by Holm's "
            "method (`claims_confirmatory`)."
        )
        numbered = zip(rows["number"], rows.itertuples(), strict=True)
        found += [f"Claim {number}, CPT {name}. {sentence(row)}" for number, row in numbered]
    return found


def against(runs: pd.DataFrame, cells: Cells = CELLS) -> list[str]:
    """Which methods are above and below a reference, and which are not separable from it.

    Methods that lack more cells than the plan allows have no verdict; one that lacks a cell is
    compared, and named, with the seeds that it has on all data sets.
    """
    found = []
    for (reference, metric), by_side in sides(runs, cells).items():
        parts = []
        for side, rows in by_side.items():
            told = (difference(row, len(cells.seeds)) for row in rows.itertuples())
            told = rows["method"] if side == NO_VERDICT else told
            parts += [f"{side}: {', '.join(told)}"] if len(rows) else []
        family = int(max(rows["family"].max() for rows in by_side.values() if len(rows)))
        found.append(
            f"{METRICS[metric]} minus that of {reference}, in points: {'; '.join(parts)}. "
            f"(95 % intervals; above and below hold among the {family} "
            f"comparisons with {reference}, Benjamini-Hochberg at 5 %; "
            f"`tab2_differences_to_{file_part(reference)}`.)"
        )
    return found


def sides(
    runs: pd.DataFrame, cells: Cells = CELLS
) -> dict[tuple[str, str], dict[str, pd.DataFrame]]:
    """Reference and metric -> the differences to it at the smallest imbalance ratio that are above,
    below, not separable, judged as claims, or without a verdict, the largest first.

    runs: at all ratios (`compared_runs`), as the correction is that of the whole table.
    """
    planned = len(cells.datasets) * len(cells.seeds)
    smallest = runs["tau"].min()
    lacking = planned - runs[runs["tau"] == smallest].groupby("method").size()
    table = gaps(runs, [metric for metric in SHOWN if metric in runs])
    table["planned"] = families.claimed(table)
    shown = table[(table["tau"] == smallest) & table["metric"].isin(METRICS)]
    found = {}
    groups = shown.groupby(["reference", "metric"], sort=False)
    for (reference, metric), rows in groups:
        rows = rows[rows["n"] > 0].sort_values("mean", ascending=False)
        left_out = rows["method"].map(lacking) > MOST_MISSING
        claimed = rows["planned"] & ~left_out
        holds = (rows["adjusted"] <= LEVEL) & ((rows["lower"] > 0) | (rows["upper"] < 0))
        found[str(reference), str(metric)] = {
            "above": rows[holds & (rows["mean"] > 0) & ~left_out & ~claimed],
            "below": rows[holds & (rows["mean"] < 0) & ~left_out & ~claimed],
            "not separable": rows[~holds & ~left_out & ~claimed],
            CLAIMED: rows[claimed],
            NO_VERDICT: rows[left_out],
        }
    return found


def responses(gains: pd.DataFrame, levels: pd.DataFrame) -> list[str]:
    """What the weight of each loss does to H, new and tail classes, and how the class texts lie."""
    found = []
    for loss in LOSSES.values():
        for metric in GAINS:
            rows = gains[(gains["loss"] == loss) & (gains["metric"] == metric)]
            if rows.empty:
                continue
            values = ", ".join(f"{row.point}: {interval_text(row)}" for row in rows.itertuples())
            unit = "in units of the mean over pairs; " if loss == "TETF" else ""
            found.append(
                f"{message(gains, metric, loss)}. By weight, in points against the same runs "
                f"without L_{loss}: {values}. ({unit}{int(rows['family'].max())} comparisons, "
                "Benjamini-Hochberg at 5 %; `dose_response`.)"
            )
    texts = levels[(levels["loss"] == "TETF") & levels["point"].isin((WITHOUT, SUM))]
    for metric, rows in texts.groupby("metric", sort=False):
        values = {row.point: text_of(row) for row in rows.itertuples()}
        if len(values) == 2:
            found.append(
                f"{MEASURES[str(metric)]}: {values[WITHOUT]} without L_TETF, "
                f"{values[SUM]} with the printed sum (`dose_response`)."
            )
    return found


def cost(main: pd.DataFrame) -> list[str]:
    """Processor time of CPT as a multiple of that of plain prompts, within data sets and seeds."""
    if SECONDS not in main:
        return []
    wide = main.pivot_table(index=["dataset", "seed"], columns="method", values=SECONDS)
    found = []
    for reading in reversed(BOTH):
        name = label(CPT, reading)
        if name not in wide or PLAIN not in wide:
            continue
        ratio = np.log(wide[name] / wide[PLAIN]).unstack("seed").dropna(axis=1)
        interval = crossed(ratio.to_numpy())
        told = "no interval"
        if not np.isnan(interval.error):
            lower, upper = np.exp(interval.bounds())
            told = f"95 % interval {lower:.2f} to {upper:.2f}"
        found.append(
            f"A run of {name} takes {np.exp(interval.mean):.2f} times the processor time of one of "
            f"{PLAIN} ({told}; geometric mean over data sets and seeds, each as tuned; `cost`)."
        )
    return found
