"""One run, one result file: do what is missing, keep what is done.

A run lives in `<store>/<run id>/`: `prompts.safetensors` (the learned tokens) and `result.json`,
which is written last, atomically, and stands alone. Only a result that validates counts as done.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from joblib import Parallel, delayed, parallel_config
from tqdm.auto import tqdm

from cptlab import clip
from cptlab.clip import Prompts
from cptlab.data import draw_long_tailed, open_roles
from cptlab.evaluation import collapse, scores, thirds
from cptlab.geometry import cosine_matrix, effective_rank
from cptlab.model import PromptedCLIP
from cptlab.passes import passes, shared_part
from cptlab.provenance import environment
from cptlab.spec import FORMAT, RunSpec, spec_from_dict
from cptlab.training import Trained, TrainingDiverged, train

RESULT, PROMPTS = "result.json", "prompts.safetensors"
REPLICAS = {"cpu": 8, "cuda": 16}
"""Most runs of one pass by device, if nothing else is said."""


class RunsFailed(RuntimeError):
    """Some runs of a batch failed; the others are finished and stored."""


@dataclass(frozen=True)
class Result:
    """A finished run as read from its result file."""

    spec: RunSpec
    metrics: dict[str, float]
    classes: pd.DataFrame
    log: pd.DataFrame
    details: dict[str, Any]
    folder: Path

    def model(self) -> PromptedCLIP:
        """The prompted CLIP with this run's learned tokens."""
        backbone = _backbone(self.spec)
        prompts = clip.load_prompts(self.folder / PROMPTS).to(backbone.device)
        learned = next(iter(open_roles(self.spec.dataset, self.spec.protocol).values()))
        return PromptedCLIP(
            backbone, prompts, self.spec.method, learned.class_names, learned.template
        )


@lru_cache(maxsize=2)
def cached_backbone(
    name: str, pretrained: str | None, device: str = "cpu", precision: clip.Precision = "fp32"
) -> clip.Backbone:
    """The frozen backbone, loaded once per process."""
    return clip.load(name, pretrained, device, precision)


def _backbone(spec: RunSpec) -> clip.Backbone:
    return cached_backbone(spec.backbone, spec.pretrained, spec.device, spec.precision)


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
    store.mkdir(parents=True, exist_ok=True)  # a bad folder should fail now, not after training
    torch.set_num_threads(spec.threads)
    backbone = _backbone(spec)
    roles = open_roles(spec.dataset, spec.protocol)
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

    trained = train(specs, backbone, learned, subsets, curve if spec.curve else None, progress)
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
            "seconds": round(took / len(specs), 2),
            "pass": {"replicas": len(specs), "seconds": round(took, 2)},
        }
        save_result(store, spec, prompts, values)
    return {s: e for s, e in zip(specs, trained.errors, strict=True) if e is not None}


def save_result(store: Path, spec: RunSpec, prompts: Prompts, values: dict[str, Any]) -> None:
    """Write prompts, then `result.json` as the last act, each moved into place in one step."""
    folder = store / spec.run_id
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{PROMPTS}.{os.getpid()}"
    clip.save_prompts(prompts, partial)
    partial.replace(folder / PROMPTS)
    values = {
        "format": FORMAT,
        "run_id": spec.run_id,
        "spec": spec.as_dict(),
        "weights": clip.weights_id(spec.backbone, spec.pretrained),
        **values,
        "environment": environment(spec),
    }
    partial = folder / f"{RESULT}.{os.getpid()}"
    partial.write_text(json.dumps(values, indent=1))
    partial.replace(folder / RESULT)


