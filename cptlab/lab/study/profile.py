"""A profile: the size of a study, its schedules, and the machine that it runs on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from cptlab.clip import Precision
from cptlab.data import Protocol
from cptlab.data.long_tail import ClassOrder
from cptlab.lab.study.as_tuned import as_tuned
from cptlab.lab.study.claims import READINGS, Reading
from cptlab.lab.study.design import Design
from cptlab.lab.study.varied import Varied
from cptlab.methods.base import Method
from cptlab.methods.schedule import Schedule, scaled
from cptlab.training.spec import RunSpec

EMBEDDED_SCHEDULE = Schedule(epochs=6, lr=0.001, batch_size=32)
"""CPT's, chosen once on a held-out training vendor with five methods in view (docs/log.md)."""

TAUS = (1.0, 0.25, 0.06)
"""The paper's imbalance ratios."""


M = TypeVar("M", bound=Method)


@dataclass(frozen=True)
class Depths:
    """Hyper-parameters that count layers of the backbone; EmojiCLIP has 4 text and 6 image layers.

    text_depth, vision_depth: prompted layers of independent prompts; depth: those of coupled
    prompts; block: the layer in which DeKg's class-aware tokens enter.
    """

    text_depth: int = 3
    vision_depth: int = 4
    depth: int = 3
    block: int = 2


