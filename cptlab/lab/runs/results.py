"""Result files: one folder a run, `result.json` written last; only what validates counts as done.

A run lives in `<store>/<run id>/`: `prompts.safetensors` (the learned tokens), `predictions.npz`
(`cptlab.lab.runs.predictions`) and `result.json`, which stands alone.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from cptlab import __version__, clip
from cptlab.checks import first_few
from cptlab.clip import Prompts
from cptlab.lab.runs import inputs, predictions, stored
from cptlab.lab.runs.finished import Result
from cptlab.lab.runs.provenance import environment
from cptlab.lab.runs.stored import PROMPTS, RESULT, RUN_ID
from cptlab.methods.outside import is_built_in
from cptlab.methods.registry import is_here
from cptlab.training.evaluation import Predictions
from cptlab.training.spec import FORMAT, RunSpec, spec_from_dict

SECONDS = ("seconds", "processor_seconds")
"""Of a run in its pass; results of older versions have the first alone."""


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

    def put(name: str, write: Callable[[Path], object]) -> str:
        beside = folder / f"{name}.{os.getpid()}"
        write(beside)
        digest = stored.checksum(beside.read_bytes())
        beside.replace(folder / name)
        return digest

    files = {
        PROMPTS: put(PROMPTS, lambda path: clip.save_prompts(prompts, path)),
        predictions.FILE: put(
            predictions.FILE, lambda path: predictions.write(path, found, images)
        ),
    }
    values = {
        "format": FORMAT,
        "run_id": spec.run_id,
        "spec": spec.as_dict(),
        "weights": clip.weights_id(spec.backbone, spec.pretrained),
        "data": content,
        **values,
        "environment": environment(spec),
        "files": files,
    }
    put(RESULT, lambda path: path.write_text(stored.text_of(values)))


def load_result(
    store: Path,
    spec: RunSpec,
    content: inputs.Content = inputs.content_of,
    values: dict[str, Any] | None = None,
) -> Result | None:
    """The stored result of a specification; None if missing, damaged, or of other weights or data.

    content: identity of the user's own files that the run would read now. Where it differs from the
    stored one, they have changed since. values: of the result file, if it was read already.
    """
    values, _ = _examined(store, spec, content, values)
    return None if values is None else Result(spec, values, store / spec.run_id)


def require_result(
    store: Path, spec: RunSpec, content: inputs.Content = inputs.content_of
) -> Result:
    """The stored result of a run that has ended; RuntimeError, saying why, if it is not there."""
    values, reason = _examined(store, spec, content)
    if values is None:
        reason = reason or "are gone"
        raise RuntimeError(f"The results of {spec.run_id} in {store} {reason}: start again.")
    return Result(spec, values, store / spec.run_id)


@dataclass(frozen=True)
class Look:
    """What a store holds of some runs: values of result files, and why others cannot be used."""

    store: Path
    done: dict[RunSpec, dict[str, Any]]
    todo: list[RunSpec]
    unused: dict[RunSpec, str]

    def results(self, specs: Iterable[RunSpec]) -> list[Result]:
        """Results of runs that are done, in order."""
        return [Result(spec, self.done[spec], self.store / spec.run_id) for spec in specs]


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
    unchecked = sum(not stored.is_checked(values) for values in found.done.values())
    if unchecked:
        told.append(
            f"{unchecked} stored results have no checksums, as those of older versions: they are "
            "used, but damage to them may go unnoticed."
        )
    told += [
        f"{count} results were computed by cptlab {version} (this is {__version__}); they are "
        "used, and tables name both versions."
        for version, count in sorted(versions.items())
        if version != __version__
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
    store: Path,
    spec: RunSpec,
    content: inputs.Content,
    values: dict[str, Any] | None = None,
) -> tuple[dict[str, Any] | None, str]:
    """The values of a stored result, or why those that are there cannot be used."""
    folder = store / spec.run_id
    damaged = "are damaged or incomplete"
    try:
        values = values or stored.read(folder / RESULT)
        if spec_from_dict(values["spec"]) != spec:
            return None, "belong to other defaults"
        if values["weights"] != clip.weights_id(spec.backbone, spec.pretrained):
            return None, "belong to other weights"
        read, current = values.get("data"), content(spec)
        if read != current:
            if not inputs.is_older(read, current):
                packaged = is_built_in(type(spec.method))
                return None, f"belong to data {'' if packaged else 'or a method '}that have changed"
            if not inputs.was_alike(spec):
                return None, "belong to images that are read in another way now"
        if not values.get("archived"):  # else they were left out (`cptlab.lab.runs.archive`)
            if stored.is_checked(values):
                stored.check_beside(folder, PROMPTS, values)
            else:
                clip.load_prompts(folder / PROMPTS)  # raises if they are missing or damaged
        return values, ""
    except stored.OtherFormat:
        return None, "have another format than this version's"
    except (OSError, ValueError, TypeError, AttributeError):
        return None, damaged if (folder / RESULT).exists() else ""


def _other_format(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(64)
    return b'"format":' in start and f'"format": {FORMAT},'.encode() not in start


def table(results: Iterable[Result]) -> pd.DataFrame:
    """Tidy frame, one row per run: data set, method, tau, seed, protocol, metrics (accuracies in
    percent, effective rank of the class texts' cosine matrix), trained parameters, seconds and, of
    newer results, processor seconds.
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
            **{name: result.details[name] for name in SECONDS if name in result.details},
            "run_id": result.details["run_id"],
        }
        for result in results
    )
