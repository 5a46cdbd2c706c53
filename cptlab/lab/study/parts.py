"""What the metrics of a run are means of: its classes, or the data sets that it was tested on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from cptlab.lab.study.intervals import linear_harmonic, linear_mean

if TYPE_CHECKING:
    from cptlab.lab.runs.finished import Result

Parts = Mapping[str, np.ndarray]
"""Metric -> values (parts,) whose mean is the metric; runs of one task have the same parts."""
DATASETS = {"targets": "target ", "domains": "domain "}
"""Metrics that are means over data sets -> the start of these in the names of metrics."""


def parts_of(result: Result) -> dict[str, np.ndarray]:
    """The parts of every metric of a run that is a mean over classes, or over data sets.

    H by its derivatives, thirds with the classes that are in them (`intervals.linear_harmonic`,
    `linear_mean`). Metrics are means over test images: where classes differ in their number, all
    parts are moved so that their mean is the metric.
    """
    metrics, found = result.metrics, {}
    roles = {
        str(role): rows["accuracy"].to_numpy(dtype=float)[:, None]
        for role, rows in result.classes.groupby("role", sort=False)
    }
    found |= {role: values for role, values in roles.items() if role in metrics}
    if {"base", "new"} <= roles.keys():
        found["H"] = linear_harmonic(roles["base"], roles["new"])
    learned = result.classes.dropna(subset="n_k")
    accuracies = learned["accuracy"].to_numpy(dtype=float)[:, None]
    found["macro"] = accuracies
    for name, members in _thirds(result).items():
        if len(members):
            counted = np.isin(np.arange(len(learned)), members)[:, None]
            found[name] = linear_mean(accuracies, counted)
    for name, start in DATASETS.items():
        tested = [value for key, value in metrics.items() if key.startswith(start)]
        if tested:
            found[name] = np.array(tested)[:, None]
    return {
        name: values[:, 0] - values.mean() + metrics[name]
        for name, values in found.items()
        if name in metrics
    }


def _thirds(result: Result) -> dict[str, np.ndarray]:
    """Places of the head, medium and tail classes among the learned ones; none if unknown."""
    learned = result.classes.dropna(subset="n_k")
    if "rank" in learned:
        ranks = learned["rank"].to_numpy(dtype=int)
    elif result.spec.class_order == "name":  # older results do not store what the name says
        ranks = np.arange(len(learned))
    else:
        return {}
    return dict(zip(("head", "medium", "tail"), np.array_split(np.argsort(ranks), 3), strict=True))
