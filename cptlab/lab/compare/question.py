"""What a comparison asks: which methods on which data sets, and the runs that answer it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from cptlab.checks import check_values
from cptlab.data import Protocol, full_name, is_path
from cptlab.data.long_tail import ClassOrder
from cptlab.lab.runs.ready import require_ready
from cptlab.lab.study import given
from cptlab.lab.study.claims.variants import ZERO_SHOT
from cptlab.lab.study.lineup import chosen
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.profiles import profile_named
from cptlab.lab.study.studies import Study
from cptlab.lab.workspace import DEFAULT_PROFILE
from cptlab.methods.base import Method
from cptlab.training.spec import RunSpec

PRIMARY = {"base_to_new": "H", "few_shot": "all", "transfer": "targets"}
"""Protocol -> the accuracy that it is about."""


@dataclass(frozen=True)
class Question:
    """Methods x data sets x imbalance ratios x seeds; zero-shot takes part in any case.

    Its fields are the parameters of `cptlab.compare`, described there; what is left out is the
    method's own in the profile.

    Raises:
        ValueError: for whatever cannot be asked, saying what to do; nothing is read before `check`.
    """

    datasets: object
    methods: object
    taus: object = (0.06,)
    seeds: object = (1, 2, 3)
    protocol: Protocol = "base_to_new"
    profile: str = DEFAULT_PROFILE
    options: Mapping[str, Mapping[str, object]] | None = None
    shots: int = 16
    epochs: int | None = None
    lr: float | None = None
    batch_size: int | None = None
    template: str | Mapping[str, str] | None = None
    class_order: ClassOrder | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        check_values(self)
        if self.shots < 1:
            raise ValueError(f"shots must be 1 or more, got {self.shots}.")

    @cached_property
    def sized(self) -> Profile:
        """The profile: its backbone, depths and schedules hold for what is left out."""
        return profile_named(self.profile)

    @cached_property
    def named(self) -> dict[str, str]:
        """Short name -> data set, as specifications have it."""
        found = given.by_short_name(full_name(str(name)) for name in given.items(self.datasets))
        if not found:
            raise ValueError("There are no data sets to compare on: name at least one.")
        return found

    @cached_property
    def chosen(self) -> dict[str, Method]:
        """Label -> method, zero-shot first."""
        wanted = given.methods(self.methods)
        found = chosen(self.sized, wanted, self.protocol, self.options)  # ty: ignore[invalid-argument-type]
        return chosen(self.sized, ["zero_shot"], self.protocol) | found

    @property
    def against(self) -> tuple[str, ...]:
        """Labels of the methods that differences are against: zero-shot, and the reference.

        Raises ValueError if there are none beside zero-shot, or the reference takes no part.
        """
        wanted = self.reference
        named = [label for label, method in self.chosen.items() if wanted in (label, method.name)]
        if wanted is not None and len(named) != 1:
            raise ValueError(
                f"The reference {wanted!r} {'is several' if named else 'takes no part'}; choose "
                f"one of {', '.join(self.chosen)}."
            )
        others = [label for label in self.chosen if label != ZERO_SHOT]
        if not others:
            raise ValueError("There are no methods to compare with zero-shot: name at least one.")
        return tuple(dict.fromkeys((ZERO_SHOT, *(named or others[:1]))))

    @cached_property
    def study(self) -> Study:
        """Each run once, with the label of its method."""
        seeds = given.seeds(self.seeds)
        return {
            self._spec(short, method, tau, seed): label
            for label, method in self.chosen.items()
            for short in self.named
            for tau in given.numbers("taus", self.taus)
            for seed in (seeds[:1] if label == ZERO_SHOT else seeds)
        }

    def check(self) -> list[str]:
        """Look at all data sets and the backbone, so that bad input fails before any training; what
        should be known about them. Raises ValueError as `require_ready`.
        """
        return require_ready(self.study)

    def _spec(self, short: str, method: Method, tau: float, seed: int) -> RunSpec:
        spec = self.sized.spec(self.named[short], method, tau, seed, self.protocol)
        schedule = {"epochs": self.epochs, "lr": self.lr, "batch_size": self.batch_size}
        schedule = {name: value for name, value in schedule.items() if value is not None}
        if "epochs" in schedule:  # in place of steps for every shot
            schedule["steps_per_shot"] = 0
        if not method.weights():  # nothing is learned, so one run serves all schedules
            schedule = {}
        return dataclasses.replace(
            spec,
            n_max=self.shots,
            class_order=self.class_order or self.sized.class_order,
            schedule=dataclasses.replace(spec.schedule, **schedule),
            template=self._templates.get(short),
            targets=self._targets(short),
        )

    @cached_property
    def _templates(self) -> Mapping[str, str]:
        """Short name -> sentence, for data sets that have one from the user."""
        if self.template is None:
            return {}
        if isinstance(self.template, str):
            return dict.fromkeys(self.named, self.template)
        if strange := [name for name in self.template if name not in self.named]:
            raise ValueError(
                f"There is a template for {strange[0]!r}, which is not among the data sets: "
                f"{', '.join(self.named)}."
            )
        return self.template

    def _targets(self, short: str) -> tuple[str, ...]:
        """What a source is tested on in transfer; empty for the others of its family."""
        if self.protocol != "transfer" or not any(map(is_path, self.named.values())):
            return ()
        others = tuple(full for name, full in self.named.items() if name != short)
        if not others:
            raise ValueError(
                f"Transfer of {short} needs another data set to test on: name two or more."
            )
        return others
