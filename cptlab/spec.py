"""Run specifications: everything that decides a run's numbers, as frozen dataclasses."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import math
import typing
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Any, Literal

from cptlab.clip import Precision
from cptlab.data import Protocol
from cptlab.data.long_tail import ClassOrder, class_counts
from cptlab.methods import METHODS, Method

FORMAT = 2
"""Version of the result format and of the meaning of specifications; part of every run id."""


@dataclass(frozen=True)
class Schedule:
    """SGD schedule of the CoOp family: one constant warm-up epoch, then cosine, per epoch.

    Defaults are the paper's base-to-new setting (supplement, 6.1). `match_balanced_steps` lengthens
    long-tailed runs until they take as many steps as the balanced one.
    """

    epochs: int = 12
    lr: float = 0.0025
    batch_size: int = 4
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup_lr: float = 1e-5
    match_balanced_steps: bool = False

    def __post_init__(self) -> None:
        check_values(self)
        for name in ("epochs", "lr", "batch_size"):
            if getattr(self, name) <= 0:
                raise ValueError(f"Schedule.{name} must be positive, got {getattr(self, name)}.")

    def learning_rate(self, epoch: int, epochs: int | None = None) -> float:
        """Rate of epoch 0, 1, ...: warm-up constant, then lr (1 + cos(pi (e - 1) / E)) / 2."""
        if epoch == 0:
            return self.warmup_lr
        return self.lr * 0.5 * (1 + math.cos(math.pi * (epoch - 1) / (epochs or self.epochs)))


@dataclass(frozen=True)
class RunSpec:
    """One training run: backbone, data, imbalance, seed, method and schedule.

    `protocol` says what is learned and tested (`cptlab.data.open_roles`). `curve` also evaluates
    and measures neural collapse after every epoch. `device` ("cpu", "cuda"), `precision` of the
    frozen towers and `threads`, the number of torch threads on the CPU, are here because results
    depend on them.
    """

    dataset: str
    method: Method
    imbalance: float = 1.0
    seed: int = 1
    schedule: Schedule = field(default_factory=Schedule)
    backbone: str = "EmojiCLIP"
    pretrained: str | None = None
    n_max: int = 16
    class_order: ClassOrder = "name"
    protocol: Protocol = "base_to_new"
    curve: bool = False
    device: Literal["cpu", "cuda"] = "cpu"
    precision: Precision = "fp32"
    threads: int = 1

    def __post_init__(self) -> None:
        check_values(self)
        check_values(self.method)
        class_counts(1, self.imbalance, self.n_max)  # its checks are ours
        if self.threads < 1:
            raise ValueError(f"threads must be at least 1, got {self.threads}.")

    def as_dict(self) -> dict[str, Any]:
        """Every resolved value, ready for JSON."""
        values = dataclasses.asdict(self)
        values["method"] = {"name": self.method.name, **values["method"]}
        return json.loads(json.dumps(values))

    @property
    def run_id(self) -> str:
        """Readable prefix and a hash of what is not default: `food-cpt-tau0.06-seed1-1a2b3c4d5e`.

        An option added later, at its default, thus leaves the ids of older runs as they were; the
        stored specification holds every value, so a changed default is noticed all the same.
        """
        values = {"format": FORMAT, "name": self.method.name, **_changed(self)}
        # Equal specifications get equal ids, and 1 == 1.0: every number is written as a float.
        values = json.loads(json.dumps(values), parse_int=float)
        canonical = json.dumps(values, sort_keys=True)
        digest = hashlib.sha256(canonical.encode()).hexdigest()[:10]
        return f"{self.dataset}-{self.method.name}-tau{self.imbalance:g}-seed{self.seed}-{digest}"


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


def spec_from_dict(values: dict[str, Any]) -> RunSpec:
    """Rebuild a specification from `as_dict`; unknown keys are errors that list the valid ones."""
    values = dict(values)
    method = dict(values.pop("method", {}))
    built_method = make_method(method.pop("name", ""), **method)
    schedule = build(Schedule, values.pop("schedule", {}))
    return build(RunSpec, {**values, "method": built_method, "schedule": schedule})


def make_method(name: str, /, **options: Any) -> Method:
    """Method by name with some hyper-parameters set.

    Raises ValueError for an unknown name or hyper-parameter, listing what exists.
    """
    if name not in METHODS:
        raise ValueError(f"Unknown method {name!r}; choose one of {', '.join(METHODS)}.")
    return build(METHODS[name], options)


def build(cls: type, values: dict[str, Any]) -> Any:
    """Dataclass from a dict; lists become tuples; an unknown key is a ValueError with a hint."""
    known = [f.name for f in dataclasses.fields(cls)]
    for key in values:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(
                f"{cls.__name__} has no parameter {key!r}.{hint} It has: {', '.join(known)}."
            )
    return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def check_values(options: Any) -> None:
    """Raise ValueError if a field of a dataclass holds what its type hint rules out.

    Hints of other types than numbers, strings, choices and tuples of these are not looked at.
    """
    hints = typing.get_type_hints(type(options))
    for f in dataclasses.fields(options):
        value, hint = getattr(options, f.name), hints[f.name]
        if not _fits(value, hint):
            choices = ", ".join(map(str, typing.get_args(hint)))
            is_choice = typing.get_origin(hint) is Literal
            wanted = f"one of {choices}" if is_choice else getattr(hint, "__name__", hint)
            where = f"{type(options).__name__}.{f.name}"
            raise ValueError(f"{where} is {value!r}, but must be {wanted}.")


def _fits(value: Any, hint: Any) -> bool:
    if typing.get_origin(hint) is Literal:
        return value in typing.get_args(hint)
    if isinstance(hint, UnionType):
        return any(_fits(value, option) for option in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(_fits(v, typing.get_args(hint)[0]) for v in value)
    if hint in (int, float):
        number = int if hint is int else int | float
        return isinstance(value, number) and not isinstance(value, bool)
    return isinstance(value, hint) if hint in (bool, str, NoneType) else True
