"""Stored figures as parts of a page: embedded picture, small copy, caption, files and numbers."""

from __future__ import annotations

import base64
import io
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import mistune
from PIL import Image

from cptlab.lab.figures.contact_sheet import figure_names
from cptlab.lab.figures.style import DPI

THUMBNAIL = 400  # pixels, twice the width at which the contact sheet shows it
SCREEN_DPI = 96  # what a CSS pixel is
ELSEWHERE = ("claims_ledger",)
"""Figures whose Markdown table has its own section."""


@dataclass(frozen=True)
class Picture:
    """A figure of the page.

    image, thumbnail: data URIs. width, height: CSS pixels at which letters have their own size.
    links: kind of file -> address relative to the page. table: HTML of the Markdown table stored
    under the same name, or empty.
    """

    name: str
    title: str
    caption: str
    image: str
    thumbnail: str
    width: int
    height: int
    links: dict[str, str]
    table: str


def pictures(folder: Path, page: Path, captions: Mapping[str, str]) -> list[Picture]:
    """All figures of a folder in the order of `captions`, for a page at `page`.

    Raises:
        ValueError: for a PNG file that cannot be read; names it.
    """
    return [
        _picture(folder, name, page, captions.get(name, ""))
        for name in figure_names(folder, captions)
    ]


def address(target: Path, page: Path) -> str:
    """Where a file is, seen from the page, so that both may move together."""
    return quote(Path(os.path.relpath(target, page.parent)).as_posix())


def html_table(path: Path) -> str:
    """A stored Markdown file as HTML, its tables in boxes that scroll; what it says is escaped."""
    render = mistune.create_markdown(escape=True, plugins=["table"])
    page = render(path.read_text(encoding="utf-8"))
    box = '<div class="scroll" role="group" tabindex="0" aria-label="Numbers"><table>'
    return page.replace("<table>", box).replace("</table>", "</table></div>")


def title_of(name: str) -> str:
    """Words for a file name: "fig1d_training_curves" is "Fig. 1 d: training curves"."""
    words = name.replace("_", " ")
    numbered = re.match(r"(fig|tab)(\d+)([a-z]?) (.+)", words)
    if not numbered:
        return words[:1].upper() + words[1:]
    kind = {"fig": "Fig.", "tab": "Table"}[numbered[1]]
    return f"{kind} {numbered[2]}{f' {numbered[3]}' if numbered[3] else ''}: {numbered[4]}"


def _picture(folder: Path, name: str, page: Path, caption: str) -> Picture:
    path, numbers = folder / f"{name}.png", folder / f"{name}.md"
    small = io.BytesIO()
    try:
        with Image.open(path) as image:
            width, height = (round(side * SCREEN_DPI / DPI) for side in image.size)
            copy = image.convert("RGB")
            copy.thumbnail((THUMBNAIL, THUMBNAIL))
            copy.quantize(64).save(small, "PNG", optimize=True)
    except OSError as error:
        raise ValueError(
            f"{path} is not a readable picture; delete it and draw it again."
        ) from error
    files = [folder / f"{name}.{kind}" for kind in ("png", "svg", "csv")]
    return Picture(
        name,
        title_of(name),
        caption,
        _data_uri(path.read_bytes()),
        _data_uri(small.getvalue()),
        width,
        height,
        {f.suffix[1:].upper(): address(f, page) for f in files if f.is_file()},
        html_table(numbers) if name not in ELSEWHERE and numbers.is_file() else "",
    )


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
