"""Values from outside: unknown names and impossible values become messages for people."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import math
import typing
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

D = TypeVar("D", bound="DataclassInstance")


def build(cls: type[D], values: Mapping[str, Any]) -> D:
    """Dataclass from a dict; lists become tuples; an unknown key is a ValueError with a hint."""
    known = [f.name for f in dataclasses.fields(cls)]
    for key in values:
        if key not in known:
            raise ValueError(
                f"{cls.__name__} has no parameter {key!r}.{did_you_mean(key, known)} It has: "
                f"{', '.join(known)}."
            )
    return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence with the nearest of the known names, with a space before it; or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def first_few(names: Sequence[str]) -> str:
    """The first three names, and dots if there are more: "a, b, c, ..."."""
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def check_template(what: str, text: str) -> None:
    """Raise ValueError unless a text is one sentence with one "{}" where the class name goes."""
    if text.count("{}") != 1 or len(text.splitlines()) != 1:
        raise ValueError(
            f"{what} is {text!r}: it takes one sentence with one {{}} where the class name goes, "
            "such as 'a photo of a {}.'"
        )


def option(name: str, text: str) -> tuple[str, object]:
    """`key=value` with a Python literal or a plain word as value; ValueError naming the option."""
    key, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{name} takes name=value, got {text!r}.")
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return key, value


def check_values(options: Any) -> None:
    """Raise ValueError if a field of a dataclass holds what its type hint rules out, or a number
    below zero, which none of ours takes.

    Hints of other types than numbers, strings, choices and tuples of these are not looked at.
    """
    hints = _hints(type(options))
    for f in dataclasses.fields(options):
        value, hint = getattr(options, f.name), hints[f.name]
        where = f"{type(options).__name__}.{f.name}"
        if not _fits(value, hint):
            choices = ", ".join(map(str, typing.get_args(hint)))
            is_choice = typing.get_origin(hint) is Literal
            wanted = f"one of {choices}" if is_choice else getattr(hint, "__name__", hint)
            wanted = "finite" if isinstance(value, float) and not math.isfinite(value) else wanted
            raise ValueError(f"{where} is {value!r}, but must be {wanted}.")
        if isinstance(value, int | float) and value < 0:
            raise ValueError(f"{where} is {value!r}, but must be 0 or more.")


@lru_cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _fits(value: Any, hint: Any) -> bool:
    if typing.get_origin(hint) is Literal:
        return value in typing.get_args(hint)
    if isinstance(hint, UnionType):
        return any(_fits(value, option) for option in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(_fits(v, typing.get_args(hint)[0]) for v in value)
    if hint in (int, float):
        number = int if hint is int else int | float
        finite = not isinstance(value, float) or math.isfinite(value)
        return isinstance(value, number) and not isinstance(value, bool) and finite
    return isinstance(value, hint) if hint in (bool, str, NoneType) else True
