"""Guidance by frozen texts: learned prototypes stay near those of the frozen model."""

from torch import Tensor


def guidance(learned: Tensor, frozen: Tensor) -> Tensor:
    """One minus the mean cosine of each class's two prototypes: (...,).

    L_kg of KgCoOp (Yao et al. 2023) as its public code has it: half the paper's squared distance of
    normalised prototypes.

    Args:
        learned: (..., K, d), normalised.
        frozen: (K, d), normalised.
    """
    return 1 - (learned * frozen).sum(-1).mean(-1)
