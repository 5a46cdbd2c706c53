"""Lists as people give them: lists of Python and YAML, or text such as "food,travel" and "1-3"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from cptlab.data import is_path

T = TypeVar("T")
RANGE = re.compile(r"(\d+)\s*-\s*(\d+)")
OPTION = re.compile(r"(\w+)\s*=\s*(.+)")
MOST = 1000
"""Seeds in a range; more are a slip of the pen."""


def items(given: object) -> list[object]:
    """The items of a list, or of text with commas between them; one thing alone is a list of it."""
    if isinstance(given, str):
        return [text.strip() for text in given.split(",") if text.strip()]
    if isinstance(given, Iterable) and not isinstance(given, type):
        return list(given)
    return [given]


def methods(given: object) -> list[object]:
    """Methods as `items`; "name = value" behind one belongs to it, as in the labels of tables:
    "CPT (pair mean), lambda_rs = 0.2, coop" is two methods.
    """
    found: list[object] = []
    for one in items(given):
        before = found[-1] if found else None
        if isinstance(one, str) and isinstance(before, str) and OPTION.match(one):
            found[-1] = f"{before}, {one}"
        else:
            found.append(one)
    return found


def by_short_name(datasets: Iterable[str]) -> dict[str, str]:
    """Names of data sets, as tables have them -> the names that specifications have.

    Raises ValueError for two that tables could not tell apart.
    """
    found: dict[str, str] = {}
    for full in datasets:
        short = Path(full).stem if is_path(full) else full
        if found.get(short) == full:
            raise ValueError(f"The data set {full} is named twice: name it once.")
        if short in found:
            raise ValueError(
                f"Two data sets are called {short!r}, {found[short]} and {full}: tables could not "
                "tell them apart. Rename one of them."
            )
        found[short] = full
    return found


def numbers(name: str, given: object) -> tuple[float, ...]:
    """Numbers, each once; ValueError, calling them `name`, for anything else or a repetition."""
    try:
        if any(isinstance(one, bool) for one in items(given)):
            raise TypeError("a truth value is no number")
        found = [float(one) for one in items(given)]  # ty: ignore[invalid-argument-type]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} takes numbers with a decimal point and commas between them, such as 1,0.5; "
            f"got {given!r}."
        ) from error
    return _each_once(name, found)


def seeds(given: object) -> tuple[int, ...]:
    """Seeds: a list, a range of Python, or text such as "1,2,5" and "1-3"; each once.

    Raises ValueError for what is no whole number of 0 or more, or a repetition.
    """
    found: list[int] = []
    for one in items(given):
        text = str(one).strip()
        ends = RANGE.fullmatch(text)
        first, last = (int(ends[1]), int(ends[2])) if ends else (0, 0)
        if ends and last < first:
            raise ValueError(f"seeds {text} run backwards: write {last}-{first}.")
        if last - first >= MOST:
            raise ValueError(f"seeds {text} are too many: give up to {MOST:,} at once.")
        if ends:
            found += range(first, last + 1)
        elif text.isdecimal():
            found.append(int(text))
        else:
            raise ValueError(f"seeds takes whole numbers such as 1,2,5 or 1-3, got {one!r}.")
    return _each_once("seeds", found)


def _each_once(name: str, found: list[T]) -> tuple[T, ...]:
    if not found:
        raise ValueError(f"{name} is empty: give at least one.")
    if repeated := [one for one in found if found.count(one) > 1]:
        raise ValueError(f"{name} has {repeated[0]:g} twice: give each once.")
    return tuple(found)
