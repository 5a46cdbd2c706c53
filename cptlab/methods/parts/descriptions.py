"""Sentences that describe classes, from a file of CoPrompt's format or from templates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from cptlab.checks import read_text
from cptlab.clip import IMAGENET_TEMPLATES


def descriptions_of(class_names: Sequence[str], path: str | None = None) -> list[list[str]]:
    """The same number of sentences for each of K classes.

    Args:
        class_names: K names; underscores and spaces are the same.
        path: JSON file {class name: [sentences]}; None for the 80 templates of OpenAI's ImageNet
            ensemble.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not of that form, lacks a class, or the classes' numbers differ.
    """
    names = [name.replace("_", " ") for name in class_names]
    if path is None:
        return [[template.format(name) for template in IMAGENET_TEMPLATES] for name in names]
    file = Path(path).expanduser()
    if not file.is_file():
        raise FileNotFoundError(f"No class descriptions at {file}: check the path.")
    text = read_text(file)
    try:
        content = json.loads(text)
        known = {key.replace("_", " "): sentences for key, sentences in content.items()}
        lists = all(isinstance(row, list) for row in known.values())
        sound = lists and all(isinstance(s, str) and s.strip() for r in known.values() for s in r)
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{file} is not a JSON object of lists of sentences: {error}.") from error
    if not sound:
        raise ValueError(f"{file} holds something else than sentences: give lists of strings.")
    if absent := [name for name in names if not known.get(name)]:
        raise ValueError(f"{file} describes no class {absent[0]!r} ({len(absent)} are missing).")
    numbers = {name: len(known[name]) for name in names}
    if len(set(numbers.values())) > 1:
        few, many = min(numbers, key=numbers.__getitem__), max(numbers, key=numbers.__getitem__)
        raise ValueError(
            f"{file} has {numbers[few]} sentences for {few!r} and {numbers[many]} for {many!r}: "
            "give every class the same number."
        )
    return [known[name] for name in names]
