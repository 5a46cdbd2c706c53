"""Measures beside H and its parts: base and new classes together, calibration, the worst classes,
few training images, concepts that pretraining saw seldom; with intervals, and minus zero-shot.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from cptlab.checks import counted
from cptlab.lab.study.beside import GAIN
from cptlab.lab.study.claims.variants import ZERO_SHOT
from cptlab.lab.study.summary import PARTS, compared, corrected, summarise, to_markdown
from cptlab.lab.study.tables import differences, for_every_seed
from cptlab.training.measures import worst

JOINT = {
    "joint": "joint",
    "joint_base": "joint (base images)",
    "joint_new": "joint (new images)",
    "base_ece": "ECE (base)",
    "new_ece": "ECE (new)",
    "base_nll": "NLL (base)",
    "new_nll": "NLL (new)",
}
GROUPS = {
    "Base and new among all names, and calibration": JOINT,
    "The worst classes and the tail": {
        "macro_f1": "macro F1",
        "worst_quarter": "worst quarter",
        "worst_class": "worst class",
        "tail": "tail",
        GAIN: GAIN,
        "tail_as_head": "tail called head",
    },
    "By training images, and by what pretraining saw": {
        "many_shot": "many (8 to 16)",
        "medium_shot": "medium (3 to 7)",
        "few_shot": "few (1 or 2)",
        "base_common": "common base",
        "base_rare": "rare base",
        "new_common": "common new",
        "new_rare": "rare new",
    },
}
"""Title of a table -> its measures (`training.measures`, `study.by_class`), and their names."""
NAMES = {metric: name for group in GROUPS.values() for metric, name in group.items()}
STORED = (*JOINT, "macro_f1", "tail_as_head")
"""Measures of predictions, which results of older versions lack."""
FINE = ("base_nll", "new_nll")
"""Measures that are no percentages and need two decimals."""
COMPARED = ("base_common", "base_rare", "new_common", "new_rare", "worst_quarter", "joint")
"""Measures of the figure, minus zero-shot's."""


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """`summary.summarise` of every measure by method and tau, where all runs of a row have it.

    table: of `outcomes.run_study`.
    """
    known = _whole(_with_worst(table), NAMES)
    return _with_numbers(summarise(known, [name for name in NAMES if name in known]))


def over_zero_shot(table: pd.DataFrame) -> pd.DataFrame:
    """The measures `COMPARED` minus those of zero-shot, run by run, in points: a family of
    `summary.compared` with corrected p values.
    """
    known = _whole(for_every_seed(_with_worst(table), ZERO_SHOT), COMPARED)
    values = [name for name in COMPARED if name in known]
    return corrected(_with_numbers(compared(differences(known, ZERO_SHOT, values), values)))


def drawn(gaps: pd.DataFrame) -> pd.DataFrame:
    """What `over_zero_shot` returns, with the columns "reference" and "panel" for a figure."""
    return gaps.assign(reference=ZERO_SHOT, panel=gaps["metric"].map(NAMES))


def names_of(measured: pd.DataFrame) -> dict[str, str]:
    """Metric -> name of the measures in a table, in its order."""
    return {metric: NAMES[metric] for metric in dict.fromkeys(measured["metric"])}


def as_text(measured: pd.DataFrame) -> str:
    """Markdown: for each imbalance ratio a table for each group of measures, a row per method."""
    blocks = []
    for tau, rows in measured.groupby("tau", sort=False):
        for title, names in GROUPS.items():
            shown = {metric: names[metric] for metric in names if metric in set(rows["metric"])}
            if shown:
                own = rows[rows["metric"].isin(shown)].drop(columns="tau")
                fine = [shown[metric] for metric in FINE if metric in shown]
                text = to_markdown(own.replace({"metric": shown}), fine)
                blocks.append(f"**{title}, tau = {tau:g}**\n\n{text}")
    return "\n".join(blocks)


def lacking(table: pd.DataFrame) -> str:
    """A sentence on measures that some runs have not stored; empty if there are none."""
    counts = {
        NAMES[name]: int(table[name].isna().sum()) if name in table else len(table)
        for name in STORED
    }
    without = {name: count for name, count in counts.items() if count}
    if not without:
        return ""
    most = counted(max(without.values()), "run")
    return (
        f"Not stored by {most} of {len(table)}, as results of older versions lack predictions: "
        f"{', '.join(without)}. A row has a measure where all of its runs have it."
    )


def _with_worst(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the worst classes also of runs that have not stored them."""
    found = pd.DataFrame([worst(parts["macro"]) for parts in table[PARTS]], index=table.index)
    stored = table.reindex(columns=found.columns)
    return table.assign(**stored.astype(float).fillna(found))


def _whole(table: pd.DataFrame, metrics: Iterable[str]) -> pd.DataFrame:
    """The table with numbers only where all runs of a method and tau have them."""
    known = [name for name in metrics if name in table]
    whole = table.groupby(["method", "tau"], sort=False)[known].transform(
        lambda values: values.notna().all()
    )
    return table.assign(**{name: table[name].where(whole[name].astype(bool)) for name in known})


def _with_numbers(measured: pd.DataFrame) -> pd.DataFrame:
    return measured[measured["n"] > 0].reset_index(drop=True)
