"""Equal tuning: the same number of configurations for every method, on data that no study tests.

Each method gets six (docs/plan.md): its rate here times three factors, by two lengths;
a method with hyper-parameters to search (`Method.searched`) two factors by three of their values,
and one that trains nothing six of these alone. The criterion is H with half of the base classes in
the part of the new ones, on images of a training vendor that is left out (the protocol "tuning").
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path

import pandas as pd

from cptlab.lab.runs import inputs
from cptlab.lab.runs.results import Result
from cptlab.lab.study.as_tuned import SCHEDULE
from cptlab.lab.study.profile import Profile
from cptlab.methods.base import Method
from cptlab.methods.schedule import Schedule
from cptlab.training.spec import RunSpec

CONFIGURATIONS = 6
RATES, WITH_OPTIONS = (1 / 3, 1.0, 3.0), (1 / 3, 1.0)
"""Factors of a method's own rate: where epochs are varied beside it, or values of its own."""
LONGER, SHORTER, LONG = 4.0, 0.25, 12
"""Factor of the epochs of the second length, for methods of up to `LONG` epochs and for others:
published lengths differ thirtyfold, and this is the way to the others.
"""
DATASETS = ("activities", "food")
TAU = 0.06
SEEDS = (101, 102)
"""Seeds that no study uses."""

Configuration = tuple[Method, Schedule]


def can_be_tuned(method: Method) -> bool:
    """Whether there is anything to try: zero-shot has nothing."""
    return bool(method.weights() or method.searched())


def too_few_classes(study: Mapping[RunSpec, str]) -> dict[str, list[str]]:
    """Methods that draw more hard negatives than there are classes to learn -> on which data sets.

    Data sets that cannot be opened are passed over: `require_ready` names them all.
    """
    found: dict[str, dict[str, None]] = {}
    for spec, label in study.items():
        if not (wanted := spec.method.hard_negatives):
            continue
        try:
            classes = inputs.task_of(spec).learned.class_names
        except (ValueError, OSError):
            continue
        if wanted > len(classes):
            found.setdefault(label, {})[Path(spec.dataset).name] = None
    return {label: list(names) for label, names in found.items()}


def configurations(method: Method, own: Schedule) -> list[Configuration]:
    """What is tried of a method whose schedule is `own`, its defaults or near them among it.

    Raises:
        ValueError: for a method that has nothing to tune.
    """
    values = method.searched()
    options = [dict(zip(values, row, strict=True)) for row in product(*values.values())]
    if method.weights():
        other = LONGER if own.epochs <= LONG and not own.steps_per_shot else SHORTER
        factors = product(WITH_OPTIONS, (1.0,)) if values else product(RATES, (1.0, other))
        schedules = [_changed(own, rate, epochs) for rate, epochs in factors]
    else:
        schedules = [own] if values else []
    found = [
        (dataclasses.replace(method, **row), schedule) for row in options for schedule in schedules
    ]
    if not found:
        raise ValueError(f"{method.name} trains nothing and has nothing to search.")
    if len(found) != CONFIGURATIONS:
        raise ValueError(
            f"{method.name} would be tried in {len(found)} configurations, others in "
            f"{CONFIGURATIONS}: give `searched` three values of one hyper-parameter, or six "
            "combinations for a method that trains nothing."
        )
    return found


def _changed(own: Schedule, rate: float, length: float) -> Schedule:
    """The schedule at another rate, and of another length in epochs or in steps for each shot."""
    lr = float(f"{own.lr * rate:.3g}")
    if own.steps_per_shot:
        steps = max(1, math.ceil(own.steps_per_shot * length))
        return dataclasses.replace(own, lr=lr, steps_per_shot=steps)
    return dataclasses.replace(own, lr=lr, epochs=max(2, math.ceil(own.epochs * length)))


def tuning(
    profile: Profile,
    methods: Mapping[str, Method],
    datasets: Iterable[str] = DATASETS,
    seeds: Iterable[int] = SEEDS,
    tau: float = TAU,
) -> dict[RunSpec, str]:
    """Every run of the search, with the label of its method."""
    datasets, seeds = tuple(datasets), tuple(seeds)
    profile = dataclasses.replace(profile, tuned=False)
    study = {}
    for label, method in methods.items():
        own = profile.schedule_of(method, "base_to_new", datasets[0])
        for tried, schedule in configurations(method, own):
            for dataset, seed in product(datasets, seeds):
                plain = profile.spec(dataset, tried, tau, seed)
                spec = dataclasses.replace(
                    plain, schedule=schedule, protocol="tuning", class_order="permuted"
                )
                study[spec] = label
    return study


def summary(study: Mapping[RunSpec, str], results: Iterable[Result]) -> pd.DataFrame:
    """A row for each method and configuration, the best of each method first.

    Columns: "method", "lr", "epochs", "steps_per_shot" (0: epochs count; all three are missing for
    a method that trains nothing), "options" (JSON, what is searched of its own), "H", "base", "new"
    (means over data sets and seeds in percent), "runs", and "chosen".
    """
    results = list(results)
    frame = pd.DataFrame(
        {
            "method": study[result.spec],
            **{name: getattr(result.spec.schedule, name) for name in SCHEDULE},
            "options": _options(result.spec.method),
            **{name: result.metrics[name] for name in ("H", "base", "new")},
        }
        for result in results
    )
    frame = frame.astype({"epochs": "Int64", "steps_per_shot": "Int64"})  # whole, or missing
    fixed = [not result.spec.method.weights() for result in results]
    frame.loc[fixed, list(SCHEDULE)] = None
    by = ["method", *SCHEDULE, "options"]
    groups = frame.groupby(by, sort=False, dropna=False)
    table = groups[["H", "base", "new"]].mean().assign(runs=groups.size()).reset_index()
    place = {label: i for i, label in enumerate(dict.fromkeys(study.values()))}
    table = table.sort_values("H", ascending=False, kind="stable")
    table = table.sort_values("method", key=lambda names: names.map(place), kind="stable")
    return table.assign(chosen=~table.duplicated("method")).reset_index(drop=True)


def best_as_text(table: pd.DataFrame) -> str:
    """What `summary` marks, a line for each method: accuracies are rounded, rates are not."""
    best = table[table["chosen"]].drop(columns="chosen")
    best = best.round(dict.fromkeys(("H", "base", "new"), 1)).astype(object)
    return best.where(best.notna(), "").to_string(index=False)


def store(table: pd.DataFrame, file: Path) -> None:
    """Write `summary` as CSV, unrounded: what is taken over into other runs has to be what ran."""
    file.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(file, index=False)


def _options(method: Method) -> str:
    return json.dumps({name: getattr(method, name) for name in method.searched()}, sort_keys=True)
