"""The methods: one file each. `METHODS` has them by name; `find_method` those of one's own too.

    >>> from cptlab.methods import CPT, METHODS, find_method
    >>> METHODS["coop"](text_tokens=2)
    >>> find_method("tail_coop.py:TailCoOp")

Names are here without importing torch; a class is imported when it is asked for.
"""

from importlib import import_module
from typing import Any

from cptlab.methods.registry import BUILT_IN, METHODS, UnknownMethod, find_method, make_method

_BASE = ("BatchOutputs", "Context", "Method", "Row", "cross_entropy")
_PUBLIC = {name: module for module, name in (path.split(":") for path in BUILT_IN.values())}
_PUBLIC |= dict.fromkeys(_BASE, "cptlab.methods.base")


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'cptlab.methods' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})


__all__ = ["METHODS", "UnknownMethod", "find_method", "make_method", *_PUBLIC]
