"""CPT's three loss weights: the nearest finished run, and the run that has them exactly."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from cptlab.lab.explore.choice import Finished
from cptlab.lab.study.claims.variants import CPT as FULL_CPT
from cptlab.lab.study.claims.variants import label
from cptlab.lab.study.lineup import BOTH, methods
from cptlab.lab.study.profile import Profile
from cptlab.methods import CPT, IVLP, Method
from cptlab.training.spec import RunSpec

Weights = tuple[float, ...]
"""Of L_TETF, L_CC and L_RS."""
NAMES = ("lambda_tetf", "lambda_cc", "lambda_rs")
DEFAULTS: Weights = tuple(getattr(CPT(), name) for name in NAMES)
READING = BOTH[1]
"""The reading of L_TETF if the chosen run has none."""
READ_BY = {"lambda_tetf": "etf_", "lambda_cc": "cc_", "lambda_rs": "anchor_"}
"""Weight of a loss -> prefix of the options that give its reading."""


def weights_of(method: Method) -> Weights:
    """The loss weights of CPT; those of IVLP are zero; other methods have none."""
    if isinstance(method, CPT):
        return tuple(getattr(method, name) for name in NAMES)
    return (0.0, 0.0, 0.0) if isinstance(method, IVLP) else ()


def around(chosen: RunSpec, profile: Profile, before: Method | None = None) -> RunSpec:
    """The CPT run whose weights are varied: the chosen one, or CPT with the same settings.

    before: the CPT that was varied before. A loss that is off in the chosen run has no reading
    there, so it keeps the one that it had.
    """
    if isinstance(chosen.method, CPT):
        method, schedule = chosen.method, chosen.schedule
    else:
        method = methods(profile, (FULL_CPT,), (READING,))[label(FULL_CPT, READING)]
        schedule = profile.schedule_of(method, chosen.protocol, chosen.dataset)
    if isinstance(before, CPT):
        off = _without_reading(chosen.method)
        kept = {name: value for name, value in vars(before).items() if name.startswith(off)}
        method = dataclasses.replace(method, **kept)
    return dataclasses.replace(chosen, method=method, schedule=schedule, curve=False)


def with_weights(varied: RunSpec, weights: Weights) -> RunSpec:
    """A CPT run (`around`) with other loss weights."""
    values = dict(zip(NAMES, weights, strict=True))
    return dataclasses.replace(varied, method=dataclasses.replace(varied.method, **values))


def nearest(runs: Sequence[Finished], varied: RunSpec, weights: Weights) -> Finished | None:
    """The run with the nearest weights among those that differ from `varied` in weights only.

    Distances are Euclidean, with each weight in units of its default. A loss with weight 0 has no
    reading, so there runs of all readings count. None if no run fits.
    """

    def distance(run: Finished) -> float:
        parts = zip(weights_of(run.spec.method), weights, DEFAULTS)
        return sum(((own - other) / unit) ** 2 for own, other, unit in parts) ** 0.5

    fitting = [run for run in runs if _differs_in_weights(run.spec, varied)]
    return min(fitting, key=distance, default=None)


def _differs_in_weights(spec: RunSpec, wanted: RunSpec) -> bool:
    weights = weights_of(spec.method)
    if not weights:
        return False
    same = dataclasses.replace(wanted, method=spec.method, curve=spec.curve)
    if spec != same:
        return False
    own, others = dataclasses.asdict(spec.method), dataclasses.asdict(wanted.method)
    off = _without_reading(spec.method)
    free = (*NAMES, *(name for name in own if name.startswith(off)))
    return all(value == others[name] for name, value in own.items() if name not in free)


def _without_reading(method: Method) -> tuple[str, ...]:
    """Prefixes of CPT's options that mean nothing in a method: those of losses that are off."""
    weights = weights_of(method) or (0.0,) * len(NAMES)
    return tuple(READ_BY[name] for name, weight in zip(NAMES, weights) if weight == 0)
