"""`cptlab.compare` and `cptlab.fit`: train what a question needs, or one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cptlab.data import Protocol
from cptlab.data.long_tail import ClassOrder
from cptlab.lab.compare.comparison import Comparison
from cptlab.lab.compare.question import Question
from cptlab.lab.cores import cores
from cptlab.lab.runs.engines import LOCAL
from cptlab.lab.runs.queue import run
from cptlab.lab.runs.results import Result
from cptlab.lab.workspace import DEFAULT_PROFILE, workspace
from cptlab.methods.base import Method


def compare(
    datasets: str | Path | Sequence[str | Path],
    methods: str | Method | type[Method] | Sequence[str | Method | type[Method]],
    *,
    taus: str | float | Sequence[float] = (0.06,),
    seeds: str | int | Sequence[int] = (1, 2, 3),
    protocol: Protocol = "base_to_new",
    profile: str = DEFAULT_PROFILE,
    options: Mapping[str, Mapping[str, object]] | None = None,
    shots: int = 16,
    epochs: int | None = None,
    lr: float | None = None,
    batch_size: int | None = None,
    template: str | Mapping[str, str] | None = None,
    class_order: ClassOrder | None = None,
    reference: str | None = None,
    out: str | Path | None = None,
    jobs: int | None = None,
    engine: str = LOCAL,
    progress: bool = True,
) -> Comparison:
    """Compare methods on data sets: trains what is missing, and reads the rest.

        >>> study = cptlab.compare("food", ["coop", CPT(etf_reduction="pair_mean")], seeds="1-3")
        >>> study.frame, study.table(), study.plot()

    Zero-shot takes part in any case. What is a list may be text with commas, as in taus="0.06,1".

    Args:
        datasets: names, or paths of folders and CSV files of your own.
        methods: names ("coop"), labels of rows ("CPT (pair mean)"), classes, methods with
            hyper-parameters, or "path/to/file.py:Class".
        taus: imbalance ratios: images of the last class over those of the first, in (0, 1].
        seeds: whole numbers, or "1-3"; each draws images, starts and batches.
        protocol: "base_to_new" learns half of the classes and tests both halves; "few_shot" learns
            and tests all; "transfer" tests what was learned on other data sets, those of the same
            family, or, if one is your own, the others that are named.
        profile: whose backbone, depths and schedules hold for what is left out.
        options: name of a method -> its hyper-parameters, {"cpt": {"lambda_rs": 0.2}}.
        shots: training images of the first class.
        epochs, lr, batch_size: passes over the images, learning rate and images of a step, for
            every method that learns; each method's own in the profile, if left out.
        template: sentence of zero-shot classification, "a satellite photo of {}.", for all data
            sets or by their short name; each data set's own, if left out.
        class_order: classes from head to tail: by "name", "permuted" by the seed, or by "count",
            most images first; the profile's, if left out.
        reference: name or label of the method that differences are against, beside zero-shot; the
            first one that learns, if left out.
        out: runs are stored in its sub-folder `runs`; the store of the checkout, if left out.
        jobs: parallel processes; as many as there are cores, if left out.
        engine: where runs are done (`cptlab.lab.runs.engines.engine`).
        progress: show a bar.

    Raises:
        ValueError: for bad input, before any training.
        cptlab.lab.runs.queue.RunsFailed: if some runs failed; the others are stored.
    """
    question = Question(
        datasets,
        methods,
        taus=taus,
        seeds=seeds,
        protocol=protocol,
        profile=profile,
        options=options,
        shots=shots,
        epochs=epochs,
        lr=lr,
        batch_size=batch_size,
        template=template,
        class_order=class_order,
        reference=reference,
    )
    question.against, question.study  # noqa: B018 bad input fails before images are looked at
    question.check()
    store = workspace(question.profile, out).runs
    results = run(list(question.study), store, jobs or cores(), progress, where=engine)
    return Comparison(question, tuple(results))


def fit(
    dataset: str | Path,
    method: str | Method | type[Method],
    *,
    tau: float = 0.06,
    seed: int = 1,
    protocol: Protocol = "base_to_new",
    profile: str = DEFAULT_PROFILE,
    options: Mapping[str, Mapping[str, object]] | None = None,
    shots: int = 16,
    epochs: int | None = None,
    lr: float | None = None,
    batch_size: int | None = None,
    template: str | Mapping[str, str] | None = None,
    class_order: ClassOrder | None = None,
    out: str | Path | None = None,
    progress: bool = True,
) -> Result:
    """Train one method once on a data set, or read the run if it is stored.

        >>> run = cptlab.fit("food", "cpt", tau=0.06, seed=1, options={"cpt": {"lambda_rs": 0.2}})
        >>> run.metrics["H"], run.classify(["lunch.jpg"])

    Args:
        dataset: a name, or the path of a folder or CSV file of your own.
        method: a name ("coop"), the label of a row ("CPT (pair mean)"), a class, a method with
            hyper-parameters, or "path/to/file.py:Class".
        tau: imbalance ratio: images of the last class over those of the first, in (0, 1].
        seed: draws images, start and batches.
        protocol, profile, options, shots, epochs, lr: as for `compare`, and
        batch_size, template, class_order, out, progress: likewise.

    Raises:
        ValueError: for bad input, before any training.
        cptlab.lab.runs.queue.RunsFailed: if training failed.
    """
    question = Question(
        [dataset],
        [method],
        taus=[tau],
        seeds=[seed],
        protocol=protocol,
        profile=profile,
        options=options,
        shots=shots,
        epochs=epochs,
        lr=lr,
        batch_size=batch_size,
        template=template,
        class_order=class_order,
    )
    [label] = list(question.chosen)[-1:]
    [spec] = [spec for spec, name in question.study.items() if name == label]
    question.check()
    [result] = run([spec], workspace(question.profile, out).runs, 1, progress)
    return result
