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
DOM = (HERE / "dom.js").read_text(encoding="utf-8")


class HoverMatrix(anywidget.AnyWidget):
    """Cosine matrices side by side; pointing at a cell shows its two classes and cosines.

    content: `classes_content` and `matrix_content` of `cptlab.lab.explore.content`.
    """

    _esm = DOM + (HERE / "matrix.js").read_text(encoding="utf-8")
    _css = CSS
    content = traitlets.Dict().tag(sync=True)


class HoverMap(anywidget.AnyWidget):
    """Maps of the classes to switch between; pointing at a class shows its name and neighbours.

    content: `classes_content` and `map_content` of `cptlab.lab.explore.content`.
    """

    _esm = DOM + (HERE / "map.js").read_text(encoding="utf-8")
    _css = CSS
    content = traitlets.Dict().tag(sync=True)
