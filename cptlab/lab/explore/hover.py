"""Widgets that show details of what the pointer is on.

Each is a few lines of JavaScript in this folder, which anywidget puts into the page: nothing is
fetched from a network, and pointing does not involve the kernel.
"""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent
CSS = HERE / "hover.css"


def script(name: str) -> str:
    """The JavaScript that defines `render({ model, el })` of a widget."""
    parts = (HERE / f"{part}.js" for part in ("dom", name))
    return "\n".join(part.read_text(encoding="utf-8") for part in parts)


def module(name: str) -> str:
    """The same as the module that anywidget wants."""
    return f"{script(name)}\nexport default {{ render }};\n"


class HoverMatrix(anywidget.AnyWidget):
    """Cosine matrices side by side; pointing at a cell shows its two classes and cosines.

    content: `classes_content` and `matrix_content` of `cptlab.lab.explore.content`.
    """

    _esm = module("matrix")
    _css = CSS
    content = traitlets.Dict().tag(sync=True)


class HoverMap(anywidget.AnyWidget):
    """Maps of the classes to switch between; pointing at a class shows its name and neighbours.

    content: `classes_content` and `map_content` of `cptlab.lab.explore.content`.
    """

    _esm = module("map")
    _css = CSS
    content = traitlets.Dict().tag(sync=True)
