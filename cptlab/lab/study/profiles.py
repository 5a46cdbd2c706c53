"""Profiles: the size of a study. Every notebook runs with each of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from cptlab.checks import check_text, check_values, did_you_mean, option
from cptlab.clip import Precision
from cptlab.data import PAPER_DATASETS, Protocol
from cptlab.emoji.catalog import CATEGORIES
from cptlab.lab.study.claims import READINGS, Reading
from cptlab.lab.study.design import Design
from cptlab.lab.study.varied import Varied
from cptlab.methods.base import Method
from cptlab.methods.registry import find_method
from cptlab.methods.schedule import Schedule, scaled
from cptlab.training.spec import RunSpec

EMBEDDED_SCHEDULE = Schedule(epochs=6, lr=0.001, batch_size=32)
"""CPT's, chosen once on a held-out training vendor with five methods in view (docs/log.md)."""

TAUS = (1.0, 0.25, 0.06)
"""The paper's imbalance ratios."""


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

    comparison: all methods, base to new; violins are of its first data set, at the smallest ratio.
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
    similarity matrices, about 96 training classes. schedule: CPT's in every protocol; other
    methods' schedules keep their published proportion to it. depths: prompted layers in this
    backbone. None for schedule or depths: as published for each method and protocol, for ViT-B/16.
    crop, device, precision, compile, threads: as in `RunSpec`.
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
    depths: Depths | None = Depths()
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
            return scaled(method.schedule(), self.schedule)
        published = {**method.published(protocol), **method.published(dataset)}
        return dataclasses.replace(method.schedule(), **_fields_of(Schedule, published))

    def make(
        self, method: type[Method], protocol: Protocol = "base_to_new", **options: object
    ) -> Method:
        """A method with these hyper-parameters and as many prompted layers as the profile has."""
        return method(**{**self.depths_of(method, protocol), **options})

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


SMOKE = Profile(
    "smoke",
    comparison=Design(("activities",), (0.06,), (1, 2)),
    details=Design(("activities",), (0.06,), (1,)),
    transfer=Design(("activities",), (0.06,), (1,)),
    few_shot=Design(("activities",), (1.0,), (1,)),
    shots=(1, 4),
    baselines=("CoOp", "IVLP", "MaPLe", "DPC (CoOp)"),
    similarity_dataset="activities",
    readings=(Reading("pair mean"),),
    ablate_transfer=False,
    curve_taus=(0.06,),
    schedule=Schedule(epochs=2, lr=EMBEDDED_SCHEDULE.lr, batch_size=32),
)
DEMO = Profile(
    "demo",
    # without balanced data (tau = 1), a sixth of the work: it should take less than 15 minutes
    comparison=Design(("activities",), TAUS[1:], (1, 2, 3, 4, 5), seeds_at_larger_tau=(1, 2, 3)),
    details=Design(("activities",), (0.06,), (1, 2, 3)),
    transfer=Design(("activities",), (0.06,), (1, 2, 3)),
    baselines=("CoOp", "IVLP"),
    few_shot=Design(("activities",), (1.0,), (1, 2)),
    shots=(1, 2, 4),
    similarity_dataset="travel",
    readings=(Reading("pair mean"),),
    ablate_transfer=False,
    curve_taus=(0.06,),
)
FULL = Profile(
    "full",
    comparison=Design(tuple(CATEGORIES), TAUS, (1, 2, 3, 4, 5), seeds_at_larger_tau=(1, 2, 3)),
    details=Design(("activities",), TAUS, (1, 2, 3)),
    transfer=Design(("activities",), TAUS, (1, 2, 3)),
    few_shot=Design(("activities",), (1.0,), (1, 2, 3)),
    # those whose runs are in figures/full.tar.xz
    baselines=(
        "CoOp",
        "CoCoOp",
        "IVLP",
        "MaPLe",
        "PromptSRC",
        "CoPrompt (templates)",
        "NPT-style",
        "DeKg",
        "DPC (CoOp)",
        "DPC (MaPLe)",
    ),
    similarity_dataset="travel",
)
PAPER = Profile(
    "paper",
    comparison=Design(PAPER_DATASETS, TAUS, (1, 2, 3, 4, 5)),
    details=Design(PAPER_DATASETS, TAUS, (1, 2, 3, 4, 5)),
    transfer=Design(("imagenet",), TAUS, (1, 2, 3, 4, 5)),
    few_shot=Design(PAPER_DATASETS, (1.0,), (1, 2, 3)),
    similarity_dataset="flowers102",
    curve_dataset="eurosat",
    schedule=None,
    backbone="ViT-B-16-quickgelu",
    pretrained="openai",
    depths=None,
    crop=True,
    device="cuda",
    precision="bf16",
)
PROFILES = {profile.name: profile for profile in (SMOKE, DEMO, FULL, PAPER)}


ALSO = "also"
DESIGNS_BY_TAU = ("comparison", "details", "transfer")
MACHINE = ("backbone", "pretrained", "device", "precision", "compile", "threads")
"""Fields that can be changed with the name of a profile: another model, another machine."""


def profile_named(text: str) -> Profile:
    """Profile by name, optionally with changes: "paper", or "paper,device=cpu,compile=True".

    "full,tau=0.06" is the study of this imbalance ratio alone; few-shot learning stays as it is.
    "demo,also=tail_coop.py:TailCoOp" adds a method from outside the package.

    Raises ValueError listing the choices for an unknown name, change or value.
    """
    check_text("profile", text)
    name, *changes = text.split(",")
    if name not in PROFILES:
        raise ValueError(
            f"Unknown profile {name!r}; choose one of {', '.join(PROFILES)}."
            f"{did_you_mean(name, PROFILES)} Changes go behind a comma, as in full,tau=0.06."
        )
    if not changes:
        return PROFILES[name]
    pairs = [option(f"Behind a comma, profile {name}", change) for change in changes]
    also = tuple(str(value) for key, value in pairs if key == ALSO)
    values = dict(pair for pair in pairs if pair[0] != ALSO)
    if len(values) + len(also) < len(pairs):
        raise ValueError(f"{text} changes something twice: change it once.")
    tau = values.pop("tau", None)
    unknown = sorted(values.keys() - set(MACHINE))
    if unknown:
        choices = ", ".join(("tau", ALSO, *MACHINE))
        raise ValueError(f"A profile cannot change {', '.join(unknown)}; it can change {choices}.")
    profile = dataclasses.replace(PROFILES[name], name=text, also=also, **values)
    check_values(profile)
    for reference in also:
        find_method(reference)  # a wrong one should fail here
    return profile if tau is None else _at(profile, tau)


def _at(profile: Profile, tau: object) -> Profile:
    """A profile at one imbalance ratio."""
    designs = {name: getattr(profile, name) for name in DESIGNS_BY_TAU}
    common = [t for t in TAUS if all(t in design.taus for design in designs.values())]
    if tau not in common:
        raise ValueError(
            f"Profile {profile.name.split(',')[0]} cannot be had at tau={tau} alone; choose one "
            f"of {', '.join(f'{t:g}' for t in common)}."
        )
    curves = tuple(t for t in profile.curve_taus if t == tau)
    at = {name: design.at(tau) for name, design in designs.items()}
    return dataclasses.replace(profile, curve_taus=curves, **at)
