"""The paper's tables beside ours: published numbers left, measured ones right, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from cptlab.lab.study.published import published

SAME_METHOD = {
    "CoPrompt": ("CoPrompt (templates)",),
    "NPT": ("NPT-style",),
    "DPC": ("DPC (CoOp)", "DPC (MaPLe)"),
    "CPT": ("CPT (sum)", "CPT (pair mean)"),
}
"""Name in the paper -> our labels, where they differ: variants and readings stand apart here."""

ABLATED = {"Base-to-New": "H", "Cross-Dataset": "targets", "Domain Gen.": "domains"}
"""Column of the paper's Table 1 -> our name for the quantity."""


class Cell(NamedTuple):
    """A number as words, and its 95 % interval or number of seeds, or empty."""

    value: str
    spread: str = ""


NOTHING = Cell("–")


class Column(NamedTuple):
    """A column of one origin: measured by us, or printed in the paper; title: reading or method."""

    measured: bool
    title: str = ""


@dataclass(frozen=True)
class Block:
    """One quantity, printed and measured.

    cells: one tuple of cells per row of the comparison, as long as `columns`.
    """

    title: str
    columns: list[Column]
    cells: list[tuple[Cell, ...]]


@dataclass(frozen=True)
class Comparison:
    """A table of the paper with its measured counterpart; `rows` are the names of the rows.

    blocks: those that were measured first.
    """

    title: str
    note: str
    corner: str
    rows: list[str]
    blocks: list[Block]


def comparisons(folder: Path) -> list[Comparison]:
    """Tables 1 to 5 as far as the notebooks stored their counterparts in `folder`."""
    stored = {
        "tab1_ablation": _ablation,
        "tab2_base_to_new": partial(
            _methods, 2, "H", "Table 2: base-to-new, H (%)", "H over 11 data sets"
        ),
        "tab3_cross_dataset": partial(
            _methods,
            3,
            "targets",
            "Table 3: cross-dataset transfer (%)",
            "accuracy over 10 target data sets",
        ),
        "tab4_domain_generalization": partial(
            _methods,
            4,
            "domains",
            "Table 4: domain generalization (%)",
            "accuracy over 4 shifted domains",
        ),
        "tab5_algorithms": _algorithms,
    }
    paths = {folder / f"{name}.csv": make for name, make in stored.items()}
    made = [make(pd.read_csv(path)) for path, make in paths.items() if path.is_file()]
    for one in made:
        one.blocks.sort(key=lambda block: not any(column.measured for column in block.columns))
    return made


def _methods(number: int, metric: str, title: str, averaged: str, ours: pd.DataFrame) -> Comparison:
    """Tables 2 to 4: a row per method, a block per imbalance ratio."""
    printed = published(number).query("column == 'Avg'").set_index(["method", "tau"])
    ours = ours[ours["metric"] == metric].set_index(["method", "tau"])
    labels = list(dict.fromkeys(ours.index.get_level_values("method")))
    pairs = []
    for name in dict.fromkeys(printed.index.get_level_values("method")):
        here = [label for label in SAME_METHOD.get(name, (name,)) if label in labels]
        pairs += [(name, label) for label in here or [""]]
    shown = {label for _, label in pairs}
    pairs = [("", label) for label in labels if label not in shown] + pairs
    blocks = [
        _block(
            f"τ = {tau:g}",
            [_printed(printed, (name, tau)) for name, _ in pairs],
            {"": [_measured(ours, (label, tau)) for _, label in pairs]},
        )
        for tau in _ratios(printed, ours)
    ]
    note = f"Published: mean {averaged}. Measured: mean over those of this study."
    if sum(name == "CPT" for name, _ in pairs) > 1:
        note += " The paper's one CPT stands beside both of our readings of its L_TETF."
    return Comparison(title, note, "method", [label or name for name, label in pairs], blocks)


def _ablation(ours: pd.DataFrame) -> Comparison:
    """Table 1: a row per combination of losses, our columns once per reading."""
    printed = published(1).set_index(["components", "tau", "column"])
    ours = ours.set_index(["reading", "losses", "metric"])
    rows = list(dict.fromkeys(ours.index.get_level_values("losses")))
    readings = list(dict.fromkeys(ours.index.get_level_values("reading")))
    blocks = []
    for tau, column in dict.fromkeys(printed.index.droplevel("components")):
        metric = f"{ABLATED[column]}, τ = {tau:g}"
        measured = {
            reading: [_measured(ours, (reading, row, metric)) for row in rows]
            for reading in readings
        }
        left = [_printed(printed, (row, tau, column)) for row in rows]
        blocks.append(_block(f"{column}, τ = {tau:g}", left, measured))
    note = (
        "Which losses a printed row has on is inferred from the running text; the paper shows five "
        "of the eight combinations. Measured: H, and mean accuracy on targets and domains, with "
        "L_TETF as a sum over pairs and as a pair mean."
    )
    return Comparison("Table 1: the three losses (%)", note, "losses", rows, blocks)


def _algorithms(ours: pd.DataFrame) -> Comparison:
    """Table 5: a row per clustering algorithm, H and its standard deviation over seeds."""
    printed = published(5).set_index(["method", "tau", "column"])
    ours = ours.set_index(["algorithm", "method", "tau"])
    rows = list(dict.fromkeys(ours.index.get_level_values("algorithm")))
    methods = list(dict.fromkeys(ours.index.get_level_values("method")))
    blocks = []
    for tau in _ratios(printed, ours):
        for kind, cell in (("H", _measured), ("Std", _std)):
            measured = {m: [cell(ours, (row, m, tau)) for row in rows] for m in methods}
            left = [_printed(printed, (row, tau, kind)) for row in rows]
            blocks.append(_block(f"{kind}, τ = {tau:g}", left, measured))
    note = "H of CPT; Std is the standard deviation over seeds, in points."
    return Comparison("Table 5: clustering algorithms (%)", note, "algorithm", rows, blocks)


def _block(title: str, printed: list[Cell], measured: dict[str, list[Cell]]) -> Block:
    """Columns side by side, without those in which no row has a number."""
    sides = {Column(False): printed} | {Column(True, name): c for name, c in measured.items()}
    kept = {column: cells for column, cells in sides.items() if any(c != NOTHING for c in cells)}
    return Block(title, list(kept), list(zip(*kept.values(), strict=True)))


def _ratios(printed: pd.DataFrame, ours: pd.DataFrame) -> list[float]:
    """Imbalance ratios of either, largest first."""
    return sorted({tau for frame in (printed, ours) for tau in frame.index.unique("tau")})[::-1]


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
