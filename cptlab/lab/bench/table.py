"""Rows of the benchmark as JSON, as a table and as a figure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from cptlab.lab.figures import runs_per_hour, savings_by_classes
from cptlab.lab.figures.style import WIDEST, headline, save, use_style

Row = dict[str, float | int | str | None]
"""One comparison; fields named `ratio...` are relative to its reference."""
NAMES = {"cpu": "throughput", "cuda": "throughput_gpu"}
"""Name of the files of a measurement, by device."""


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """Write the rows as a JSON list, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.part")
    partial.write_text(json.dumps(list(rows), indent=1) + "\n")
    partial.replace(path)


def write(rows: Sequence[Row], folder: Path, name: str = NAMES["cpu"]) -> None:
    """Write the rows as `<name>.json`, and as a figure with its CSV."""
    write_rows(rows, folder / f"{name}.json")
    with use_style():
        fig = draw(rows)
        save(fig, pd.DataFrame(rows), folder, name)
        plt.close(fig)


def draw(rows: Sequence[Row]) -> Figure:
    """Savings in time and memory against the number of classes, and runs per hour."""
    towers, passes = table(rows, "towers"), table(rows, "passes")
    fig, axes = plt.subplots(1, 2 if passes.empty else 3, figsize=(WIDEST, 3.2))
    for ax, what in zip(axes, ("time", "memory"), strict=False):
        savings_by_classes(towers, what=what, ax=ax)
        ax.get_legend().remove()
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower left", ncols=4)
    if not passes.empty:
        runs_per_hour(passes, ax=axes[2])
    headline(fig, message(rows))
    return fig


def message(rows: Sequence[Row]) -> str:
    """What a whole step of plain towers costs beside ours, and what passes save, in one sentence.

    Measured on one machine in one run.
    """
    towers, passes = table(rows, "towers"), table(rows, "passes")
    steps = towers[towers["side"] == "step"].dropna(subset=["ratio_time_naive"])
    told = []
    if len(steps):
        classes = _span(steps["classes"], "{:.0f}")
        told.append(
            f"With {classes} classes, a step of plain towers takes "
            f"{_span(steps['ratio_time_naive'], '{:.1f}')} times the time of ours and "
            f"{_span(steps['ratio_memory_naive'], '{:.1f}')} times the memory"
        )
    if len(passes):
        most = passes.sort_values("replicas").groupby("method", sort=False).last()
        saved = most["ratio_runs_per_hour"]
        shares = [f"{100 / ratio:.0f} % ({method})" for method, ratio in saved.items()]
        count = _span(most["replicas"], "{:.0f}")
        told.append(f"{count} runs in one pass take {' and '.join(shares)} of their time alone")
    return "; ".join(told) or "Nothing was measured"


def _span(values: pd.Series, form: str) -> str:
    """The smallest and the largest number as text."""
    ends = dict.fromkeys(form.format(value) for value in (values.min(), values.max()))
    return " to ".join(ends)


def read_rows(path: Path) -> list[Row]:
    """Rows written by `write`; ValueError if the file holds something else."""
    try:
        rows = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} holds no benchmark ({error}): run `cptlab bench`.") from error
    if not (isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows)):
        raise ValueError(f"{path} holds no list of benchmark rows: run `cptlab bench`.")
    return rows


def table(rows: Sequence[Row], part: str) -> pd.DataFrame:
    """Rows of one part, "towers" or "passes", with the columns that they have."""
    frame = pd.DataFrame([row for row in rows if row["part"] == part])
    return frame.drop(columns=["part", "machine"], errors="ignore").dropna(axis=1, how="all")


def markdown(rows: Sequence[Row]) -> str:
    """The towers' ratios as a Markdown table, a row per number of classes."""
    towers = table(rows, "towers").set_index(["side", "classes"])
    columns = {
        "text side, time": ("text", "ratio_time_naive"),
        "text side, memory": ("text", "ratio_memory_naive"),
        "whole step, time": ("step", "ratio_time_naive"),
        "whole step, memory": ("step", "ratio_memory_naive"),
        "truncated, whole step": ("step", "ratio_time_truncated"),
    }
    lines = [
        f"| classes | {' | '.join(columns)} | gradient error |",
        f"|---:|{'---:|' * (len(columns) + 1)}",
    ]
    for n_classes in towers.loc["text"].index:
        cells = []
        for side, column in columns.values():
            ratio = towers.loc[(side, n_classes)].get(column, float("nan"))
            cells.append("does not fit" if pd.isna(ratio) else f"{ratio:.1f} x")
        sides = towers.loc[[("text", n_classes), ("step", n_classes)]]
        compared = sides["left_out"].ne("naive, truncated").any()
        error = f"{sides['error_gradients'].max():.0e}" if compared else "-"
        lines.append(f"| {n_classes} | {' | '.join(cells)} | {error} |")
    return "\n".join(lines)
