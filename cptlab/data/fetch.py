"""Getting the paper's data sets: with torchvision where it can, or the steps to do by hand.

torchvision downloads the images; links make its folders fit the layout that `cptlab.data.paper`
reads. The lists of the CoOp family (splits, class names) are files of their own in any case.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cptlab.data.paper import GUIDE, ROWS


@dataclass(frozen=True)
class Download:
    """A class of torchvision.datasets and where it leaves the images.

    below: sub-folder of the data root that it works in. leaves: the folder, below the data root,
    that takes the place of `link`, one of our layout; neither is needed if it leaves the images
    where the layout has them.
    """

    kind: str
    below: str = "."
    leaves: str = ""
    link: str = ""


DOWNLOADS = {
    "caltech101": Download(
        "Caltech101",
        leaves="caltech101/101_ObjectCategories",
        link="caltech-101/101_ObjectCategories",
    ),
    "oxford_pets": Download(
        "OxfordIIITPet", leaves="oxford-iiit-pet/images", link="oxford_pets/images"
    ),
    "flowers102": Download("Flowers102", leaves="flowers-102/jpg", link="oxford_flowers/jpg"),
    "food101": Download("Food101"),
    "fgvc_aircraft": Download(
        "FGVCAircraft", leaves="fgvc-aircraft-2013b/data", link="fgvc_aircraft"
    ),
    "sun397": Download("SUN397", below="sun397"),
    "dtd": Download("DTD", leaves="dtd/dtd/images", link="dtd/images"),
    "eurosat": Download("EuroSAT"),
}
BY_HAND = {
    "imagenet": "image-net.org asks for an account; unpack the images to images/train/<wnid>/ and "
    "images/val/<wnid>/",
    "stanford_cars": "its first address is dead, and torchvision no longer downloads it; unpack a "
    "copy to cars_train/ and cars_test/",
    "ucf101": "the middle frames of its videos are one archive; unpack it here, which makes "
    "UCF-101-midframes/",
    "imagenet_v2": "unpack the archive of matched frequency here, which makes "
    "imagenetv2-matched-frequency-format-val/",
    "imagenet_sketch": "unpack the archive to images/<wnid>/",
    "imagenet_a": "unpack the archive here, which makes imagenet-a/<wnid>/",
    "imagenet_r": "unpack the archive here, which makes imagenet-r/<wnid>/",
}


def fetch(name: str, root: Path) -> list[str]:
    """Download one data set below the data root if that can be done; what is left to do by hand.

    Nothing is downloaded where the images are there already. Raises ValueError for a name that is
    not one of the paper's; RuntimeError, with torchvision's reason, if the download fails.
    """
    if name not in ROWS:
        raise ValueError(f"{name!r} is none of the paper's data sets: {', '.join(ROWS)}.")
    row, steps = ROWS[name], []
    folder = root / row.folder
    # The lists of Stanford Cars name two image folders, which lie beside them.
    images = folder / ("cars_train" if name == "stanford_cars" else row.images)
    if not images.is_dir():
        if name in DOWNLOADS:
            _download(DOWNLOADS[name], root)
        else:
            steps.append(f"Images, into {folder}: {BY_HAND[name]}.")
    if not (folder / row.lists).exists():
        steps.append(f"{row.lists}, into {folder}.")
    return [*steps, f"Addresses of all files: {GUIDE}"] if steps else []


def _download(download: Download, root: Path) -> None:
    from cptlab.clip.guard import datasets  # takes seconds, and most calls download nothing

    below = root / download.below
    below.mkdir(parents=True, exist_ok=True)
    try:
        getattr(datasets, download.kind)(str(below), download=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise RuntimeError(
            f"torchvision could not download {download.kind} to {below}: {error}. Try again later, "
            f"or get it by hand: {GUIDE}"
        ) from error
    if not download.link:
        return
    link, target = root / download.link, root / download.leaves
    if link.exists():
        return
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(target, link.parent), target_is_directory=True)
    except OSError as error:
        raise RuntimeError(f"No link can be made ({error}): move {target} to {link}.") from error
