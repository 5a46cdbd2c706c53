"""Which runs can train side by side: passes of replicas that differ in what each has its own."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from filelock import FileLock

from cptlab import clip
from cptlab.emoji.catalog import CATEGORIES
from cptlab.lab.runs.inputs import content_once
from cptlab.methods.registry import UnknownMethod
from cptlab.training.spec import RunSpec, spec_from_dict

BEGUN, MEMBERS = ".passes", "members.json"


def passes(specs: Iterable[RunSpec], replicas: int) -> list[list[RunSpec]]:
    """Group runs that share everything but seed and per-replica hyper-parameters.

    Args:
        specs: runs, each once.
        replicas: the most runs of one pass, at least 1; larger groups are cut into even parts.

    Returns:
        Passes in order of their first run; every run is in exactly one.
    """
    groups: dict[RunSpec, list[RunSpec]] = {}
    for spec in specs:
        groups.setdefault(shared_part(spec), []).append(spec)
    parts = []
    for group in groups.values():
        size = math.ceil(len(group) / math.ceil(len(group) / replicas))
        parts += [group[i : i + size] for i in range(0, len(group), size)]
    return parts


def shared_part(spec: RunSpec) -> RunSpec:
    """The specification with everything reset that replicas of one pass may have of their own.

    All of it for runs that train alone: those of a method that asks for it, and those whose seed
    says which classes are large, as classes of fewer images than that give fewer in all.
    """
    method = type(spec.method)
    as_many = spec.class_order != "permuted" or spec.tau == 1 or spec.dataset in CATEGORIES
    if method.per_replica is None or not as_many:
        return spec
    own = {f.name: f.default for f in dataclasses.fields(method) if f.name in method.per_replica}
    return dataclasses.replace(spec, seed=0, method=dataclasses.replace(spec.method, **own))


def begin(store: Path, specs: Sequence[RunSpec], content: str | None) -> Path:
    """Note the members of a pass in the store; the folder for its checkpoints.

    content: identity of the user's own files (`content_of`).
    """
    folder = store / BEGUN / _identity(specs, content)
    with _settled(store):
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f"{MEMBERS}.partial"
        partial.write_text(json.dumps([spec.as_dict() for spec in specs]))
        partial.replace(folder / MEMBERS)
    return folder


def begun(store: Path, specs: Sequence[RunSpec], content: str | None) -> bool:
    """Whether this very pass was begun in a store and not finished."""
    return (store / BEGUN / _identity(specs, content) / MEMBERS).exists()


def unfinished(store: Path) -> list[list[RunSpec]]:
    """Passes that were begun in a store and not finished.

    Those of other versions are dropped, and what a runner left that was killed while it began or
    cleared one away.
    """
    found, content = [], content_once()
    with _settled(store):
        for folder in sorted((store / BEGUN).glob("*/")):
            try:
                members = json.loads((folder / MEMBERS).read_text())
                specs = [spec_from_dict(values) for values in members]
                current = specs if folder.name == _identity(specs, content(specs[0])) else []
            except UnknownMethod:  # a command that is given this method will go on with it
                continue
            except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
                current = []
            if current:
                found.append(current)
            else:
                shutil.rmtree(folder, ignore_errors=True)
    return found


def _settled(store: Path) -> FileLock:
    """While it is held, every folder of a pass that has no members is litter."""
    return FileLock(store / f"{BEGUN}.lock")


def _identity(specs: Sequence[RunSpec], content: str | None) -> str:
    """Name of a pass: its runs in order, the weights, images of one's own, torch's version."""
    weights = clip.weights_id(specs[0].backbone, specs[0].pretrained)
    parts = [torch.__version__, str(weights), *(spec.run_id for spec in specs)]
    if content is not None:
        parts.append(content)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
