"""Images of a data set as a backbone takes them, read in advance for a GPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from cptlab.clip import Backbone
from cptlab.data import ImageDataset, Sample
from cptlab.data.dataset import Crops
from cptlab.seeds import stream

CPU_BATCH, GPU_BATCH = 128, 2048
"""Images times replicas that are encoded at once when nothing is learned."""
READERS = 8
"""Processes that read images ahead of a GPU."""


def read_images(backbone: Backbone, dataset: ImageDataset, samples: Sequence[Sample]) -> Tensor:
    """Samples as the backbone takes them: normalised, (N, 3, H, W), on its device."""
    return torch.cat(list(read_in_batches(backbone, dataset, samples, CPU_BATCH)))


def read_in_batches(
    backbone: Backbone, dataset: ImageDataset, samples: Sequence[Sample], batch_size: int
) -> Iterator[Tensor]:
    """Normalised images, batch by batch; read ahead in other processes where a GPU waits."""
    on_gpu = backbone.device.type == "cuda"
    keys = [sample.key for sample in samples]
    loader = DataLoader(
        _Images(dataset, keys, backbone.image_size),
        batch_size,
        collate_fn=lambda batch: batch,
        num_workers=min(READERS, len(keys) // batch_size) if on_gpu else 0,
        pin_memory=on_gpu,
        generator=torch.Generator(),  # it would draw from the global one
    )
    for part in tqdm(loader, desc="images", leave=False, disable=len(loader) < 50):
        yield normalised(backbone, part.to(backbone.device, non_blocking=True))


def read_crops(
    backbone: Backbone,
    dataset: ImageDataset,
    keys: Sequence[Sequence[Sequence[str]]],
    seeds: Sequence[Sequence[int]],
) -> Iterator[Tensor]:
    """Normalised random crops (R, B, 3, H, W), step by step.

    keys: of each step, R rows of B images. seeds: of each step, one for each row.
    """
    check_crops(dataset)
    on_gpu = backbone.device.type == "cuda"
    loader = DataLoader(
        _Crops(dataset.crops, keys, seeds, backbone.image_size),  # ty: ignore[invalid-argument-type]
        batch_size=None,
        num_workers=READERS if on_gpu else 0,
        pin_memory=on_gpu,
        generator=torch.Generator(),  # it would draw from the global one
    )
    for part in loader:
        yield normalised(backbone, part.to(backbone.device, non_blocking=True))


def check_crops(dataset: ImageDataset) -> None:
    """Raise ValueError for a data set without image files."""
    if dataset.crops is None:
        raise ValueError(
            f"Data set {dataset.name!r} has no image files to crop; its training images are "
            "random views already. Run it with crop=False."
        )


def normalised(backbone: Backbone, pixels: Tensor) -> Tensor:
    """Images (..., 3, H, W) in [0, 1] as the backbone takes them."""
    mean, std = _channels(backbone)
    return (pixels - mean) / std


def pixels(backbone: Backbone, images: Tensor) -> Tensor:
    """Normalised images (..., 3, H, W) back in [0, 1]."""
    mean, std = _channels(backbone)
    return (images * std + mean).clamp(0, 1)


def _channels(backbone: Backbone) -> tuple[Tensor, ...]:
    return tuple(
        torch.tensor(c, device=backbone.device).view(3, 1, 1) for c in (backbone.mean, backbone.std)
    )


class _Crops(Dataset[Tensor]):
    """Random crops (R, B, 3, size, size) of a step's images, by the number of the step."""

    def __init__(
        self,
        crops: Crops,
        keys: Sequence[Sequence[Sequence[str]]],
        seeds: Sequence[Sequence[int]],
        size: int,
    ):
        self.crops, self.keys, self.seeds, self.size = crops, keys, seeds, size

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> Tensor:
        return torch.stack(
            [
                # "picture" names a random stream: another word would draw other crops
                self.crops(row, self.size, [stream("picture", seed, i) for i in range(len(row))])
                for row, seed in zip(self.keys[index], self.seeds[index], strict=True)
            ]
        )


class _Images(Dataset[Tensor]):
    """Images of a data set as torch's loader takes them: whole batches by position."""

    def __init__(self, dataset: ImageDataset, keys: Sequence[str], size: int):
        self.dataset, self.keys, self.size = dataset, keys, size

    def __len__(self) -> int:
        return len(self.keys)

    def __getitems__(self, rows: Sequence[int]) -> Tensor:
        return self.dataset.read([self.keys[row] for row in rows], self.size)
