"""Optimiser, epochs and batches of a schedule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from cptlab.methods.schedule import Schedule
from cptlab.seeds import torch_stream
from cptlab.training.spec import RunSpec


def optimiser_for(parameters: Iterable[Tensor], schedule: Schedule) -> Optimizer:
    """The optimiser of a schedule; `set_rate` sets the rate of an epoch."""
    parameters = list(parameters)
    on_gpu = parameters[0].is_cuda
    rate = schedule.warmup_lr
    # A captured step reads its rate from the device.
    rate = torch.tensor(rate, device=parameters[0].device) if on_gpu else rate
    decay = schedule.weight_decay
    if schedule.optimiser != "sgd":
        kind = torch.optim.Adam if schedule.optimiser == "adam" else torch.optim.AdamW
        return kind(
            parameters,
            rate,
            eps=schedule.eps,
            weight_decay=decay,
            fused=on_gpu,
            capturable=on_gpu,
        )
    return torch.optim.SGD(
        parameters, rate, momentum=schedule.momentum, weight_decay=decay, fused=on_gpu
    )


def set_rate(optimiser: Optimizer, rate: float) -> None:
    """Set the learning rate, in place where it is a tensor."""
    group = optimiser.param_groups[0]
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


@torch.no_grad()
def rewind(optimiser: Optimizer, start: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Undo steps in place: tensors get their values at the start, the optimiser is as new."""
    for tensor, value in start:
        tensor.copy_(value)
    for state in optimiser.state.values():
        for memory in state.values():
            if isinstance(memory, Tensor):
                memory.zero_()


def planned_epochs(spec: RunSpec, counts: Sequence[int]) -> int:
    """Epochs of a run, after `match_balanced_steps` and `steps_per_shot`.

    counts: training images of each class, as drawn.
    """
    schedule = spec.schedule
    per_epoch = steps_per_epoch(sum(counts), schedule.batch_size)
    if schedule.steps_per_shot:
        return max(1, round(schedule.steps_per_shot * max(counts) / per_epoch))
    if not schedule.match_balanced_steps:
        return schedule.epochs
    balanced = steps_per_epoch(len(counts) * spec.n_max, schedule.batch_size)
    return round(schedule.epochs * balanced / per_epoch)


def steps_per_epoch(n_samples: int, batch_size: int) -> int:
    """Full batches; an incomplete one counts only if it is alone."""
    return max(1, n_samples // batch_size)


def batches(
    n_samples: int,
    batch_size: int,
    seed: int,
    epoch: int,
    weights: Tensor | None = None,
    views: int = 1,
) -> list[Tensor]:
    """Seeded shuffle cut into `steps_per_epoch` batches; what remains is left out this epoch.

    With weights (N,) samples are drawn with replacement and these chances instead. views: so many
    of the samples are views of one image; the steps are those of the images alone.
    """
    generator = torch_stream("batches", seed, epoch)
    if weights is None:
        order = torch.randperm(n_samples, generator=generator)
    else:
        order = torch.multinomial(weights, n_samples, replacement=True, generator=generator)
    return list(order.split(batch_size))[: steps_per_epoch(n_samples // views, batch_size)]
