"""Your own images as a data set: a folder with a sub-folder per class, or a CSV file."""

from __future__ import annotations

import csv
import hashlib
import os
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cptlab.checks import first_few
from cptlab.data.dataset import ImageDataset, Sample, Samples
from cptlab.data.images import ImageFiles
from cptlab.data.layouts import SIDES, readable

IMAGES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
"""What a file in a class folder must end in, in any case; others are skipped."""
FORMS = (
    "A data set of your own is a folder with a sub-folder of images for each class, or one with "
    "train/ and test/ (and val/, if you like) that hold those; or a CSV file with the columns "
    "path, label and, if you like, split."
)
HALVES = (
    "no split is given, so half of each class is for training and half for testing, by a hash of "
    "the file name"
)


@dataclass(frozen=True)
class Row:
    """One image: its path as the data set's key, its class as written, and its side if given."""

    key: str
    label: str
    side: str | None


def own_dataset(path: Path) -> tuple[ImageDataset, list[str]]:
    """A folder or CSV file as a data set, and what a user should know about how it was read.

    Classes are in natural order of their names (2 before 10, capitals like small letters);
    underscores in names are spaces. Keys are paths below the folder, or below the CSV's folder.

    Raises FileNotFoundError if there is no such path or a CSV names missing files; ValueError for
    fewer than two classes, a class without training or test images, columns or sides that are
    unknown, a path that is listed twice.
    """
    if path.is_dir():
        rows, notes = _folder_rows(path)
    elif path.is_file() and path.suffix.lower() == ".csv":
        rows, notes = _csv_rows(path), []
    else:
        what = "no folder and no .csv file" if path.exists() else "not there"
        raise FileNotFoundError(f"{path} is {what}. {FORMS}")
    names = {readable(row.label): row.label for row in rows}
    if len(names) < len({row.label for row in rows}):
        raise ValueError(f"{path}: two class names differ only in underscores. Rename one of them.")
    if len(names) < 2:
        raise ValueError(f"{path} has {len(names)} classes, but it needs two or more. {FORMS}")
    if all(row.side is None for row in rows):
        rows, notes = _halved(rows), [*notes, HALVES]
    ordered = sorted(names, key=natural)
    label_of = {names[name]: label for label, name in enumerate(ordered)}

    def side(wanted: str) -> Samples:
        return tuple(Sample(r.key, label_of[r.label]) for r in rows if r.side == wanted)

    train, val, test = map(side, SIDES)
    for kind, samples in (("training", train), ("test", test)):
        if without := set(range(len(ordered))) - {s.label for s in samples}:
            name = names[ordered[min(without)]]
            raise ValueError(
                f"{path}: class {name!r} has no {kind} images. Every class needs one or more of "
                "both; add some, or take the class out."
            )
    read = own_files(path)
    names = tuple(ordered)
    return ImageDataset(path.stem, names, train, test, read, val=val, crops=read.crops), notes


def own_files(path: Path) -> ImageFiles:
    """Reader of the images of a folder or CSV file."""
    return ImageFiles(path if path.is_dir() else path.parent)


def natural(name: str) -> tuple[list[str | int], str]:
    """Sort key in which numbers count as numbers and case does not matter."""
    parts = re.split(r"(\d+)", name)
    return [int(part) if part.isdecimal() else part.lower() for part in parts], name


def _halved(rows: Sequence[Row]) -> list[Row]:
    """Half of each class (the larger one, if odd) for training, by a hash of the file name.

    Where images lie does not matter, nor what other classes hold.
    """
    by_class: dict[str, list[Row]] = {}
    for row in rows:
        by_class.setdefault(row.label, []).append(row)
    halved = []
    for label, own in by_class.items():
        if len(own) < 2:
            raise ValueError(
                f"Class {label!r} has one image ({own[0].key}) and no split is given: it takes two "
                "or more, to train and to test."
            )
        own = sorted(own, key=lambda row: (_hash(posixpath.basename(row.key)), row.key))
        middle = (len(own) + 1) // 2
        sides = ["train"] * middle + ["test"] * (len(own) - middle)
        halved += [Row(row.key, label, side) for row, side in zip(own, sides, strict=True)]
    return sorted(halved, key=lambda row: row.key)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# ------------------------------------------------------------------------------------------- folder


