"""What tuning chose for each method: rate, epochs and hyper-parameters, from a table as data.

`tuned.csv` is what `cptlab tune --profile full` writes, for EmojiCLIP (docs/plan.md has the rule).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import pandas as pd

from cptlab.checks import option
from cptlab.methods.base import Method, rows_of
from cptlab.methods.registry import BUILT_IN, METHODS

SCHEDULE = ("lr", "epochs", "steps_per_shot")
"""Fields of a schedule that tuning changes."""


@dataclass(frozen=True)
class Tuned:
    """What was chosen for a row of the tables.

    kind, fields: the method, and the hyper-parameters that make it this row. schedule: values of
    `SCHEDULE`; none of a method that trains nothing. options: hyper-parameters that were searched.
    """

    kind: type[Method]
    fields: Mapping[str, object]
    schedule: Mapping[str, float]
    options: Mapping[str, object]


def as_tuned(kind: type[Method], values: Mapping[str, object]) -> Tuned | None:
    """What was chosen for a method with these hyper-parameters, the others at their defaults.

    None if it was not tuned. Of several rows that fit it is the one that says most.
    """
    fitting = [
        row
        for row in table()
        if row.kind is kind
        and all(values.get(k, getattr(kind, k)) == v for k, v in row.fields.items())
    ]
    return max(fitting, key=lambda row: len(row.fields), default=None)


@cache
def table() -> tuple[Tuned, ...]:
    """The chosen row of every method."""
    text = files("cptlab.lab.study").joinpath("tuned.csv")
    with text.open(encoding="utf-8") as file:
        frame = pd.read_csv(file)
    return tuple(_row(row) for _, row in frame[frame["chosen"]].iterrows())


def _row(row: pd.Series) -> Tuned:
    label, *behind = re.split(r",\s*(?=\w+\s*=)", row["method"])
    named = {r.label: (METHODS[name], r) for name in BUILT_IN for r in rows_of(METHODS[name])}
    kind, drawn = named[label]
    changed = dict(option(label, re.sub(r"\s*=\s*", "=", text)) for text in behind)
    trained = row[[*SCHEDULE]].dropna()
    schedule = {k: float(v) if k == "lr" else int(v) for k, v in trained.items()}
    return Tuned(kind, {**drawn.options, **changed}, schedule, json.loads(row["options"]))
