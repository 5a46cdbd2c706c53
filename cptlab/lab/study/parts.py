"""What the metrics of a run are means of: its classes, or the data sets that it was tested on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from cptlab.lab.study.by_class import accuracies_of, classes_of, parts_over
from cptlab.lab.study.intervals import linear_harmonic

if TYPE_CHECKING:
    from cptlab.lab.runs.finished import Result

Parts = Mapping[str, np.ndarray]
"""Metric -> values (parts,) whose mean is the metric; runs of one task have the same parts."""
DATASETS = {"targets": "target ", "domains": "domain "}
"""Metrics that are means over data sets -> the start of these in the names of metrics."""


def tested(metric: str) -> bool:
    """Whether the parts of a metric are data sets. It may have more behind a comma, as in
    "targets, τ = 0.06".
    """
    return metric.partition(",")[0] in DATASETS


def parts_of(result: Result) -> dict[str, np.ndarray]:
    """The parts of every metric of a run that is a mean over classes, or over data sets.

    H by its derivatives, thirds with the classes that are in them (`intervals.linear_harmonic`,
    `linear_mean`). Metrics are means over test images: where classes differ in their number, all
    parts are moved so that their mean is the metric.
    """
    metrics, found = result.metrics, {}
    roles = {role: values[:, None] for role, values in accuracies_of(result).items()}
    found |= {role: values for role, values in roles.items() if role in metrics}
    if {"base", "new"} <= roles.keys():
        found["H"] = linear_harmonic(roles["base"], roles["new"])
    learned = result.classes.dropna(subset="n_k")
    found["macro"] = learned["accuracy"].to_numpy(dtype=float)[:, None]
    for name, (role, places) in classes_of(result).items():
        found[name] = parts_over(roles[role][:, 0], places)[:, None]
    for name, start in DATASETS.items():
        tested = [value for key, value in metrics.items() if key.startswith(start)]
        if tested:
            found[name] = np.array(tested)[:, None]
    return {
        name: values[:, 0] - values.mean() + metrics[name]
        for name, values in found.items()
        if name in metrics
    }
