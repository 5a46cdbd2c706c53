"""Run a study and read its results by label."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cptlab.lab.runs.queue import run
from cptlab.lab.runs.results import Result, look, table
from cptlab.lab.study.beside import with_class_measures
from cptlab.lab.study.parts import parts_of
from cptlab.lab.study.studies import Study
from cptlab.lab.study.summary import PARTS
from cptlab.training.optimisation import steps_per_epoch


def run_study(
    study: Study, store: Path, jobs: int = 1
) -> tuple[dict[str, list[Result]], pd.DataFrame]:
    """Run what is missing; results by label, and the tidy table with labels as `method`, what
    metrics are means of (`PARTS`), means over classes and zero-shot's beside them
    (`beside.with_class_measures`).

    jobs: parallel runs; 0 to train nothing and take the runs that are finished. Raises ValueError
    if none is.
    """
    finished = run(list(study), store, jobs) if jobs else _finished(study, store)
    labels = [study[result.spec] for result in finished]
    results: dict[str, list[Result]] = {label: [] for label in labels}
    for label, result in zip(labels, finished, strict=True):
        results[label].append(result)
    runs = table(finished).assign(**{"method": labels, PARTS: list(map(parts_of, finished))})
    return results, with_class_measures(runs, finished)


def _finished(study: Study, store: Path) -> list[Result]:
    found = look(study, store, progress=True)
    if study and not found.done:
        raise ValueError(
            f"None of {len(study)} runs is finished in {store}; ask for one or more jobs to train."
        )
    return found.results(list(found.done))


def training_logs(results: dict[str, list[Result]]) -> pd.DataFrame:
    """Logs of runs that followed their training, one row per epoch, with dataset, method, tau,
    seed, `steps` up to its end, and `progress` in percent of the run's epochs: schedules differ
    between methods.

    Raises ValueError if there are none.
    """
    logs = [
        result.log.assign(
            dataset=result.spec.dataset,
            method=label,
            tau=result.spec.tau,
            seed=result.spec.seed,
            steps=result.log["epoch"] * _steps_per_epoch(result),
            progress=100 * result.log["epoch"] / result.log["epoch"].max(),
        )
        for label, finished in results.items()
        for result in finished
        if result.spec.curve and len(result.log)  # a method without training has none
    ]
    if not logs:
        raise ValueError("No run followed its training: choose a method that learns.")
    return pd.concat(logs)


def _steps_per_epoch(result: Result) -> int:
    images = int(result.classes["n_k"].sum())  # of classes that were not learned there is none
    return steps_per_epoch(images, result.spec.schedule.batch_size)
