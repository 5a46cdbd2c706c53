"""What the tour shows of a data set and of two models: images, and predictions that changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from cptlab.checks import counted
from cptlab.data import ImageDataset, Subset
from cptlab.emoji.catalog import CATEGORIES
from cptlab.lab.runs.results import Result
from cptlab.lab.study.claims.variants import CPT, ZERO_SHOT, label
from cptlab.lab.study.lineup import BOTH
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.summary import TOO_FEW

SIZE = 48
"""Pixels of an image in a figure."""


class Sheet(NamedTuple):
    """Images (H, W, 3) of some classes, a row per vendor or side, as `drawing_sheet` takes them."""

    rows: list[list[np.ndarray]]
    row_names: list[str]
    column_names: list[str]


def tuned_method(profile: Profile, results: Mapping[str, Sequence[Result]]) -> str:
    """The method to show beside zero-shot: CPT (pair mean), or the last of the chosen ones."""
    return list(results)[-1] if profile.methods else label(CPT, BOTH[1])


def sheet(data: ImageDataset, subset: Subset, classes: int = 8) -> Sheet:
    """The first image of some classes, by vendor for emoji, else of the training and test side.

    Classes are named with their number of training images in brackets.
    """
    by_row: dict[str, dict[int, str]] = {}
    for side, samples in (("train", data.train), ("test", data.test)):
        for sample in samples:
            vendor = f"{sample.key.split('/')[1]} ({side})" if data.name in CATEGORIES else side
            by_row.setdefault(vendor, {}).setdefault(sample.label, sample.key)
    every = range(len(data.class_names))
    everywhere = [c for c in every if all(c in keys for keys in by_row.values())]
    shown = everywhere[:: max(1, len(everywhere) // classes)]
    names = [data.class_names[c].replace(" ", "\n", 1) + f"\n({subset.counts[c]})" for c in shown]
    return Sheet(
        rows=[images(data, [keys[c] for c in shown]) for keys in by_row.values()],
        row_names=list(by_row),
        column_names=names,
    )


def tail_message(name: str, counts: Sequence[int]) -> str:
    """How many training images the most and the least frequent classes have, in one sentence.

    counts: training images of each class.
    """
    most, least = max(counts), min(counts)
    classes, images = counted(len(counts), "class", "classes"), counted(most, "training image")
    if most == least:
        return f"Each of {classes} of {name} has {images}"
    last = sum(count == least for count in counts)
    has = "has" if last == 1 else "have"
    return f"Of {classes} of {name}, the most frequent has {images}, {last} {has} {least}"


def images(data: ImageDataset, keys: Sequence[str]) -> list[np.ndarray]:
    """Images (H, W, 3) in [0, 1] by their keys."""
    return [image.permute(1, 2, 0).numpy() for image in data.read(list(keys), SIZE)]


def first_images(data: ImageDataset) -> list[np.ndarray]:
    """An image of each class: the first of the test side, or of the training side without one."""
    keys = {sample.label: sample.key for sample in reversed((*data.test, *data.train))}
    return images(data, [keys[c] for c in range(len(data.class_names))])


def predictions(data: ImageDataset, models: Mapping[str, Result], most: int = 160) -> pd.DataFrame:
    """Predicted class names for test images: "picture" (key), "truth", and a column per model."""
    samples = data.test[:: len(data.test) // most + 1]
    columns = {name: result.model().predict(data, samples) for name, result in models.items()}
    truth = [data.class_names[sample.label] for sample in samples]
    return pd.DataFrame({"picture": [s.key for s in samples], "truth": truth, **columns})


def changed(frame: pd.DataFrame, n: int = 8) -> tuple[pd.DataFrame, int, int]:
    """Some predictions, changed ones first, and how many of all were corrected and broken.

    frame: what `predictions` returns for two models. Corrected and broken ones are shown in the
    proportion in which they occurred.
    """
    before, after = frame.columns[2:]
    differ = frame[frame[before] != frame[after]]
    fixed = differ[differ[after] == differ["truth"]]
    broken = differ[differ[before] == differ["truth"]]
    share = round(n * len(fixed) / max(1, len(fixed) + len(broken)))
    chosen = pd.concat([fixed.iloc[:share], broken.iloc[: n - share]])
    rest = frame.drop(chosen.index).iloc[: max(0, n - len(chosen))]
    return pd.concat([chosen, rest]), len(fixed), len(broken)


def classes_of(results: Mapping[str, Sequence[Result]], method: str) -> pd.DataFrame:
    """Accuracy of each base class, of zero-shot and a method, as `tables.gain_table` takes them."""
    return pd.concat(
        results[name][0]
        .classes.query("role == 'base'")
        .assign(method=name, dataset=results[name][0].spec.dataset, seed=results[name][0].spec.seed)
        for name in (ZERO_SHOT, method)
    )


def gain_message(classes: pd.DataFrame) -> str:
    """How many classes gain and lose in a run, in one sentence.

    classes: of one method, what `tables.class_gains` returns.
    """
    up, down = int((classes["gain"] > 0).sum()), int((classes["gain"] < 0).sum())
    method, count = classes["method"].iloc[0], counted(len(classes), "class", "classes")
    return (
        f"In one run of {method}, of {count} {up or 'none'} {'gain' if up != 1 else 'gains'} over "
        f"zero-shot and {down or 'none'} {'lose' if down != 1 else 'loses'}: {TOO_FEW} "
        "which kind of class gains"
    )
