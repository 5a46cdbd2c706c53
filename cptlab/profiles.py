"""Profiles: how large a study is. The same notebooks run with any of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cptlab.clip import Precision
from cptlab.data import PAPER_DATASETS
from cptlab.emoji.catalog import CATEGORIES
from cptlab.methods import Method
from cptlab.spec import RunSpec, Schedule

EMBEDDED_SCHEDULE = Schedule(epochs=6, lr=0.001, batch_size=32)
"""Chosen once for all methods by `cptlab tune`, on a held-out training vendor (docs/log.md)."""


@dataclass(frozen=True)
class Profile:
    """Size of a study.

    datasets: first one carries the training curves and violins, all of them the tables.
    similarity_dataset: source of the similarity matrices, about 96 training classes.
    text_depth, vision_depth: prompted layers of the deep methods. device, precision, threads: as in
    `RunSpec`.
    milder_seeds: seeds at all but the smallest imbalance ratio, if fewer (their runs have more
    pictures and take longest).
    """

    name: str
    datasets: tuple[str, ...]
    similarity_dataset: str
    imbalances: tuple[float, ...]
    seeds: tuple[int, ...]
    schedule: Schedule = field(default_factory=lambda: EMBEDDED_SCHEDULE)
    backbone: str = "EmojiCLIP"
    pretrained: str | None = None
    text_depth: int = 3
    vision_depth: int = 4
    device: Literal["cpu", "cuda"] = "cpu"
    precision: Precision = "fp32"
    threads: int = 1
    milder_seeds: tuple[int, ...] | None = None

    def spec(self, dataset: str, method: Method, imbalance: float, seed: int) -> RunSpec:
        """One run with this profile's schedule, backbone and machine."""
        return RunSpec(
            dataset=dataset,
            method=method,
            imbalance=imbalance,
            seed=seed,
            schedule=self.schedule,
            backbone=self.backbone,
            pretrained=self.pretrained,
            device=self.device,
            precision=self.precision,
            threads=self.threads,
        )

    def seeds_at(self, imbalance: float) -> tuple[int, ...]:
        """Seeds of the runs at an imbalance ratio."""
        if imbalance > min(self.imbalances) and self.milder_seeds is not None:
            return self.milder_seeds
        return self.seeds


SMOKE = Profile(
    "smoke",
    datasets=("activities",),
    similarity_dataset="activities",
    imbalances=(0.06,),
    seeds=(1, 2),
    schedule=Schedule(epochs=2, lr=EMBEDDED_SCHEDULE.lr, batch_size=32),
)
DEMO = Profile(
    "demo",
    datasets=("activities",),
    similarity_dataset="travel",
    imbalances=(1.0, 0.25, 0.06),
    seeds=(1, 2, 3, 4, 5),
    milder_seeds=(1, 2, 3),
)
FULL = Profile(
    "full",
    datasets=tuple(CATEGORIES),
    similarity_dataset="travel",
    imbalances=(1.0, 0.25, 0.06),
    seeds=(1, 2, 3, 4, 5),
)
PAPER = Profile(
    "paper",
    datasets=PAPER_DATASETS,
    similarity_dataset="flowers102",
    imbalances=(1.0, 0.25, 0.06),
    seeds=(1, 2, 3, 4, 5),
    schedule=Schedule(),
    backbone="ViT-B-16-quickgelu",
    pretrained="openai",
    text_depth=9,
    vision_depth=9,
    device="cuda",
    precision="bf16",
)
PROFILES = {profile.name: profile for profile in (SMOKE, DEMO, FULL, PAPER)}


def profile_named(name: str) -> Profile:
    """Profile by name; ValueError listing the choices for an unknown one."""
    if name not in PROFILES:
        raise ValueError(f"Unknown profile {name!r}; choose one of {', '.join(PROFILES)}.")
    return PROFILES[name]
