"""How the paper's data sets lie on disk (the CoOp layout), read into lists of samples.

Every reader takes the folder of a data set, the sub-folder that sample keys are relative to, and
the file that holds the splits or class names. File lists come in a fixed order: of the split file,
or sorted by name where a folder is listed (public code leaves the latter to the file system, so
that its 16-shot subsets of ImageNet differ between machines).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from cptlab.checks import read_text
from cptlab.data.dataset import Sample, Samples
from cptlab.data.reader import is_image


@dataclass(frozen=True)
class Lists:
    """Class names, which stand for labels 0, 1, ..., and the samples of each side."""

    class_names: tuple[str, ...]
    train: Samples
    val: Samples
    test: Samples


def readable(name: str) -> str:
    """A class name as prompts show it: underscores are spaces."""
    return name.replace("_", " ")


def split_json(folder: Path, images: str, lists: str) -> Lists:
    """`split_zhou_*.json`: for each side a list of [path below images, label, class name].

    Raises ValueError for a damaged file, FileNotFoundError for a missing one.
    """
    path = folder / lists
    text = read_text(path)
    try:
        content = json.loads(text)
        sides = [[(str(p), int(n), str(c)) for p, n, c in content[k]] for k in SIDES]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    names: dict[int, str] = {}
    for _, label, name in (item for side in sides for item in side):
        if names.setdefault(label, name) != name:
            raise _damaged(path, f"label {label} is both {names[label]!r} and {name!r}")
    if sorted(names) != list(range(len(names))):
        raise _damaged(path, "labels are not 0, 1, ... without a gap")
    train, val, test = (tuple(Sample(p, label) for p, label, _ in side) for side in sides)
    return Lists(tuple(readable(names[label]) for label in sorted(names)), train, val, test)


SIDES = ("train", "val", "test")


def aircraft(folder: Path, images: str, lists: str) -> Lists:
    """FGVC-Aircraft: labels by the order of `variants.txt`, samples from its lists of variants.

    A line of `images_variant_<side>.txt` is the image's number, a space, and the variant.
    """
    names = _lines(folder / lists)
    labels = {name: label for label, name in enumerate(names)}

    def side(name: str) -> Samples:
        path, samples = folder / f"images_variant_{name}.txt", []
        for line in _lines(path):
            number, _, variant = line.partition(" ")
            if variant not in labels:
                raise _damaged(path, f"unknown variant {variant!r}")
            samples.append(Sample(f"{number}.jpg", labels[variant]))
        return tuple(samples)

    return Lists(tuple(map(readable, names)), *map(side, SIDES))


def imagenet(folder: Path, images: str, lists: str) -> Lists:
    """ImageNet: sorted wnid folders below `train` and `val`; its validation images are the test."""
    names, wnids = class_names(folder / lists), _folders(folder / images / "train")
    if (other := _folders(folder / images / "val")) != wnids:
        odd = sorted(set(other) ^ set(wnids))
        raise ValueError(
            f"{folder / images}: train and val do not have the same classes; {odd[0]} is in one of "
            "them only. Every class needs its own sub-folder in both."
        )
    train, test = (_listed(folder / images, [f"{s}/{w}" for w in wnids]) for s in ("train", "val"))
    return Lists(_named(wnids, names, folder / lists), train, (), test)


def wnid_folders(folder: Path, images: str, lists: str) -> Lists:
    """A test set of ImageNet's classes that lie in sorted wnid folders: those classes only."""
    wnids = _folders(folder / images)
    names = _named(wnids, class_names(folder / lists), folder / lists)
    return Lists(names, (), (), _listed(folder / images, wnids))


def numbered_folders(folder: Path, images: str, lists: str) -> Lists:
    """ImageNetV2: folder k holds the class of line k of `classnames.txt`, counted from 0."""
    names, found = list(class_names(folder / lists).values()), _folders(folder / images)
    wanted = [str(label) for label in range(len(names))]  # sorted as text, 10 would follow 1
    if odd := sorted(set(found) ^ set(wanted)):
        raise ValueError(
            f"{folder / images} needs one folder for each of the {len(names)} lines of {lists}, "
            f"named 0 to {len(names) - 1}; {odd[0]!r} is missing or too many."
        )
    return Lists(tuple(names), (), (), _listed(folder / images, wanted))


def class_names(path: Path) -> dict[str, str]:
    """`classnames.txt`: a wnid, a space and the class name on each line, in order."""
    pairs = [line.partition(" ") for line in _lines(path)]
    return {wnid: readable(name.strip()) for wnid, _, name in pairs}


def _named(wnids: list[str], names: dict[str, str], path: Path) -> tuple[str, ...]:
    if unknown := [wnid for wnid in wnids if wnid not in names]:
        raise _damaged(path, f"no line for class folder {unknown[0]}")
    return tuple(names[wnid] for wnid in wnids)


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]


def _folders(folder: Path) -> list[str]:
    return sorted(e.name for e in os.scandir(folder) if e.is_dir() and not e.name.startswith("."))


def _listed(root: Path, folders: list[str]) -> Samples:
    """The images in these folders, label after label, sorted by name within each."""
    return tuple(
        Sample(f"{folder}/{name}", label)
        for label, folder in enumerate(folders)
        for name in sorted(e.name for e in os.scandir(root / folder))
        if is_image(name) and not name.startswith(".")
    )


def _damaged(path: Path, reason: str) -> ValueError:
    return ValueError(f"{path} is damaged ({reason}). Get it again.")
