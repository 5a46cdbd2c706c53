"""Paired differences to the methods that others are compared with, as tables and as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from cptlab.lab.study.beside import stored
from cptlab.lab.study.claims.variants import PLAIN, ZERO_SHOT
from cptlab.lab.study.findings import findings
from cptlab.lab.study.summary import NUMBERS, compared, to_markdown
from cptlab.lab.study.tables import differences

REFERENCES = (PLAIN, ZERO_SHOT)
"""IVLP has the tokens of CPT without its losses; zero-shot is the frozen model."""


def taking_part(labels: Iterable[str], references: Sequence[str] = REFERENCES) -> list[str]:
    """Those of the references that take part, unless there is nothing else."""
    present = set(labels)
    return [name for name in references if name in present and len(present) > 1]


def paired(
    frame: pd.DataFrame,
    values: Sequence[str],
    references: Iterable[str],
    by: Sequence[str] = ("method", "tau"),
) -> pd.DataFrame:
    """Mean differences to each reference with intervals (`summary.compared`).

    Their p values are those of single differences: `summary.corrected` is for the whole table.

    Args:
        frame: as for `differences`.
        values: columns to subtract.
        references: labels in "method" that have runs.
        by: groups of the table.

    Returns:
        The columns of `summary.compared` and "reference"; no rows without references.
    """
    tables = [
        compared(differences(frame, name, values), values, by).assign(reference=name)
        for name in references
    ]
    columns = [*by, "metric", *NUMBERS, "p", "reference"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def sentences(
    gaps: pd.DataFrame, unit: str = "points", digits: int = 2, over: str = "data set"
) -> str:
    """`findings` against each reference of a corrected table of `paired`."""
    return "\n".join(
        findings(rows.drop(columns="reference"), str(name), unit, digits, over)
        for name, rows in gaps.groupby("reference", sort=False)
    )


def by_tau(table: pd.DataFrame) -> str:
    """A Markdown table for each imbalance ratio, and each reference if the table has any."""
    keys = [name for name in ("tau", "reference") if name in table]
    blocks = []
    for group, rows in table.groupby(keys, sort=False):
        tau, *names = group  # ty: ignore[not-iterable] a tuple, though pandas says Hashable
        title = f"tau = {tau:g}" + "".join(f", minus {name}" for name in names)
        blocks.append(f"**{title}**\n\n{to_markdown(rows.drop(columns=keys))}")
    return "\n".join(blocks)


def file_part(label: str) -> str:
    """A label as part of a file's name: "zero_shot"."""
    return re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")


def store(folder: Path, name: str, content: pd.DataFrame | str) -> None:
    """Write a table as CSV with four decimals, or a text, into a folder of figures.

    Of runs what they have stored (`beside.stored`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        (folder / name).write_text(content, encoding="utf-8")
    else:
        stored(content).to_csv(folder / name, index=False, float_format="%.4f")
