"""Cost of each method relative to IVLP: a training step, its memory, classifying test images.

A step is all that happens from one update to the next: drawing the batch (with its views or hard
negatives), forward, backward, update. Features of a frozen image tower are computed before, as in
training. DPC's is a step of its second stage; the first one steps like CoOp or MaPLe. Evaluation is
the image tower on every image and the text tower on all classes.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from functools import partial
from statistics import median

import torch
from torch import Tensor

from cptlab.clip import Backbone, Prompts, init_prompts, stacked, untrained
from cptlab.data import ImageDataset, Subset
from cptlab.data.long_tail import class_counts
from cptlab.lab.bench.measure import peak_memory, timed
from cptlab.lab.bench.table import Row
from cptlab.methods import Method
from cptlab.methods.base import Context, Support
from cptlab.seeds import torch_stream
from cptlab.training.batches import Batches, TrainingImages
from cptlab.training.context import begin
from cptlab.training.loop import TrainStep, accelerated
from cptlab.training.model import PromptedCLIP
from cptlab.training.optimisation import planned_epochs
from cptlab.training.spec import RunSpec

REFERENCE = "IVLP"
VIT_B_16 = "ViT-B-16-quickgelu"


def method_rows(
    specs: Mapping[str, RunSpec],
    backbone: Backbone,
    dataset: ImageDataset,
    subset: Subset,
    rounds: int,
) -> list[Row]:
    """One row for each method; every round times each of them once.

    Args:
        specs: a run for each label, `REFERENCE` among them.
        backbone: the frozen CLIP of all runs.
        dataset: what they learn; its test images are those of the evaluation.
        subset: training images, at least one batch.
        rounds: timings of each, after one call that is not timed.

    Returns:
        Rows with trained parameters, epochs of a run (DPC: of each stage), number of classes,
        images of the first batch and of the evaluation, median, minimum and maximum of the
        seconds of a step and of an evaluation, the peak GiB of tensors made by a step, and
        `ratio...` of each to `REFERENCE` (of medians, for times). Methods that do not train have
        zeros.

    Raises:
        ValueError: if the reference is missing, or the subset is smaller than a batch.
    """
    if REFERENCE not in specs:
        raise ValueError(f"Costs are ratios to {REFERENCE}, which is not among the methods.")
    device = backbone.device
    held, models, steps = in_memory(dataset, backbone.image_size), {}, {}
    for label, spec in specs.items():
        prompts, names = start([spec], backbone), dataset.class_names
        models[label] = PromptedCLIP(backbone, prompts, spec.method, names, dataset.template)
        if spec.method.weights():
            steps[label] = Timed([spec], models[label], dataset, [subset])
        else:
            begin([spec], models[label], dataset, [subset])
    sizes = {label: step() for label, step in steps.items()}
    memory = {label: peak_memory(step, device)[0] for label, step in steps.items()}
    for step in steps.values():
        step.accelerate()
    tests = {label: partial(_classify, model, held) for label, model in models.items()}
    for test in tests.values():
        test()
    learning, testing = timed(steps, rounds, device), timed(tests, rounds, device)
    epochs = {label: planned_epochs(specs[label], subset.counts) for label in steps}
    return [
        {
            "part": "methods",
            "method": label,
            "backbone": backbone.name,
            "trained_parameters": model.prompts.count(),
            "epochs": epochs.get(label, 0),
            "classes": len(dataset.class_names),
            "batch": sizes.get(label, 0),
            **_summary("step", learning.get(label, [0.0]), learning[REFERENCE]),
            "gib_step": memory.get(label, 0.0),
            "ratio_gib_step": memory.get(label, 0.0) / memory[REFERENCE],
            "tested": len(held.test),
            **_summary("evaluation", testing[label], testing[REFERENCE]),
            "rounds": rounds,
        }
        for label, model in models.items()
    ]


def start(specs: Sequence[RunSpec], backbone: Backbone) -> Prompts:
    """Prompts of a pass before training; those of a second stage after a first one of no steps."""
    own = specs[0].method
    first = own.first_stage()
    method, generators = first or own, [torch_stream("init", spec.seed) for spec in specs]
    shape = method.prompt_shape()
    prompts = init_prompts(backbone, shape, generators, method.context_init, method.extra)
    return own.second_stage(prompts) if first else prompts


class Timed:
    """The steps of a pass one at a time, at the rate of the warm-up.

    Raises:
        ValueError: if the subset is smaller than a batch.
    """

    def __init__(
        self,
        specs: Sequence[RunSpec],
        model: PromptedCLIP,
        dataset: ImageDataset,
        subsets: Sequence[Subset],
    ):
        self.spec = specs[0]
        samples, batch_size = len(subsets[0].samples), self.spec.schedule.batch_size
        if samples < batch_size:
            raise ValueError(
                f"{samples} training images make no batch of {batch_size}: give more classes."
            )
        context, supports, prepared, class_counts = begin(specs, model, dataset, subsets)
        images = TrainingImages(model, dataset, subsets, supports=supports)
        self.draws = Batches(specs, images)
        self.step = self.update = TrainStep(specs, images, context, prepared, class_counts)
        self.batches = itertools.chain.from_iterable(map(self.draws.of_epoch, itertools.count()))

    def accelerate(self) -> None:
        """On a GPU, record the step as training does."""
        self.update = accelerated(self.step, self.draws, self.spec)

    def __call__(self) -> int:
        """Take the next step; returns the number of images in its batch."""
        batch = next(self.batches)
        self.update(*batch)
        return batch[0].shape[-1]


def in_memory(dataset: ImageDataset, size: int) -> ImageDataset:
    """A data set with its test images in memory: reading them is not a cost of the method."""
    held = dataset.read([sample.key for sample in dataset.test], size)
    row = {sample.key: i for i, sample in enumerate(dataset.test)}
    return dataclasses.replace(dataset, read=lambda keys, size: held[[row[key] for key in keys]])


def parameters_at(
    methods: Mapping[str, Method], classes: int = 50, backbone: str = VIT_B_16
) -> dict[str, int]:
    """Trained parameters of methods at an architecture, of which only the shapes are made.

    Methods that learn something of every class or image have so many classes, at tau = 0.06.
    """
    with torch.device("meta"):
        shapes = untrained(backbone, "meta")
    labels = torch.repeat_interleave(torch.tensor(class_counts(classes, 0.06, 16)))
    support = Support(torch.zeros(len(labels), 1, shapes.embed_dim), labels)
    names = tuple(map(str, range(classes)))
    texts = torch.zeros(classes, shapes.embed_dim)
    context = Context(names, texts, torch.bincount(labels)[None], lambda _: texts)
    found = {}
    for label, method in methods.items():
        prompts = start([RunSpec("none", method)], shapes)
        if method.support_views:
            prompts.extra.update(stacked([method.start(context, support)], labels.device))
        found[label] = prompts.count()
    return found


def _classify(model: PromptedCLIP, dataset: ImageDataset) -> Tensor:
    """Logits of all test images. The new reader makes sure that no cached features are used."""
    uncached = dataclasses.replace(dataset, read=lambda keys, size: dataset.read(keys, size))
    return model.classify(uncached, uncached.test)


def _summary(what: str, values: list[float], reference: list[float]) -> Row:
    return {
        f"seconds_{what}": median(values),
        f"seconds_{what}_min": min(values),
        f"seconds_{what}_max": max(values),
        f"ratio_seconds_{what}": median(values) / median(reference),
    }