@dataclass(frozen=True)
class Profile:
    """Size of a study.

    comparison: all methods, base to new; runs by seed are of its first data set, smallest ratio.
    curve_dataset: that of the training curves, at the ratios `curve_taus`, and of the tour.
    details: runs that vary CPT's losses, weights, clusters and readings; varied: what they try.
    transfer: sources of cross-dataset transfer and domain shift. few_shot: data sets and seeds of
    few-shot learning with `shots` images of every class. readings: those under which weights and
    clusters are varied (tables show both readings of L_TETF anyway). ablate_transfer: run the
    combinations of losses in transfer too. baselines: labels of the other prompt-tuning methods;
    None for all of them (`cptlab.lab.study.lineup`). also: methods from outside the package
    (`cptlab.methods.find_method`). methods: if there are any, they take part instead of all others,
    zero-shot beside them: names, labels of rows or references (`lineup.chosen`). balanced: vary
    losses, weights, algorithms and balances on balanced data (tau = 1) too. targets: data sets that
    transfer tests; none for those of the source's family. similarity_dataset: data set of the
    similarity matrices, about 96 training classes. other_weights: of the backbone, from other
    pretraining seeds, on which the main methods run too. schedule: CPT's in every protocol; other
    methods' schedules keep their published proportion to it. depths: prompted layers in this
    backbone. None for schedule or depths: as published for each method and protocol, for ViT-B/16.
    tuned: methods that were tuned have the rate, length and hyper-parameters that were chosen
    (`as_tuned`) in place of these. costly: labels of methods that cost many times the others; they
    run at the smallest ratio alone. spread: seeds that the methods of
    Fig. 4 have on all data sets, None for those of the comparison on the first alone.
    class_order, crop, device, precision, compile, threads: as in `RunSpec`.
    """

    name: str
    comparison: Design
    details: Design
    transfer: Design
    few_shot: Design
    similarity_dataset: str
    curve_dataset: str = "activities"
    baselines: tuple[str, ...] | None = None
    also: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    varied: Varied = field(default_factory=Varied)
    balanced: bool = False
    targets: tuple[str, ...] = ()
    readings: tuple[Reading, ...] = READINGS
    ablate_transfer: bool = True
    curve_taus: tuple[float, ...] = TAUS
    shots: tuple[int, ...] = (1, 2, 4, 8, 16)
    schedule: Schedule | None = field(default_factory=lambda: EMBEDDED_SCHEDULE)
    backbone: str = "EmojiCLIP"
    pretrained: str | None = None
    other_weights: tuple[str, ...] = ()
    depths: Depths | None = Depths()
    tuned: bool = False
    costly: tuple[str, ...] = ()
    spread: tuple[int, ...] | None = None
    class_order: ClassOrder = "name"
    crop: bool = False
    device: Literal["cpu", "cuda"] = "cpu"
    precision: Precision = "fp32"
    compile: bool = False
    threads: int = 1

    def spec(
        self,
        dataset: str,
        method: Method,
        tau: float,
        seed: int,
        protocol: Protocol = "base_to_new",
        curve: bool = False,
    ) -> RunSpec:
        """One run with the method's schedule in this profile, on its backbone and machine.

        Values that were published for the data set replace the method's defaults.
        """
        targets = self.targets if protocol == "transfer" else ()
        return RunSpec(
            dataset=dataset,
            method=_published_for(dataset, method),
            tau=tau,
            seed=seed,
            schedule=self.schedule_of(method, protocol, dataset),
            protocol=protocol,
            curve=curve,
            targets=tuple(t for t in targets if t != dataset),
            class_order=self.class_order,
            crop=self.crop,
            backbone=self.backbone,
            pretrained=self.pretrained,
            device=self.device,
            precision=self.precision,
            compile=self.compile,
            threads=self.threads,
        )

    def schedule_of(self, method: Method, protocol: Protocol, dataset: str) -> Schedule:
        """A method's schedule in this profile."""
        if self.schedule is not None:
            chosen = as_tuned(type(method), vars(method)) if self.tuned else None
            changed: Mapping[str, object] = chosen.schedule if chosen else {}
            return dataclasses.replace(scaled(method.schedule(), self.schedule), **changed)
        published = {**method.published(protocol), **method.published(dataset)}
        return dataclasses.replace(method.schedule(), **_fields_of(Schedule, published))

    def make(self, method: type[M], protocol: Protocol = "base_to_new", **options: object) -> M:
        """A method with these hyper-parameters, as many prompted layers as the profile has, and
        what was tuned.
        """
        chosen = as_tuned(method, options) if self.tuned else None
        found = chosen.options if chosen else {}
        return method(**{**self.depths_of(method, protocol), **found, **options})

    def fitted(self, method: Method, protocol: Protocol = "base_to_new") -> Method:
        """The method with as many prompted layers as the profile has, where it says nothing else.

        A field at its default says nothing: the defaults of depths are those of ViT-B/16.
        """
        said = {
            f.name: getattr(method, f.name)
            for f in dataclasses.fields(method)
            if getattr(method, f.name) != f.default
        }
        return self.make(type(method), protocol, **said)

    def depths_of(
        self, method: type[Method], protocol: Protocol = "base_to_new"
    ) -> dict[str, object]:
        """The fields of a method that were published for a protocol, or that this profile sets."""
        depths = {} if self.depths is None else dataclasses.asdict(self.depths)
        return _fields_of(method, {**method.published_for.get(protocol, {}), **depths})

    @property
    def followed_dataset(self) -> str:
        """The data set whose training is followed: that of the curves, if it takes part."""
        datasets = self.comparison.datasets
        return self.curve_dataset if self.curve_dataset in datasets else datasets[0]

    def datasets(self) -> list[str]:
        """Every data set that some study uses, each once."""
        designs = (self.comparison, self.details, self.transfer, self.few_shot)
        used = [name for design in designs for name in design.datasets]
        return list(dict.fromkeys((*used, self.similarity_dataset)))


def _published_for(dataset: str, method: Method) -> Method:
    values = _fields_of(type(method), method.published(dataset))
    unset = {k: v for k, v in values.items() if getattr(method, k) == getattr(type(method), k)}
    return dataclasses.replace(method, **unset)


def _fields_of(kind: type[Method | Schedule], values: Mapping[str, object]) -> dict[str, object]:
    """The values that name fields of a dataclass."""
    own = {f.name for f in dataclasses.fields(kind)}
    return {name: value for name, value in values.items() if name in own}
