"""The finished runs of a store, and the choice of one of them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cptlab.lab.runs.inputs import content_once
from cptlab.lab.runs.results import Result, load_result
from cptlab.lab.runs.stored import PROMPTS, RESULT, read
from cptlab.lab.study.claims.variants import CPT, GLOBAL_ETF, ZERO_SHOT
from cptlab.lab.study.lineup import BY_READING, methods, named
from cptlab.lab.study.notebooks import STUDIES
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.profiles import MACHINE
from cptlab.lab.study.studies import (
    ablation,
    classics,
    clusters,
)
from cptlab.methods.base import Method
from cptlab.methods.registry import UnknownMethod
from cptlab.training.spec import RunSpec, spec_from_dict

FIELDS = ("dataset", "tau", "method", "seed")
"""What identifies a run in the menus, in this order."""

STUDIED = {
    "CPT without some losses": ablation,
    "CPT with other weights": STUDIES["03_sensitivity"],
    "CPT with other clusters": clusters,
    "long-tail classics": classics,
}
"""What varies in a study -> the study."""
FAMILIES = ("neural-collapse losses", "prompt tuning", "without learned prompts")
"""Of the methods in the tables."""
OTHERS = "others"
BESIDE = ("balance", "class_order", "n_max")
"""Fields in which runs can differ beside the method."""


@dataclass(frozen=True, eq=False)  # tables of results have no plain equality
class Finished:
    """A finished run and the label of its method, which names changed options."""

    result: Result
    label: str

    @property
    def spec(self) -> RunSpec:
        """The specification of the run."""
        return self.result.spec

    @property
    def metrics(self) -> dict[str, float]:
        """Accuracies in percent, and the effective rank."""
        return self.result.metrics

    @property
    def key(self) -> tuple[str, float, str, int]:
        """Its values of FIELDS."""
        return self.spec.dataset, self.spec.tau, self.label, self.spec.seed


def finished(profile: Profile, store: Path) -> tuple[list[Finished], list[str]]:
    """Base-to-new runs of a profile in a store whose prompts can be shown, sorted; and remarks.

    Each remark is a sentence on results that are left out, and why.
    """
    found: dict[tuple[str, float, str, int], Finished] = {}
    unread, bare, content = 0, 0, content_once()
    missing: Counter[str] = Counter()
    for path in sorted(store.glob(f"*/{RESULT}")):
        if not (path.parent / PROMPTS).exists():  # there may be thousands, which take long to read
            bare += 1
            continue
        try:
            values = read(path)
            spec = spec_from_dict(values["spec"])
        except UnknownMethod as error:
            missing[str(error)] += 1
            continue
        except (OSError, ValueError, TypeError, AttributeError):
            unread += 1
            continue
        if not _belongs(spec, profile):
            continue
        if path.parent.name != spec.run_id:  # moved here from elsewhere
            unread += 1
            continue
        result = load_result(store, spec, content, values)
        if result is None:
            unread += 1
        else:
            run = Finished(result, label_of(spec, profile))
            found.setdefault(run.key, run)  # with and without a curve it is the same run
    remarks = [f"{count} results are left out. {reason}" for reason, count in missing.items()]
    if unread:
        remarks.append(f"{unread} results in {store} cannot be used (damaged, or of other data).")
    if bare:
        remarks.append(
            f"{bare} results in {store} have no prompts, as most of an archive, and cannot be "
            "shown: delete their folders, and `cptlab figures` trains them again."
        )
    return sorted(found.values(), key=lambda run: run.key), remarks


def _belongs(spec: RunSpec, profile: Profile) -> bool:
    """Whether a run is one that this profile could have made."""
    return (
        spec.protocol == "base_to_new"
        and all(getattr(spec, name) == getattr(profile, name) for name in (*MACHINE, "crop"))
        and spec.schedule == profile.schedule_of(spec.method, "base_to_new", spec.dataset)
    )


def label_of(spec: RunSpec, profile: Profile) -> str:
    """The label in figures; for other runs the label of the nearest method, and what differs."""
    if label := _labels(profile).get(_varied(spec)):
        return label
    options = _options(spec)
    shown = methods(profile, (*named(profile), CPT, GLOBAL_ETF))
    alike = {name: one for name, one in shown.items() if type(one) is type(spec.method)}
    alike = alike or {spec.method.name: type(spec.method)()}
    changes = {
        name: _changes(options, _options(profile.spec(spec.dataset, method, spec.tau, spec.seed)))
        for name, method in alike.items()
    }
    nearest = min(changes, key=lambda name: len(changes[name]))
    return ", ".join([nearest, *changes[nearest]])


@lru_cache
def _labels(profile: Profile) -> dict[tuple[object, ...], str]:
    """What is varied in every run that can be shown (`_varied`) -> label in figures."""
    found: dict[tuple[object, ...], str] = {}
    for study in reversed(STUDIES.values()):  # the last one has the last word
        for spec, label in reversed(study(profile).items()):
            if _varied(spec) not in found and _belongs(spec, profile):
                found[_varied(spec)] = label
    return found


def grouped(labels: Sequence[str], profile: Profile) -> dict[str, list[str]]:
    """Labels by family, others by what varies in them, in the order given; groups without any are
    left out. One that stands in several studies belongs to the first.
    """
    groups: dict[str, list[str]] = {title: [] for title in (*FAMILIES, *STUDIED, OTHERS)}
    for label in labels:
        groups[_group_of(profile).get(label, OTHERS)].append(label)
    return {title: found for title, found in groups.items() if found}


@lru_cache
def _group_of(profile: Profile) -> dict[str, str]:
    """Label in figures -> title of the group."""
    studies = reversed(STUDIED.items())  # the first has the last word
    groups = {label: title for title, study in studies for label in study(profile).values()}
    return groups | {label: _family(method) for label, method in methods(profile).items()}


def _family(method: Method) -> str:
    collapse, prompts, without = FAMILIES
    if method.name in BY_READING:
        return collapse
    return prompts if method.prompt_shape() else without


def _varied(spec: RunSpec) -> tuple[object, ...]:
    """That in which runs of one data set, ratio, seed and profile can differ."""
    return type(spec.method), spec.method, *(getattr(spec, name) for name in BESIDE)


def _options(spec: RunSpec) -> dict[str, object]:
    """The same by name."""
    own = {"method": spec.method.name, **dataclasses.asdict(spec.method)}
    return own | {name: getattr(spec, name) for name in BESIDE}


def _changes(options: Mapping[str, object], others: Mapping[str, object]) -> list[str]:
    return [
        f"{name} = {value:g}" if isinstance(value, float) else f"{name} = {value}"
        for name, value in options.items()
        if value != others.get(name)
    ]


def offered(runs: Sequence[Finished], chosen: Finished) -> dict[str, list[Any]]:
    """Values of each of FIELDS that some run has, given the chosen run's fields before it."""
    choices = {}
    for position, name in enumerate(FIELDS):
        fitting = [run.key for run in runs if run.key[:position] == chosen.key[:position]]
        choices[name] = list(dict.fromkeys(key[position] for key in fitting))
    return choices


def switched(runs: Sequence[Finished], chosen: Finished, field: str, value: object) -> Finished:
    """The run with another value of one field and otherwise the most similar to the chosen one.

    Fields before it stay, fields after it stay if there is such a run. Raises ValueError if no run
    has this value.
    """
    position = FIELDS.index(field)
    start = (*chosen.key[:position], value)
    fitting = [run for run in runs if run.key[: position + 1] == start]
    if not fitting:
        raise ValueError(f"No finished run has {field} {value}; choose another one.")
    behind = slice(position + 1, None)
    return max(
        fitting,
        key=lambda run: [a == b for a, b in zip(run.key[behind], chosen.key[behind])],
    )


def first_choice(runs: Sequence[Finished]) -> Finished:
    """The run to show first: CPT with default weights if there is one."""
    preferred = ("CPT (pair mean)", "CPT (sum)")
    for label in preferred:
        for run in runs:
            if run.label == label:
                return run
    return runs[-1]


def zero_shot_of(runs: Sequence[Finished], chosen: Finished) -> Finished | None:
    """The zero-shot run of the same data set and ratio, or None."""
    for run in runs:
        if run.label == ZERO_SHOT and run.key[:2] == chosen.key[:2]:
            return run
    return None
