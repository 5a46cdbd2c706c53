"""The training loop: one frozen CLIP, one long-tailed subset, one method's prompts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from cptlab.clip import Backbone, init_prompts
from cptlab.data import ImageDataset, Subset
from cptlab.methods import Setting, Step
from cptlab.model import PromptedCLIP, frozen_prototypes, pictures
from cptlab.seeds import torch_stream
from cptlab.spec import RunSpec, Schedule


class TrainingDiverged(RuntimeError):
    """The loss became NaN or infinite."""


@dataclass(frozen=True)
class Trained:
    """A finished training: the model, what its method prepared, and one log row per epoch."""

    model: PromptedCLIP
    setting: Setting
    prepared: dict[str, Any]
    log: list[dict[str, float]]


def train(
    spec: RunSpec,
    backbone: Backbone,
    base: ImageDataset,
    subset: Subset,
    after_epoch: Callable[[PromptedCLIP], dict[str, float]] | None = None,
    progress: bool = False,
) -> Trained:
    """Train a method's prompts on a subset of the base classes.

    Learned tensors, batches and losses carry a leading replica dimension R (here 1). The log has a
    row per epoch: learning rate, mean of every loss term, training accuracy, and what `after_epoch`
    returned.

    Raises TrainingDiverged when the loss is not finite; ValueError for prompts deeper than the
    backbone or classes that cannot be clustered.
    """
    method = spec.method
    generator = torch_stream("init", spec.seed)
    prompts = init_prompts(backbone, method.prompt_shape(), [generator])
    model = PromptedCLIP(backbone, prompts)
    setting = Setting(
        base.class_names,
        frozen_prototypes(backbone, base.class_names, method.anchor_templates),
        torch.tensor([subset.counts], device=backbone.device),
    )
    prepared = method.prepare(setting)
    parameters = list(prompts.parameters())
    if not parameters:
        return Trained(model, setting, prepared, [])

    tower = model.text_tower(base.class_names)
    labels = torch.tensor([[s.label for s in subset.samples]], device=backbone.device)
    inputs = pictures(backbone, base, subset.samples)[None]
    encode = model.image_features
    if not len(prompts.vision):  # a frozen image tower needs to see each picture only once
        inputs = model.encode_samples(base, subset.samples)
        encode = torch.nn.Identity()

    schedule = spec.schedule
    epochs = planned_epochs(spec, len(base.class_names), len(subset.samples))
    optimiser = sgd(parameters, schedule)
    log = []
    for epoch in tqdm(range(epochs), desc=spec.run_id, leave=False, disable=not progress):
        rate = schedule.learning_rate(epoch, epochs)
        optimiser.param_groups[0]["lr"] = rate
        rows = []
        for batch in batches(len(subset.samples), schedule.batch_size, spec.seed, epoch):
            features, prototypes = encode(inputs[:, batch]), model.prototypes(tower)
            logits = model.logits(features, prototypes)
            step = Step(features, prototypes, logits, labels[:, batch])
            terms = method.losses(step, setting, prepared)
            loss = sum(weight * terms[name] for name, weight in method.weights().items())
            optimiser.zero_grad(set_to_none=True)
            loss.sum().backward()
            optimiser.step()
            hits = (logits.argmax(-1) == step.labels).float().mean(-1)
            rows.append({**terms, "loss": loss, "train_accuracy": 100 * hits})
        log.append({"epoch": epoch + 1, "lr": rate, **_means(rows)})
        # The last step of an epoch can spoil the prompts after its loss was still finite.
        if not (math.isfinite(log[-1]["loss"]) and all(p.isfinite().all() for p in parameters)):
            raise TrainingDiverged(
                f"Run {spec.run_id}: the loss or the prompts became NaN or infinite in epoch "
                f"{epoch + 1} ({', '.join(f'{k} {v:.3g}' for k, v in log[-1].items())}). Lower the "
                "learning rate or the loss weights; other runs are not affected."
            )
        if after_epoch is not None:
            log[-1].update(after_epoch(model))
    return Trained(model, setting, prepared, log)


def sgd(parameters: Iterable[Tensor], schedule: Schedule) -> torch.optim.SGD:
    """The optimiser of a schedule; the rate is set anew every epoch."""
    return torch.optim.SGD(
        parameters,
        lr=schedule.warmup_lr,
        momentum=schedule.momentum,
        weight_decay=schedule.weight_decay,
    )


def planned_epochs(spec: RunSpec, n_classes: int, n_samples: int) -> int:
    """Epochs of a run, after `match_balanced_steps`."""
    epochs, batch_size = spec.schedule.epochs, spec.schedule.batch_size
    if not spec.schedule.match_balanced_steps:
        return epochs
    wanted = epochs * steps_per_epoch(n_classes * spec.n_max, batch_size)
    return round(wanted / steps_per_epoch(n_samples, batch_size))


def steps_per_epoch(n_samples: int, batch_size: int) -> int:
    """Full batches; an incomplete one counts only if it is alone."""
    return max(1, n_samples // batch_size)


def batches(n_samples: int, batch_size: int, seed: int, epoch: int) -> list[Tensor]:
    """Seeded shuffle cut into `steps_per_epoch` batches; what remains is left out this epoch."""
    order = torch.randperm(n_samples, generator=torch_stream("batches", seed, epoch))
    return list(order.split(batch_size))[: steps_per_epoch(n_samples, batch_size)]


def _means(rows: list[dict[str, Tensor]]) -> dict[str, float]:
    """Mean over the steps of an epoch of every logged (R,) value, for R = 1."""
    return {
        name: torch.stack([row[name].detach() for row in rows]).mean().item() for name in rows[0]
    }
