"""The ledger of claims, as its notebook stored it, in the shape of a page's table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cptlab.lab.study.claims import VERDICTS

MARKS = {"supported": "●", "contradicted": "✕", "undecided": "–", "not run": "·"}
"""As in the figure of the ledger: verdicts are told apart without colour."""

NUMBERS = ["tau", "estimate", "lower", "upper", "effect", "pairs", "datasets", "runs"]


@dataclass(frozen=True)
class Judged:
    """A claim at one imbalance ratio under one reading.

    interval: in brackets, or the number of pairs; empty if not run. note: the comparison, and what
    is missing. same_as: the earlier reading that made this comparison, or empty.
    """

    verdict: str
    estimate: str
    interval: str
    note: str
    same_as: str


@dataclass(frozen=True)
class Row:
    """A claim at one imbalance ratio; `cells` in the order of the ledger's readings."""

    claim: str
    source: str
    text: str
    tau: str
    rule: str
    cells: list[Judged]

    @property
    def verdicts(self) -> list[str]:
        """The verdicts under the readings, each once."""
        return list(dict.fromkeys(cell.verdict for cell in self.cells))


@dataclass(frozen=True)
class Ledger:
    """The whole ledger.

    counts: verdict -> number of distinct comparisons. by_reading: reading -> verdict -> number,
    where a comparison counts under every reading that it speaks of. provenance: the sentence below
    the stored table, or empty.
    """

    readings: list[str]
    rows: list[Row]
    counts: dict[str, int]
    by_reading: dict[str, dict[str, int]]
    provenance: str

    @property
    def claims(self) -> int:
        """Number of claims; each has a row per imbalance ratio."""
        return len({row.claim for row in self.rows})


def stored_ledger(folder: Path) -> Ledger | None:
    """The ledger in a folder of figures; None if its notebook has not stored one there."""
    path = folder / "claims_ledger.csv"
    if not path.is_file():
        return None
    frame = pd.read_csv(path, keep_default_na=False, na_values={name: [""] for name in NUMBERS})
    readings = list(dict.fromkeys(frame["reading"]))
    rows = []
    for (claim, tau), members in frame.groupby(["claim", "tau"], sort=False):
        first = members.iloc[0]
        cells = {line.reading: _judged(line) for line in members.itertuples()}
        cells = [cells[reading] for reading in readings]
        rows.append(Row(claim, first["source"], first["text"], f"{tau:g}", first["rule"], cells))
    by_reading = {
        reading: _counted(members["verdict"])
        for reading, members in frame.groupby("reading", sort=False)
    }
    counts = _counted(frame.loc[frame["same_as"] == "", "verdict"])
    return Ledger(readings, rows, counts, by_reading, _provenance(folder / "claims_ledger.md"))


def _provenance(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return "".join(line for line in lines[-1:] if line.startswith("Profile ")).replace("`", "")


def _counted(verdicts: pd.Series) -> dict[str, int]:
    found = Counter(verdicts)
    return {verdict: found[verdict] for verdict in VERDICTS}


def _judged(line: object) -> Judged:
    note = ". ".join(filter(None, (line.comparison, line.missing)))
    if np.isnan(line.estimate):
        return Judged(line.verdict, "", "", note, line.same_as)
    interval = f"n = {line.pairs:g}"
    if not np.isnan(line.lower):
        interval = f"[{line.lower:.2f}, {line.upper:.2f}]".replace("-", "−")
    return Judged(
        line.verdict, f"{line.estimate:.2f}".replace("-", "−"), interval, note, line.same_as
    )
