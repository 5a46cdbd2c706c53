"""Images from image files, as CLIP sees them in testing, and random views for training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cptlab.checks import shown
from cptlab.data.reader import Unreadable, has_plain_pixels, opened, orientation, read_rgb

LONG = 16
"""Longer than so many times their width, images are cut before they are resized."""


@dataclass(frozen=True)
class ImageFiles:
    """Reader of a data set whose sample keys are paths of image files below one folder.

    published: read as public code reads the paper's data sets (`cptlab.data.reader`).
    """

    folder: Path
    published: bool = False

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
            return view(read_rgb(path, published=self.published))
        except FileNotFoundError:
            raise FileNotFoundError(
                f"There is no image {shown(str(path))}, though its data set lists it. Restore the "
                "file; `cptlab doctor` lists all that are missing."
            ) from None
        except Unreadable as error:
            advice = "Restore or replace the file; `cptlab doctor` lists all such."
            raise ValueError(f"{error}. {advice}") from error

    def check(self, key: str, decode: bool) -> str:
        """What is wrong with a file, in a few words; empty if nothing is.

        Reads the header only, or decodes the whole file.
        """
        try:
            if decode:
                read_rgb(self.folder / key, published=self.published)
            else:
                with opened(self.folder / key):
                    pass
        except FileNotFoundError:
            return "images that are missing"
        except Unreadable as error:
            why = f" ({error.reason})" if error.refused else ""
            return f"images that cannot be read{why}"
        return ""

    def is_plain(self, key: str) -> bool:
        """Whether versions before `cptlab.data.reader` read a file alike, by its header."""
        try:
            with opened(self.folder / key) as image:
                is_short = max(image.size) <= LONG * min(image.size)
                return is_short and has_plain_pixels(image) and orientation(image) == 1
        except (Unreadable, FileNotFoundError):
            return False


def clip_view(image: Image.Image, size: int) -> Tensor:
    """CLIP's test transform of an RGB image: shorter side to `size` (bicubic), centre crop.

    (3, size, size) in [0, 1], not normalised; the same pixels as torchvision's Resize, CenterCrop
    and ToTensor give, unless the image is more than `LONG` times as long as wide: to resize the
    whole would take gigabytes.
    """
    shorter = min(image.size)
    if max(image.size) > LONG * shorter:
        kept = [min(side, LONG * shorter) for side in image.size]
        left, top = ((side - part) // 2 for side, part in zip(image.size, kept))
        image = image.crop((left, top, left + kept[0], top + kept[1]))
    width, height = (size if side == shorter else int(size * side / shorter) for side in image.size)
    left, top = round((width - size) / 2), round((height - size) / 2)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    image = image.crop((left, top, left + size, top + size))
    return torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255


def crop_view(image: Image.Image, size: int, seed: int) -> Tensor:
    """The CoOp family's training view of an RGB image: a random resized crop (8 to 100 % of the
    area, bicubic), flipped half the time; (3, size, size) in [0, 1].

    seed: decides all draws; the global generator is left as it was.
    """
    from cptlab.clip.guard import transforms  # reading alone does without open_clip's seconds

    bicubic = transforms.InterpolationMode.BICUBIC
    crop = transforms.RandomResizedCrop(size, interpolation=bicubic)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        view = transforms.RandomHorizontalFlip()(crop(image))
    return torch.from_numpy(np.array(view)).permute(2, 0, 1) / 255
