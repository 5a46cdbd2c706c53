"""A data set of seeded noise around one colour per class: small, fast, learnable, with no files."""

import hashlib
from collections.abc import Sequence

import torch

from cptlab.data import ImageDataset, Sample

NAMES = ("ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay")


def read(keys: Sequence[str], size: int) -> torch.Tensor:
    """Images (N, 3, size, size) in [0, 1] of keys `name/split/index`."""
    return torch.stack([_image(key, size) for key in keys])


def _image(key: str, size: int) -> torch.Tensor:
    colour = torch.rand(3, 1, 1, generator=_generator(key.split("/")[0]))
    noise = torch.rand(3, size, size, generator=_generator(key))
    return 0.7 * colour + 0.3 * noise


def _generator(text: str) -> torch.Generator:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "little")
    return torch.Generator().manual_seed(seed)


def tiny_dataset(n_classes: int = 10, train: int = 20, test: int = 4) -> ImageDataset:
    def samples(split: str, count: int) -> tuple[Sample, ...]:
        pairs = [(label, i) for label in range(n_classes) for i in range(count)]
        return tuple(Sample(f"{NAMES[label]}/{split}/{i}", label) for label, i in pairs)

    return ImageDataset(
        "tiny",
        NAMES[:n_classes],
        samples("train", train),
        samples("test", test),
        read,
    )
