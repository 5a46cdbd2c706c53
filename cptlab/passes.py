"""Which runs can train side by side: passes of replicas that differ in what each has its own."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

from cptlab.spec import RunSpec


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

    All of it for a method whose runs train alone.
    """
    method = type(spec.method)
    if method.per_replica is None:
        return spec
    own = {f.name: f.default for f in dataclasses.fields(method) if f.name in method.per_replica}
    return dataclasses.replace(spec, seed=0, method=dataclasses.replace(spec.method, **own))
