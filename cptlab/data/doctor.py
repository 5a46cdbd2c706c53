"""Whether data sets are what they should be: files, numbers, classes, images that open."""

from __future__ import annotations

import contextlib
import os
import random
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm.auto import tqdm

from cptlab.checks import counted, first_few, shown
from cptlab.data.dataset import ImageDataset, Sample
from cptlab.data.images import ImageFiles
from cptlab.data.layouts import SIDES, Lists
from cptlab.data.own import listing, own_files
from cptlab.data.paper import ROWS, image_files, read_lists

if TYPE_CHECKING:
    from cptlab.clip import Reads

SPOT_CHECKS = 50
"""Images that are decoded besides the first one of each class, if not all are."""
READERS, PART = 8, 256
"""Threads that open images, and how many each takes at a time."""
SHOTS = 16
WHOLE = 2**28
"""Bytes of images of one's own that are all decoded, which takes some seconds."""


Sentences = Callable[[str], Iterable[str]]


def plain(own: str) -> list[str]:
    """The sentences that every method takes: the data set's own, and the one of most prompts."""
    return [own, ImageDataset.template]


@dataclass
class Checkup:
    """What was found: number of classes and images by side, problems to mend, things to know.

    published: the numbers that should have been found, (K, train, val, test), if there are any.
    protocol: the only one that the data set fits, if it does not fit all.
    """

    name: str
    there: bool = True
    found: tuple[int | None, ...] = ()
    published: tuple[int | None, ...] = ()
    protocol: str = ""
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def status(self) -> str:
        """ "ok", "broken", "not there", or the only protocol that is ok: "few_shot only"."""
        if not self.there or self.problems:
            return "broken" if self.there else "not there"
        return f"{self.protocol} only" if self.protocol else "ok"


def examine_root(root: Path, full: bool = False) -> list[Checkup]:
    """Every one of the paper's data sets below a data root.

    full: decode every image, rather than the header of all and the whole of some.
    """
    return [_examine_paper(name, root, full) for name in ROWS]


def examine_own(
    path: Path, full: bool = False, backbone: Reads | None = None, sentences: Sentences = plain
) -> Checkup:
    """A folder or CSV file, as a run would find it.

    full: decode every image, however many there are. backbone: what reads the names, EmojiCLIP if
    left out. sentences: the data set's own sentence -> those that names are read in.

    Raises FileNotFoundError if there is none, as `own_dataset` does.
    """
    from cptlab.clip import IMAGENET_TEMPLATES, reads, too_long  # the paper's do without

    checkup, backbone = Checkup(str(path)), backbone or reads()
    try:
        found = listing(path)
        dataset, checkup.notes = found.dataset, list(found.notes)
    except ValueError as error:
        checkup.problems = [str(error).removeprefix(f"{os.path.abspath(path)}: ")]
        return checkup
    names, of_text = dataset.class_names, (backbone, found.called)
    checkup.problems += too_long(names, sentences(dataset.template), *of_text)
    if not checkup.problems and (some := too_long(names, IMAGENET_TEMPLATES, *of_text)):
        checkup.notes.append(
            f"{len(some)} names have no room in the sentences of promptsrc and coprompt: {some[0]}"
        )
    lists = Lists(dataset.class_names, dataset.train, dataset.val, dataset.test)
    files = own_files(path)
    whole = full or _size(files, lists) <= WHOLE
    _examine(checkup, lists, files, whole)
    if not whole:
        checkup.notes.append("of so many images only some were decoded; --full decodes all")
    if len(lists.class_names) < 4:
        checkup.protocol = "few_shot"
        checkup.notes.append(
            f"base to new needs four classes or more, and there are {len(lists.class_names)}"
        )
    few = [n for c, n in Counter(s.label for s in lists.train).items() if n < SHOTS]
    if few:
        checkup.notes.append(
            f"{counted(len(few), 'class has', 'classes have')} fewer than {SHOTS} training images, "
            f"the smallest {min(few)}: they give what they have"
        )
    return checkup


def require_sound(
    path: Path, backbone: Reads | None = None, sentences: Sentences = plain
) -> list[str]:
    """What should be known about a folder or CSV file; ValueError with all that is wrong with it.

    Warns of files in it that are not used. backbone, sentences: as for `examine_own`.
    """
    checkup = examine_own(path, False, backbone, sentences)
    if checkup.problems:
        listed = "; ".join(text.rstrip(".") for text in checkup.problems)
        raise ValueError(
            f"{path}: {listed}. Mend or remove what is named; `cptlab doctor {path}` then looks "
            "again."
        )
    left_out = listing(path).left_out
    for note in left_out:
        warnings.warn(f"{path}: {note}.", stacklevel=2)
    return [note for note in checkup.notes if note not in left_out]


