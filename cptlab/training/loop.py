"""The training loop and its step: one frozen CLIP, the prompts of one run or of several at once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from cptlab.clip import Backbone, Prompts, init_prompts
from cptlab.data import ImageDataset, Subset
from cptlab.methods.base import BatchOutputs, Context
from cptlab.methods.parts.balance import Balance
from cptlab.seeds import torch_stream
from cptlab.training.batches import Batches, TrainingImages
from cptlab.training.checkpoints import Checkpoint, optimiser_state
from cptlab.training.context import begin
from cptlab.training.cuda_graph import captured
from cptlab.training.model import PromptedCLIP
from cptlab.training.optimisation import optimiser_for, planned_epochs, rewind, set_rate
from cptlab.training.spec import RunSpec

Log = list[dict[str, float]]


class TrainingDiverged(RuntimeError):
    """The loss became NaN or infinite."""


@dataclass(frozen=True)
class Trained:
    """Finished runs, replica r being the r-th specification.

    model holds the prompts of all R replicas; prepared what their methods computed beforehand, each
    tensor (R, ...); logs one row per epoch and replica; errors why a replica failed, or None.
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
    new_names: Sequence[str] = (),
) -> Trained:
    """Train prompts on subsets of a data set: R runs in one pass, each as if it were alone.

    The runs share everything but their seed and the hyper-parameters that their method names in
    `per_replica`. Learned tensors, batches and losses carry the leading replica dimension; no
    operation mixes replicas and the optimiser is element-wise, so each run gets the numbers that it
    would get by itself, to rounding. A log has a row per epoch: learning rate, mean of every loss
    term, training accuracy, and what `after_epoch`, given the state so far, returned for the
    replica. A method of two stages is trained twice; its log and `after_epoch` are those of the
    second stage. With a folder, every epoch ends with a checkpoint in it, and a training that finds
    one continues from there, to the same numbers. new_names: classes that base to new tests beside
    the trained ones, for methods that read their names.

    A replica whose loss or prompts stop being finite gets an error, the others go on. Raises
    ValueError for prompts deeper than the backbone, classes that cannot be clustered, or more hard
    negatives than classes.
    """
    first, method = specs[0], specs[0].method
    method.check(backbone, len(dataset.class_names))
    first_stage = method.first_stage()
    if first_stage is None:
        prompts = _start(specs, backbone)
    else:
        stage = [dataclasses.replace(spec, method=first_stage) for spec in specs]
        before = train(stage, backbone, dataset, subsets, None, progress, folder)
        if all(before.errors):
            return before
        prompts = method.second_stage(before.model.prompts)
    model = PromptedCLIP(
        backbone, prompts, method, dataset.class_names, dataset.template, new_names
    )
    context, supports, prepared, counts = begin(specs, model, dataset, subsets)
    trained = Trained(model, context, prepared, [[] for _ in specs], [None for _ in specs])
    if not prompts.learned():
        return trained

    images = TrainingImages(model, dataset, subsets, first.crop, supports)
    batches = Batches(specs, images)
    step = TrainStep(specs, images, context, prepared, counts)
    epochs = planned_epochs(first, subsets[0].counts)
    update, by_step = accelerated(step, batches, first), first.schedule.annealing == "steps"
    epoch_weights = method.averaging(epochs)
    average = [torch.zeros_like(p) for p in step.parameters]
    checkpoint = Checkpoint(folder / f"{method.name}.safetensors") if folder else None
    state = _resumed_state(step, average)
    begun = _resume(checkpoint, state, trained) if checkpoint else 0
    title = first.run_id if len(specs) == 1 else f"{first.run_id} and {len(specs) - 1} more"
    bar = {"initial": begun, "total": epochs, "leave": False, "disable": not progress}
    for epoch in tqdm(range(begun, epochs), title, **bar):
        if all(trained.errors):
            break
        rate = first.schedule.learning_rate(epoch, epochs)
        set_rate(step.optimiser, rate)
        sums: dict[str, Tensor] = {}
        steps = 0
        for batch in batches.of_epoch(epoch):
            if by_step:
                done = epoch + steps / batches.per_epoch
                set_rate(step.optimiser, first.schedule.learning_rate(done, epochs))
            sums = {name: value + sums.get(name, 0) for name, value in update(*batch).items()}
            steps += 1
        if epoch_weights is not None:
            _average(average, step.parameters, epoch_weights[epoch].item(), epoch == epochs - 1)
        means = {name: (total / steps).tolist() for name, total in sums.items()}
        rows = [
            {"epoch": epoch + 1, "lr": rate} | {name: mean[r] for name, mean in means.items()}
            for r in range(len(specs))
        ]
        extra = after_epoch(trained) if after_epoch else [{} for _ in specs]
        _log(trained, specs, rows, extra, step.parameters)
        if checkpoint:
            messages = [error and str(error) for error in trained.errors]
            checkpoint.save(state, {"epoch": epoch + 1, "logs": trained.logs, "errors": messages})
    return trained


