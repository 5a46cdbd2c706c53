"""Settings of a study: a profile, and what a notebook's parameters or a command's options change.

A parameter is a list, text with commas, or a single value, as JupyterLab, `papermill -p`,
`papermill -y` and the command line give it; empty means the profile's own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any

from cptlab.checks import check_values, did_you_mean
from cptlab.data import check_name, full_name, is_path
from cptlab.emoji.catalog import CATEGORIES
from cptlab.lab.study import given as read
from cptlab.lab.study import own_texts
from cptlab.lab.study.claims import READINGS
from cptlab.lab.study.claims.readings import LossName
from cptlab.lab.study.claims.variants import ALGORITHMS, CPT, DEFAULT_WEIGHTS, ZERO_SHOT, label
from cptlab.lab.study.design import Design
from cptlab.lab.study.lineup import compared
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.profiles import profile_named
from cptlab.lab.study.varied import CLASSICS, Varied
from cptlab.methods.outside import full_reference

DESIGNS = ("comparison", "details", "transfer", "few_shot")
SOURCES = (*CATEGORIES, "imagenet")
"""Data sets that something can be transferred from."""


def profile_with(profile: str, **given: Any) -> Profile:
    """A profile, changed by parameters; those that are empty change nothing.

    Args:
        profile: its name, with or without changes behind it (`profile_named`).
        given: a value for any of `PARAMETERS`.

    Returns:
        The profile, with the changes in its name.

    Raises:
        ValueError: for an unknown parameter, or a value that is unknown or out of range.
    """
    usual, given = profile_named(profile), parameters(**given)
    changes: dict[str, Any] = {name: getattr(usual, name) for name in DESIGNS}
    if taus := given.get("taus"):
        for name in DESIGNS[:3]:
            changes[name] = changes[name].with_taus(*taus)
        curves = [tau for tau in taus if tau in usual.curve_taus or tau == taus[-1]]
        changes |= {"curve_taus": tuple(curves), "balanced": True}
    if seeds := given.get("seeds"):
        changes |= {name: changes[name].with_seeds(*seeds) for name in DESIGNS}
        changes["spread"] = None
    if datasets := given.get("datasets"):
        changes |= {name: changes[name].on(*datasets) for name in DESIGNS}
        changes |= _transfer(changes["transfer"], datasets)
        changes["similarity_dataset"] = datasets[0]
        if datasets[0] not in usual.comparison.datasets:
            changes["curve_dataset"] = datasets[0]
    if backbone := given.get("backbone"):
        name, *weights = backbone
        changes |= {"backbone": name, "pretrained": weights[0] if weights else None}
    changes |= {name: tuple(given[name]) for name in ("methods", "shots") if name in given}
    varied = {f.name: given[f.name] for f in dataclasses.fields(Varied) if f.name in given}
    changes["varied"] = dataclasses.replace(usual.varied, **_varied(**varied))
    behind = [f",{name}={_as_text(value)}" for name, value in given.items()]
    changed = dataclasses.replace(usual, name=profile + "".join(behind), **changes)
    check_values(changed)
    if "methods" in given:
        rows = compared(changed)  # an unknown one fails here
        if rows == (ZERO_SHOT,):
            raise ValueError("methods names zero-shot alone, which learns nothing: name another.")
        readings = tuple(reading for reading in READINGS if label(CPT, reading) in rows)
        changed = dataclasses.replace(changed, readings=readings or usual.readings)
    return changed


def _transfer(design: Design, datasets: Sequence[str]) -> dict[str, Any]:
    """Sources and targets of transfer: among data sets of one's own each is a target of the others,
    embedded ones and ImageNet have those of their family; nothing else is a source.
    """
    if len(datasets) > 1 and any(map(is_path, datasets)):
        return {"transfer": design.on(*datasets), "targets": tuple(datasets)}
    return {"transfer": design.on(*(name for name in datasets if name in SOURCES))}


def parameters(**given: Any) -> dict[str, Any]:
    """What is given and not empty, each in its plain form: lists of names and numbers, a mapping
    for weights. Paths are made absolute, as a notebook runs in another folder.

    Raises ValueError as `profile_with` does, for all but methods, which it does not look up.
    """
    if unknown := [name for name in given if name not in PARAMETERS]:
        raise ValueError(
            f"There is no parameter {unknown[0]!r}; there is {', '.join(PARAMETERS)}."
            f"{did_you_mean(unknown[0], PARAMETERS)}"
        )
    found = {name: PARAMETERS[name](given[name]) for name in PARAMETERS if name in given}
    return {name: value for name, value in found.items() if value}


def items(value: object) -> list[Any]:
    """The items of what is given; none if it is empty."""
    return [] if value is None else read.items(value)


def _datasets(value: object) -> list[str]:
    one = isinstance(value, str) and is_path(value) and Path(value).expanduser().exists()
    given = [value] if one else items(value)  # a path may hold a comma
    names = [full_name(str(name)) for name in given]
    for name in names:
        check_name(name)
    _each_once("datasets", names)
    read.by_short_name(names)  # two of one name fail here
    return names


def _methods(value: object) -> list[str]:
    names = [] if value is None else read.methods(value)
    return _each_once("methods", [full_reference(str(name)) for name in names])


def _backbone(value: object) -> list[str]:
    names = [str(name) for name in items(value)]
    if len(names) > 2:
        raise ValueError(f"backbone is a name, or a name and weights by comma; got {names}.")
    return names


def _taus(value: object) -> list[float]:
    taus = read.numbers("taus", value) if items(value) else ()
    if wrong := [tau for tau in taus if not 0 < tau <= 1]:
        raise ValueError(
            f"taus holds {wrong[0]:g}: an imbalance ratio lies above 0 and is at most 1."
        )
    return sorted(taus, reverse=True)


def _seeds(value: object) -> list[int]:
    return list(read.seeds(value)) if items(value) else []


def _weights(value: object) -> dict[LossName, list[float]]:
    """By loss, with the default among them; plain numbers are for each of the losses."""
    known = list(DEFAULT_WEIGHTS)
    if isinstance(value, str) and "=" in value:
        pairs = [part.partition("=") for part in value.split(";") if part.strip()]
        _each_once("weights", [name.strip() for name, _, _ in pairs])
        value = {name.strip(): numbers for name, _, numbers in pairs}
    if not isinstance(value, Mapping):
        value = dict.fromkeys(known if items(value) else (), value)
    given = {str(name).upper(): numbers for name, numbers in value.items()}
    for name in given:
        _choose("weights", name, known)
    weights = {
        name: sorted({*read.numbers(f"weights of {name}", given[name]), DEFAULT_WEIGHTS[name]})
        for name in known
        if name in given
    }
    if wrong := [
        weight for numbers in weights.values() for weight in numbers if not 0 <= weight < inf
    ]:
        raise ValueError(f"weights holds {wrong[0]:g}: a weight is 0, which is off, or more.")
    return weights


def _losses(value: object) -> list[str]:
    """Combinations such as "TETF+CC", "none" and "all"; "none" is always among them."""
    known, found = list(DEFAULT_WEIGHTS), []
    for item in items(value):
        names = {"none": [], "all": known}.get(str(item).lower(), str(item).upper().split("+"))
        for name in names:
            _choose("losses", name.strip(), [*known, "none", "all"])
        on = {name.strip() for name in names}
        found.append("+".join(loss for loss in known if loss in on) or "none")
    return list(dict.fromkeys(["none", *found])) if found else []


def _algorithms(value: object) -> list[str]:
    names = [str(name) for name in items(value)]
    return _each_once("algorithms", [_choose("algorithms", n, list(ALGORITHMS)) for n in names])


def _balances(value: object) -> list[str]:
    """Classics; runs without any are always among them."""
    names = [_choose("balances", str(name), list(CLASSICS)) for name in items(value)]
    return list(dict.fromkeys([next(iter(CLASSICS)), *names])) if names else []


def _sizes(value: object) -> list[int]:
    return _counts("sizes", value)


def _shots(value: object) -> list[int]:
    return _counts("shots", value)


def _counts(name: str, value: object) -> list[int]:
    found = read.numbers(name, value) if items(value) else ()
    if wrong := [number for number in found if number < 1 or number % 1]:
        raise ValueError(f"{name} holds {wrong[0]:g}: give whole numbers from 1 on.")
    return sorted(map(int, found))


def _text_features(value: object) -> list[str]:
    path = own_texts.path_of(value)
    if path is None:
        return []
    own_texts.read(path)  # a bad file fails here
    return [str(path)]


def _each_once(name: str, values: list[Any]) -> list[Any]:
    if twice := [value for value in values if values.count(value) > 1]:
        raise ValueError(f"{name} holds {twice[0]} twice: name everything once.")
    return values


def _choose(name: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise ValueError(
            f"{name} holds {value!r}, which is unknown; there is {', '.join(known)}."
            f"{did_you_mean(value, known)}"
        )
    return value


PARAMETERS: dict[str, Callable[[object], Any]] = {
    "datasets": _datasets,
    "methods": _methods,
    "taus": _taus,
    "seeds": _seeds,
    "backbone": _backbone,
    "weights": _weights,
    "losses": _losses,
    "algorithms": _algorithms,
    "sizes": _sizes,
    "text_features": _text_features,
    "shots": _shots,
    "balances": _balances,
}
"""Parameter -> how it is read. The first five are those of every notebook with a study, the others
are what notebooks 03, 04, 05 (three), 13 and 14 vary."""


def _varied(**given: Any) -> dict[str, tuple[Any, ...]]:
    """Fields of what is varied, from plain forms."""
    if "weights" in given:
        given["weights"] = tuple((loss, tuple(w)) for loss, w in given["weights"].items())
    if "losses" in given:
        on = [text.split("+") for text in given["losses"]]
        given["losses"] = tuple(tuple(loss in o for loss in DEFAULT_WEIGHTS) for o in on)
    return {name: tuple(value) for name, value in given.items()}


def _as_text(value: Any) -> str:
    """A parameter in the name of a study: no comma, which stands between parameters, and no two
    values of one name.
    """
    if isinstance(value, Mapping):
        return ";".join(f"{name}:{_as_text(numbers)}" for name, numbers in value.items())
    return "+".join(map(_item_as_text, value))


def _item_as_text(item: Any) -> str:
    if isinstance(item, float):
        short = f"{item:g}"
        return short if float(short) == item else repr(item)
    return str(item).replace("+", "&").replace(", ", ";")
