"""Your own images as a data set: a folder with a sub-folder per class, or a CSV file.

A data set is listed once per process, and again when one of its folders or files has another time
(`listing`). What is learned and tested comes from one listing, and `Listing.content` of the same
one is stored with the result: when images come or go while a command runs, the result is one of the
images that were listed before, and says so; a later command lists the others, and does not use it.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from cptlab.checks import counted, first_few, shown
from cptlab.data.dataset import ImageDataset, Sample, Samples
from cptlab.data.facts import facts_files, facts_of
from cptlab.data.images import ImageFiles
from cptlab.data.layouts import SIDES
from cptlab.data.long_tail import checksum
from cptlab.data.own_files import Row, folder_rows, table_rows

FORMS = (
    "A data set of your own is a folder with a sub-folder of images for each class, or one with "
    "train/ and test/ (and val/, if you like) that hold those; or a CSV file with the columns "
    "path, label and, if you like, split and group."
)
HALVES = (
    "no split is given, so half of each class is for training and half for testing, by a hash of "
    "the file name"
)


SETTLED = 2.0
"""Seconds: file systems note times this coarsely, so that a change just after another may not show.
What changed later than this before it was listed is listed again."""


READER = "r2"
"""Mark of how images are read, at the end of `Listing.content`. Older results have none: they hold
where all images are of kinds that were read then as they are now (`Listing.was_read_alike`)."""
OPENERS = 8
"""Threads that look at headers of images."""


@dataclass(frozen=True, eq=False)
class Listing:
    """A data set as it was listed, and what a user should know about how it was read.

    called: what messages call each class.
    left_out: those of the notes that say which files are not used.
    times: of every folder and file that decided it, None for one that was not there; None if they
    were too new to tell a later change.
    """

    dataset: ImageDataset
    files: ImageFiles
    called: tuple[str, ...]
    notes: tuple[str, ...]
    left_out: tuple[str, ...]
    times: Mapping[Path, int | None] | None

    @cached_property
    def content(self) -> str:
        """Hash of names, images and sides, in order, and of a sentence of its own; `READER`."""
        dataset = self.dataset
        sides = (dataset.train, dataset.val, dataset.test)
        names = [(class_name, -1) for class_name in dataset.class_names]
        samples = [(sample.key, sample.label) for side in sides for sample in side]
        sentence = [] if dataset.template == ImageDataset.template else [(dataset.template, -2)]
        return checksum(names + samples + sentence) + READER

    @cached_property
    def was_read_alike(self) -> bool:
        """Whether versions without `READER` read these images as this one does; opens them all."""
        sides = (self.dataset.train, self.dataset.val, self.dataset.test)
        keys = [sample.key for side in sides for sample in side]
        with ThreadPoolExecutor(OPENERS) as pool:
            return all(pool.map(self.files.is_plain, keys))

    def is_current(self) -> bool:
        """Whether nothing has changed since."""
        return self.times is not None and self.times == _times(self.times)


_listings: dict[Path, Listing] = {}


def listing(path: Path) -> Listing:
    """The data set at a path as it is now; raises as `own_dataset` does."""
    path = Path(os.path.abspath(path))  # a relative one means another one in another folder
    known = _listings.pop(path, None)
    if known is None or not known.is_current():
        known = _listed(path)
    _listings[path] = known
    return known


def _times(paths: Iterable[Path]) -> dict[Path, int | None]:
    """When each was last changed, in nanoseconds."""
    found = {}
    for path in paths:
        try:
            found[path] = os.stat(path).st_mtime_ns
        except OSError:
            found[path] = None
    return found


def own_dataset(path: Path) -> tuple[ImageDataset, list[str]]:
    """A folder or CSV file as a data set, and what a user should know about how it was read.

    Classes are in the order of `classes.csv` (`cptlab.data.facts`) or, without it, in natural order
    of their names (2 before 10, capitals like small letters); underscores in names are spaces. Keys
    are paths below the folder, or below the CSV's folder.

    Raises FileNotFoundError if there is no such path or a CSV names missing files; ValueError for
    fewer than two classes, a class without training or test images, and whatever else
    `cptlab.data.own_files` and `cptlab.data.facts` cannot use.
    """
    found = listing(path)
    return found.dataset, list(found.notes)


def _listed(path: Path) -> Listing:
    began = time.time_ns()
    if path.is_dir():
        found = folder_rows(path)
    elif path.is_file() and path.suffix.lower() == ".csv":
        found = table_rows(path)
    else:
        what = "no folder and no .csv file" if path.exists() else "not there"
        raise FileNotFoundError(f"{path} is {what}. {FORMS}")
    if shown(path.stem) != path.stem:
        raise ValueError(f"{shown(str(path))} is not named in UTF-8: rename it.")
    rows, left_out = found.rows, []
    labels = {row.label: f"folder {row.label!r}" for row in rows}
    labels |= {label: f"label {label!r} (line {line})" for label, line in found.lines.items()}
    if len(labels) < 2:
        has = counted(len(labels), "class", "classes")
        raise ValueError(f"{path} has {has}, but it needs two or more. {FORMS}")
    facts = facts_of(path, labels, found.groups)
    if found.skipped:
        names = first_few(found.skipped)
        left_out.append(f"{len(found.skipped)} skipped that are no images: {names}")
    if found.repeated:
        names = first_few(found.repeated)
        links = counted(len(found.repeated), "link")
        left_out.append(f"{links} skipped to what is there already: {names}")
    notes = [*left_out, *found.notes, *facts.notes]
    if all(row.side is None for row in rows):
        rows = _halved(rows)
        notes.append(HALVES)
    number = {label: i for i, label in enumerate(facts.labels)}

    def side(wanted: str) -> Samples:
        return tuple(Sample(r.key, number[r.label]) for r in rows if r.side == wanted)

    train, val, test = map(side, SIDES)
    for kind, samples in (("training", train), ("test", test)):
        if without := set(range(len(number))) - {s.label for s in samples}:
            raise ValueError(
                f"{path}: class {facts.labels[min(without)]!r} has no {kind} images. Every class "
                "needs one or more of both; add some, or take the class out."
            )
    read = own_files(path)
    dataset = ImageDataset(
        path.stem, facts.names, train, test, read, facts.groups, val=val, crops=read.crops
    )
    if facts.template is not None:
        dataset = replace(dataset, template=facts.template)
    times: Mapping[Path, int | None] | None = _times((path, *facts_files(path), *found.folders))
    newest = max(filter(None, times.values()), default=0)
    if began - newest <= SETTLED * 1e9:
        times = None
    return Listing(dataset, read, facts.called, tuple(notes), tuple(left_out), times)


def own_files(path: Path) -> ImageFiles:
    """Reader of the images of a folder or CSV file."""
    return ImageFiles(path if path.is_dir() else path.parent)


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
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
