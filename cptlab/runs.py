"""Runs: do what is missing of a list of specifications, pass by pass, and keep what is done."""

from __future__ import annotations

import errno
import json
import math
import shutil
import tempfile
import time
import traceback
from collections.abc import Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from tqdm.auto import tqdm

from cptlab import world
from cptlab.data import draw_long_tailed
from cptlab.data.own import some
from cptlab.engines import LOCAL, WorkerDied, engine
from cptlab.evaluation import collapse, scores, thirds
from cptlab.geometry import cosine_matrix, effective_rank
from cptlab.locks import claimed
from cptlab.passes import begin, begun, passes, shared_part, unfinished
from cptlab.results import Result, load_result, missing, save_result
from cptlab.spec import RunSpec
from cptlab.training import Trained, TrainingDiverged, train

REPLICAS = {"cpu": 8, "cuda": 16}
"""Most runs of one pass by device, if nothing else is said."""


LOG = "error.txt"
"""In the folder of a run that failed: the traceback of the last attempt."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
FULL = (*NO_ROOM, errno.EROFS)


ROOM = 2**20
"""Bytes that results of a pass may need; the least that must be free before it begins."""


class RunsFailed(RuntimeError):
    """Some runs of a batch failed; the others are finished and stored."""


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
            "only; group others with cptlab.passes.passes()."
        )
    started, spec = time.time(), specs[0]
    check_writable(store)  # now, not after training
    torch.set_num_threads(spec.threads)
    backbone = world.backbone_of(spec)
    roles = world.roles_of(spec)
    source, learned = next(iter(roles.items()))
    subsets = [
        draw_long_tailed(learned, s.imbalance, s.seed, s.n_max, s.class_order) for s in specs
    ]

    latest = None

    def curve(state: Trained) -> list[dict[str, float]]:
        nonlocal latest
        accuracy, _ = latest = scores(state.model, roles)
        geometry = collapse(state.model, learned, subsets, state.setting.frozen_prototypes)
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
        frames = [
            pd.DataFrame({"name": data.class_names, "role": role, "accuracy": accuracies[role][r]})
            for role, data in roles.items()
        ]
        frames[0]["n_k"] = subset.counts
        classes = pd.concat(frames, ignore_index=True)
        own = accuracies[source][r]
        per_class = {"macro": float(own.mean()), **thirds(own, subset.ranks)}
        rank = {"effective_rank": effective_rank(cosine_matrix(texts[r])).item()}
        prompts, clusters = trained.model.prompts.replica(r), trained.prepared.get("clusters")
        values = {
            "metrics": metrics[r] | per_class | rank,
            "classes": json.loads(classes.to_json(orient="records")),
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


def run(
    specs: Sequence[RunSpec],
    store: Path,
    jobs: int = 1,
    progress: bool = True,
    replicas: int | None = None,
    where: str = LOCAL,
) -> list[Result]:
    """Results of all specifications, in order; executes what is missing over `jobs` processes, or
    over the workers of a cluster (`cptlab.engines`).

    Runs that can train side by side do, up to `replicas` of them in one pass. What runs on a GPU of
    this machine does so in one process.

    Raises ValueError for fewer than one replica and the errors of `cptlab.engines.engine`;
    RunsFailed, naming each failed run and why, after all the others have finished.
    """
    if replicas is not None and replicas < 1:
        raise ValueError(f"replicas must be at least 1, got {replicas}.")
    todo = missing(specs, store)
    failures = []
    if todo:
        check_writable(store)
        on_gpu = any(spec.device == "cuda" for spec in todo)
        jobs = 1 if on_gpu and where == LOCAL else jobs
        threads = max(spec.threads for spec in todo)
        with (
            engine(where, store, jobs, threads, on_gpu) as workers,
            tqdm(total=len(todo), desc="runs", disable=not progress) as bar,
        ):
            limit = replicas or REPLICAS["cuda" if on_gpu else "cpu"]
            groups = _groups(todo, store, limit, workers.workers)
            # What another runner holds comes last: by then it is often finished.
            for wait in (False, True):
                done = workers.imap(partial(_claim, store=store.resolve(), wait=wait), groups)
                groups = []
                with closing(done) as outcomes:  # so that nothing goes on after an interrupt
                    for group, failed in outcomes:
                        if failed is None:
                            groups.append(group)
                            continue
                        if isinstance(failed, WorkerDied):
                            failed = [(spec.run_id, str(failed)) for spec in missing(group, store)]
                        bar.update(len(set(group) & set(todo)))
                        failures += failed
    if failures:
        by_reason: dict[str, list[str]] = {}
        for run_id, reason in failures:
            by_reason.setdefault(reason.replace(run_id, "..."), []).append(run_id)
        lines = "\n".join(_told(store, ids, reason) for reason, ids in by_reason.items())
        done = len(todo) - len(failures)
        raise RunsFailed(
            f"{len(failures)} of {len(todo)} runs failed ({done} finished and are stored in "
            f"{store}):\n{lines}\nMend the cause and start again: only these are repeated."
        )
    return [load_result(store, spec) for spec in specs]


def _told(store: Path, ids: list[str], reason: str) -> str:
    """A line on runs that failed for one reason."""
    log = store / ids[0] / LOG
    where = f" (log: {log})" if log.is_file() and log.stat().st_size else ""  # the disk may be full
    return f"  {some(ids)}: {reason}{where}"


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


def _groups(
    todo: Sequence[RunSpec], store: Path, replicas: int, workers: int
) -> list[list[RunSpec]]:
    """Runs as passes, those first that were begun and not finished, with the same members."""
    fair_share = math.ceil(len(todo) / workers)  # a pass more rather than an idle process
    groups = [group for group in unfinished(store) if set(group) & set(todo)]
    again = {spec for group in groups for spec in group}
    groups += passes([spec for spec in todo if spec not in again], min(replicas, fair_share))
    # Long passes first, so that the last ones to finish are short.
    return sorted(groups, key=lambda group: -group[0].imbalance * len(group))


def _claim(group: list[RunSpec], store: Path, wait: bool) -> list[tuple[str, str]] | None:
    """Execute a pass in a worker, unless another runner has done so; its failures.

    None: another runner is at it.
    """
    with claimed(store, group, wait) as mine:
        if not mine:
            return None
        todo = missing(group, store)
        # Others may have done some of them meanwhile, as members of passes of their own.
        return _attempt(group if begun(store, group) else todo, store) if todo else []


def _attempt(group: list[RunSpec], store: Path) -> list[tuple[str, str]]:
    """Execute a pass: ids and messages of the runs that failed.

    A pass that fails as a whole is done again run by run, so that one bad run spoils no other;
    unless nothing can be written, which is not the run's fault.
    """
    try:
        errors: dict[RunSpec, Exception] = dict(execute(group, store))
    except Exception as error:  # whatever it is, it must not take other runs down
        cause = error.__cause__ or error  # `check_writable` has said what to do
        unwritable = isinstance(cause, OSError) and cause.errno in FULL
        if len(group) > 1 and not unwritable:
            return [failure for spec in group for failure in _attempt([spec], store)]
        if unwritable and cause is error:
            advice = f"{store} takes no more results ({error}): free some space and start again"
            error = OSError(error.errno, advice).with_traceback(error.__traceback__)
        errors = dict.fromkeys(group, error)
    for spec, error in errors.items():
        with suppress(OSError):  # the disk may be full
            lines = traceback.format_exception(error)
            (store / spec.run_id / LOG).write_text("".join(lines), encoding="utf-8")
    return [(s.run_id, f"{type(e).__name__}: {e}") for s, e in errors.items()]
