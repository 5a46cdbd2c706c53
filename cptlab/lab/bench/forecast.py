"""The cost of runs before they start: steps, and time estimated from stored measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cptlab.clip.loading import EMOJI_NAME
from cptlab.data.long_tail import class_counts
from cptlab.data.paper import LEARNED, ROWS, VARIANTS
from cptlab.lab import bench
from cptlab.lab.runs.inputs import task_of
from cptlab.training.optimisation import planned_epochs, steps_per_epoch
from cptlab.training.spec import RunSpec

EPOCH_SECONDS = 0.35
"""Rough time of an epoch of 100 images with visual prompts on one core in the embedded world."""
BENCH_BATCH = 4
FORWARD = 1 / 3
"""Share of a step that a forward pass takes; the backward one takes about twice as long."""


@dataclass(frozen=True)
class StepTimes:
    """Measured time of the two sides of a step, forward and backward, on one machine.

    image: seconds of BENCH_BATCH images. start, slope: the text side takes start + slope K seconds
    for K classes.
    """

    image: float
    start: float
    slope: float
    machine: str


@dataclass(frozen=True)
class Forecast:
    """Work of one run: training steps, test images, and seconds where they were measured."""

    steps: int
    tested: int
    seconds: float


def step_times(rows: Sequence[bench.Row]) -> StepTimes:
    """The image side of a benchmark, and a line fitted to its text sides."""
    towers = bench.table(rows, "towers")
    image = towers[towers["side"] == "image"]["seconds_ours"].iloc[0]
    text = towers[towers["side"] == "text"]
    slope, start = np.polyfit(text["classes"], text["seconds_ours"], 1)
    return StepTimes(float(image), float(start), float(slope), str(rows[0]["machine"]))


def forecast(spec: RunSpec, times: StepTimes) -> Forecast:
    """Work of a run.

    Numbers of classes of the paper's data sets are the published ones, and every class is assumed
    to have all its images, so that no data are needed. times: of a benchmark on the run's device,
    for backbones other than EmojiCLIP.
    """
    n_classes, tested = _classes(spec)
    samples = sum(class_counts(n_classes, spec.tau, spec.n_max))
    method, batch = spec.method, spec.schedule.batch_size
    evaluations = 1
    stages = 0
    steps = 0
    if method.prompt_shape().text_tokens:
        epochs = planned_epochs(spec, n_classes, samples)
        evaluations = epochs if spec.curve else 1
        stages = 1 if method.first_stage() is None else 2
        steps = epochs * steps_per_epoch(samples, batch)
    last = batch  # images of a step of the last stage; hard negatives are of other classes
    if method.hard_negatives:
        last = min(batch * (1 + method.hard_negatives), max(batch, n_classes))
    shown = steps * (last + (stages - 1) * batch)
    steps *= stages
    if spec.backbone == EMOJI_NAME:
        learned = shown * _prompts_images(spec)
        seconds = 2 + EPOCH_SECONDS / 100 * (learned + evaluations * tested / 3)
        return Forecast(steps, tested, seconds)
    image, text = times.image / BENCH_BATCH, max(0.0, times.start + times.slope * n_classes)
    learning = image * (1 if _prompts_images(spec) else FORWARD)
    learning += image * FORWARD * method.frozen_images
    testing = (image + text * method.per_image) * FORWARD
    text *= batch if method.per_image else 1
    seconds = steps * text + shown * learning + evaluations * tested * testing
    return Forecast(steps, tested, seconds)


def summary(specs: Sequence[RunSpec], times: StepTimes) -> pd.DataFrame:
    """Runs, steps and hours by protocol and in total, one run after another."""
    works = [forecast(spec, times) for spec in specs]
    frame = pd.DataFrame(
        {
            "protocol": [spec.protocol for spec in specs],
            "runs": 1,
            "steps": [work.steps for work in works],
            "hours": [work.seconds / 3600 for work in works],
        }
    )
    table = frame.groupby("protocol", sort=False).sum()
    table.loc["all"] = table.sum()
    return table.astype({"runs": int, "steps": int})


def as_text(specs: Sequence[RunSpec], times: StepTimes) -> str:
    """The summary as text, with the machine that its hours are of."""
    table = summary(specs, times)
    text = table.to_string(formatters={"hours": "{:,.1f}".format, "steps": "{:,}".format})
    if all(spec.backbone == EMOJI_NAME for spec in specs):
        return f"{text}\nHours of one core, roughly."
    return f"{text}\nHours of one run after another, by the stored benchmark ({times.machine})."


def _classes(spec: RunSpec) -> tuple[int, int]:
    """Numbers of training classes and of test images."""
    if spec.dataset in ROWS and not spec.targets:
        n_classes, tests = ROWS[spec.dataset].n_classes, ROWS[spec.dataset].published[2]
        if spec.protocol == "base_to_new":
            return -(-n_classes // 2), tests
        if spec.protocol == "transfer":
            tests = sum(row.published[2] for row in (LEARNED | VARIANTS).values())
        return n_classes, tests
    task = task_of(spec)
    return len(task.learned.class_names), sum(len(test.test) for test in task.tests.values())


def _prompts_images(spec: RunSpec) -> bool:
    """Whether the image tower has to be trained through: all deep methods prompt both towers."""
    shape = spec.method.prompt_shape()
    return shape.vision_tokens > 0 or shape.text_depth > 1
