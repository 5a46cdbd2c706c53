"""Means of runs with the study's interval: over data sets, or parts of one of them, and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from cptlab.lab.study.intervals import Interval, of_runs
from cptlab.lab.study.parts import tested

PARTS = "parts"
"""The column of a frame of runs that holds `parts.Parts`."""
NUMBERS = ["mean", "lower", "upper", "least", "most", "n", "datasets"]


def summarise(
    frame: pd.DataFrame, values: Sequence[str], by: Sequence[str] = ("method", "tau")
) -> pd.DataFrame:
    """Mean and interval (`intervals.crossed`) of each value in each group of runs.

    With several data sets these and the seeds are random; with one, its classes (`PARTS`) and the
    seeds, or the seeds alone for values that have no parts. Of several data sets, seeds count that
    all of them have.

    Args:
        frame: a row for each group, data set and seed, with the columns `by`, `values`, "seed" and
            "dataset"; missing numbers are left out.
        values: columns to summarise.
        by: columns that define a group.

    Returns:
        Tidy frame with the columns `by`, "metric", "mean", "lower" and "upper" (95 %; empty with
        fewer than `intervals.FEWEST` runs), "least" and "most" (of the runs), "n" (runs) and
        "datasets"; groups in order of appearance.

    Raises:
        ValueError: on missing columns, several rows for one run, or data sets without common seeds.
    """
    return compared(frame, values, by).drop(columns="p")


def compared(
    frame: pd.DataFrame, values: Sequence[str], by: Sequence[str] = ("method", "tau")
) -> pd.DataFrame:
    """`summarise` of differences, and "p": two-sided, of a mean of zero; empty without interval.

    Arguments and errors as there.
    """
    by = list(by)
    check_one_row_per_run(frame, by, values)
    rows = []
    # group: a tuple with a value for each column, though pandas says Hashable
    for group, members in frame.groupby(by, sort=False):
        names = dict(zip(by, group, strict=True))  # ty: ignore[invalid-argument-type]
        rows += [names | {"metric": name} | _numbers(members, name) for name in values]
    return pd.DataFrame(rows, columns=[*by, "metric", *NUMBERS, "p"])


LEVEL = 0.05
"""False discovery rate at which a difference holds in its family and is told."""
TOO_FEW = "too few runs to tell"
"""What a message says in place of a verdict; the site counts the figures that say no more."""


def corrected(table: pd.DataFrame) -> pd.DataFrame:
    """A table of `compared` with its p values corrected for their number (Benjamini and Hochberg).

    A family is the table, or what has the same "reference" in it. Adds the columns "adjusted", the
    smallest false discovery rate at which a difference holds, and "family", how many comparisons
    have a p value.
    """
    table = table.assign(adjusted=np.nan, family=0)
    families = [table] if "reference" not in table else [g for _, g in table.groupby("reference")]
    for rows in families:
        tested = rows["p"].dropna()
        table.loc[rows.index, "family"] = len(tested)
        if len(tested):
            table.loc[tested.index, "adjusted"] = false_discovery_control(tested.astype(float))
    return table


def _numbers(runs: pd.DataFrame, metric: str) -> dict[str, float]:
    """The columns `NUMBERS` of a group's runs, and "p"."""
    runs = runs.dropna(subset=[metric])
    if runs.empty:
        return dict.fromkeys([*NUMBERS, "p"], np.nan) | {"n": 0, "datasets": 0}
    cells = runs.pivot(index="dataset", columns="seed", values=metric).dropna(axis=1)
    if cells.empty:
        raise ValueError(
            f"Data sets {', '.join(map(str, cells.index))} have no seed in common to average "
            f"{metric} over: run the same seeds on all of them, or look at each by itself."
        )
    parts = stacked_parts(runs, metric) if len(cells) == 1 else None
    found = of_runs(cells.to_numpy(), parts, counted=tested(metric))
    return numbers(found, cells.to_numpy()) | {"p": found.p}


def numbers(interval: Interval, runs: np.ndarray) -> dict[str, float]:
    """The columns `NUMBERS` of an interval. runs: (data sets, seeds), the values behind it."""
    return {
        "mean": interval.mean,
        "lower": interval.lower,
        "upper": interval.upper,
        "least": float(runs.min()),
        "most": float(runs.max()),
        "n": runs.size,
        "datasets": len(runs),
    }


def stacked_parts(runs: pd.DataFrame, metric: str) -> np.ndarray | None:
    """Parts (p, s) of a metric of runs on one data set, by seed; None if some run has none."""
    if PARTS not in runs:
        return None
    parts = [row.get(metric) for row in runs.sort_values("seed")[PARTS]]
    return None if any(part is None for part in parts) else np.stack(parts, axis=1)


def check_one_row_per_run(
    frame: pd.DataFrame, by: Sequence[str], values: Sequence[str] = ()
) -> None:
    """Raise ValueError if columns are missing, or a data set and seed occur twice in a group."""
    keys = [*by, "dataset", "seed"]
    missing = [name for name in dict.fromkeys([*keys, *values]) if name not in frame.columns]
    if missing:
        raise ValueError(f"The frame lacks the columns {missing}; it has {list(frame.columns)}.")
    if frame.duplicated(keys).any():
        raise ValueError(
            f"Some runs have several rows within {list(by)}: add what else varies to the grouping."
        )


def text_of(row: Any, digits: int = 1) -> str:
    """A row of `summarise` as text: "71.2 [69.8, 72.6]" with an interval, "71.2 (70.1 to 72.0)"
    with the range of a few runs, "71.2" of a single one. digits: behind the point.
    """
    if row is None or row.n == 0:
        return "–"
    mean, *span = (
        f"{value:z.{digits}f}" for value in (row.mean, row.lower, row.upper, row.least, row.most)
    )
    if not np.isnan(row.lower):
        return f"{mean} [{span[0]}, {span[1]}]"
    return mean + (f" ({span[2]} to {span[3]})" if row.n > 1 else "")


def to_markdown(table: pd.DataFrame, fine: Sequence[str] = ()) -> str:
    """A table of `summarise` as Markdown: a row per group, a column per metric (`text_of`).

    Metrics without any number are left out. fine: metrics with two decimals.
    """
    by = list(table.columns[: list(table.columns).index("metric")])
    known = list(dict.fromkeys(table.loc[table["n"] > 0, "metric"]))
    digits = 1 + table["metric"].isin(list(fine))
    texts = [text_of(row, n) for row, n in zip(table.itertuples(), digits, strict=True)]
    texts = table.assign(text=texts)
    groups = texts.groupby(by, sort=False)
    cells = [dict(zip(rows["metric"], rows["text"], strict=True)) for _, rows in groups]
    index = pd.MultiIndex.from_frame(texts[by].drop_duplicates())
    wide = pd.DataFrame(cells, index, columns=known)
    return markdown(wide.fillna(text_of(None)))


def markdown(table: pd.DataFrame) -> str:
    """A frame of texts as a Markdown table, its index as first columns."""
    flat = table.reset_index()
    lines = [list(flat.columns), ["---"] * table.index.nlevels + ["---:"] * len(table.columns)]
    lines += [list(map(plain, row)) for row in flat.itertuples(index=False)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def plain(value: object) -> str:
    """A number as short as it can be, all else as it is."""
    return f"{value:g}" if isinstance(value, float) else str(value)
