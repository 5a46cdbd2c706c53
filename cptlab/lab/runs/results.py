"""Result files: one folder a run, `result.json` written last; only what validates counts as done.

A run lives in `<store>/<run id>/`: `prompts.safetensors` (the learned tokens), `predictions.npz`
(`cptlab.lab.runs.predictions`) and `result.json`, which stands alone.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from cptlab import clip
from cptlab.checks import first_few
from cptlab.clip import Prompts
from cptlab.lab.runs import inputs, predictions
from cptlab.lab.runs.finished import BROKEN, PROMPTS, RESULT, Result, is_whole, result_of
from cptlab.lab.runs.provenance import environment
from cptlab.methods.outside import is_built_in
from cptlab.methods.registry import is_here
from cptlab.training.evaluation import Predictions
from cptlab.training.spec import FORMAT, RunSpec, spec_from_dict

RUN_ID = re.compile(r"-([a-z0-9_]+)-tau[^-]+(?:-\d+)?-seed-?\d+-[0-9a-f]{10}$")
"""The end of a run id, with the name of its method (`RunSpec.run_id`)."""


def save_result(
    store: Path,
    spec: RunSpec,
    content: str | None,
    prompts: Prompts,
    found: Mapping[str, Predictions],
    images: Mapping[str, Sequence[str]],
    values: dict[str, Any],
) -> None:
    """Write prompts and predictions, then `result.json` as the last act, each moved into place in
    one step.

    content: identity of the user's own files that were read (`content_of`). found, images: see
    `predictions.write`.
    """
    folder = store / spec.run_id
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{PROMPTS}.{os.getpid()}"
    clip.save_prompts(prompts, partial)
    partial.replace(folder / PROMPTS)
    partial = folder / f"{predictions.FILE}.{os.getpid()}"
    predictions.write(partial, found, images)
    partial.replace(folder / predictions.FILE)
    values = {
        "format": FORMAT,
        "run_id": spec.run_id,
        "spec": spec.as_dict(),
        "weights": clip.weights_id(spec.backbone, spec.pretrained),
        "data": content,
        **values,
        "environment": environment(spec),
    }
    partial = folder / f"{RESULT}.{os.getpid()}"
    partial.write_text(json.dumps(values, indent=1))
    partial.replace(folder / RESULT)


def load_result(
    store: Path, spec: RunSpec, content: inputs.Content = inputs.content_of
) -> Result | None:
    """The stored result of a specification; None if missing, damaged, or of other weights or data.

    content: identity of the user's own files that the run would read now. Where it differs from the
    stored one, they have changed since.
    """
    values, _ = _examined(store, spec, content)
    return None if values is None else result_of(spec, values, store / spec.run_id)


def require_result(
    store: Path, spec: RunSpec, content: inputs.Content = inputs.content_of
) -> Result:
    """The stored result of a run that has ended; RuntimeError, saying why, if it is not there."""
    values, reason = _examined(store, spec, content)
    if values is None:
        reason = reason or "are gone"
        raise RuntimeError(f"The results of {spec.run_id} in {store} {reason}: start again.")
    return result_of(spec, values, store / spec.run_id)


@dataclass(frozen=True)
class Look:
    """What a store holds of some runs: values of result files, and why others cannot be used."""

    store: Path
    done: dict[RunSpec, dict[str, Any]]
    todo: list[RunSpec]
    unused: dict[RunSpec, str]

    def results(self, specs: Iterable[RunSpec]) -> list[Result]:
        """Results of runs that are done, in order."""
        return [result_of(spec, self.done[spec], self.store / spec.run_id) for spec in specs]


def look(
    specs: Iterable[RunSpec],
    store: Path,
    content: inputs.Content | None = None,
    progress: bool = False,
) -> Look:
    """Look once at the stored result of each specification; with a bar, if that takes long."""
    content, found = content or inputs.content_once(), Look(store, {}, [], {})
    once = dict.fromkeys(specs)
    for spec in tqdm(once, "stored results", leave=False, delay=2, disable=not progress):
        values, reason = _examined(store, spec, content)
        if values is None:
            found.todo.append(spec)
        else:
            found.done[spec] = values
        if reason:
            found.unused[spec] = reason
    return found


def missing(
    specs: Iterable[RunSpec], store: Path, content: inputs.Content | None = None
) -> list[RunSpec]:
    """Specifications without a valid result, each once, in order."""
    return look(specs, store, content).todo


def remarks(found: Look) -> list[str]:
    """What a user should know about stored results: which are not used and why, a sentence each."""
    store = found.store
    unused: dict[str, list[str]] = {}
    for spec, reason in found.unused.items():
        unused.setdefault(reason, []).append(spec.run_id)
    versions = Counter(v["environment"]["versions"]["cptlab"] for v in found.done.values())
    told = [
        f"{len(ids)} stored results {reason} and will be computed again: {first_few(ids)}."
        for reason, ids in unused.items()
    ]
    current = metadata.version("cptlab")
    told += [
        f"{count} results were computed by cptlab {version} (this is {current}); they are used, "
        "and tables name both versions."
        for version, count in sorted(versions.items())
        if version != current
    ]
    asked = {spec.run_id for spec in (*found.done, *found.todo)}
    others = [path for path in store.glob(f"*/{RESULT}") if path.parent.name not in asked]
    ends = filter(None, (RUN_ID.search(path.parent.name) for path in others))
    names = Counter(end[1] for end in ends)
    told += [absent(name, count) for name, count in names.items() if not is_here(name)]
    older = sum(map(_other_format, others))
    if older:
        told.append(
            f"{older} other results in {store} have another format than this version's ({FORMAT}) "
            "and are not used."
        )
    return told


def absent(name: str, count: int) -> str:
    """A sentence on stored results of a method that is not here."""
    return (
        f"{count} stored results are of the method {name!r}, which is not here: install it, or "
        "name it with --method path/to/file.py:Class, to use them."
    )


def _examined(
    store: Path, spec: RunSpec, content: inputs.Content
) -> tuple[dict[str, Any] | None, str]:
    """The values of a stored result, or why those that are there cannot be used."""
    folder = store / spec.run_id
    damaged = "are damaged or incomplete"
    try:
        values = json.loads((folder / RESULT).read_text())
        if values["format"] != FORMAT:
            return None, "have another format than this version's"
        if spec_from_dict(values["spec"]) != spec:
            return None, "belong to other defaults"
        if values["weights"] != clip.weights_id(spec.backbone, spec.pretrained):
            return None, "belong to other weights"
        if values.get("data") != content(spec):
            packaged = is_built_in(type(spec.method))
            return None, f"belong to data {'' if packaged else 'or a method '}that have changed"
        if not is_whole(values):
            return None, damaged
        if not values.get("archived"):  # else they were left out (`cptlab.lab.runs.archive`)
            clip.load_prompts(folder / PROMPTS)  # raises if they are missing or damaged
        return values, ""
    except BROKEN:
        return None, damaged if (folder / RESULT).exists() else ""


def _other_format(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(64)
    return b'"format":' in start and f'"format": {FORMAT},'.encode() not in start


def table(results: Iterable[Result]) -> pd.DataFrame:
    """Tidy frame, one row per run: data set, method, tau, seed, protocol, metrics (accuracies in
    percent, effective rank of the class texts' cosine matrix), trained parameters and seconds.
    """
    return pd.DataFrame(
        {
            "dataset": result.spec.dataset,
            "method": result.spec.method.name,
            "tau": result.spec.tau,
            "seed": result.spec.seed,
            "protocol": result.spec.protocol,
            **result.metrics,
            "trained_parameters": result.details["trained_parameters"],
            "seconds": result.details["seconds"],
            "run_id": result.details["run_id"],
        }
        for result in results
    )
