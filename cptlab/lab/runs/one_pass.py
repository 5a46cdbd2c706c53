"""One pass: train its runs side by side, evaluate them, store the results."""

from __future__ import annotations

import errno
import json
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cptlab.data import ImageDataset, Subset, draw_long_tailed
from cptlab.geometry import cosine_matrix, effective_rank
from cptlab.lab.runs import world
from cptlab.lab.runs.passes import begin, shared_part
from cptlab.lab.runs.results import save_result
from cptlab.training.evaluation import collapse, scores, thirds
from cptlab.training.loop import Trained, TrainingDiverged, train
from cptlab.training.spec import RunSpec

LOG = "error.txt"
"""In the folder of a run that failed: the traceback of the last attempt."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
ROOM = 2**20
"""Bytes that results of a pass may need; the least that must be free before it begins."""


def execute(
    specs: Sequence[RunSpec], store: Path, progress: bool = False
) -> dict[RunSpec, TrainingDiverged]:
    """Train, evaluate and store the runs of one pass (see `passes`); returns those that diverged.

    The torch thread count is set from the specification, because it changes results. Raises
    ValueError for runs that cannot share a pass.
    """
    if len({shared_part(spec) for spec in specs}) != 1:
        raise ValueError(
            "A pass holds one or more runs that differ in seed and per-replica hyper-parameters "
            "only; group others with cptlab.lab.runs.passes.passes()."
        )
    started, spec = time.time(), specs[0]
    check_writable(store)  # now, not after training
    torch.set_num_threads(spec.threads)
    backbone = world.backbone_of(spec)
    roles = world.roles_of(spec)
    source, learned = next(iter(roles.items()))
    subsets = [draw_long_tailed(learned, s.tau, s.seed, s.n_max, s.class_order) for s in specs]

    latest = None

    def curve(state: Trained) -> list[dict[str, float]]:
        nonlocal latest
        accuracy, _ = latest = scores(state.model, roles)
        geometry = collapse(state.model, learned, subsets, state.context.frozen_prototypes)
        return [row | measures for row, measures in zip(accuracy, geometry, strict=True)]

    folder = begin(store, specs)
    after_epoch = curve if spec.curve else None
    try:
        trained = train(specs, backbone, learned, subsets, after_epoch, progress, folder)
    except ValueError:  # these runs cannot be done, so there is nothing to go on with
        shutil.rmtree(folder, ignore_errors=True)
        raise
    metrics, accuracies = latest or scores(trained.model, roles)
    texts = trained.model.class_texts(learned.class_names)
    if not trained.logs[0]:  # nothing was learned, so replicas do not differ
        metrics = metrics * len(specs)
        accuracies = {role: rows.repeat(len(specs), axis=0) for role, rows in accuracies.items()}
        texts = texts.expand(len(specs), -1, -1)
    took = time.time() - started
    for r, (spec, subset) in enumerate(zip(specs, subsets, strict=True)):
        if trained.errors[r] is not None:
            continue
        own = {role: rows[r] for role, rows in accuracies.items()}
        per_class = {"macro": float(own[source].mean()), **thirds(own[source], subset.ranks)}
        rank = {"effective_rank": effective_rank(cosine_matrix(texts[r])).item()}
        prompts, clusters = trained.model.prompts.replica(r), trained.prepared.get("clusters")
        values = {
            "metrics": metrics[r] | per_class | rank,
            "classes": _class_rows(roles, own, subset),
            "log": trained.logs[r],
            "clusters": None if clusters is None else clusters[r].tolist(),
            "subset": {"samples": len(subset.samples), "checksum": subset.checksum},
            "trained_parameters": trained.model.prompts.count(),
            "substitutes": spec.method.substitutes(),
            "seconds": round(took / len(specs), 2),
            "pass": {"replicas": len(specs), "seconds": round(took, 2)},
        }
        save_result(store, spec, prompts, values)
        (store / spec.run_id / LOG).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    return {s: e for s, e in zip(specs, trained.errors, strict=True) if e is not None}


def _class_rows(
    roles: Mapping[str, ImageDataset], accuracies: Mapping[str, np.ndarray], subset: Subset
) -> list[dict[str, object]]:
    """Name, role, accuracy and, where it was trained, n_k of every class that was tested."""
    frames = [
        pd.DataFrame({"name": data.class_names, "role": role, "accuracy": accuracies[role]})
        for role, data in roles.items()
    ]
    frames[0]["n_k"] = subset.counts  # the first role is the one that was learned
    classes = pd.concat(frames, ignore_index=True)
    return json.loads(classes.to_json(orient="records"))


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
