"""What a run does, counted before it starts: its stages, steps and images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from cptlab.data import Task
from cptlab.data.dataset import labels_of
from cptlab.data.long_tail import class_counts
from cptlab.data.paper import LEARNED, ROWS, VARIANTS
from cptlab.lab.runs.inputs import task_of
from cptlab.methods import Method
from cptlab.training.optimisation import planned_epochs, steps_per_epoch
from cptlab.training.spec import RunSpec


@dataclass(frozen=True)
class Work:
    """Numbers of a run: training classes and images, test images, epochs and steps of a stage.

    stages: the methods that are trained one after another; none if nothing is learned.
    """

    n_classes: int
    samples: int
    tested: int
    epochs: int
    stage_steps: int
    stages: tuple[Method, ...]

    @property
    def steps(self) -> int:
        """Training steps of all stages."""
        return self.stage_steps * len(self.stages)


def work_of(spec: RunSpec, task: Callable[[RunSpec], Task] = task_of) -> Work:
    """The work of a run.

    Numbers of classes of the paper's data sets are the published ones, and their classes are taken
    to have all the images that a run asks for, so that no data are needed.
    """
    there, tested = _sizes(spec, task)
    there = sorted(there, reverse=True) if spec.class_order == "count" else there
    n_classes = len(there)
    counts = list(map(min, class_counts(n_classes, spec.tau, spec.n_max), there))
    samples = sum(counts)
    first, stages = spec.method.first_stage(), ()
    if spec.method.weights():
        stages = (spec.method,) if first is None else (first, spec.method)
    epochs = planned_epochs(spec, counts)
    steps = epochs * steps_per_epoch(samples, spec.schedule.batch_size)
    return Work(n_classes, samples, tested, epochs, steps, stages)


def tasks_once() -> Callable[[RunSpec], Task]:
    """`task_of` for many runs, which opens every task once."""
    found: dict[tuple[object, ...], Task] = {}

    def task(spec: RunSpec) -> Task:
        key = (spec.dataset, spec.protocol, spec.template, spec.targets)
        if key not in found:
            found[key] = task_of(spec)
        return found[key]

    return task


def is_published(spec: RunSpec) -> bool:
    """Whether a run's numbers of classes and test images are known without its data."""
    return spec.dataset in ROWS and not spec.targets


def images_of_a_step(method: Method, batch_size: int, n_classes: int) -> float:
    """Images of a batch; with hard negatives the number to expect if all classes are alike.

    One image joins of every class that some image draws and that none of the batch has.
    """
    if not method.hard_negatives:
        return batch_size
    absent = (1 - 1 / n_classes) ** batch_size
    undrawn = max(0.0, 1 - method.hard_negatives / n_classes) ** batch_size
    return batch_size + n_classes * absent * (1 - undrawn)


def prompts_images(method: Method) -> bool:
    """Whether the image tower has to be trained through: all deep methods prompt both towers."""
    shape = method.prompt_shape()
    prompted = shape.vision_tokens > 0 or shape.text_depth > 1
    return prompted or "vision" in method.adapted_towers()


def reads_texts(method: Method) -> bool:
    """Whether a step encodes the class texts: not where all that is learned comes behind them."""
    return bool(method.prompt_shape()) or not method.support_views


def _sizes(spec: RunSpec, task: Callable[[RunSpec], Task]) -> tuple[list[int], int]:
    """Training images of every class that is learned, and the number of test images."""
    if not is_published(spec):
        opened = task(spec)
        images = Counter(labels_of(opened.learned.train))
        there = [images[label] for label in range(len(opened.learned.class_names))]
        return there, sum(len(test.test) for test in opened.tests.values())
    n_classes, tests = ROWS[spec.dataset].n_classes, ROWS[spec.dataset].published[2]
    if spec.protocol == "base_to_new":
        n_classes = -(-n_classes // 2)
    if spec.protocol == "transfer":
        tests = sum(row.published[2] for row in (LEARNED | VARIANTS).values())
    return [spec.n_max] * n_classes, tests
