"""Published beside measured: the sections of notebooks that hold both, on one page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import nbformat

SECTION = "# Beside the published table"
"""How the heading of such a section begins, whatever its level."""
PRINTED = "09_published_tables"
HEAD = """# Published beside measured

This page shows what the paper prints beside what was measured here, table by table. The paper has
ViT-B/16 and photographs, EmojiCLIP is a small model of drawings: compare the order of methods and
the direction of changes, not the numbers."""


def beside_page(notebooks: Mapping[Path, nbformat.NotebookNode]) -> nbformat.NotebookNode | None:
    """A notebook of these sections; None if no executed notebook has one."""
    cells, printed = [], ""
    for path, notebook in notebooks.items():
        title = title_of(notebook)
        if path.stem == PRINTED:
            link = f"[{title}](notebooks/{path.name})"
            printed = f"What can be computed from the printed numbers alone: {link}."
        if found := _section(notebook.cells):
            head = f"## {title}\n\nFrom [this notebook](notebooks/{path.name})."
            cells += [nbformat.v4.new_markdown_cell(head), *found]
    if not cells:
        return None
    head = nbformat.v4.new_markdown_cell(f"{HEAD}\n\n{printed}".strip())
    page = nbformat.v4.new_notebook(cells=[head, *cells])
    page.metadata["language_info"] = {"name": "python"}
    return page


def title_of(notebook: Any) -> str:
    """The first heading of a notebook."""
    lines = (line for cell in notebook.cells for line in cell.source.splitlines())
    return next((line[2:] for line in lines if line.startswith("# ")), "Notebook")


def _section(cells: Iterable[Any]) -> list[Any]:
    """Copies of the cells below the heading, up to the next one."""
    found: list[Any] = []
    inside = False
    for cell in cells:
        text = cell.source
        if cell.cell_type == "markdown" and text.startswith("#"):
            heading, _, text = text.partition("\n")
            inside = SECTION in heading
        if inside and text.strip():
            found.append(nbformat.from_dict({**cell, "source": text.strip()}))
    return found
