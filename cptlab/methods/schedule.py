"""How long and how fast a method learns: optimiser, rate, batch size and epochs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from cptlab.checks import check_values


@dataclass(frozen=True)
class Schedule:
    """Schedule of the CoOp family: one constant warm-up epoch, then cosine, per epoch.

    Defaults are the paper's base-to-new setting (supplement, 6.1). `match_balanced_steps` lengthens
    long-tailed runs until they take as many steps as the balanced one. `momentum` belongs to SGD,
    `eps` to "adam" and "adamw", which have torch's betas. `annealing` "steps" is a cosine over the
    steps of the whole run without a warm-up (`warmup_lr` is unused). `steps_per_shot`: if not 0, a
    run takes so many steps for each training image of its most frequent class (`RunSpec.n_max`, or
    fewer where no class has so many), in whole epochs, and `epochs` is unused.

    Raises:
        ValueError: for epochs, a rate or a batch size that are not positive.
    """

    epochs: int = 12
    lr: float = 0.0025
    batch_size: int = 4
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup_lr: float = 1e-5
    match_balanced_steps: bool = False
    optimiser: Literal["sgd", "adam", "adamw"] = "sgd"
    eps: float = 1e-8
    annealing: Literal["epochs", "steps"] = "epochs"
    steps_per_shot: int = 0

    def __post_init__(self) -> None:
        check_values(self)
        for name in ("epochs", "lr", "batch_size"):
            if getattr(self, name) <= 0:
                raise ValueError(f"Schedule.{name} must be positive, got {getattr(self, name)}.")

    def learning_rate(self, epoch: float, epochs: int | None = None) -> float:
        """Rate of epoch 0, 1, ...: warm-up constant, then lr (1 + cos(pi (e - 1) / E)) / 2.

        With annealing by steps lr (1 + cos(pi e / E)) / 2, e with the share of the epoch that is
        done.
        """
        if self.annealing == "steps":
            return self.lr * 0.5 * (1 + math.cos(math.pi * epoch / (epochs or self.epochs)))
        if epoch == 0:
            return self.warmup_lr
        return self.lr * 0.5 * (1 + math.cos(math.pi * (epoch - 1) / (epochs or self.epochs)))


PUBLISHED = Schedule()
"""CPT's own, base to new."""


def scaled(own: Schedule, to: Schedule) -> Schedule:
    """A method's own published schedule, changed as CPT's was where it became `to`.

    Epochs (rounded up, and at least one after the warm-up) and rate change by the same factors as
    CPT's; the batch size is that of `to`, so that methods of other published batch sizes keep their
    proportion of images seen, not of steps. A schedule that counts steps
    keeps its proportion of steps. A weight decay that differs from
    CPT's published one stays the method's own, as the optimiser does.
    """
    steps = own.steps_per_shot * (to.epochs / PUBLISHED.epochs)
    steps *= PUBLISHED.batch_size / to.batch_size
    shared_decay = own.weight_decay == PUBLISHED.weight_decay
    return Schedule(
        epochs=max(2, math.ceil(own.epochs * to.epochs / PUBLISHED.epochs)),
        lr=float(f"{own.lr * (to.lr / PUBLISHED.lr):.6g}"),
        batch_size=to.batch_size,
        momentum=to.momentum,
        weight_decay=to.weight_decay if shared_decay else own.weight_decay,
        warmup_lr=to.warmup_lr,
        match_balanced_steps=to.match_balanced_steps,
        optimiser=own.optimiser,
        eps=own.eps,
        annealing=own.annealing,
        steps_per_shot=math.ceil(steps),
    )
