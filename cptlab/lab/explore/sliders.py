"""Sliders with names that screen readers say, as those of ipywidgets have none."""

from __future__ import annotations

import anywidget
import traitlets

from cptlab.lab.explore.hover import CSS, DOM, HERE


class Sliders(anywidget.AnyWidget):
    """A slider for each of `names`, from 0 to `largest`, in `steps` steps; `values` are theirs."""

    _esm = DOM + (HERE / "sliders.js").read_text(encoding="utf-8")
    _css = CSS
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    values = traitlets.List(traitlets.Float()).tag(sync=True)
    largest = traitlets.List(traitlets.Float()).tag(sync=True)
    steps = traitlets.Int(40).tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)
