"""The training loop: one frozen CLIP, and the prompts of one run or of several side by side."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from cptlab.clip import Backbone, init_prompts
from cptlab.data import ImageDataset, Subset
from cptlab.methods import Context
from cptlab.seeds import torch_stream
from cptlab.training.checkpoints import Checkpoint, optimiser_state
from cptlab.training.model import PromptedCLIP
from cptlab.training.optimisation import planned_epochs, set_rate
from cptlab.training.spec import RunSpec
from cptlab.training.steps import Steps, context_of, prepare

Log = list[dict[str, float]]


class TrainingDiverged(RuntimeError):
    """The loss became NaN or infinite."""


@dataclass(frozen=True)
class Trained:
    """Finished runs, replica r being the r-th specification.

    model holds the prompts of all R replicas; prepared what their methods computed beforehand, each
    tensor (R, ...); logs one row per epoch and replica; errors what befell a replica, if anything.
    """

    model: PromptedCLIP
    context: Context
    prepared: dict[str, Tensor]
    logs: list[Log]
    errors: list[TrainingDiverged | None]


def train(
    specs: Sequence[RunSpec],
    backbone: Backbone,
    dataset: ImageDataset,
    subsets: Sequence[Subset],
    after_epoch: Callable[[Trained], list[dict[str, float]]] | None = None,
    progress: bool = False,
    folder: Path | None = None,
) -> Trained:
    """Train prompts on subsets of a data set: R runs in one pass, each as if it were alone.

    The runs share everything but their seed and the hyper-parameters that their method names in
    `per_replica`. Learned tensors, batches and losses carry the leading replica dimension; no
    operation mixes replicas and the optimiser is element-wise, so each run gets the numbers that it
    would get by itself, to rounding. A log has a row per epoch: learning rate, mean of every loss
    term, training accuracy, and what `after_epoch`, given the state so far, returned for the
    replica. A method of two stages is trained twice; its log and `after_epoch` are those of the
    second stage. With a folder, every epoch ends with a checkpoint in it, and a training that finds
    one goes on there, to the same numbers.

    A replica whose loss or prompts stop being finite gets an error, the others go on. Raises
    ValueError for prompts deeper than the backbone, classes that cannot be clustered, or more hard
    negatives than classes.
    """
    method = specs[0].method
    method.check(backbone, len(dataset.class_names))
    first_stage = method.first_stage()
    if first_stage is None:
        generators = [torch_stream("init", spec.seed) for spec in specs]
        shape = method.prompt_shape()
        prompts = init_prompts(backbone, shape, generators, method.words, method.extra)
    else:
        stage = [dataclasses.replace(spec, method=first_stage) for spec in specs]
        before = train(stage, backbone, dataset, subsets, None, progress, folder)
        if all(before.errors):
            return before
        prompts = method.second_stage(before.model.prompts)
    model = PromptedCLIP(backbone, prompts, method, dataset.class_names, dataset.template)
    checkpoint = folder and Checkpoint(folder / f"{method.name}.safetensors")
    return _train(specs, model, dataset, subsets, after_epoch, progress, checkpoint)


def _train(
    specs: Sequence[RunSpec],
    model: PromptedCLIP,
    dataset: ImageDataset,
    subsets: Sequence[Subset],
    after_epoch: Callable[[Trained], list[dict[str, float]]] | None,
    progress: bool,
    checkpoint: Checkpoint | None,
) -> Trained:
    """One stage, from the model's prompts as they are."""
    first, method = specs[0], specs[0].method
    context = context_of(model, dataset, subsets, first.balance)
    prepared = prepare([spec.method for spec in specs], context)
    logs: list[Log] = [[] for _ in specs]
    errors: list[TrainingDiverged | None] = [None for _ in specs]
    trained = Trained(model, context, prepared, logs, errors)
    if not model.prompts.learned():
        return trained

    steps = Steps(specs, model, dataset, subsets, context, prepared)
    steps.capture()
    parameters = steps.parameters
    epochs = planned_epochs(first, len(dataset.class_names), steps.n_samples)
    averaging = method.averaging(epochs)
    average = [torch.zeros_like(p) for p in parameters]
    state = {f"prompts.{name}": p for name, p in model.prompts.named_parameters()}
    state |= {f"prepared.{name}": tensor for name, tensor in prepared.items()}
    state |= {f"average.{i}": mean for i, mean in enumerate(average)}
    state |= dict(optimiser_state(steps.optimiser, parameters))
    stored = checkpoint.load(state) if checkpoint else None
    if stored:
        logs[:] = stored["logs"]
        errors[:] = [message and TrainingDiverged(message) for message in stored["errors"]]
    begun = stored["epoch"] if stored else 0
    title = first.run_id if len(specs) == 1 else f"{first.run_id} and {len(specs) - 1} more"
    bar = {"initial": begun, "total": epochs, "leave": False, "disable": not progress}
    for epoch in tqdm(range(begun, epochs), title, **bar):
        if all(errors):
            break
        rate = first.schedule.learning_rate(epoch, epochs)
        set_rate(steps.optimiser, rate)
        means = _epoch(steps, epoch)
        if averaging is not None:
            _average(average, parameters, averaging[epoch].item(), last=epoch == epochs - 1)
        # The last step of an epoch can spoil the prompts after its loss was still finite.
        sound = torch.stack([p.isfinite().flatten(1).all(1) for p in parameters]).all(0).tolist()
        extra = after_epoch(trained) if after_epoch else [{} for _ in specs]
        for r in (r for r, error in enumerate(errors) if error is None):
            row = {"epoch": epoch + 1, "lr": rate} | {k: v[r] for k, v in means.items()}
            logs[r].append(row | extra[r])
            if not (math.isfinite(row["loss"]) and sound[r]):
                errors[r] = _diverged(specs[r], row)
        if checkpoint:
            messages = [error and str(error) for error in errors]
            checkpoint.save(state, {"epoch": epoch + 1, "logs": logs, "errors": messages})
    return trained


def _epoch(steps: Steps, epoch: int) -> dict[str, list[float]]:
    """Take the steps of an epoch; the mean of each of their values for every replica."""
    sums: dict[str, Tensor] = {}
    count = 0
    for batch in steps.batches(epoch):
        sums = {name: value + sums.get(name, 0) for name, value in steps(batch).items()}
        count += 1
    return {name: (total / count).tolist() for name, total in sums.items()}


@torch.no_grad()
def _average(
    average: Sequence[Tensor], parameters: Sequence[Tensor], weight: float, last: bool
) -> None:
    """Add an epoch's prompts to their weighted mean, which becomes the prompts at the end."""
    for mean, parameter in zip(average, parameters, strict=True):
        mean.add_(parameter, alpha=weight)
        if last:
            parameter.copy_(mean)


def _diverged(spec: RunSpec, row: dict[str, float]) -> TrainingDiverged:
    return TrainingDiverged(
        f"Run {spec.run_id}: the loss or the prompts became NaN or infinite in epoch "
        f"{row['epoch']} ({', '.join(f'{k} {v:.3g}' for k, v in row.items())}). Lower the learning "
        "rate or the loss weights; other runs are not affected."
    )
