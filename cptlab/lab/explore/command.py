"""The command that trains a run again."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator
from pathlib import Path

from cptlab.lab.study.profile import Profile
from cptlab.lab.workspace import workspace
from cptlab.methods.outside import reference_of
from cptlab.training.spec import RunSpec


def command_of(spec: RunSpec, profile: Profile, store: Path) -> str:
    """The `cptlab run` of a run of a profile, for a shell: only what is not as usual is named."""
    words = ["cptlab", "run", *_pairs(spec, profile)]
    if workspace(profile.name).runs.resolve() != store.resolve():
        words += ["--out", str(store.parent)]
    return shlex.join(words)


def _pairs(spec: RunSpec, profile: Profile) -> Iterator[str]:
    """Options and their values, one after the other."""
    kind = type(spec.method)
    usual = profile.spec(spec.dataset, profile.make(kind), spec.tau, spec.seed)
    named = {
        "--profile": profile.name,
        "--method": reference_of(kind) or spec.method.name,
        "--dataset": spec.dataset,
        "--tau": str(spec.tau),
        "--seed": str(spec.seed),
    }
    if spec.class_order != usual.class_order:
        named["--class-order"] = spec.class_order
    if spec.n_max != usual.n_max:
        named["--shots"] = str(spec.n_max)
    if spec.template is not None:
        named["--template"] = spec.template
    for pair in named.items():
        yield from pair
    for f in dataclasses.fields(kind):
        value = getattr(spec.method, f.name)
        if value != getattr(usual.method, f.name):
            yield from ("--set", f"{f.name}={value}")
    for f in dataclasses.fields(spec.balance) if spec.balance else ():
        value = getattr(spec.balance, f.name)
        if value != f.default:
            yield from ("--balance", f"{f.name}={value}")
