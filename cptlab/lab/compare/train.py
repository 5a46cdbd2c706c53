"""`cptlab.compare` and `cptlab.fit`: train what a question needs, or one run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cptlab.checks import did_you_mean
from cptlab.lab.compare.comparison import Comparison
from cptlab.lab.compare.question import Question
from cptlab.lab.cores import cores
from cptlab.lab.runs.engines import LOCAL
from cptlab.lab.runs.queue import run
from cptlab.lab.runs.results import Result
from cptlab.lab.workspace import workspace
from cptlab.methods.base import Method


def compare(
    datasets: object,
    methods: object,
    *,
    out: str | Path | None = None,
    jobs: int | None = None,
    engine: str = LOCAL,
    progress: bool = True,
    **settings: Any,
) -> Comparison:
    """Compare methods on data sets: trains what is missing, and reads the rest.

        >>> study = cptlab.compare("food", ["coop", CPT(etf_reduction="pair_mean")], seeds="1-3")
        >>> study.frame, study.table(), study.plot()

    Args:
        datasets, methods: see `Question`.
        out: runs are stored in its sub-folder `runs`; the store of the checkout, if left out.
        jobs: parallel processes; as many as there are cores, if left out.
        engine: where runs are done (`cptlab.lab.runs.engines.engine`).
        settings: taus, seeds, protocol, profile, options, shots, epochs, lr, batch_size, template,
            class_order and reference (see `Question`).

    Raises:
        ValueError: for bad input, before any training.
        cptlab.lab.runs.queue.RunsFailed: if some runs failed; the others are stored.
    """
    _check_names("compare", settings, ("datasets", "methods"))
    question = Question(datasets, methods, **settings)
    question.against, question.study  # noqa: B018 bad input fails before images are looked at
    question.check()
    store = workspace(question.profile, out).runs
    results = run(list(question.study), store, jobs or cores(), progress, where=engine)
    return Comparison(question, tuple(results))


def fit(
    dataset: str,
    method: str | Method | type[Method],
    *,
    tau: float = 0.06,
    seed: int = 1,
    out: str | Path | None = None,
    progress: bool = True,
    **settings: Any,
) -> Result:
    """Train one method once on a data set, or read the run if it is stored.

        >>> run = cptlab.fit("food", "cpt", tau=0.06, seed=1, options={"cpt": {"lambda_rs": 0.2}})
        >>> run.metrics["H"], run.classify(["lunch.jpg"])

    Args:
        dataset, method, tau, seed: one of each; see `Question` for their forms.
        out, settings: as for `compare`.

    Raises:
        ValueError: for bad input, before any training.
        cptlab.lab.runs.queue.RunsFailed: if training failed.
    """
    _check_names("fit", settings, ("dataset", "method", "tau", "seed"))
    question = Question([dataset], [method], taus=[tau], seeds=[seed], **settings)
    [label] = list(question.chosen)[-1:]
    [spec] = [spec for spec, name in question.study.items() if name == label]
    question.check()
    [result] = run([spec], workspace(question.profile, out).runs, 1, progress)
    return result


def _check_names(function: str, given: Iterable[str], own: Sequence[str]) -> None:
    """Raise ValueError for settings that a function does not have, naming those that it has."""
    varied = ("datasets", "methods", "taus", "seeds")  # `fit` has one of each
    fields = [f.name for f in dataclasses.fields(Question) if f.name not in varied]
    known = [*own, *(("taus", "seeds") if function == "compare" else ()), *fields, "out"]
    for name in given:
        if name not in known:
            raise ValueError(
                f"cptlab.{function} has no parameter {name!r}.{did_you_mean(name, known)} It has: "
                f"{', '.join(known)}."
            )
