"""Lists as people give them: lists of Python and YAML, or text such as "food,travel" and "1-3"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")
RANGE = re.compile(r"(\d+)\s*-\s*(\d+)")
MOST = 1000
"""Seeds in a range; more are a slip of the pen."""


def items(given: object) -> list[object]:
    """The items of a list, or of text with commas between them; one thing alone is a list of it."""
    if isinstance(given, str):
        return [text.strip() for text in given.split(",") if text.strip()]
    if isinstance(given, Iterable) and not isinstance(given, type):
        return list(given)
    return [given]


def numbers(name: str, given: object) -> tuple[float, ...]:
    """Numbers, each once; ValueError, calling them `name`, for anything else or a repetition."""
    try:
        found = [float(one) for one in items(given)]  # ty: ignore[invalid-argument-type]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} takes numbers such as 0.06,1, got {given!r}.") from error
    return _each_once(name, found)


def seeds(given: object) -> tuple[int, ...]:
    """Seeds: a list, a range of Python, or text such as "1,2,5" and "1-3"; each once.

    Raises ValueError for what is no whole number of 0 or more, or a repetition.
    """
    wrong = f"seeds takes whole numbers such as 1,2,5 or 1-3, got {given!r}."
    found: list[int] = []
    for one in items(given):
        ends = RANGE.fullmatch(str(one).strip())
        if ends and 0 <= int(ends[2]) - int(ends[1]) < MOST:
            found += range(int(ends[1]), int(ends[2]) + 1)
        elif str(one).strip().isdecimal():
            found.append(int(str(one)))
        else:
            raise ValueError(wrong)
    return _each_once("seeds", found)


def _each_once(name: str, found: list[T]) -> tuple[T, ...]:
    if not found:
        raise ValueError(f"{name} is empty: give at least one.")
    if repeated := [one for one in found if found.count(one) > 1]:
        raise ValueError(f"{name} has {repeated[0]} twice: give each once.")
    return tuple(found)
