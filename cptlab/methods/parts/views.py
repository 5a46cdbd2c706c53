"""Augmented views of images, seeded, image by image."""

from __future__ import annotations

import torch
from torch import Tensor

from cptlab.clip.guard import transforms

OPERATIONS, STRENGTH = 2, 10


def augmented(images: Tensor, seed: int) -> Tensor:
    """One random view of each image by torchvision's RandAugment (Cubuk et al. 2020).

    Args:
        images: (B, 3, H, W) in [0, 1].
        seed: decides all draws; the global generator is left as it was.
    """
    augment = transforms.RandAugment(OPERATIONS, STRENGTH)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        views = [augment(image) for image in (255 * images).round().byte()]
    return torch.stack(views).to(images.dtype) / 255
