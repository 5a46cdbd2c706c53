"""Run specifications: everything that decides a run's numbers, as frozen dataclasses."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from cptlab.checks import build, check_template, check_values
from cptlab.clip import Precision
from cptlab.data import Protocol, check_targets
from cptlab.data.long_tail import ClassOrder, class_counts
from cptlab.methods.base import Method
from cptlab.methods.outside import reference_of
from cptlab.methods.parts.balance import Balance
from cptlab.methods.registry import method_of_store, remember
from cptlab.methods.schedule import Schedule

FORMAT = 2
"""Version of the result format and of the meaning of specifications; part of every run id."""
ORIGIN = "from"
"""Stored beside the name of a method from outside the package: where it came from."""
STORED_NAMES = {"tau": "imbalance"}
"""Fields that specifications of format 2 store by another name, which run ids hash."""


@dataclass(frozen=True)
class RunSpec:
    """One training run: backbone, data, imbalance ratio, seed, method and schedule.

    `schedule`: left out, the one that was published for the method.
    `protocol` says what is learned and tested (`cptlab.data.open_task`). `curve` also evaluates
    and measures neural collapse after every epoch. `balance` adds long-tail classics to the method.
    `crop` trains on random resized crops, half of them flipped (the CoOp family's augmentation), in
    place of the centres of image files.
    `template` is a sentence for the class names in place of the data set's own ("a photo of a {}.",
    or the one published for it). It is what zero-shot classification uses, the frozen prototypes of
    methods whose `anchor_templates` are None (DeKg), and what prompts of a few methods keep around
    the class name (`Method.prompt_template`); frozen prototypes of all other methods, and their
    starting words, are sentences of the method's own and stay.
    `targets` are the data sets that the protocol transfer tests; empty: all others of the family.
    `device` ("cpu", "cuda"), `precision` of the frozen towers, `compile` (the forward pass through
    torch.compile) and `threads`, the number of torch threads on the CPU, are here because results
    depend on them.
    """

    dataset: str
    method: Method
    tau: float = 1.0
    seed: int = 1
    schedule: Schedule = None  # ty: ignore[invalid-assignment] `__post_init__` puts the method's
    backbone: str = "EmojiCLIP"
    pretrained: str | None = None
    n_max: int = 16
    class_order: ClassOrder = "name"
    protocol: Protocol = "base_to_new"
    curve: bool = False
    balance: Balance | None = None
    crop: bool = False
    device: Literal["cpu", "cuda"] = "cpu"
    precision: Precision = "fp32"
    compile: bool = False
    threads: int = 1
    template: str | None = None
    targets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.schedule is None:
            object.__setattr__(self, "schedule", self.method.schedule())
        check_values(self)
        check_values(self.method)  # one from outside may have a `__post_init__` of its own
        remember(type(self.method))
        if self.protocol not in (*self.method.protocols, "tuning"):
            raise ValueError(
                f"Method {self.method.name} takes no part in {self.protocol}; it does in "
                f"{', '.join(self.method.protocols)}."
            )
        _check_templates(self.method.anchor_templates)
        if self.template is not None:
            check_template("The template", self.template)
        check_targets(self.dataset, self.protocol, self.targets)
        class_counts(1, self.tau, self.n_max)  # its checks are ours
        if self.threads < 1:
            raise ValueError(f"threads must be at least 1, got {self.threads}.")
        if self.balance and not self.method.weights():
            raise ValueError(f"{self.method.name} learns nothing: a Balance would do nothing.")
        if self.balance and self.balance.acts_on_loss() and not self.method.class_logits():
            raise ValueError(
                f"This loss of {self.method.name} has no logits over classes that a Balance could "
                "act on, or adjusts them itself: balance by sampling (or, for cpt, choose "
                "clip_loss='class_ce')."
            )

    def as_dict(self) -> dict[str, Any]:
        """Every resolved value, ready for JSON."""
        values = _renamed(dataclasses.asdict(self), STORED_NAMES)
        origin = reference_of(type(self.method))
        came_from = {} if origin is None else {ORIGIN: origin}
        values["method"] = {"name": self.method.name, **came_from, **values["method"]}
        return json.loads(json.dumps(values))

    @cached_property
    def run_id(self) -> str:
        """Readable prefix and a hash of what is not default: `food-cpt-tau0.06-seed1-1a2b3c4d5e`.

        An option added later, at its default, thus leaves the ids of older runs as they were; the
        stored specification holds every value, so a changed default is noticed all the same.
        """
        values = {
            "format": FORMAT,
            "name": self.method.name,
            **_renamed(_changed(self), STORED_NAMES),
        }
        # Equal specifications get equal ids, and 1 == 1.0: every number is written as a float.
        values = json.loads(json.dumps(values), parse_int=float)
        canonical = json.dumps(values, sort_keys=True)
        digest = hashlib.sha256(canonical.encode()).hexdigest()[:10]
        dataset = Path(self.dataset).stem  # it may be a path
        return f"{dataset}-{self.method.name}-tau{self.tau:g}-seed{self.seed}-{digest}"


def _changed(options: Any) -> dict[str, Any]:
    """Fields of a dataclass that differ from their defaults, and of the dataclasses in it."""
    values = {}
    for f in dataclasses.fields(options):
        value = getattr(options, f.name)
        if dataclasses.is_dataclass(value):
            values[f.name] = _changed(value)
        elif value != f.default:
            values[f.name] = value
    return values


def _renamed(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in values.items()}


def _check_templates(templates: tuple[str, ...] | None) -> None:
    """None stands for the data set's own sentence."""
    if templates is not None and (not templates or any(t.count("{}") != 1 for t in templates)):
        raise ValueError(
            f"anchor_templates are {templates!r}: give one sentence or more, each with one {{}} "
            "where the class name goes."
        )


def spec_from_dict(values: dict[str, Any]) -> RunSpec:
    """Rebuild a specification from `as_dict`; unknown keys are errors that list the valid ones.

    Raises UnknownMethod if the method that it names is not here.
    """
    values = _renamed(values, {stored: name for name, stored in STORED_NAMES.items()})
    method = dict(values.pop("method", {}))
    kind = method_of_store(method.pop("name", ""), method.pop(ORIGIN, None))
    built_method = build(kind, method)
    schedule = build(Schedule, values.pop("schedule", {}))
    if values.get("balance") is not None:
        values["balance"] = build(Balance, values["balance"])
    return build(RunSpec, {**values, "method": built_method, "schedule": schedule})