class TrainStep:
    """One update of the prompts of R runs that train side by side.

    Attributes:
        parameters: what is learned, each (R, ...).
        optimiser: starts at the rate of the warm-up; the loop sets that of each epoch.
    """

    def __init__(
        self,
        specs: Sequence[RunSpec],
        images: TrainingImages,
        context: Context,
        prepared: dict[str, Tensor],
        class_counts: Tensor,
    ):
        first, balance = specs[0], specs[0].balance or Balance()
        self.model, self.images = images.model, images
        self.context, self.prepared = context, prepared
        self.classes = self.model.bind(context.class_names, "training")
        self.parameters = self.model.prompts.learned()
        self.optimiser = optimiser_for(self.parameters, first.schedule)
        self.weights = {
            name: self.parameters[0].new_tensor([spec.method.weights()[name] for spec in specs])
            for name in first.method.weights()
        }
        self.logit_offsets = balance.logit_offsets(class_counts)
        self.class_weights = balance.weights(class_counts)

    def __call__(self, positions: Tensor, uniform: Tensor, *views: Tensor) -> dict[str, Tensor]:
        """Learn from a batch: the loss, its terms and the training accuracy before it, each (R,).

        Args:
            positions: (R, B), of the batch's images among those of each run.
            uniform: (R,) a random number in [0, 1).
            views: (R, B, 3, H, W) each, of these images; none if they are taken as they are.
        """
        model, method = self.model, self.model.method
        features, frozen, labels = self.images.features(positions, views, uniform)
        seen = features if method.per_image else None
        prototypes = model.prototypes(self.classes, seen, uniform)
        logits = model.logits(features, prototypes, "training")
        outputs = BatchOutputs(
            features,
            prototypes,
            logits,
            labels,
            uniform,
            frozen,
            self.logit_offsets,
            self.class_weights,
            dict(model.prompts.extra),
        )
        terms = method.losses(outputs, self.context, self.prepared)
        if missing := self.weights.keys() - terms.keys():
            raise ValueError(
                f"Method {method.name}: losses() gives {', '.join(terms) or 'nothing'}, but "
                f"weights() has a factor for {min(missing)!r} too."
            )
        weighted = [weight * terms[name] for name, weight in self.weights.items()]
        loss = sum(weighted[1:], weighted[0])
        if loss.shape != uniform.shape:
            raise ValueError(
                f"Method {method.name}: the loss has the shape {tuple(loss.shape)}, but it is one "
                f"number for each replica, {tuple(uniform.shape)}: take the mean over the batch."
            )
        accuracy = 100 * (logits.argmax(-1) == labels).float().mean(-1)
        self._descend(loss)
        logged = {**terms, "loss": loss, "train_accuracy": accuracy}
        return {name: value.detach() for name, value in logged.items()}

    @torch.compiler.disable  # the forward pass alone is compiled
    def _descend(self, loss: Tensor) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        loss.sum().backward()
        self.optimiser.step()


def _start(specs: Sequence[RunSpec], backbone: Backbone) -> Prompts:
    """Start values of every run's prompts, from its own random stream."""
    method = specs[0].method
    generators = [torch_stream("init", spec.seed) for spec in specs]
    shape, words = method.prompt_shape(), method.context_init
    return init_prompts(backbone, shape, generators, words, method.extra)


def accelerated(
    step: TrainStep, batches: Batches, spec: RunSpec
) -> Callable[..., dict[str, Tensor]]:
    """The step compiled if the run asks for it and, on a GPU, recorded as a graph.

    Prompts and optimiser are as before. Batches with hard negatives differ in size, so that their
    steps cannot be recorded.
    """
    update = torch.compile(step.__call__) if spec.compile else step
    if step.model.backbone.device.type != "cuda" or step.model.method.hard_negatives:
        return update
    start = [(t, t.detach().clone()) for t in (*step.parameters, *step.prepared.values())]
    update = captured(update, *next(batches.of_epoch(0)))
    rewind(step.optimiser, start)
    return update


def _resumed_state(step: TrainStep, average: Sequence[Tensor]) -> dict[str, Tensor]:
    """All tensors that an epoch changes, by name; live ones."""
    state: dict[str, Tensor] = {
        f"prompts.{name}": p for name, p in step.model.prompts.named_parameters()
    }
    state |= {f"prepared.{name}": tensor for name, tensor in step.prepared.items()}
    state |= {f"average.{i}": mean for i, mean in enumerate(average)}
    return state | dict(optimiser_state(step.optimiser, step.parameters))


def _resume(checkpoint: Checkpoint, state: dict[str, Tensor], trained: Trained) -> int:
    """Go back to where a checkpoint stands, if there is one; epochs that are done."""
    stored = checkpoint.load(state)
    if not stored:
        return 0
    trained.logs[:] = stored["logs"]
    trained.errors[:] = [message and TrainingDiverged(message) for message in stored["errors"]]
    return stored["epoch"]


def _log(
    trained: Trained,
    specs: Sequence[RunSpec],
    rows: Sequence[dict[str, float]],
    extra: Sequence[dict[str, float]],
    parameters: Sequence[Tensor],
) -> None:
    """Add an epoch's row to the log of every run that is sound, and see whether it still is."""
    # The last step of an epoch can make prompts infinite although its loss was finite.
    sound = torch.stack([p.isfinite().flatten(1).all(1) for p in parameters]).all(0).tolist()
    for r, row in enumerate(rows):
        if trained.errors[r] is None:
            trained.logs[r].append(row | extra[r])
            if not (math.isfinite(row["loss"]) and sound[r]):
                trained.errors[r] = _diverged(specs[r], row)


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
