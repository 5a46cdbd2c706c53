"""Executed notebooks as pages that stand alone, and the page that lists them."""

from __future__ import annotations

import base64
import copy
import io
import logging
import re
from html import escape
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

import matplotlib.style
import nbformat
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import math_to_image
from nbconvert.exporters import HTMLExporter
from nbformat import NotebookNode

HEAD = """<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
font-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
"""
"""The policy makes sure that a page asks for nothing beyond itself."""

INDEX = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{head}<title>{title}</title><style>
body {{ font: 1rem/1.6 system-ui, sans-serif; max-width: 44rem; margin: auto; padding: 1rem; }}
</style></head>
<body><h1>{title}</h1>
<ul>
{rows}
</ul></body></html>
"""


def html_page(notebook: NotebookNode) -> str:
    """An executed notebook as one page without code, images embedded, scripts of outputs kept.

    nbconvert's own scripts, all in the head, would come from the network: formulas are drawn here
    instead, and nothing needs the others.
    """
    logging.getLogger("traitlets").setLevel(logging.ERROR)  # it asks for alternative texts
    notebook = copy.deepcopy(notebook)
    notebook.metadata["title"] = heading(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"(\$\$?)(.+?)\1", _drawn, cell.source, flags=re.DOTALL)
    exporter = HTMLExporter(embed_images=True, exclude_input=True, exclude_output_prompt=True)
    head, _, body = exporter.from_notebook_node(notebook)[0].partition("</head>")
    head = re.sub(r"<script\b.*?</script>", "", head, flags=re.DOTALL)
    style = files("cptlab.lab.cli").joinpath("pages.css").read_text(encoding="utf-8")
    return f"{head.replace('<head>', f'<head>{HEAD}', 1)}<style>{style}</style></head>{body}"


def index_page(folder: Path) -> Path:
    """Write `index.html`: a link to each executed notebook of a folder and its page."""
    rows = []
    for page in sorted(folder.glob("*.html")):
        notebook = page.with_suffix(".ipynb")
        if not notebook.is_file():
            continue
        content = nbformat.read(notebook, as_version=4)
        day = str(content.metadata.get("papermill", {}).get("end_time") or "")[:10]
        name = quote(page.stem)
        rows.append(
            f'<li><a href="{name}.html">{escape(heading(content) or page.stem)}</a> '
            f'<small>{day} <a href="{name}.ipynb">{escape(notebook.name)}</a></small></li>'
        )
    index = folder / "index.html"
    text = INDEX.format(head=HEAD, title="cptlab: executed notebooks", rows="\n".join(rows))
    index.write_text(text, encoding="utf-8")
    return index


def heading(notebook: NotebookNode) -> str:
    """The first heading of a notebook, or empty."""
    texts = (cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    found = re.search(r"^# (.+)$", "\n".join(texts), flags=re.MULTILINE)
    return found[1].strip() if found else ""


def _drawn(formula: re.Match[str]) -> str:
    """LaTeX between dollars as an image; between double ones on a line of its own."""
    latex, alone = " ".join(formula[2].split()), formula[1] == "$$"
    image = io.BytesIO()
    font = FontProperties(size=16 if alone else 12, math_fontfamily="stix")
    seen = {"savefig.transparent": True}  # on light and on dark pages
    with matplotlib.style.context(["default", seen]):
        depth = math_to_image(f"${latex}$", image, prop=font, format="svg")
    source = base64.b64encode(image.getvalue()).decode()
    place = "display: block; margin: 1em 0" if alone else f"vertical-align: -{depth:.1f}pt"
    return (
        f'<img class="formula" style="{place}" alt="{escape(latex)}" '
        f'src="data:image/svg+xml;base64,{source}">'
    )
