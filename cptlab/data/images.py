"""Images from image files, as CLIP sees them in testing, and random views for training."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)
"""What PIL raises for files that are no images, or damaged ones."""


@dataclass(frozen=True)
class ImageFiles:
    """Reader of a data set whose sample keys are paths of image files below one folder."""

    folder: Path

    def __call__(self, keys: Sequence[str], size: int) -> Tensor:
        """Images (N, 3, size, size) in [0, 1].

        Raises FileNotFoundError or ValueError, naming the file that is missing or damaged.
        """
        return torch.stack([self._image(key, lambda image: clip_view(image, size)) for key in keys])

    def crops(self, keys: Sequence[str], size: int, seeds: Sequence[int]) -> Tensor:
        """One random view of each image (`crop_view`), (N, 3, size, size); raises as above."""
        return torch.stack(
            [
                self._image(key, lambda image, seed=seed: crop_view(image, size, seed))
                for key, seed in zip(keys, seeds, strict=True)
            ]
        )

    def _image(self, key: str, view: Callable[[Image.Image], Tensor]) -> Tensor:
        path = self.folder / key
        try:
            with Image.open(path) as image:
                return view(image)
        except FileNotFoundError:
            raise FileNotFoundError(
                f"There is no image {path}, though its data set lists it. Restore the file; "
                "`cptlab doctor` lists all that are missing."
            ) from None
        except UNREADABLE as error:
            raise ValueError(
                f"{path} is not a readable image ({error}). Restore the file; `cptlab doctor` "
                "lists all that are damaged."
            ) from error

    def check(self, key: str, decode: bool) -> str:
        """What is wrong with a file, in a few words; empty if nothing is.

        Reads the header only, or decodes the whole file.
        """
        try:
            with Image.open(self.folder / key) as image:
                if decode:
                    image.load()
        except FileNotFoundError:
            return "images that are missing"
        except UNREADABLE:
            return "images that cannot be read"
        return ""


def clip_view(image: Image.Image, size: int) -> Tensor:
    """CLIP's test transform: RGB, shorter side to `size` (bicubic), centre crop.

    (3, size, size) in [0, 1], not normalised; the same pixels as torchvision's Resize, CenterCrop
    and ToTensor give.
    """
    image = image.convert("RGB")
    shorter = min(image.size)
    width, height = (size if side == shorter else int(size * side / shorter) for side in image.size)
    left, top = round((width - size) / 2), round((height - size) / 2)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    image = image.crop((left, top, left + size, top + size))
    return torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255


def crop_view(image: Image.Image, size: int, seed: int) -> Tensor:
    """The CoOp family's training view: a random resized crop (8 to 100 % of the area, bicubic),
    flipped half the time; (3, size, size) in [0, 1].

    seed: decides all draws; the global generator is left as it was.
    """
    from cptlab.clip.guard import transforms  # reading alone does without open_clip's seconds

    bicubic = transforms.InterpolationMode.BICUBIC
    crop = transforms.RandomResizedCrop(size, interpolation=bicubic)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        view = transforms.RandomHorizontalFlip()(crop(image.convert("RGB")))
    return torch.from_numpy(np.array(view)).permute(2, 0, 1) / 255
