"""What users say of their data set in files beside its images: `classes.csv` and `template.txt`.

In a folder they lie at its top; beside `birds.csv` they are `birds.classes.csv` and
`birds.template.txt`. Without them, classes are in natural order and called as their folders or
labels are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from cptlab.checks import check_template, did_you_mean, first_few, read_text
from cptlab.data.csv_files import csv_rows
from cptlab.data.layouts import readable

CLASSES, TEMPLATE = "classes.csv", "template.txt"


@dataclass(frozen=True)
class Facts:
    """The classes in order: labels as written, names for prompts, groups if known; the sentence.

    called: what messages call each class. notes: what was read from which file, for people.
    """

    labels: tuple[str, ...]
    names: tuple[str, ...]
    called: tuple[str, ...]
    groups: tuple[str, ...] | None
    template: str | None
    notes: tuple[str, ...]


def facts_files(path: Path) -> tuple[Path, Path]:
    """Where `classes.csv` and `template.txt` of a folder or CSV file are, if they are there."""
    if path.is_dir():
        return path / CLASSES, path / TEMPLATE
    return path.with_suffix(f".{CLASSES}"), path.with_suffix(f".{TEMPLATE}")


def facts_of(path: Path, labels: Mapping[str, str], groups: Mapping[str, str]) -> Facts:
    """What is known of the classes of a folder or CSV file.

    labels: label -> where it is from, for messages. groups: label -> group as the CSV file itself
    has them, for all labels or none.

    Raises ValueError for classes that are unknown, missing or there twice, names that are the same
    to CLIP or nothing (`cptlab.clip.class_names`), groups in two places, and a template that is not
    one sentence with one "{}".
    """
    from cptlab.clip.class_names import judge, told  # the paper's lists do without its seconds

    file, sentence = facts_files(path)
    ordered = sorted(labels, key=lambda label: (natural(readable(label)), label))
    names, notes = {label: readable(label) for label in ordered}, []
    if file.exists():
        rows = _class_rows(path, file, names)
        ordered = list(rows)
        names = {label: readable(row.get("name") or label) for label, row in rows.items()}
        if "group" in rows[ordered[0]]:
            if groups:
                raise ValueError(f"Both {path} and {file} name groups: take one column out.")
            groups = {label: row["group"] for label, row in rows.items()}
        ends = f"from {names[ordered[0]]!r} (head) to {names[ordered[-1]]!r} (tail)"
        renamed = sum(names[label] != readable(label) for label in ordered)
        other_names = f", and {renamed} of them another name" if renamed else ""
        notes.append(f"{file.name} gives classes their order, {ends}{other_names}")
    called = [
        labels[label]
        if names[label] == readable(label)
        else f"{labels[label]}, called {names[label]!r} in {file.name}"
        for label in ordered
    ]
    verdict = judge([names[label] for label in ordered], called)
    if problems := verdict.problems + verdict.repeated:
        raise ValueError(f"{path}: {told(problems)} Rename what is named.")
    notes += verdict.remarks
    if groups:
        kinds = list(dict.fromkeys(groups[label] for label in ordered))
        notes.append(f"{len(kinds)} groups of classes: {first_few(kinds)}")
    template = None
    if sentence.exists():
        template = _template(sentence)
        notes.append(f"{sentence.name} gives the sentence {template!r}")
    return Facts(
        tuple(ordered),
        tuple(names[label] for label in ordered),
        tuple(called),
        tuple(groups[label] for label in ordered) if groups else None,
        template,
        tuple(notes),
    )


def natural(name: str) -> tuple[list[str | int], str]:
    """Sort key in which numbers count as numbers and case does not matter."""
    parts = re.split(r"(\d+)", name)
    return [int(part) if part.isdecimal() else part.lower() for part in parts], name


def _class_rows(path: Path, file: Path, labels: Collection[str]) -> dict[str, dict[str, str]]:
    """Cells by label, in the order of the file."""
    rows: dict[str, dict[str, str]] = {}
    for number, cells in csv_rows(file, ("label",), ("name", "group"), may_be_empty=("name",)):
        label = cells["label"]
        if label not in labels:
            hint = did_you_mean(label, labels)
            raise ValueError(f"{file}, line {number}: {path} has no class {label!r}.{hint}")
        if label in rows:
            raise ValueError(f"{file}, line {number}: class {label!r} is there twice.")
        rows[label] = cells
    if without := [label for label in labels if label not in rows]:
        raise ValueError(
            f"{file} lacks {len(without)} of {len(labels)} classes: {first_few(without)}. It takes "
            "a row for each class; without the file, classes are in natural order."
        )
    return rows


def _template(file: Path) -> str:
    text = read_text(file).strip()
    check_template(f"The text of {file}", text)
    return text
