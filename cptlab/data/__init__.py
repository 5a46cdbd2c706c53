"""Data sets: `open_dataset(name)` gives any of them by name."""

from typing import Literal

from cptlab.data.dataset import ImageDataset, Sample, labels_of
from cptlab.data.emoji import VALIDATION_VENDORS, emoji_dataset
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


def open_dataset(name: str, evaluate: Literal["test", "validation"] = "test") -> ImageDataset:
    """Data set by name.

    With "validation" its `test` side holds pictures from a training domain that is then left out of
    `train`: for choosing hyper-parameters without looking at test pictures.

    Raises ValueError for an unknown name, or one whose reader does not exist yet.
    """
    if name in CATEGORIES:
        return emoji_dataset(name, *(VALIDATION_VENDORS if evaluate == "validation" else ()))
    if name in PAPER_DATASETS:
        raise ValueError(
            f"The reader for {name!r} is not part of this version yet (embedded data sets: "
            f"{', '.join(CATEGORIES)})."
        )
    known = ", ".join([*CATEGORIES, *PAPER_DATASETS])
    raise ValueError(f"Unknown data set {name!r}; choose one of {known}.")


__all__ = [
    "ImageDataset",
    "Sample",
    "Subset",
    "class_counts",
    "draw_long_tailed",
    "emoji_dataset",
    "labels_of",
    "open_dataset",
]
