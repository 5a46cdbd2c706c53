"""What a run learns from and what it is tested on: the protocols of the paper."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

from cptlab.checks import did_you_mean
from cptlab.data.dataset import ImageDataset, labels_of
from cptlab.data.emoji import (
    VALIDATION_VENDORS,
    emoji_dataset,
    emoji_source,
    emoji_target,
    emoji_transfer,
)
from cptlab.data.own import Listing, listing
from cptlab.data.paper import ROWS, VARIANTS, paper_dataset, paper_transfer
from cptlab.data.root import data_root
from cptlab.emoji.catalog import CATEGORIES

Protocol = Literal["base_to_new", "few_shot", "transfer", "tuning"]


@dataclass(frozen=True)
class Task:
    """What a run learns from and what it is tested on.

    tests: by role ("base", "new", "target food", ...) the data sets whose test images are
    classified, each among its own class names. source: the role whose training images are learned.
    content: hash of what data sets of the user's own list; None for those whose content is fixed.
    """

    source: str
    tests: Mapping[str, ImageDataset]
    content: str | None = None

    @property
    def learned(self) -> ImageDataset:
        """The data set that training images are drawn from."""
        return self.tests[self.source]


def open_dataset(name: str) -> ImageDataset:
    """Data set by name: an embedded one, one of the paper's, or the path of a folder or CSV file.

    Raises ValueError for an unknown name and FileNotFoundError or ValueError, saying what to do,
    for data that are missing or damaged (`cptlab.data.paper`, `cptlab.data.own`).
    """
    check_name(name)
    if is_path(name):
        return _listing(name).dataset
    return paper_dataset(name) if name in ROWS else emoji_dataset(name)


def check_name(name: str) -> None:
    """Raise ValueError, saying what was looked for, for a name that is none and no path."""
    if not (is_path(name) or name in ROWS or name in CATEGORIES):
        known = ", ".join([*CATEGORIES, *ROWS])
        raise ValueError(
            f"No data set {name!r}: there is no folder of this name in {Path.cwd()}, and the names "
            f"that are known are {known}. Choose one of these, or give the path of a folder or CSV "
            f"file of your own.{did_you_mean(name, (*CATEGORIES, *ROWS))}"
        )


def open_task(
    name: str,
    protocol: Protocol = "base_to_new",
    template: str | None = None,
    targets: Sequence[str] = (),
) -> Task:
    """The task that a protocol makes of a data set.

    "base_to_new": learn "base", the first half of the classes; test it and "new", the other half.
    "few_shot": "all" classes. "transfer": "source" with all classes, every other data set as
    "target ...", shifts of the source as "domain ..."; with `targets`, these data sets alone are
    tested beside the source. "tuning": base to new within the base classes,
    half of which play the new ones; the test side is the data set's validation images, or, for
    embedded data sets, a training domain that is then left out of `train`: for choosing
    hyper-parameters without looking at test images or at new classes.

    template: a sentence in place of the data set's own; targets keep theirs.

    Raises ValueError as `open_dataset` and `check_targets` do, and for a data set that does not fit
    the protocol.
    """
    check_targets(name, protocol, targets)
    if name in VARIANTS:
        raise ValueError(
            f"{name!r} has test images only, nothing to learn from. It is a domain of the protocol "
            "transfer with the data set 'imagenet'."
        )
    if targets:
        task = _transfer_to(name, targets)
    elif name in ROWS:
        task = _paper_task(name, protocol, data_root())
    elif is_path(name):
        task = _own_task(name, protocol, _listing(name))
    elif protocol == "transfer":
        task = Task("source", emoji_transfer(name))
    else:
        task = _task(name, protocol, open_dataset(name))
    if template is None:
        return task
    tests = {
        role: data if role.startswith(TARGET) else replace(data, template=template)
        for role, data in task.tests.items()
    }
    return replace(task, tests=tests)


def check_targets(name: str, protocol: Protocol, targets: Sequence[str]) -> None:
    """Raise ValueError for targets that a protocol does not have, or that cannot be told apart."""
    if targets and protocol != "transfer":
        raise ValueError(
            f"Targets {', '.join(targets)} go with the protocol transfer, not with {protocol}."
        )
    seen: dict[str, str] = {}
    for target in targets:
        if full_name(target) == full_name(name):
            raise ValueError(f"{target} is the source of this transfer, so it cannot be a target.")
        role = target_role(target)
        if (first := seen.get(role)) is not None:
            same = full_name(first) == full_name(target)
            raise ValueError(
                f"{target} is named twice as a target."
                if same
                else f"The targets {first} and {target} would both be called "
                f"{target_role(target)!r} in results: rename one of them."
            )
        seen[role] = target


TARGET = "target "


def target_role(name: str) -> str:
    """The role of a data set that transfer tests: "target food", "target birds" for a path."""
    return TARGET + Path(name).stem


# Cutting a million images takes seconds, and every run of a batch asks for the same halves.
@lru_cache(maxsize=2 * len(ROWS))
def _paper_task(name: str, protocol: Protocol, root: Path) -> Task:
    if protocol == "transfer":
        return Task("source", paper_transfer(name))
    return _task(name, protocol, paper_dataset(name))


@lru_cache(maxsize=8)
def _own_task(name: str, protocol: Protocol, found: Listing) -> Task:
    if protocol == "transfer":
        raise ValueError(
            f"Transfer from {name} needs data sets to test on: name one or more with --target (in "
            "Python: targets), or choose another protocol."
        )
    return replace(_task(name, protocol, found.dataset), content=found.content)


def _task(name: str, protocol: Protocol, dataset: ImageDataset) -> Task:
    if protocol == "tuning":
        dataset = _validation(name, dataset).halves()[0]
    if protocol == "few_shot":
        return Task("all", {"all": dataset})
    if len(dataset.class_names) < 4:
        which = "base classes. Tuning" if protocol == "tuning" else "classes. Base to new"
        raise ValueError(
            f"Data set {name!r} has {len(dataset.class_names)} {which} needs four or more, two to "
            "tell apart in each half: add some."
        )
    base, new = dataset.halves()
    return Task("base", {"base": base, "new": new})


def sentence_of(name: str) -> str:
    """The sentence that zero-shot classification of a data set uses, by its name: no image or list
    is read. That of one's own is the plain one unless something else says so.
    """
    return ROWS[name].template if name in ROWS else ImageDataset.template


def is_path(name: str) -> bool:
    """Whether a data set's name is a path: of a folder or CSV file, there or not."""
    if not name or name in CATEGORIES or name in ROWS:
        return False
    return "/" in name or os.sep in name or name.lower().endswith(".csv") or Path(name).is_dir()


