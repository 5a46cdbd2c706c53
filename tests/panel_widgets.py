"""The widgets in a panel of the explorer, for tests without a browser."""

import ipywidgets as widgets

from cptlab.lab.explore.controls import Training


def inside(panel, kind):
    """All widgets of a kind in a panel."""
    found = [panel] if isinstance(panel, kind) else []
    return found + [w for child in getattr(panel, "children", ()) for w in inside(child, kind)]


def text(panel):
    """The text of a panel's HTML, and its message on a training."""
    said = [html.value for html in inside(panel, widgets.HTML)]
    return " ".join(said + [one.message for one in inside(panel, Training)])


def click(panel, button):
    """What the page sends when one of the buttons of a training is clicked."""
    (training,) = inside(panel, Training)
    training._handle_custom_msg(button, [])
