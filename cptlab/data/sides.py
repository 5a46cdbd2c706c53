"""Which folders are sides (train, val, test), and which are classes.

People write Train, training or test_set, and mean sides. Where that is clear, such folders are read
as sides, otherwise refused; they are never taken for classes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cptlab.checks import first_few
from cptlab.data.layouts import SIDES

WORDS = {
    **dict.fromkeys(("train", "training", "trainset"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "valset"), "val"),
    **dict.fromkeys(("test", "testing", "testset"), "test"),
}
FILLERS = {"set", "data", "dataset", "images", "imgs", "split"}
"""Words that change nothing: test_set, train images."""

LIKE = re.compile(
    r"(tr|train|training|trn|trainval|va|val|vali|valid|validation|dev|devel|development"
    r"|eval|evaluation|te|ts|test|testing|tst|holdout|heldout)"
    rf"(s|{'|'.join(sorted(FILLERS))})?"
)
"""A word of a name that seems to mean a side: training, train2017, 1_test, dev, hold-out."""

Parts = list[tuple[str | None, str]]
"""A side, or None where there are none, and a class folder as a path below the root."""


def side_of(text: str) -> str | None:
    """The side that a name means in any case and spelling: "Training_set" is train."""
    words = [word for word in _words(text) if word not in FILLERS]
    return WORDS.get(words[0]) if len(words) == 1 else None


def parts_of(
    root: Path, folders: Mapping[str, Sequence[str]], images: Iterable[str] = ()
) -> tuple[Parts, list[str]]:
    """Class folders and their sides, and what a user should know of how folders were read.

    folders: each folder below the root, "" for itself -> its sub-folders. images: paths below it.

    Raises ValueError for a side without the others, there twice or beside classes, folders that
    seem to be sides, sides inside classes, and one folder alone that holds all others.
    """
    top = folders[""]
    sides = {name: side for name in top if (side := side_of(name))}
    if len(set(sides.values())) > 1 or (sides and len(sides) == len(top)):
        _require_both(root, top, sides)
        renamed = [f"{name}/ is read as the side {side}" for name, side in sides.items()]
        notes = [text for text, name in zip(renamed, sides, strict=True) if name not in SIDES]
        return [(sides[name], f"{name}/{label}") for name in top for label in folders[name]], notes
    if len(top) == 1 and folders[top[0]]:
        raise ValueError(
            f"{root} holds the folder {top[0]}/ alone: give {root / top[0]}, if the folders in "
            "that are classes or sides."
        )
    notes = [f"{name}/ is a class here, though it is called like a side" for name in sides]
    _refuse_seeming(root, top, images)
    common = _common([folders[name] for name in top])
    if len({side_of(name) for name in common} - {None}) > 1:
        raise ValueError(
            f"{root} has sides inside its classes ({top[0]}/{common[0]}): it takes classes inside "
            f"sides, as in train/{top[0]}."
        )
    if len(common) > 1:
        notes.append(
            f"all {len(top)} class folders hold the same sub-folders ({first_few(common)}): if "
            f"those are the classes, give one of the folders, such as {root / top[0]}"
        )
    return [(None, label) for label in top], notes


def _require_both(root: Path, top: Sequence[str], sides: Mapping[str, str]) -> None:
    """Raise ValueError unless all folders are sides, each once, train and test among them."""
    known, found = list(sides), list(sides.values())
    if odd := [name for name in top if name not in sides]:
        raise ValueError(
            f"{root} has {known[0]}/ and {known[1]}/, so {odd[0]}/ beside them is neither a side "
            "nor a class. Move it away. (Sides are train, val and test.)"
        )
    if twice := [side for side in SIDES if found.count(side) > 1]:
        both = " and ".join(f"{name}/" for name in known if sides[name] == twice[0])
        raise ValueError(f"{root} has {both}, which are one side. Put their images together.")
    if not {"train", "test"} <= set(found):
        rename = f" Rename {known[-1]}/ to test/ to test on it." if "train" in found[:-1] else ""
        raise ValueError(
            f"{root} has {', '.join(known)} only: it takes both train/ and test/.{rename}"
        )


def _refuse_seeming(root: Path, top: Sequence[str], images: Iterable[str]) -> None:
    """Raise ValueError where a folder is called much like a side and others have its sub-folders:
    dev/ant beside train/ant is no class "dev" beside a class "train".
    """
    inner: dict[str, set[str]] = {name: set() for name in top}
    for key in images:
        name, *deeper, _ = key.split("/")
        # of train/images/ant, what counts is ant: a class "train" may well hold images/
        if name in inner and (own := [one for one in deeper if set(_words(one)) - FILLERS]):
            inner[name].add(own[0])
    for name in filter(_is_like_a_side, top):
        for shared in sorted(inner[name]):
            alike = [other for other in top if shared in inner[other]]
            if len(alike) > 1:
                raise ValueError(
                    f"{root}: {first_few(alike)} seem to be sides, as all hold {shared}/. Rename "
                    "them to train, val and test; or their sub-folders, if they are classes."
                )


def _is_like_a_side(name: str) -> bool:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)  # trainData
    spaced = re.sub(r"h(o|e)ld[\W_]?out", "holdout", spaced, flags=re.IGNORECASE)
    return any(LIKE.fullmatch(word) for word in re.findall(r"[^\W\d_]+", spaced.casefold()))


def _common(each: Sequence[Sequence[str]]) -> list[str]:
    """Sub-folders that all of two or more folders have."""
    shared = set.intersection(*map(set, each)) if len(each) > 1 else set()
    return sorted(shared)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())
