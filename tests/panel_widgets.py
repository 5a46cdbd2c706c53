"""The widgets in a panel of the explorer, for tests without a browser."""

import ipywidgets as widgets


def inside(panel, kind):
    """All widgets of a kind in a panel."""
    found = [panel] if isinstance(panel, kind) else []
    return found + [w for child in getattr(panel, "children", ()) for w in inside(child, kind)]


def text(panel):
    """The text of a panel's HTML."""
    return " ".join(html.value for html in inside(panel, widgets.HTML))


def button(panel, text):
    """The button that says so."""
    (found,) = [one for one in inside(panel, widgets.Button) if text in one.description]
    return found
