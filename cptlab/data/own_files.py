"""What a folder or CSV file of the user's own lists: an image a row, as it is written there."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cptlab.checks import counted, first_few, shown
from cptlab.data.csv_files import csv_rows
from cptlab.data.facts import CLASSES, TEMPLATE, natural
from cptlab.data.layouts import SIDES
from cptlab.data.reader import is_image
from cptlab.data.sides import parts_of, side_of
from cptlab.data.tree import tree


@dataclass(frozen=True, slots=True)
class Row:
    """One image: its path as the data set's key, its class as written, and its side if given."""

    key: str
    label: str
    side: str | None


@dataclass(frozen=True)
class Rows:
    """Images in a fixed order; groups by label, where the list names them; files that are no
    images, and links to what is there already.

    lines: label -> the first line that has it, in a CSV file.
    folders: every folder that was looked into, if any were: whatever is added or taken away there
    changes its time.
    """

    rows: list[Row]
    groups: Mapping[str, str]
    lines: Mapping[str, int] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    notes: Sequence[str] = ()


# ------------------------------------------------------------------------------------------- folder


def folder_rows(root: Path) -> Rows:
    """Images in class folders, at any depth, or in those below train/, test/ and val/.

    Raises ValueError for a class without images, and as `parts_of`.
    """
    found = tree(root)
    folders, files = found.folders, found.files
    parts, notes = parts_of(root, folders, filter(is_image, files))
    if odd := [part for _, part in parts if shown(part) != part]:
        raise ValueError(
            f"{root}: the class folder {shown(odd[0])} is not named in UTF-8: rename it."
        )
    of_part: dict[str, list[str]] = {part: [] for _, part in parts}
    depth = 2 if parts and parts[0][0] else 1
    for key in files:
        part = "/".join(key.split("/", depth)[:depth])
        if part in of_part:
            of_part[part].append(key)
    skipped = [key for key in files if "/" not in key and key not in (CLASSES, TEMPLATE)]
    rows = []
    for side, part in parts:
        images = [key for key in of_part[part] if is_image(key)]
        if not images:
            only_links = any(key == part or key.startswith(f"{part}/") for key in found.repeated)
            own = " of its own, only links to what is there already" if only_links else ""
            raise ValueError(
                f"{root / part} holds no images{own}. Add some, or take the class out."
            )
        label = posixpath.basename(part)
        rows += [Row(key, label, side) for key in images]
        skipped += [key for key in of_part[part] if not is_image(key)]
    looked_into = tuple(root / folder for folder in folders)
    return Rows(rows, {}, {}, tuple(skipped), tuple(found.repeated), looked_into, notes)


def images_below(folder: Path) -> list[Path]:
    """Image files at any depth, without hidden ones, in natural order."""
    return [folder / name for name in sorted(filter(is_image, tree(folder).files), key=natural)]


# ---------------------------------------------------------------------------------------------- CSV


def table_rows(path: Path) -> Rows:
    """The rows of a CSV file with the columns path, label, and perhaps split and group.

    Raises ValueError for other columns, sides that are unknown, a path that is listed twice, a
    label in two groups; FileNotFoundError for files that are not there.
    """
    rows: dict[str, Row] = {}
    groups: dict[str, str] = {}
    lines: dict[str, int] = {}
    for number, cells in csv_rows(path, ("path", "label"), ("split", "group")):
        key, label = posixpath.normpath(cells["path"]), cells["label"]
        side = side_of(cells["split"]) if "split" in cells else None
        if "split" in cells and side is None:
            raise ValueError(
                f"{path}, line {number}: the split is {cells['split']!r}, but must be one of "
                f"{', '.join(SIDES)}."
            )
        if key in rows:
            raise ValueError(f"{path} lists {key} twice. Every image may be there once.")
        rows[key] = Row(key, label, side)
        lines.setdefault(label, number)
        if "group" in cells and (one := groups.setdefault(label, cells["group"])) != cells["group"]:
            raise ValueError(
                f"{path}, line {number}: class {label!r} is in the groups {one!r} and "
                f"{cells['group']!r}. Every class has one group."
            )
    if len(lines) > 1 and all(map(side_of, lines)):
        raise ValueError(
            f"{path}: the labels are {first_few(list(lines))}, which are sides. Put them into a "
            "column split, and the classes into label."
        )
    # pathlib would take as long for a hundred thousand paths as all the rest does
    folder, missing, files = str(path.parent), [], {}
    for key in rows:
        try:
            found = os.stat(os.path.join(folder, key))
        except (FileNotFoundError, NotADirectoryError):
            missing.append(key)
            continue
        if not stat.S_ISREG(found.st_mode):
            missing.append(key)
            continue
        other = files.setdefault((found.st_dev, found.st_ino), key)
        if other != key and _same(folder, key, other):
            raise ValueError(
                f"{path} lists {key} and {other}, which are one file. Every image may be "
                "there once."
            )
    if missing:
        raise FileNotFoundError(
            f"{path} lists {counted(len(missing), 'file that is', 'files that are')} not there, "
            f"the first one {missing[0]}. Paths are relative to the folder of the CSV file."
        )
    return Rows([rows[key] for key in sorted(rows)], groups, lines)


def _same(folder: str, key: str, other: str) -> bool:
    """Whether two paths lead to one file by a link; copies that share their space are two."""
    one, two = (os.path.realpath(os.path.join(folder, name)) for name in (key, other))
    return one == two
