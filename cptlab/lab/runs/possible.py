"""What the values of a stored result can be: whatever else a file says, it is damaged."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from types import NoneType
from typing import Any

Fits = Callable[[Any], bool]
"""Whether a value, as JSON gave it, is one that this place can have."""
MOST = 100 + 1e-6
"""Of a percentage: means are rounded."""
NUMBERS = {int, float}


def check_result(values: Mapping[str, Any]) -> None:
    """Raise ValueError, naming what is missing or odd, unless these can be values of a result."""
    for name, fits in NEEDED.items():
        if name not in values:
            raise ValueError(f"{name} is missing")
        _check(name, values[name], fits)
    for name, fits in OPTIONAL.items():
        if name in values:
            _check(name, values[name], fits)
    for name, value in values["metrics"].items():
        _check(f"metric {name!r}", value, lambda v, name=name: _metric(name, v, values["classes"]))


def _check(what: str, value: object, fits: Fits) -> None:
    if not fits(value):
        text = repr(value)
        raise ValueError(f"{what} is {text if len(text) <= 60 else f'{text[:57]}...'}")


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _number(value: Any) -> bool:
    """Any but integers that no floating point number can hold."""
    return isinstance(value, float) or (type(value) is int and abs(value) <= sys.float_info.max)


def _amount(value: Any) -> bool:
    return _number(value) and 0 <= value < math.inf


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _percent(value: Any) -> bool:
    return _amount(value) and value <= MOST


def _metric(name: str, value: Any, classes: list[dict[str, Any]]) -> bool:
    """All are percentages but the effective rank, degrees and likelihoods; one or two classes leave
    thirds empty.
    """
    if name in ("effective_rank", "drift_degrees") or name.endswith("_nll"):
        return _amount(value)
    if (
        name in ("medium", "tail", "tail_as_head")
        and isinstance(value, float)
        and math.isnan(value)
    ):
        return len(_column(classes, "n_k")) < 3
    return _percent(value)


def _classes(value: Any) -> bool:
    """Rows with name, role, accuracy and, of classes that were learned, n_k; there are thousands in
    a store, so that they are looked at column by column.
    """
    if not (isinstance(value, list) and all(isinstance(row, dict) for row in value)):
        return False
    texts = {type(row.get(column)) for row in value for column in ("name", "role")}
    accuracies, counts = (_column(value, column) for column in ("accuracy", "n_k"))
    return (
        texts == {str}
        and _types(accuracies) <= NUMBERS
        and all(0 <= a <= MOST for a in accuracies)
        and bool(counts)
        and _types(counts) <= NUMBERS
        and all(0 <= count < math.inf for count in counts)
    )


def _column(rows: list[dict[str, Any]], name: str) -> list[Any]:
    """The values of those rows that have one."""
    return [row[name] for row in rows if row.get(name) is not None]


def _types(values: Iterable[object]) -> set[type]:
    return set(map(type, values))


def _log(value: Any) -> bool:
    return (
        isinstance(value, list)
        and all(isinstance(row, dict) for row in value)
        and _types(part for row in value for part in row.values()) <= {*NUMBERS, NoneType}
    )


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, str | bool) or _number(value)


def _setting(value: Any) -> bool:
    return _plain(value) or _list_of(_plain)(value)


def _or_none(fits: Fits) -> Fits:
    return lambda value: value is None or fits(value)


def _list_of(fits: Fits) -> Fits:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _dict_of(fits: Fits, **parts: Fits) -> Fits:
    """A dict that has these parts, and others that fit."""

    def whole(value: Any) -> bool:
        return (
            isinstance(value, dict)
            and parts.keys() <= value.keys()
            and all(parts.get(name, fits)(part) for name, part in value.items())
        )

    return whole


_settings = _dict_of(_setting)

NEEDED: dict[str, Fits] = {
    "format": _count,
    "run_id": _text,
    "spec": _dict_of(
        _setting,
        dataset=_text,
        method=_dict_of(_setting, name=_text),
        schedule=_settings,
        imbalance=_amount,
        seed=lambda value: type(value) is int,
        protocol=_text,
        balance=_or_none(_settings),
    ),
    "weights": _text,
    "metrics": lambda value: isinstance(value, dict) and bool(value),
    "classes": _classes,
    "log": _log,
    "subset": _dict_of(_plain, samples=_count, checksum=_text),
    "trained_parameters": _count,
    "seconds": _amount,
    "pass": _dict_of(_plain, replicas=lambda value: _count(value) and value > 0, seconds=_amount),
    "environment": _dict_of(
        _plain,
        versions=_dict_of(_text, cptlab=_text),
        python=_text,
        machine=_text,
        threads=_count,
        device=_text,
        finished=lambda value: _text(value) and re.match(r"\d{4}-\d\d-\d\dT", value) is not None,
    ),
}
"""Values that every result has."""
OPTIONAL: dict[str, Fits] = {
    "data": _or_none(_text),
    "template": _or_none(_text),
    "clusters": _or_none(lambda value: isinstance(value, list)),
    "substitutes": lambda value: isinstance(value, dict),
    "processor_seconds": _amount,
    "archived": lambda value: isinstance(value, bool),
    "files": _dict_of(_text),
}
"""Values that some have."""
