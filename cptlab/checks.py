"""Values from outside: unknown names and impossible values become messages for people."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import math
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union

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
    return ", ".join(map(shown, names[:3])) + (", ..." if len(names) > 3 else "")


def counted(number: int, one: str, many: str = "") -> str:
    """A number and what it counts: "1 link", "2 links"; many: the plural, if not with an s."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def shown(name: str) -> str:
    """A name as it can be printed; of a file that is not called in UTF-8, bytes like "caf\\xe9"."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def read_text(path: Path) -> str:
    """A text file that a user wrote, in UTF-8; a byte order mark, as Windows writes one, is left
    out.

    Raises ValueError, naming the file, for another encoding; the errors of `Path.read_bytes`.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8 ({error}). Save it as UTF-8.") from error


def check_text(name: str, value: object) -> None:
    """Raise ValueError unless a parameter is text."""
    if not isinstance(value, str):
        raise ValueError(
            f"{name} is {value!r}, but must be text. With papermill, what looks like a number or "
            f"like true is given as text by -r: -r {name} {value}"
        )


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
    for name, hint, fits in _checks(type(options)):
        value = getattr(options, name)
        if not fits(value):
            choices = _choices(hint)
            wanted = f"one of {', '.join(choices)}" if choices else getattr(hint, "__name__", hint)
            wanted = "finite" if isinstance(value, float) and not math.isfinite(value) else wanted
            where = f"{type(options).__name__}.{name}"
            raise ValueError(f"{where} is {value!r}, but must be {wanted}.")
        if isinstance(value, int | float) and value < 0:
            where = f"{type(options).__name__}.{name}"
            raise ValueError(f"{where} is {value!r}, but must be 0 or more.")


# A study makes thousands of specifications, and a hint takes long to take apart.
@lru_cache
def _checks(cls: type[DataclassInstance]) -> list[tuple[str, Any, Callable[[Any], bool]]]:
    """Name, hint and check of every field."""
    hints = typing.get_type_hints(cls)
    return [(f.name, hints[f.name], _check_of(hints[f.name])) for f in dataclasses.fields(cls)]


def _choices(hint: Any) -> list[str]:
    """The values of a literal, or of those in a union; none of other hints."""
    options = typing.get_args(hint)
    if typing.get_origin(hint) is Literal:
        return list(map(str, options))
    return [choice for one in options for choice in _choices(one)] if _is_union(hint) else []


def _is_union(hint: Any) -> bool:
    # with a literal in it, `|` makes the older kind of union
    return isinstance(hint, UnionType) or typing.get_origin(hint) is Union


def _check_of(hint: Any) -> Callable[[Any], bool]:
    choices = typing.get_args(hint)
    if typing.get_origin(hint) is Literal:
        return lambda value: value in choices
    if _is_union(hint):
        options = [_check_of(option) for option in choices]
        return lambda value: any(fits(value) for fits in options)
    if typing.get_origin(hint) is tuple:
        each = _check_of(choices[0])
        return lambda value: isinstance(value, tuple) and all(map(each, value))
    if typing.get_origin(hint) is Mapping:
        return lambda value: isinstance(value, Mapping)
    if hint is int:
        return lambda value: isinstance(value, int) and not isinstance(value, bool)
    if hint is float:
        return lambda value: (
            isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        )
    return lambda value: isinstance(value, hint) if hint in (bool, str, NoneType) else True