def _examine_paper(name: str, root: Path, full: bool) -> Checkup:
    row = ROWS[name]
    checkup = Checkup(name, published=(row.n_classes, *row.published))
    if not (root / row.folder).is_dir():
        checkup.there = False
        return checkup
    try:
        lists = read_lists(name, root)
    except (ValueError, OSError) as error:
        checkup.problems = [str(error)]
        return checkup
    _examine(checkup, lists, image_files(name, root), full)
    kinds = ("classes", *(f"{side} images" for side in SIDES))
    for kind, found, published in zip(kinds, checkup.found, checkup.published, strict=True):
        if found != (published or 0):
            checkup.problems.append(f"{found} {kind}, published {published}")
    sides = {"training": lists.train, "test": lists.test} if lists.train else {"test": lists.test}
    for kind, samples in sides.items():
        if without := set(range(len(lists.class_names))) - {s.label for s in samples}:
            names = [lists.class_names[label] for label in sorted(without)]
            of = counted(len(names), "class", "classes")
            checkup.problems.append(f"no {kind} images of {of}: {first_few(names)}")
    return checkup


def _examine(checkup: Checkup, lists: Lists, files: ImageFiles, full: bool) -> None:
    """Count, and open images: keys that fail become problems, grouped by what is wrong."""
    sides = (lists.train, lists.val, lists.test)
    checkup.found = (len(lists.class_names), *map(len, sides))
    samples = list({s.key: s for side in sides for s in side}.values())
    if repeated := sum(map(len, sides)) - len(samples):
        checkup.problems.append(f"{repeated} images are listed more than once")
    decoded = set(samples) if full else _spot_checks(samples)

    def check(part: Sequence[Sample]) -> list[str]:
        return [files.check(sample.key, sample in decoded) for sample in part]

    parts = [samples[i : i + PART] for i in range(0, len(samples), PART)]
    bad: dict[str, list[str]] = {}
    with ThreadPoolExecutor(READERS) as pool:
        answers = pool.map(check, parts)
        quiet = len(parts) < 20
        bar = tqdm(zip(parts, answers, strict=True), checkup.name, len(parts), False, disable=quiet)
        for sample, answer in ((s, a) for part, those in bar for s, a in zip(part, those)):
            if answer:
                bad.setdefault(answer, []).append(sample.key)
    for answer, keys in bad.items():
        checkup.problems.append(f"{answer}: {len(keys)} below {files.folder}, {first_few(keys)}")


def _size(files: ImageFiles, lists: Lists) -> int:
    """Bytes of all images; one that is gone has none."""
    keys = {sample.key for side in (lists.train, lists.val, lists.test) for sample in side}
    sizes = 0
    for key in keys:
        with contextlib.suppress(OSError):
            sizes += os.stat(os.path.join(files.folder, key)).st_size
    return sizes


def _spot_checks(samples: Sequence[Sample]) -> set[Sample]:
    """The first image of each class and a seeded sample of the rest."""
    first = {sample.label: sample for sample in reversed(samples)}
    chance = random.Random(0)
    return {*first.values(), *chance.sample(samples, min(SPOT_CHECKS, len(samples)))}


def report(checkups: Sequence[Checkup]) -> str:
    """A table of what was found, the problems and notes of each, and what is not there."""
    header = ("data set", "status", "classes", *SIDES)
    there = [c for c in checkups if c.there]
    rows = [header, *((c.name, c.status, *_cells(c)) for c in there)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in rows]
    for checkup in there:
        lines += [f"{checkup.name}: {text}" for text in checkup.problems]
        lines += [f"{checkup.name} (note): {text}" for text in checkup.notes]
    if missing := [c.name for c in checkups if not c.there]:
        lines.append(f"Not there: {', '.join(missing)}")
        lines.append("`cptlab data fetch NAME` gets a data set, or says how to.")
    return shown("\n".join(lines))


def _cells(checkup: Checkup) -> list[str]:
    found = checkup.found or (None,) * 4
    published = checkup.published or found
    return [
        "-"
        if not (number or wanted)
        else f"{number}"
        if number == wanted
        else f"{'?' if number is None else number} of {wanted or 0}"
        for number, wanted in zip(found, published, strict=True)
    ]
