"""The paper's tables beside ours: published numbers left, measured ones right, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from cptlab.published import published

ELSEWHERE = "ViT-B/16, photographs"
SAME_METHOD = {
    "CoPrompt": ("CoPrompt (templates)",),
    "NPT": ("NPT-style",),
    "DPC": ("DPC (CoOp)", "DPC (MaPLe)"),
    "CPT": ("CPT (sum)", "CPT (pair mean)"),
}
"""Name in the paper -> our labels, where they differ: variants and readings stand apart here."""


class Cell(NamedTuple):
    """A number as words, and its 95 % interval or number of seeds, or empty."""

    value: str
    spread: str = ""


NOTHING = Cell("–")


@dataclass(frozen=True)
class Block:
    """Some columns with one origin. measured: by us; else printed in the paper.

    cells: one list of cells per row of the comparison, as long as `columns`.
    """

    title: str
    measured: bool
    columns: list[str]
    cells: list[list[Cell]]


@dataclass(frozen=True)
class Comparison:
    """A table of the paper with its measured counterpart; `rows` are the names of the rows."""

    title: str
    note: str
    corner: str
    rows: list[str]
    blocks: list[Block]


def comparisons(folder: Path) -> list[Comparison]:
    """Tables 1 to 5 as far as the notebooks stored their counterparts in `folder`."""
    made = [
        _ablation(folder / "tab1_ablation.csv"),
        _methods(
            folder / "tab2_base_to_new.csv", 2, "H", "Table 2: base-to-new, H (%)", "11 data sets"
        ),
        _methods(
            folder / "tab3_cross_dataset.csv",
            3,
            "targets",
            "Table 3: cross-dataset transfer, mean accuracy on the targets (%)",
            "10 targets",
        ),
        _methods(
            folder / "tab4_domain_generalization.csv",
            4,
            "domains",
            "Table 4: domain generalization, mean accuracy on the shifted domains (%)",
            "4 domains",
        ),
        _algorithms(folder / "tab5_algorithms.csv"),
    ]
    return [one for one in made if one is not None]


def _methods(path: Path, number: int, metric: str, title: str, averaged: str) -> Comparison | None:
    """Tables 2 to 4: a row per method, a column per imbalance ratio."""
    if not path.is_file():
        return None
    printed = published(number).query("column == 'Avg'").set_index(["method", "tau"])
    ours = pd.read_csv(path).query("metric == @metric").set_index(["method", "tau"])
    pairs = []
    for name in dict.fromkeys(printed.index.get_level_values("method")):
        here = [label for label in SAME_METHOD.get(name, (name,)) if label in ours.index]
        pairs += [(name, label) for label in here or [""]]
    shown = {label for _, label in pairs}
    labels = dict.fromkeys(ours.index.get_level_values("method"))
    pairs = [("", label) for label in labels if label not in shown] + pairs
    taus, tested = [sorted(set(f.index.get_level_values("tau")))[::-1] for f in (printed, ours)]
    note = "Rows without a published number are controls that the paper's table does not have."
    if any(name == "CPT" and label for name, label in pairs):
        note += " The paper's one CPT stands beside each of our readings of its L_TETF."
    return Comparison(
        title,
        note,
        "method",
        [label or name for name, label in pairs],
        [
            Block(
                f"{ELSEWHERE}, {averaged}",
                False,
                _taus(taus),
                [[_printed(printed, (name, tau)) for tau in taus] for name, _ in pairs],
            ),
            Block(
                "this study",
                True,
                _taus(tested),
                [[_measured(ours, (label, tau)) for tau in tested] for _, label in pairs],
            ),
        ],
    )


def _ablation(path: Path) -> Comparison | None:
    """Table 1: a row per combination of losses, our columns once per reading."""
    if not path.is_file():
        return None
    printed = published(1).set_index(["components", "tau", "column"])
    ours = pd.read_csv(path).set_index(["reading", "losses", "metric"])
    rows = list(dict.fromkeys(ours.index.get_level_values("losses")))
    columns = list(dict.fromkeys(printed.index.droplevel(0)))
    metrics = list(dict.fromkeys(ours.index.get_level_values("metric")))
    left = Block(
        ELSEWHERE,
        False,
        [f"{column}, τ = {tau:g}" for tau, column in columns],
        [[_printed(printed, (row, *column)) for column in columns] for row in rows],
    )
    right = [
        Block(
            f"this study, L_TETF as a {reading}",
            True,
            metrics,
            [[_measured(ours, (reading, row, metric)) for metric in metrics] for row in rows],
        )
        for reading in dict.fromkeys(ours.index.get_level_values("reading"))
    ]
    note = (
        "Which losses a printed row has on is inferred from the running text; the paper shows five "
        "of the eight combinations."
    )
    return Comparison("Table 1: the three losses (%)", note, "losses", rows, [left, *right])


def _algorithms(path: Path) -> Comparison | None:
    """Table 5: a row per clustering algorithm, H and its standard deviation over seeds."""
    if not path.is_file():
        return None
    printed = published(5).set_index(["method", "tau", "column"])
    ours = pd.read_csv(path).set_index(["algorithm", "method", "tau"])
    rows = list(dict.fromkeys(ours.index.get_level_values("algorithm")))
    taus, tested = [sorted(set(f.index.get_level_values("tau")))[::-1] for f in (printed, ours)]
    blocks = [
        Block(
            ELSEWHERE,
            False,
            [f"{kind}, τ = {tau:g}" for tau in taus for kind in ("H", "std")],
            [
                [_printed(printed, (row, tau, kind)) for tau in taus for kind in ("H", "Std")]
                for row in rows
            ],
        )
    ]
    for method in dict.fromkeys(ours.index.get_level_values("method")):
        keys = [[(row, method, tau) for tau in tested] for row in rows]
        cells = [
            [c for key in row for c in (_measured(ours, key), _std(ours, key))] for row in keys
        ]
        columns = [f"{kind}, τ = {tau:g}" for tau in tested for kind in ("H", "std")]
        blocks.append(Block(f"this study, {method}", True, columns, cells))
    note = "The standard deviation is over seeds, in points."
    return Comparison("Table 5: clustering algorithms (%)", note, "algorithm", rows, blocks)


def _taus(taus: list[float]) -> list[str]:
    return [f"τ = {tau:g}" for tau in taus]


def _printed(frame: pd.DataFrame, key: tuple) -> Cell:
    return Cell(f"{frame.loc[key, 'value']:.2f}") if key in frame.index else NOTHING


def _measured(frame: pd.DataFrame, key: tuple) -> Cell:
    if key not in frame.index or frame.loc[key, "n"] == 0:
        return NOTHING
    row = frame.loc[key]
    if np.isnan(row["lower"]):
        return Cell(f"{row['mean']:.1f}", f"n = {row['n']:.0f}")
    return Cell(f"{row['mean']:.1f}", f"[{row['lower']:.1f}, {row['upper']:.1f}]")


def _std(frame: pd.DataFrame, key: tuple) -> Cell:
    known = key in frame.index and not np.isnan(frame.loc[key, "std"])
    return Cell(f"{frame.loc[key, 'std']:.2f}") if known else NOTHING