def _folder_rows(root: Path) -> tuple[list[Row], list[str]]:
    top, rows = set(_folders(root)), []
    skipped = _not_images(root, os.listdir(root))
    if {"train", "test"} <= top:
        if odd := sorted(top - set(SIDES)):
            raise ValueError(
                f"{root} has train/ and test/, so {odd[0]}/ beside them is neither a side nor a "
                "class. Move it away. (Sides are train, val and test.)"
            )
        parts = [
            (side, f"{side}/{label}") for side in sorted(top) for label in _folders(root / side)
        ]
    elif top and top <= set(SIDES):
        raise ValueError(
            f"{root} has {', '.join(sorted(top))} only: it takes both train/ and test/."
        )
    else:
        parts = [(None, label) for label in sorted(top)]
    for side, part in parts:
        files = sorted(_files(root, root / part))
        images = [f for f in files if posixpath.splitext(f)[1].lower() in IMAGES]
        if not images:
            raise ValueError(f"{root / part} holds no images. Add some, or take the class out.")
        skipped += [f for f in files if f not in set(images)]
        rows += [Row(key, posixpath.basename(part), side) for key in images]
    notes = [f"{len(skipped)} skipped that are no images: {first_few(skipped)}"] if skipped else []
    return rows, notes


def _folders(folder: Path) -> list[str]:
    return sorted(e.name for e in os.scandir(folder) if e.is_dir() and not e.name.startswith("."))


def _not_images(root: Path, names: Sequence[str]) -> list[str]:
    return [n for n in sorted(names) if not n.startswith(".") and not (root / n).is_dir()]


def _files(root: Path, folder: Path) -> Iterator[str]:
    """Files at any depth below a class folder, as keys; hidden ones are left out."""
    for where, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith("."):
                yield (Path(where) / name).relative_to(root).as_posix()


# ---------------------------------------------------------------------------------------------- CSV


def _csv_rows(path: Path) -> list[Row]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets write a BOM
            reader = csv.DictReader(file, strict=True)
            columns = [name.strip() for name in reader.fieldnames or []]
            reader.fieldnames = columns
            lines = [(reader.line_num, line) for line in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no CSV file in UTF-8 ({error}). Save it as one.") from error
    if not {"path", "label"} <= set(columns) <= {"path", "label", "split"}:
        raise ValueError(
            f"{path} has the columns {', '.join(columns) or '(none)'}; it takes path, label and, "
            "if you like, split, separated by commas and named in the first line."
        )
    rows = [_csv_row(path, number, line, "split" in columns) for number, line in lines]
    seen: set[str] = set()
    for row in rows:
        if row.key in seen:
            raise ValueError(f"{path} lists {row.key} twice. Every image may be there once.")
        seen.add(row.key)
    missing = [row.key for row in rows if not (path.parent / row.key).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{path} lists {len(missing)} files that are not there, the first one {missing[0]}. "
            "Paths are relative to the folder of the CSV file."
        )
    return sorted(rows, key=lambda row: row.key)


def _csv_row(
    path: Path, number: int, line: Mapping[str | None, str | None], has_split: bool
) -> Row:
    cells = {name: (value or "").strip() for name, value in line.items() if name is not None}
    if None in line or not all(cells.values()):
        raise ValueError(f"{path}, line {number}: it takes one value for each column.")
    if has_split and cells["split"] not in SIDES:
        raise ValueError(
            f"{path}, line {number}: the split is {cells['split']!r}, but must be one of "
            f"{', '.join(SIDES)}."
        )
    return Row(posixpath.normpath(cells["path"]), cells["label"], cells.get("split"))
