"""Small widgets that ipywidgets lacks, or that JupyterLab leaves without keys."""

from __future__ import annotations

import anywidget
import traitlets

from cptlab.lab.explore.hover import CSS, module


class Sliders(anywidget.AnyWidget):
    """A slider for each of `names`, from `smallest` to `largest`, in `steps` steps; `values` are
    theirs, shown with so many `digits`.

    Screen readers say the names; sliders of ipywidgets have none.
    """

    _esm = module("sliders")
    _css = CSS
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    values = traitlets.List(traitlets.Float()).tag(sync=True)
    largest = traitlets.List(traitlets.Float()).tag(sync=True)
    smallest = traitlets.Float(0).tag(sync=True)
    digits = traitlets.Int(3).tag(sync=True)
    steps = traitlets.Int(40).tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)


class Menu(anywidget.AnyWidget):
    """A menu of words in groups: title of a group -> its words, one of which is `value`.

    Words below an empty title stand in no group.
    """

    _esm = module("menu")
    _css = CSS
    description = traitlets.Unicode().tag(sync=True)
    groups = traitlets.Dict().tag(sync=True)
    value = traitlets.Unicode().tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)


class Choices(anywidget.AnyWidget):
    """Boxes to tick in groups, as in `Menu`; `value` are the words that are, at most `most`."""

    _esm = module("choices")
    _css = CSS
    description = traitlets.Unicode().tag(sync=True)
    groups = traitlets.Dict().tag(sync=True)
    value = traitlets.List(traitlets.Unicode()).tag(sync=True)
    most = traitlets.Int(3).tag(sync=True)


class Training(anywidget.AnyWidget):
    """Buttons that send their text, TRAIN or STOP, whichever fits `running`; `epoch` of `epochs` is
    done, and a message says what is going on.
    """

    TRAIN, STOP = "Train with these", "Stop"
    _esm = module("training")
    _css = CSS
    running = traitlets.Bool(False).tag(sync=True)
    epoch = traitlets.Int(0).tag(sync=True)
    epochs = traitlets.Int(1).tag(sync=True)
    message = traitlets.Unicode().tag(sync=True)


class Command(anywidget.AnyWidget):
    """A command, `text`, and a button that copies it."""

    _esm = module("command")
    _css = CSS
    text = traitlets.Unicode().tag(sync=True)
