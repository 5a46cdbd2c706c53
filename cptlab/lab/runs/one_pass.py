"""One pass: train its runs side by side, evaluate them, store the results."""

from __future__ import annotations

import errno
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cptlab.data import Subset, Task, draw_long_tailed
from cptlab.lab.runs import inputs
from cptlab.lab.runs.passes import begin, shared_part
from cptlab.lab.runs.ready import require_names
from cptlab.lab.runs.results import save_result
from cptlab.training.evaluation import Predictions, collapse, predict, scores, summary, thirds
from cptlab.training.joint import ByRole, predict_both_ways
from cptlab.training.loop import Trained, TrainingDiverged, train
from cptlab.training.measures import frozen_clusters, measures, of_texts
from cptlab.training.model import PromptedCLIP
from cptlab.training.optimisation import planned_epochs
from cptlab.training.spec import RunSpec

LOG = "error.txt"
"""In the folder of a run that failed: the traceback of the last attempt."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
ROOM = 2**20
"""Bytes that results of a pass may need; the least that must be free before it begins."""


@dataclass(frozen=True)
class Epoch:
    """The state after an epoch of `epochs`: the model, and metrics of the first run in percent."""

    number: int
    epochs: int
    model: PromptedCLIP
    metrics: dict[str, float]


def execute(
    specs: Sequence[RunSpec],
    store: Path,
    progress: bool = False,
    observe: Callable[[Epoch], None] | None = None,
    task: Task | None = None,
) -> dict[RunSpec, TrainingDiverged]:
    """Train, evaluate and store the runs of one pass (see `passes`); returns those that diverged.

    `observe` is called after every epoch and changes no number. task: that of these runs, if it is
    open already. The torch thread count is set from
    the specification, because it changes results. Raises ValueError for runs that cannot share a
    pass, and for class names that CLIP cannot tell apart.
    """
    if len({shared_part(spec) for spec in specs}) != 1:
        raise ValueError(
            "A pass holds one or more runs that differ in seed and per-replica hyper-parameters "
            "only; group others with cptlab.lab.runs.passes.passes()."
        )
    started, begun, spec = time.time(), time.process_time(), specs[0]
    check_writable(store)  # now, not after training
    torch.set_num_threads(spec.threads)
    backbone, task = inputs.backbone_of(spec), task or inputs.task_of(spec)
    content = inputs.content_with(task)(spec)
    learned, remarks = task.learned, require_names(task.tests)
    subsets = [draw_long_tailed(learned, s.tau, s.seed, s.n_max, s.class_order) for s in specs]
    epochs = planned_epochs(spec, subsets[0].counts)

    def after_epoch(state: Trained) -> list[dict[str, float]]:
        metrics, accuracies = scores(state.model, task.tests)
        if observe:
            own = thirds(accuracies[task.source][0], subsets[0].ranks)
            # the row of this epoch is written afterwards
            observe(Epoch(len(state.logs[0]) + 1, epochs, state.model, metrics[0] | own))
        if not spec.curve:
            return [{} for _ in specs]
        geometry = collapse(state.model, learned, subsets, state.context.frozen_prototypes)
        return [row | collapsed for row, collapsed in zip(metrics, geometry, strict=True)]

    folder = begin(store, specs, content)
    watched = after_epoch if spec.curve or observe else None
    try:
        new = task.tests["new"].class_names if "new" in task.tests else ()
        trained = train(specs, backbone, learned, subsets, watched, progress, folder, new)
    except ValueError:  # these runs cannot be done, so there is nothing to go on with
        shutil.rmtree(folder, ignore_errors=True)
        raise
    predictions, joint = _predict(trained.model, task)
    metrics, accuracies = summary(predictions, task.tests)
    texts = trained.model.class_texts(learned.class_names)
    frozen = trained.context.frozen_prototypes
    frozen_groups = frozen_clusters(frozen)
    if len(metrics) < len(specs):  # nothing was learned, so replicas do not differ
        metrics = metrics * len(specs)
        accuracies = {role: rows.repeat(len(specs), axis=0) for role, rows in accuracies.items()}
        predictions, joint = (
            {role: rows * len(specs) for role, rows in found.items()}
            for found in (predictions, joint)
        )
        texts = texts.expand(len(specs), -1, -1)
    images = {}
    if task.content is not None:  # the test images of other data sets are always the same
        images = {role: [s.key for s in data.test] for role, data in task.tests.items()}
    took, worked = time.time() - started, time.process_time() - begun
    for r, (spec, subset) in enumerate(zip(specs, subsets, strict=True)):
        if trained.errors[r] is None and not _sound(rows[r] for rows in predictions.values()):
            trained.errors[r] = TrainingDiverged(
                f"Run {spec.run_id}: the prompts are finite, but the predictions of its test "
                "images are not. Lower the learning rate or the loss weights."
            )
        if trained.errors[r] is not None:
            continue
        own = {role: rows[r] for role, rows in accuracies.items()}
        found = {role: rows[r] for role, rows in predictions.items()}
        among_all = {role: rows[r] for role, rows in joint.items()}
        trained_classes = own[task.source]
        per_class = {
            "macro": float(trained_classes.mean()),
            **thirds(trained_classes, subset.ranks),
            **measures(found, among_all, trained_classes, task.source, subset.ranks),
        }
        prompts, clusters = trained.model.prompts.replica(r), trained.prepared.get("clusters")
        values = {
            "metrics": metrics[r] | per_class | of_texts(texts[r], frozen, frozen_groups),
            "template": learned.template,
            "classes": _class_rows(task, own, subset),
            "log": trained.logs[r],
            "clusters": None if clusters is None else clusters[r].tolist(),
            "subset": {"samples": len(subset.samples), "checksum": subset.checksum},
            "trained_parameters": trained.model.prompts.count(),
            "substitutes": spec.method.substitutes(),
            **({"remarks": remarks} if remarks else {}),
            "seconds": round(took / len(specs), 2),
            "processor_seconds": round(worked / len(specs), 2),
            "pass": {"replicas": len(specs), "seconds": round(took, 2)},
        }
        save_result(store, spec, content, prompts, found, images, values)
        (store / spec.run_id / LOG).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    return {s: e for s, e in zip(specs, trained.errors, strict=True) if e is not None}


def _predict(model: PromptedCLIP, task: Task) -> tuple[ByRole, ByRole]:
    """Predictions by role and, of base and new classes, among the names of both."""
    if set(task.tests) == {"base", "new"}:
        return predict_both_ways(model, task.tests)
    return predict(model, task.tests), {}


def _sound(predictions: Iterable[Predictions]) -> bool:
    """Whether all predictions are numbers."""
    return all(np.isfinite(found.log_probabilities[:, 0]).all() for found in predictions)


def _class_rows(
    task: Task, accuracies: Mapping[str, np.ndarray], subset: Subset
) -> list[dict[str, object]]:
    """Name, role, accuracy and, where it was trained, n_k and rank (0 is the head) of every class
    that was tested.
    """
    frames = [
        pd.DataFrame({"name": data.class_names, "role": role, "accuracy": accuracies[role]})
        for role, data in task.tests.items()
    ]
    source = frames[list(task.tests).index(task.source)]
    source["n_k"], source["rank"] = subset.counts, subset.ranks
    classes = pd.concat(frames, ignore_index=True)
    text = classes.to_json(orient="records")  # no None, as no file is named
    return json.loads(text)  # ty: ignore[invalid-argument-type]


def check_writable(store: Path) -> None:
    """Raise OSError with what to do unless results can be written to the store."""
    try:
        store.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=store) as file:
            file.write(bytes(ROOM))
            file.flush()
    except OSError as error:
        mend = "free some space" if error.errno in NO_ROOM else "make this one writable"
        raise OSError(
            f"Results cannot be written to {store} ({error.strerror}): choose another folder with "
            f"--out, or {mend}."
        ) from error
