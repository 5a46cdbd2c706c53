"""Augmented views of pictures, seeded, picture by picture."""

from __future__ import annotations

import torch
from torch import Tensor

from cptlab.clip.guard import transforms

OPERATIONS, STRENGTH = 2, 10


def augmented(pictures: Tensor, seed: int) -> Tensor:
    """One random view of each picture by torchvision's RandAugment (Cubuk et al. 2020).

    Args:
        pictures: (B, 3, H, W) in [0, 1].
        seed: decides all draws; the global generator is left as it was.
    """
    augment = transforms.RandAugment(OPERATIONS, STRENGTH)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        views = [augment(picture) for picture in (255 * pictures).round().byte()]
    return torch.stack(views).to(pictures.dtype) / 255
