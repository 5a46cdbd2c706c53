"""What Sphinx is told: MyST-NB for notebooks and Markdown, the theme Furo, nothing from a network.

Formulas become MathML, which browsers draw themselves. Docstrings are plain text, not
reStructuredText: indented formulas stay as they are, and no sign in a sentence is markup.
"""

import re

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

import cptlab

PICTURES = "pictures"
"""Folder beside the pages' sources whose files lie beside the pages, under their own names."""

project = "cptlab"
release = cptlab.__version__
html_title = "cptlab"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

suppress_warnings = ["toc.not_included"]  # files that documents link to
nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "myst"  # tables
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 4
myst_links_external_new_tab = False

toc_object_entries = False  # names of functions would fill the menu of every page
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = [PICTURES]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
html_show_search_summary = False  # it would fetch pages, which browsers refuse for files
pygments_style, pygments_dark_style = "default", "monokai"  # with enough contrast

highlight_language = "none"  # formulas and what a terminal shows
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True

SECTIONS = {f"{name}:" for name in ("Args", "Attributes", "Raises", "Returns", "Yields")}


def plain(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """A docstring as reStructuredText that shows it as it is; sections are left to napoleon."""
    told: list[str] = []
    section = literal = False
    for line in lines:
        text, indented = line.strip(), line.startswith("    ")
        if text.startswith("- ") and told and told[-1] and not literal:
            told.append("")  # a list is a paragraph of its own
        if text and not indented:
            section, literal = text in SECTIONS, False
        elif text and not section and not literal and not (told and told[-1]):
            told += ["::", ""]
            literal = True
        if not literal:  # what hangs below a line belongs to its paragraph
            line = _escaped(line if section or not indented else text)
        told.append(line)
    # napoleon takes the start of an attribute's docstring, up to a colon, for its type; an empty
    # comment of reStructuredText before it has none
    lines[:] = ["..", ""] * (what in ("attribute", "data", "property")) + told


def _escaped(line: str) -> str:
    """A line without signs that reStructuredText would read as markup, but for its `code`."""
    return re.sub(r"(`[^`]*`)|[\\*|]|_(?=\W|$)", lambda found: found[1] or f"\\{found[0]}", line)


def inline_math(writer: HTML5Translator, node: nodes.math) -> None:
    writer.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def block_math(writer: HTML5Translator, node: nodes.math_block) -> None:
    writer.body.append(f'<div class="math">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (inline_math, None), (block_math, None))
    app.connect("autodoc-process-docstring", plain, priority=100)  # before napoleon
    return {"parallel_read_safe": True}
