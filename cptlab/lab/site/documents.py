"""Documents of the repository as sources of the site, with what they link to."""

from __future__ import annotations

import posixpath
import re
import shutil
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import nbformat
import pandas as pd

from cptlab.lab.figures import ledger_table
from cptlab.lab.site.beside import title_of
from cptlab.lab.workspace import CARRIED, NOTEBOOKS

GUIDES = ("own-data", "own-questions", "trained-prompts", "own-method", "own-backbone")
GUIDES += ("notebooks", "cluster", "paper-scale", "images")
"""Documents that say how to do something, in the order of the navigation."""
BACKGROUND = ("study", "plan", "intervals", "methods", "reading", "embedded-world")
BACKGROUND += ("speed", "code", "log")
LEDGER = "claims_ledger"
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+:|#)([^)\s]+)\)")
MODULE = re.compile(r"cptlab(/\w+)+\.py")
"""A file of the package, whose docstrings are a page of the site."""
KINDS = {".md", ".csv", ".png", ".svg", ".json", ".py", ".cff", ".yml"}
"""Files that documents link to and that the site takes along."""


def guides() -> list[str]:
    """How-tos by name: documents that are here and are not background, new ones last."""
    here = sorted(path.stem for path in (CARRIED / "docs").glob("*.md"))
    known = [name for name in (*GUIDES, *here) if name in here and name not in BACKGROUND]
    return [f"docs/{name}" for name in dict.fromkeys(known)]


def background() -> list[str]:
    """Names of the documents about the study and its course."""
    return [f"docs/{name}" for name in BACKGROUND]


def opening() -> str:
    """What the repository is, as Markdown: README up to its picture."""
    return _readme().partition("![")[0].partition("\n")[2].strip()


def findings() -> str:
    """What the study in the repository says, as Markdown: picture and first section of README."""
    before, _, section = _readme().partition("## What it says\n")
    picture = "".join(before.partition("![")[1:])
    section = re.split(r"^##", section, maxsplit=1, flags=re.MULTILINE)[0]
    return f"{picture}\n{section}".strip()


def _readme() -> str:
    """README, whose links to its own sections lead to its page."""
    text = (CARRIED / "README.md").read_text(encoding="utf-8")
    return text.replace("](#", "](README.md#")


def take_documents(source: Path, names: Iterable[str]) -> None:
    """Documents of the repository and what they link to, as far as it is there."""
    left, taken = list(names), set()
    while left:
        name = left.pop()
        path = CARRIED / name
        if name in taken or (source / name).exists() or not path.is_file():
            continue
        taken.add(name)
        if path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
            if not text.startswith("# "):
                text = _stored_table(path, text)
            if name == "README.md":  # its own title is that of the site
                text = text.replace("# cptlab", "# The README", 1)
            write(source / name, with_links(text, name, source, left))
        else:
            copy(path, source / name)


def _stored_table(path: Path, text: str) -> str:
    """A table of the committed figures as a page; the ledger of claims has its filter.

    Its title is that of the notebook which writes it, and its own name: a notebook writes several.
    """
    title, link = path.stem, "its notebook"
    for notebook in sorted(NOTEBOOKS.glob("*.ipynb")):
        code = notebook.read_text(encoding="utf-8")
        if re.search(rf'\\"{path.stem}(\.md)?\\"', code):
            title = title_of(nbformat.reads(code, as_version=4))
            link = f"[its notebook](../notebooks/{notebook.name})"
    ledger = path.with_suffix(".csv")
    if path.stem == LEDGER and ledger.is_file():
        claims = pd.read_csv(ledger).fillna({"same_as": "", "missing": ""})
        text = f"```{{raw}} html\n{ledger_table(claims)}\n```\n\n{text.rpartition('|')[2]}"
    where = path.relative_to(CARRIED).as_posix()
    head = f"The table `{where}`, as it is in the repository; {link} writes it."
    return f"# {title} (table {path.stem})\n\n{head}\n\n{text}"


def with_links(text: str, name: str, source: Path, wanted: list[str]) -> str:
    """Markdown whose links lead to files of the site or of the repository, else are plain text.

    name: of the document that it stands in. wanted: gets the names of files that are to come along.
    """
    return LINK.sub(partial(_kept, source, posixpath.dirname(name), wanted), text)


def _kept(source: Path, folder: str, wanted: list[str], link: re.Match[str]) -> str:
    """A link if its file can come along, which then is among those wanted; else its text alone."""
    target = posixpath.normpath(posixpath.join(folder, link[3].partition("#")[0]))
    if (source / target).is_file():
        return link[0]
    if MODULE.fullmatch(target):
        return f"[{link[2]}](#{target.removesuffix('.py').replace('/', '.')})"
    if Path(target).suffix not in KINDS or not (CARRIED / target).is_file():
        return link[2]
    wanted.append(target)
    return link[0]


def copy(path: Path, target: Path) -> None:
    """Copy a file into a folder that may not be there yet."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)


def write(path: Path, text: str) -> None:
    """Write a text into a folder that may not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