def full_name(name: str) -> str:
    """A data set's name as specifications should have it: a path made absolute.

    A relative one would mean another data set in another folder.
    """
    return os.path.abspath(os.path.expanduser(name)) if is_path(name) else name


def content_id(name: str) -> str | None:
    """Hash of what a data set of the user's own lists; None for those whose content is fixed."""
    return _listing(name).content if is_path(name) else None


def was_read_alike(name: str) -> bool:
    """Whether versions without `READER` read the images of a data set as this one does."""
    return not is_path(name) or _listing(name).was_read_alike


def _listing(name: str) -> Listing:
    return listing(Path(name).expanduser())


def _transfer_to(name: str, targets: Sequence[str]) -> Task:
    """Transfer to some data sets; embedded ones are drawn as when their whole family takes part."""
    own = {path: _listing(path) for path in filter(is_path, (name, *targets))}

    def opened(name: str, emoji: Callable[[str], ImageDataset]) -> ImageDataset:
        if name in own:
            return own[name].dataset
        return emoji(name) if name in CATEGORIES else open_dataset(name)

    tests = {"source": opened(name, emoji_source)}
    tests |= {target_role(target): opened(target, emoji_target) for target in targets}
    return Task("source", tests, "-".join(found.content for found in own.values()) or None)


def _validation(name: str, dataset: ImageDataset) -> ImageDataset:
    if name in CATEGORIES:
        return emoji_dataset(name, *VALIDATION_VENDORS)
    without = set(range(len(dataset.class_names))) - set(labels_of(dataset.val))
    if without:
        raise ValueError(
            f"Data set {name!r} has no validation images of class "
            f"{dataset.class_names[min(without)]!r}, so it cannot be used with the protocol "
            "tuning."
        )
    return replace(dataset, test=dataset.val)