def load_result(store: Path, spec: RunSpec) -> Result | None:
    """The stored result of a specification; None if missing, damaged, or of other weights."""
    folder = store / spec.run_id
    try:
        values = json.loads((folder / RESULT).read_text())
        complete = (
            values["format"] == FORMAT
            and spec_from_dict(values["spec"]) == spec
            and values["weights"] == clip.weights_id(spec.backbone, spec.pretrained)
            and values["metrics"]
            and all(isinstance(v, int | float) for v in values["metrics"].values())
            and values["classes"]
            and isinstance(values["trained_parameters"], int)
            and isinstance(values["seconds"], int | float)
        )
        if not complete:
            return None
        clip.load_prompts(folder / PROMPTS)  # raises if they are missing or damaged
        return Result(
            spec,
            values["metrics"],
            pd.DataFrame(values["classes"]),
            pd.DataFrame(values["log"]),
            values,
            folder,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def missing(specs: Iterable[RunSpec], store: Path) -> list[RunSpec]:
    """Specifications without a valid result, each once, in order."""
    return [spec for spec in dict.fromkeys(specs) if load_result(store, spec) is None]


def run(
    specs: Sequence[RunSpec],
    store: Path,
    jobs: int = 1,
    progress: bool = True,
    replicas: int | None = None,
) -> list[Result]:
    """Results of all specifications, in order; executes what is missing over `jobs` processes.

    Runs that can train side by side do, up to `replicas` of them in one pass. What runs on a GPU
    does so in one process.

    Raises ValueError for fewer than one replica; RunsFailed, naming each failed run and why, after
    all the others have finished.
    """
    if replicas is not None and replicas < 1:
        raise ValueError(f"replicas must be at least 1, got {replicas}.")
    todo = missing(specs, store)
    failures = []
    if todo:
        on_gpu = any(spec.device == "cuda" for spec in todo)
        jobs, replicas = 1 if on_gpu else jobs, replicas or REPLICAS["cuda" if on_gpu else "cpu"]
        store.mkdir(parents=True, exist_ok=True)
        fair_share = math.ceil(len(todo) / jobs)  # a pass more rather than an idle process
        groups = passes(todo, min(replicas, fair_share))
        # Long passes first, so that the last ones to finish are short.
        groups.sort(key=lambda group: -group[0].imbalance * len(group))
        threads = max(spec.threads for spec in todo)
        with parallel_config("loky", n_jobs=min(jobs, len(groups)), inner_max_num_threads=threads):
            outcomes = Parallel(return_as="generator_unordered")(
                delayed(_attempt)(group, store) for group in groups
            )
            with tqdm(total=len(todo), desc="runs", disable=not progress) as bar:
                for finished, failed in outcomes:
                    bar.update(finished)
                    failures += failed
    if failures:
        by_reason: dict[str, list[str]] = {}
        for run_id, reason in failures:
            by_reason.setdefault(reason.replace(run_id, "..."), []).append(run_id)
        lines = "\n".join(f"  {', '.join(ids)}: {reason}" for reason, ids in by_reason.items())
        done = len(todo) - len(failures)
        raise RunsFailed(
            f"{len(failures)} of {len(todo)} runs failed ({done} finished and are stored in "
            f"{store}):\n{lines}\nMend the cause and start again: only these are repeated."
        )
    return [load_result(store, spec) for spec in specs]


def _attempt(group: list[RunSpec], store: Path) -> tuple[int, list[tuple[str, str]]]:
    """Execute a pass in a worker: number of runs and, as messages, those that failed.

    A pass that fails as a whole is done again run by run, so that one bad run spoils no other.
    """
    try:
        errors: dict[RunSpec, Exception] = dict(execute(group, store))
    except Exception as error:  # whatever it is, it must not take other runs down
        if len(group) > 1:
            alone = [_attempt([spec], store) for spec in group]
            return len(group), [failure for _, failed in alone for failure in failed]
        errors = {group[0]: error}
    return len(group), [(s.run_id, f"{type(e).__name__}: {e}") for s, e in errors.items()]


def table(results: Iterable[Result]) -> pd.DataFrame:
    """Tidy frame, one row per run: data set, method, tau, seed, protocol, metrics (accuracies in
    percent, effective rank of the class texts' cosine matrix), trained parameters and seconds.
    """
    return pd.DataFrame(
        {
            "dataset": result.spec.dataset,
            "method": result.spec.method.name,
            "tau": result.spec.imbalance,
            "seed": result.spec.seed,
            "protocol": result.spec.protocol,
            **result.metrics,
            "trained_parameters": result.details["trained_parameters"],
            "seconds": result.details["seconds"],
            "run_id": result.details["run_id"],
        }
        for result in results
    )
