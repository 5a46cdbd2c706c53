"""Methods by name, and methods of one's own; nothing is imported before it is asked for.

A method outside the package is found by an entry point of the group `cptlab.methods`, or named as
`path/to/file.py:Class` or `package.module:Class`.
"""

from __future__ import annotations

import copyreg
import dataclasses
import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from cptlab.checks import build, did_you_mean

if TYPE_CHECKING:
    from cptlab.methods.base import Method

BUILT_IN = {
    "zero_shot": "cptlab.methods.zero_shot:ZeroShot",
    "coop": "cptlab.methods.coop:CoOp",
    "cocoop": "cptlab.methods.cocoop:CoCoOp",
    "ivlp": "cptlab.methods.ivlp:IVLP",
    "maple": "cptlab.methods.maple:MaPLe",
    "promptsrc": "cptlab.methods.promptsrc:PromptSRC",
    "coprompt": "cptlab.methods.coprompt:CoPrompt",
    "npt_style": "cptlab.methods.npt:NPTStyle",
    "dekg": "cptlab.methods.dekg:DeKg",
    "dpc": "cptlab.methods.dpc:DPC",
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
            return _own(installed[name].value)
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


def known() -> list[type[Method]]:
    """The package's methods, and those of one's own that this process was given."""
    return [*(METHODS[name] for name in BUILT_IN), *_named.values()]


def make_method(reference: str, /, **options: object) -> Method:
    """A method with some hyper-parameters set; errors as `find_method`, and for unknown ones."""
    return build(find_method(reference), options)


def full_reference(reference: str) -> str:
    """A reference as it holds in any folder: the path of a file made absolute."""
    place, _, name = reference.rpartition(":")
    return f"{Path(place).expanduser().resolve()}:{name}" if _is_file(place) else reference


def method_of_store(name: str, origin: str | None) -> type[Method]:
    """The method that a stored specification names; nothing that a store names is ever run.

    origin: what the store says of where a method from outside the package came from.

    Raises:
        UnknownMethod: if it is not here.
    """
    if name in _named or name in METHODS:
        return find_method(name)
    where = f", which came from {origin}," if origin else ""
    raise UnknownMethod(
        f"The method {name!r}{where} is not here: install it, or name it with --method "
        "path/to/file.py:Class."
    )


def reference_of(method: type[Method]) -> str | None:
    """How `find_method` finds a method from outside the package; None for the package's own."""
    if is_built_in(method):
        return None
    path = getattr(sys.modules.get(method.__module__), "__cptlab_file__", None)
    return f"{path or method.__module__}:{method.__qualname__}"


def is_built_in(method: type[Method]) -> bool:
    """Whether a method (or the stage of one) belongs to the package."""
    return method.__module__.startswith("cptlab.")


def source_id(method: type[Method]) -> str | None:
    """Hash of the file that a method from outside stands in; None for the package's own.

    Of a class without a file, as in a notebook, its source counts.
    """
    if is_built_in(method):
        return None
    file = getattr(sys.modules.get(method.__module__), "__file__", None)
    try:
        text = Path(file).read_bytes() if file else inspect.getsource(method).encode()
    except (OSError, TypeError):
        return "unknown"
    return hashlib.sha256(text).hexdigest()[:16]


def remember(method: type[Method]) -> None:
    """Let a method from outside be found by its name in this process, and check that it can be.

    Raises:
        ValueError: for a class that is no method, an unusable name, or one that is taken.
    """
    if is_built_in(method):
        return
    where = reference_of(method)
    if not (isinstance(method, type) and dataclasses.is_dataclass(method)):
        raise ValueError(f"{where} is no method: it takes a frozen dataclass on Method.")
    name = vars(method).get("name")
    if not (isinstance(name, str) and NAME.fullmatch(name)):
        raise ValueError(
            f"{where} has the name {name!r}: give it one of its own, of small letters, digits and "
            'underscores, as in name: ClassVar[str] = "kgcoop".'
        )
    if name in BUILT_IN:
        raise ValueError(f"{where} has the name {name!r}, which is taken: give it another one.")
    _named[name] = method
    if ".py:" in where:  # other processes cannot import it by its module's name
        copyreg.pickle(method, _pickled)


def _pickled(method: Method) -> tuple[object, ...]:
    """A method of a user's own file goes to other processes as a path and its options."""
    return _rebuilt, (reference_of(type(method)), vars(method))


def _rebuilt(reference: str, options: Mapping[str, object]) -> Method:
    return find_method(reference)(**options)


def _own(reference: str) -> type[Method]:
    """A method from outside by its reference, checked and remembered."""
    from cptlab.methods.base import Method

    place, _, name = reference.rpartition(":")
    module = _from_file(Path(place)) if _is_file(place) else _module(place)
    found = getattr(module, name, None)
    if not (isinstance(found, type) and issubclass(found, Method)):
        there = [
            key
            for key, value in vars(module).items()
            if isinstance(value, type)
            and issubclass(value, Method)
            and value.__module__ == module.__name__
        ]
        raise ValueError(
            f"{place} has no method {name!r}; it has {', '.join(there) or 'none'}. A method is a "
            "frozen dataclass on cptlab.methods.Method."
        )
    remember(found)
    return found


def _is_file(place: str) -> bool:
    return place.endswith(".py")


def _imported(reference: str) -> type[Method]:
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def _module(name: str) -> object:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ValueError(
            f"The module {name!r} cannot be imported ({error}): install it, or give the path of a "
            "file, as in path/to/file.py:Class."
        ) from error


def _from_file(path: Path) -> object:
    file = path.expanduser().resolve()
    if not file.is_file():
        raise ValueError(f"There is no file {file} to take a method from: check the path.")
    digest = hashlib.sha256(str(file).encode() + file.read_bytes()).hexdigest()[:16]
    return _loaded(file, digest)


@cache
def _loaded(file: Path, digest: str) -> object:
    """The file as a module, run once for each content; `digest` is of path and content."""
    name = f"cptlab_method_{file.stem}_{digest}"
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    module.__cptlab_file__ = str(file)
    sys.modules[name] = module  # where dataclasses look up type hints
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a user's file raises
        del sys.modules[name]
        raise ValueError(f"{file} cannot be used: {type(error).__name__}: {error}.") from error
    return module


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
