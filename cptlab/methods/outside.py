"""The source of methods from outside the package: where a class stands, and how it is loaded."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

FILE = "__cptlab_file__"
"""Attribute of a module that was loaded from a user's file: the path."""
SOURCE = "__cptlab_source__"
"""The hash of what was loaded."""


def load_class(reference: str) -> type | None:
    """The class behind `path/to/file.py:Class` or `package.module:Class`; None if it has no such.

    Raises:
        ValueError: if the file or module is not there or cannot be run.
    """
    place, _, name = reference.rpartition(":")
    found = getattr(_from_file(Path(place)) if _is_file(place) else _module(place), name, None)
    return found if isinstance(found, type) else None


def reference_of(method: type) -> str | None:
    """How `find_method` finds a method from outside the package; None for the package's own."""
    if is_built_in(method):
        return None
    path = getattr(sys.modules.get(method.__module__), FILE, None)
    return f"{path or method.__module__}:{method.__qualname__}"


def full_reference(reference: str) -> str:
    """A reference as it holds in any folder: the path of a file made absolute."""
    place, _, name = reference.rpartition(":")
    return f"{Path(place).expanduser().resolve()}:{name}" if _is_file(place) else reference


def is_built_in(method: type) -> bool:
    """Whether a method (or the stage of one) belongs to the package."""
    return method.__module__.startswith("cptlab.")


@cache  # the code that runs is that of the first look; the file may change while it does
def source_id(method: type) -> str | None:
    """Hash of the file that a method from outside was loaded from; None for the package's own.

    Of a class without a file, as in a notebook, its source counts.
    """
    if is_built_in(method):
        return None
    module = sys.modules.get(method.__module__)
    if loaded := getattr(module, SOURCE, None):
        return loaded
    file = getattr(module, "__file__", None)
    try:
        text = Path(file).read_bytes() if file else inspect.getsource(method).encode()
    except (OSError, TypeError):
        return "unknown"
    return hashlib.sha256(text).hexdigest()[:16]


def _is_file(place: str) -> bool:
    return place.endswith(".py")


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:  # whatever a user's module raises
        raise ValueError(
            f"The module {name!r} cannot be imported ({type(error).__name__}: {error}): install or "
            "mend it, or give the path of a file, as in path/to/file.py:Class."
        ) from error


def _from_file(path: Path) -> ModuleType:
    file = path.expanduser().resolve()
    if not file.is_file():
        raise ValueError(f"There is no file {file} to take a method from: check the path.")
    return _loaded(file, hashlib.sha256(file.read_bytes()).hexdigest()[:16])


@cache
def _loaded(file: Path, digest: str) -> ModuleType:
    """The file as a module, run once for each content that it has."""
    place = hashlib.sha256(str(file).encode()).hexdigest()[:8]
    name = f"cptlab_method_{file.stem}_{place}_{digest}"
    module = ModuleType(name)
    vars(module).update({"__file__": str(file), FILE: str(file), SOURCE: digest})
    sys.modules[name] = module  # where dataclasses look up type hints
    try:
        SourceFileLoader(name, str(file)).exec_module(module)
    except (Exception, SystemExit) as error:  # whatever a user's file raises
        del sys.modules[name]
        raise ValueError(f"{file} cannot be used: {type(error).__name__}: {error}.") from error
    return module
