"""Finished runs as one tidy table: what was chosen, what was measured, a row for each run."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cptlab.checks import first_few
from cptlab.lab.runs.stored import RESULT, read
from cptlab.training.spec import STORED_NAMES

FIRST = ("run_id", "dataset", "method", "tau", "seed", "protocol")
COSTS = ("trained_parameters", "seconds", "processor_seconds")
NAMES = {stored: name for name, stored in STORED_NAMES.items()} | {"n_max": "shots"}
"""Fields of a stored specification that the command line calls by another name."""


def read_results(store: str | Path) -> pd.DataFrame:
    """All finished runs of a store, whatever their methods, a row for each.

    Args:
        store: a folder of runs, or the one that `--out` was given, which has them in `runs/`.

    Returns:
        The frame of `runs_frame`, sorted by run id. Results that cannot be read are left out, and
        a warning names them.

    Raises:
        FileNotFoundError: if there is no such folder, or no finished run in it.
    """
    folder = Path(store).expanduser()
    if not list(folder.glob(f"*/{RESULT}")) and (folder / "runs").is_dir():
        folder = folder / "runs"
    rows, damaged = [], []
    for path in sorted(folder.glob(f"*/{RESULT}")):
        try:
            values = read(path)
        except (OSError, ValueError):
            values = {}
        if values.get("run_id") == path.parent.name:
            rows.append(values)
        else:  # damaged, or another run's
            damaged.append(path.parent.name)
    if damaged:
        warnings.warn(
            f"{len(damaged)} results in {folder} cannot be read and are left out: "
            f"{first_few(damaged)}.",
            stacklevel=2,
        )
    if not rows:
        raise FileNotFoundError(
            f"{folder} holds no finished runs: give the folder of the runs, or the one that "
            "--out was given."
        )
    return runs_frame(rows)


def runs_frame(stored: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Runs side by side.

    Args:
        stored: contents of result files (`Result.details`).

    Returns:
        A row for each run: run id, data set, method, tau, seed, protocol; the metrics (accuracies
        in percent, effective rank in dimensions); trained parameters, seconds and, of newer
        results, processor seconds; then everything
        else that was chosen: the other fields of `RunSpec`, those of the schedule, and the
        hyper-parameters of the method, which are empty for methods without them. A name that is
        taken gets its kind before it, as in "spec.targets" beside the accuracy on targets, or
        "balance.beta".
    """
    rows = [_row(values) for values in stored]
    frames = {kind: pd.DataFrame([row[kind] for row in rows]) for kind in rows[0]}
    taken: set[str] = set()
    for kind, frame in frames.items():
        names = {name: f"{kind}.{name}" for name in frame if name in taken or kind == "balance"}
        frames[kind] = frame.rename(columns=names)
        taken |= set(frames[kind])
    return pd.concat(frames.values(), axis="columns")


def _row(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What one run has of each kind of column; KeyError where something is missing."""
    spec = {NAMES.get(key, key): value for key, value in values["spec"].items()}
    method, schedule, balance = (spec.pop(kind) for kind in ("method", "schedule", "balance"))
    own = {"run_id": values["run_id"], "method": method["name"]}
    parts = {
        "run": {name: own.get(name, spec.get(name)) for name in FIRST},
        "metrics": {name: float(value) for name, value in values["metrics"].items()},
        "costs": {name: values[name] for name in COSTS if name in values},
        "spec": {name: value for name, value in spec.items() if name not in FIRST},
        "schedule": schedule,
        "method": {name: value for name, value in method.items() if name != "name"},
        "balance": balance or {},
    }
    return {kind: {k: _hashable(v) for k, v in part.items()} for kind, part in parts.items()}


def _hashable(value: object) -> object:
    """Lists as tuples, so that a frame can be grouped by them."""
    return tuple(value) if isinstance(value, list) else value
