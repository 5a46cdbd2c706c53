"""Optimiser, epochs and batches of a schedule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from cptlab.seeds import torch_stream
from cptlab.spec import RunSpec, Schedule


def sgd(parameters: Iterable[Tensor], schedule: Schedule) -> torch.optim.SGD:
    """The optimiser of a schedule; `set_rate` sets the rate of an epoch."""
    parameters = list(parameters)
    on_gpu = parameters[0].is_cuda
    rate = schedule.warmup_lr
    return torch.optim.SGD(
        parameters,
        # A captured step reads its rate from the device.
        lr=torch.tensor(rate, device=parameters[0].device) if on_gpu else rate,
        momentum=schedule.momentum,
        weight_decay=schedule.weight_decay,
        fused=on_gpu,
    )


def set_rate(optimiser: torch.optim.SGD, rate: float) -> None:
    """Set the learning rate, in place where it is a tensor."""
    group = optimiser.param_groups[0]
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


@torch.no_grad()
def rewind(optimiser: torch.optim.SGD, start: Sequence[Tensor]) -> None:
    """Undo steps in place: parameters as at the start, no momentum."""
    for parameter, value in zip(optimiser.param_groups[0]["params"], start, strict=True):
        parameter.copy_(value)
        momentum = optimiser.state[parameter].get("momentum_buffer")
        if momentum is not None:
            momentum.zero_()


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
