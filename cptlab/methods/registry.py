"""Methods by name, and methods of one's own; nothing is imported before it is asked for.

A method outside the package is found by an entry point of the group `cptlab.methods`, or named as
`path/to/file.py:Class` or `package.module:Class`.
"""

from __future__ import annotations

import copyreg
import dataclasses
import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from cptlab.checks import build, did_you_mean
from cptlab.methods.outside import load_class, reference_of, source_id

if TYPE_CHECKING:
    from cptlab.methods.base import Method

BUILT_IN = {
    "zero_shot": "cptlab.methods.zero_shot:ZeroShot",
    "linear_probe": "cptlab.methods.linear_probe:LinearProbe",
    "tip_adapter": "cptlab.methods.tip_adapter:TipAdapter",
    "coop": "cptlab.methods.coop:CoOp",
    "cocoop": "cptlab.methods.cocoop:CoCoOp",
    "ivlp": "cptlab.methods.ivlp:IVLP",
    "maple": "cptlab.methods.maple:MaPLe",
    "promptsrc": "cptlab.methods.promptsrc:PromptSRC",
    "coprompt": "cptlab.methods.coprompt:CoPrompt",
    "npt_style": "cptlab.methods.npt:NPTStyle",
    "kgcoop": "cptlab.methods.kgcoop:KgCoOp",
    "tcp": "cptlab.methods.tcp:TCP",
    "candle": "cptlab.methods.candle:Candle",
    "dekg": "cptlab.methods.dekg:DeKg",
    "dpc": "cptlab.methods.dpc:DPC",
    "clip_lora": "cptlab.methods.clip_lora:CLIPLoRA",
    "global_etf": "cptlab.methods.global_etf:GlobalETF",
    "cpt": "cptlab.methods.cpt:CPT",
}
"""Name -> module and class, in the order of tables. A new method is a new file and a line here."""

GROUP = "cptlab.methods"
"""Entry points of this group name methods that other packages bring."""

NAME = re.compile(r"[a-z0-9_]+")
"""Names are parts of run ids and of file names."""

_named: dict[str, type[Method]] = {}
"""Methods of one's own that this process was given, by name."""


class UnknownMethod(ValueError):
    """No method of that name is here."""


class Methods(Mapping[str, "type[Method]"]):
    """Names of the package's methods and of installed ones; a class is imported when it is read."""

    def __getitem__(self, name: str) -> type[Method]:
        if name in BUILT_IN:
            return _imported(BUILT_IN[name])
        if name in (installed := _installed()):
            method = _own(installed[name].value)
            if method.name != name:
                raise ValueError(
                    f"An installed package calls {installed[name].value} {name!r}, and the method "
                    f"itself {method.name!r}: the entry point needs the method's name."
                )
            return method
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter({**BUILT_IN, **_installed()})

    def __len__(self) -> int:
        return len({**BUILT_IN, **_installed()})


METHODS = Methods()


def find_method(reference: str) -> type[Method]:
    """A method by name, or one's own by `path/to/file.py:Class` or `package.module:Class`.

    The code of a file or module that is named so is run.

    Raises:
        UnknownMethod: for a name that is not there, listing those that are.
        ValueError: for a reference that leads to no method, or a method that cannot be used.
    """
    if ":" in reference:
        return _own(reference)
    if reference in _named:
        return _named[reference]
    if reference in METHODS:
        return METHODS[reference]
    raise UnknownMethod(
        f"Unknown method {reference!r}; choose one of {', '.join(METHODS)}, or give one of your "
        f"own as path/to/file.py:Class or package.module:Class.{did_you_mean(reference, METHODS)}"
    )


def is_here(name: str) -> bool:
    """Whether a method of this name can be used: the package's, an installed or a given one."""
    return name in _named or name in {**BUILT_IN, **_installed()}


def known() -> list[type[Method]]:
    """The package's methods, and those of one's own that this process was given."""
    return [*(METHODS[name] for name in BUILT_IN), *_named.values()]


def make_method(reference: str, /, **options: object) -> Method:
    """A method with some hyper-parameters set; errors as `find_method`, and for unknown ones."""
    return build(find_method(reference), options)


def method_of_store(name: str, origin: str | None) -> type[Method]:
    """The method that a stored specification names; nothing that a store names is ever run.

    origin: what the store says of where a method from outside the package came from.

    Raises:
        UnknownMethod: if it is not here.
    """
    if is_here(name):
        return find_method(name)
    where = f", which came from {origin}," if origin else ""
    raise UnknownMethod(
        f"The method {name!r}{where} is not here: install it, or name it with --method "
        "path/to/file.py:Class."
    )


def remember(method: type[Method]) -> None:
    """Let a method from outside be found by its name in this process, and check that it can be.

    Raises:
        ValueError: for a class that is no frozen dataclass, an unusable or taken name, or a row
            with options that it does not have.
    """
    where = reference_of(method)
    if where is None:  # the package's own
        return
    parameters = vars(method).get("__dataclass_params__")
    if parameters is None or not parameters.frozen:
        raise ValueError(f"{where} is no method: decorate it with @dataclass(frozen=True).")
    name = vars(method).get("name")
    if not (isinstance(name, str) and NAME.fullmatch(name)):
        raise ValueError(
            f"{where} has the name {name!r}: give it one of its own, of small letters, digits and "
            'underscores, as in name: ClassVar[str] = "tail_coop".'
        )
    if name in BUILT_IN:
        raise ValueError(f"{where} has the name {name!r}, which is taken: give it another one.")
    if (other := _named.get(name)) is not None and reference_of(other) != where:
        raise ValueError(
            f"{where} and {reference_of(other)} both have the name {name!r}: rename one of them."
        )
    fields = {field.name for field in dataclasses.fields(method)}
    for row in vars(method).get("rows", ()):
        if unknown := sorted(row.options.keys() - fields):
            raise ValueError(
                f"{where}: the row {row.label!r} sets {unknown[0]!r}, which is no parameter of it; "
                f"it has {', '.join(sorted(fields)) or 'none'}."
            )
    source_id(method)  # of the code as it is now
    _named[name] = method
    if ".py:" in where:  # other processes cannot import it by its module's name
        copyreg.pickle(method, _pickled)


def _pickled(method: Method) -> tuple[Callable[..., Method], tuple[object, ...]]:
    """A method of a user's own file goes to other processes as a path and its options."""
    return _rebuilt, (reference_of(type(method)), vars(method))


def _rebuilt(reference: str, options: Mapping[str, object]) -> Method:
    return find_method(reference)(**options)


def _own(reference: str) -> type[Method]:
    """A method from outside by its reference, checked and remembered."""
    from cptlab.methods.base import Method

    found = load_class(reference)
    if found is None or not issubclass(found, Method):
        raise ValueError(
            f"{reference} is no method: name a class that is a frozen dataclass on "
            "cptlab.methods.Method."
        )
    remember(found)
    return found


def _imported(reference: str) -> type[Method]:
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


@cache
def _installed() -> dict[str, EntryPoint]:
    """Methods of other installed packages, by name.

    Raises ValueError for a name that a method of this package has.
    """
    found = {point.name: point for point in entry_points(group=GROUP)}
    if taken := found.keys() & BUILT_IN.keys():
        name = min(taken)
        raise ValueError(
            f"An installed package ({found[name].value}) brings a method named {name!r}, which is "
            "taken: rename or uninstall it."
        )
    return found
