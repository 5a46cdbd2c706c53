"""Learning rate and epochs for the embedded data sets, chosen once for all methods.

The criterion is base accuracy on a held-out *training* vendor, so that no test image, no test
vendor and no new class takes part.
"""

from __future__ import annotations

import dataclasses
from itertools import product

import pandas as pd

from cptlab.lab.runs.results import Result
from cptlab.lab.study.lineup import methods
from cptlab.lab.study.profiles import EMBEDDED_SCHEDULE, Profile
from cptlab.lab.study.studies import Study

RATES = (0.0003, 0.001, 0.003, 0.01)
EPOCHS = (3, 6, 12)
DATASETS = ("activities", "food")
TAU = 0.06
SEEDS = (101,)
"""Seeds that no study uses."""
LABELS = ("CoOp", "IVLP", "Global-ETF (sum)", "CPT (sum)", "CPT (pair mean)")


def tuning(profile: Profile) -> Study:
    """The grid: rates x epochs x methods on two data sets."""
    every = methods(profile)
    grid: Study = {}
    for rate, epochs, label, dataset, seed in product(RATES, EPOCHS, LABELS, DATASETS, SEEDS):
        plain = profile.spec(dataset, every[label], TAU, seed)
        schedule = dataclasses.replace(EMBEDDED_SCHEDULE, lr=rate, epochs=epochs)
        spec = dataclasses.replace(plain, schedule=schedule, protocol="validation")
        grid[spec] = label
    return grid


def summary(study: Study, results: list[Result]) -> pd.DataFrame:
    """Mean validation accuracy per rate, epochs and method.

    Sorted by the last column, "all methods", the mean over methods: the criterion of `choice`.
    """
    rows = pd.DataFrame(
        {
            "lr": result.spec.schedule.lr,
            "epochs": result.spec.schedule.epochs,
            "method": study[result.spec],
            "base": result.metrics["base"],
        }
        for result in results
    )
    wide = rows.pivot_table(
        index=["lr", "epochs"], columns="method", values="base", aggfunc="mean", sort=False
    )
    wide["all methods"] = wide.mean(axis=1)
    return wide.sort_values("all methods", ascending=False)


def choice(summary: pd.DataFrame) -> tuple[float, int]:
    """(rate, epochs) with the best mean over all methods."""
    return summary["all methods"].idxmax()
