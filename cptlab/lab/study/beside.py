"""Means over some classes of every run (`by_class`), and zero-shot beside them on the same classes.

Which classes are the tail may depend on the seed. Where zero-shot has one run for all seeds, its
number for a tail is read anew from the accuracies of its classes.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cptlab.lab.study.by_class import (
    SEEN,
    SHOTS,
    THIRDS,
    Classes,
    accuracies_of,
    classes_of,
    parts_over,
)
from cptlab.lab.study.summary import PARTS

if TYPE_CHECKING:
    from cptlab.lab.runs.finished import Result

BESIDE = "zero_shot"
"""Column of a frame of runs: metric -> zero-shot's `Mean` on the classes of the run."""
GAIN = "tail - Zero-shot"
"""Tail accuracy minus zero-shot's on the same classes, in points."""

COMPUTED = (PARTS, BESIDE, GAIN, *SHOTS, *SEEN)
"""Columns of runs that results have not stored."""
ZERO_SHOT = "zero_shot"  # its class would bring torch, which figures do without

Mean = tuple[float, np.ndarray]
"""Mean accuracy over some classes in percent, and what it is a mean of (`by_class.parts_over`)."""


def with_class_measures(table: pd.DataFrame, results: Sequence[Result]) -> pd.DataFrame:
    """A table of runs with the metrics of `by_class.classes_of`, `GAIN` and `BESIDE`.

    Where zero-shot has a single run, its own row gets, for thirds and numbers of images, the mean
    over the seeds that others have at its imbalance ratio. Other metrics stay as they are stored.

    Args:
        table: a row for each of `results`, in their order, with `PARTS`, which is extended.
        results: runs of one study.
    """
    classes = [classes_of(result) for result in results]
    runs = list(zip(results, classes, strict=True))
    frozen: dict[Hashable, tuple[Result, Mapping[str, Classes]]] = {}
    for result, own in runs:
        if _is_zero_shot(result):
            frozen |= dict.fromkeys(_keys(result), (result, own))
    found = [_means(result, own, own) for result, own in runs]
    beside = []
    for result, own in runs:
        there = next((frozen[key] for key in _keys(result) if key in frozen), None)
        beside.append(_on_classes_of(result, own, *there) if there else {})
    for i in _single(results):
        seeds = {
            other.spec.seed: there
            for other, there in zip(results, beside, strict=True)
            if not _is_zero_shot(other) and _keys(other)[1] == _keys(results[i])[1]
        }
        beside[i] = found[i] = found[i] | _averaged(list(seeds.values()))
    for own, there in zip(found, beside, strict=True):
        if "tail" in own and "tail" in there:
            own[GAIN] = (own["tail"][0] - there["tail"][0], own["tail"][1] - there["tail"][1])
    names = dict.fromkeys([*(name for own in found for name in own), GAIN])
    columns = {name: [own.get(name, (np.nan,))[0] for own in found] for name in names}
    parts = [_extended(old, own) for old, own in zip(table[PARTS], found, strict=True)]
    return table.assign(**columns, **{PARTS: parts, BESIDE: beside})


def stored(table: pd.DataFrame) -> pd.DataFrame:
    """A table of runs without what was computed from the accuracies of classes, for a file."""
    return table.drop(columns=[*COMPUTED], errors="ignore")


def on_the_same_classes(
    repeated: pd.DataFrame, others: pd.DataFrame, keys: Sequence[str]
) -> pd.DataFrame:
    """Rows of zero-shot for every seed, with its numbers on the classes of that seed.

    Args:
        repeated: rows of zero-shot, one for each combination of `keys` and "seed" among `others`.
        others: rows of the other methods, with `BESIDE`.
        keys: columns that runs of one task share.
    """
    keys = [*keys, "seed"]
    there = {
        tuple(row[key] for key in keys): row[BESIDE]
        for row in others.to_dict("records")
        if row[BESIDE]
    }
    rows = []
    for row in repeated.to_dict("records"):
        means = there.get(tuple(row[key] for key in keys), {})
        row |= {name: mean for name, (mean, _) in means.items() if name in row}
        rows.append(row | ({PARTS: _extended(row[PARTS], means)} if PARTS in row else {}))
    return pd.DataFrame(rows, columns=repeated.columns)


def _is_zero_shot(result: Result) -> bool:
    return result.spec.method.name == ZERO_SHOT


def _keys(result: Result) -> list[Hashable]:
    """Seed, imbalance ratio and task of a run, its ratio and task, and its task: what zero-shot's
    accuracies depend on.
    """
    spec = result.spec
    task = spec.dataset, spec.protocol, spec.backbone, spec.pretrained
    return [(spec.seed, spec.tau, task), (spec.tau, task), task]


def _single(results: Sequence[Result]) -> list[int]:
    """Places of zero-shot's runs that stand for all seeds at their imbalance ratio."""
    ratios = [_keys(result)[1] if _is_zero_shot(result) else None for result in results]
    return [i for i, ratio in enumerate(ratios) if ratio is not None and ratios.count(ratio) == 1]


def _means(
    result: Result, own: Mapping[str, Classes], classes: Mapping[str, Classes]
) -> dict[str, Mean]:
    """Means of a run over classes; where they are its own and the metric is stored, that one."""
    accuracies = accuracies_of(result)
    found = {}
    for name, (role, places) in classes.items():
        parts = parts_over(accuracies[role], places)
        mean = float(accuracies[role][places].mean())
        if name in result.metrics and np.array_equal(own[name].places, places):
            mean = result.metrics[name]
        found[name] = mean, parts - parts.mean() + mean
    return found


def _on_classes_of(
    result: Result,
    classes: Mapping[str, Classes],
    frozen: Result,
    own: Mapping[str, Classes],
) -> dict[str, Mean]:
    """Means of zero-shot (with its own classes) over the learned classes of a run."""
    if _named(frozen) != _named(result):
        return {}
    names = [name for name in (*THIRDS, *SHOTS) if name in classes]
    return _means(frozen, own, {name: classes[name] for name in names})


def _named(result: Result) -> list[tuple[str, str]]:
    return [(row["role"], row["name"]) for row in result.details["classes"]]


def _averaged(seeds: Sequence[Mapping[str, Mean]]) -> dict[str, Mean]:
    """Means over seeds; a metric that is the same in all of them stays what it is."""
    found = {}
    for name in dict.fromkeys(name for there in seeds for name in there):
        means, parts = zip(*(there[name] for there in seeds if name in there), strict=True)
        same = all(mean == means[0] for mean in means)
        found[name] = (means[0] if same else float(np.mean(means)), np.mean(parts, axis=0))
    return found


def _extended(parts: Mapping[str, np.ndarray], means: Mapping[str, Mean]) -> dict[str, np.ndarray]:
    return {**parts, **{name: values for name, (_, values) in means.items()}}
