"""Long-tail classics that combine with any method, acting on cross-entropy or on sampling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from cptlab.checks import check_values


@dataclass(frozen=True)
class Balance:
    """What is done about unequal numbers of training images n_k.

    logits: "logit_adjustment" adds `adjustment` log(n_k / n) to the logits in the cross-entropy
    (Menon et al. 2021, eq. 10); "balanced_softmax" adds log n_k (Ren et al. 2020, eq. 4), which is
    the same at adjustment 1. class_weights: the cross-entropy of a class weighs
    (1 - beta) / (1 - beta^n_k), scaled to a mean of 1 over classes (Cui et al. 2019, eq. 12).
    sampling: "class_balanced" draws a class first, then one of its images. Tests see none of it.

    Raises:
        ValueError: for unknown choices, a beta outside [0, 1), or a number whose switch is off.
    """

    logits: Literal["plain", "logit_adjustment", "balanced_softmax"] = "plain"
    adjustment: float = 1.0
    class_weights: bool = False
    beta: float = 0.9999
    sampling: Literal["shuffled", "class_balanced"] = "shuffled"

    def __post_init__(self) -> None:
        check_values(self)
        if not 0 <= self.beta < 1:
            raise ValueError(f"Balance.beta must lie in [0, 1), got {self.beta}.")
        if self.adjustment != Balance.adjustment and self.logits != "logit_adjustment":
            raise ValueError("Balance.adjustment does nothing without logits='logit_adjustment'.")
        if self.beta != Balance.beta and not self.class_weights:
            raise ValueError("Balance.beta does nothing without class_weights=True.")

    def acts_on_loss(self) -> bool:
        """Whether it changes the cross-entropy, not only what is drawn."""
        return self.logits != "plain" or self.class_weights

    def logit_offsets(self, class_counts: Tensor) -> Tensor | None:
        """What is added to the logits, (R, K), from training images per class (R, K)."""
        if self.logits == "plain":
            return None
        counts = class_counts.float()
        if self.logits == "balanced_softmax":
            return counts.log()
        return self.adjustment * (counts / counts.sum(-1, keepdim=True)).log()

    def weights(self, class_counts: Tensor) -> Tensor | None:
        """Weight of each class in the cross-entropy, (R, K)."""
        if not self.class_weights:
            return None
        effective = (1 - self.beta ** class_counts.double()) / (1 - self.beta)
        weights = 1 / effective
        return (weights / weights.mean(-1, keepdim=True)).float()

    def drawn(self, class_counts: Tensor) -> Tensor:
        """What the images that an epoch draws of each class are in proportion to, (R, K)."""
        balanced = self.sampling == "class_balanced"
        return torch.ones_like(class_counts) if balanced else class_counts

    def image_weights(self, labels: Tensor) -> Tensor | None:
        """Chance of each of N images to be drawn, (N,), from their labels; None: a shuffle."""
        if self.sampling == "shuffled":
            return None
        return 1 / torch.bincount(labels)[labels].double()
