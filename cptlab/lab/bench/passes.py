"""Passes of R replicas compared with R runs one after another."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import torch

from cptlab.clip import Backbone, imagenet_names
from cptlab.data import ImageDataset, Sample, draw_long_tailed
from cptlab.lab.bench.measure import alternating
from cptlab.lab.bench.table import Row
from cptlab.lab.runs.one_pass import execute
from cptlab.lab.study.profiles import DEMO
from cptlab.methods import CPT, CoOp, Method
from cptlab.methods.schedule import Schedule
from cptlab.training.loop import train
from cptlab.training.spec import RunSpec

DEPTH = {"text_depth": 3, "vision_depth": 4}
"""Of CPT in the embedded world."""


def pass_rows(
    counts: Sequence[int], rounds: int = 1, backbone: Backbone | None = None
) -> Iterator[Row]:
    """Runs per hour with R replicas in one pass, for CoOp and CPT.

    Args:
        counts: numbers R of replicas; 1 is added if missing.
        rounds: how often each is timed, alternating.
        backbone: without one, whole runs of the embedded world on the CPU (activities, tau 0.06,
            demo schedule, evaluation and storing included, one thread). With one, training alone
            on noise images at the paper's batch of 4 (100 classes, 2 epochs of 400 steps), and
            with the paper's depth, as far as the backbone is deep.

    Returns:
        Rows with seconds, runs per hour and `ratio_runs_per_hour` over R = 1.
    """
    counts = sorted({1, *counts})
    depth = DEPTH if backbone is None else _published_depth(backbone)
    methods = {"CoOp": CoOp(), "CPT (pair mean)": CPT(**depth, etf_reduction="pair_mean")}
    for label, method in methods.items():
        work = {str(count): _work(count, method, backbone) for count in counts}
        device = torch.device("cpu") if backbone is None else backbone.device
        work["1"]()  # weights and drawings are read once per process
        took = alternating(work, rounds, device)
        for count in counts:
            per_hour = 3600 * count / took[str(count)]
            yield {
                "part": "passes",
                "method": label,
                "replicas": count,
                "seconds": took[str(count)],
                "runs_per_hour": per_hour,
                "ratio_runs_per_hour": per_hour * took["1"] / 3600,
            }


def _published_depth(backbone: Backbone) -> dict[str, int]:
    published = CPT()
    return {
        "text_depth": min(published.text_depth, backbone.text_layers),
        "vision_depth": min(published.vision_depth, backbone.vision_layers),
    }


def _work(count: int, method: Method, backbone: Backbone | None) -> Callable[[], object]:
    """One pass of this many seeds."""
    if backbone is None:
        plain = DEMO.spec("activities", method, tau=0.06, seed=1)
        specs = [dataclasses.replace(plain, seed=seed) for seed in range(1, count + 1)]

        def embedded() -> None:
            with tempfile.TemporaryDirectory() as folder:
                execute(specs, Path(folder))

        return embedded
    schedule = Schedule(epochs=2)
    specs = [
        RunSpec("noise", method, seed=seed, schedule=schedule, backbone=backbone.name)
        for seed in range(1, count + 1)
    ]
    data = noise(100)
    subsets = [draw_long_tailed(data, 1.0, spec.seed) for spec in specs]
    return lambda: train(specs, backbone, data, subsets)


@lru_cache
def noise(n_classes: int, per_class: int = 16) -> ImageDataset:
    """A data set of seeded noise with ImageNet's first class names."""
    samples = tuple(Sample(f"{c}/{i}", c) for c in range(n_classes) for i in range(per_class))

    def read(keys: Sequence[str], size: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(len(keys))
        return torch.rand(len(keys), 3, size, size, generator=generator)

    return ImageDataset("noise", tuple(imagenet_names(n_classes)), samples, (), read)
