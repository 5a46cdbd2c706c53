"""Data sets: `open_dataset(name)` gives any of them by name."""

from typing import Literal

from cptlab.data.dataset import ImageDataset, Sample, labels_of
from cptlab.data.emoji import VALIDATION_VENDORS, emoji_dataset, emoji_transfer
from cptlab.data.long_tail import Subset, class_counts, draw_long_tailed
from cptlab.emoji.catalog import CATEGORIES

PAPER_DATASETS = (
    "imagenet",
    "caltech101",
    "oxford_pets",
    "stanford_cars",
    "flowers102",
    "food101",
    "fgvc_aircraft",
    "sun397",
    "dtd",
    "eurosat",
    "ucf101",
)
"""The paper's eleven data sets."""


Protocol = Literal["base_to_new", "few_shot", "transfer", "validation"]


def open_dataset(name: str) -> ImageDataset:
    """Data set by name.

    Raises ValueError for an unknown name, or one whose reader does not exist yet.
    """
    _check(name)
    return emoji_dataset(name)


def open_roles(name: str, protocol: Protocol) -> dict[str, ImageDataset]:
    """The data sets that a run meets, by role; it learns from the first one.

    "base_to_new": "base" and "new", the two halves of the classes. "few_shot": "all" of them.
    "transfer": "source" with all classes, every other data set as "target ...", shifts of the
    source as "domain ...". "validation": "base" alone, its test side being a training domain that
    is then left out of `train`: for choosing hyper-parameters without looking at test pictures.

    Raises ValueError as `open_dataset` does.
    """
    _check(name)
    if protocol == "transfer":
        return emoji_transfer(name)
    if protocol == "few_shot":
        return {"all": emoji_dataset(name)}
    vendors = VALIDATION_VENDORS if protocol == "validation" else ()
    base, new = emoji_dataset(name, *vendors).halves()
    return {"base": base} if protocol == "validation" else {"base": base, "new": new}


def _check(name: str) -> None:
    if name in PAPER_DATASETS:
        raise ValueError(
            f"The reader for {name!r} is not part of this version yet (embedded data sets: "
            f"{', '.join(CATEGORIES)})."
        )
    if name not in CATEGORIES:
        known = ", ".join([*CATEGORIES, *PAPER_DATASETS])
        raise ValueError(f"Unknown data set {name!r}; choose one of {known}.")


__all__ = [
    "ImageDataset",
    "Protocol",
    "Sample",
    "Subset",
    "class_counts",
    "draw_long_tailed",
    "emoji_dataset",
    "labels_of",
    "open_dataset",
    "open_roles",
]
