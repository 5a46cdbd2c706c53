"""A widget that takes a file of the user's, of any size that an image may have."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from cptlab.lab.explore.hover import CSS, module

MOST_MIB = 100
"""Of a file, in MiB: more than any photograph has."""


class Upload(anywidget.AnyWidget):
    """A button to choose a file.

    file: the name and the content of the last one that arrived whole. message: what is going on, or
    why a file is not taken; empty once it is there.
    """

    _esm = module("upload")
    _css = CSS
    most = traitlets.Int(MOST_MIB * 2**20).tag(sync=True)
    file = traitlets.Tuple(traitlets.Unicode(), traitlets.Bytes(), default_value=("", b""))
    message = traitlets.Unicode()

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self._parts = bytearray()
        self.on_msg(self._receive)

    def _receive(self, widget: object, part: dict[str, Any], buffers: list[memoryview]) -> None:
        """One part of a file: `part` has the file's name and size in bytes, and where it starts."""
        name, size = part["name"], part["size"]
        if part["start"] == 0:
            self._parts = bytearray()
            self.message = f"Receiving {name} ..."
        if size > self.most:
            self.message = (
                f"{name} has {size / 2**20:.0f} MiB, and an image may have {MOST_MIB}: choose "
                "another file, or save a smaller copy."
            )
            return
        self._parts += buffers[0]
        if len(self._parts) == size:
            self.file = name, bytes(self._parts)
            self.message = ""
