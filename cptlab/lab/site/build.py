"""Writes the sources of the site into a temporary folder and lets Sphinx make pages of them."""

from __future__ import annotations

import pkgutil
import posixpath
import re
import shutil
from collections.abc import Iterable, Mapping
from functools import partial
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from sphinx.cmd.build import build_main

import cptlab
from cptlab.lab.site.methods import methods_page
from cptlab.lab.study import origin
from cptlab.lab.study.captions import captions
from cptlab.lab.study.profile import Profile
from cptlab.lab.workspace import CARRIED, COMMITTED_PROFILE, Workspace

CONF = "from cptlab.lab.site.conf import *\n"
HOW_TO = ["docs/own-questions", "docs/images"]
BACKGROUND = ["docs/study-2026-11-26", "docs/plan", "docs/intervals", "docs/log"]
CLAIMS = "12_claims"
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+:|#)([^)\s]+)\)")
KINDS = {".md", ".csv", ".png", ".svg", ".json", ".py", ".cff", ".yml"}
"""Files that documents link to and that the site takes along."""
RAW = "```{{raw}} html\n<div class='table-wrapper'>{}</div>\n```"
DRAWN = ("png", "svg", "csv")
"""What `cptlab.lab.figures.style.save` writes of a figure."""
API = ["", "checks", "seeds", "clip", "data", "emoji", "geometry", "methods", "training"]
API += ["lab.compare", "lab.figures", "lab.runs", "lab.study"]
"""Packages and modules whose docstrings are the reference, a page each."""


def build_site(profile: Profile, folders: Workspace) -> Path:
    """Pages of everything that was executed and drawn in a workspace; returns the first page.

    The pages are replaced as a whole when the new ones are done, and ask for nothing beyond their
    folder. Documents of the repository are on them as far as they are here: a wheel carries `docs`
    and the README, but not the committed figures and golden values, which are then left out.

    Raises:
        ValueError: if no notebook was executed.
        RuntimeError: if Sphinx fails.
    """
    notebooks = sorted(folders.notebooks.glob("[!.]*.ipynb"))
    notebooks = [path for path in notebooks if not path.stem.endswith(".failed")]
    if not notebooks:
        raise ValueError(
            f"There is no executed notebook in {folders.notebooks}: `cptlab figures --profile "
            f"{profile.name}` executes them, and makes the site."
        )
    folders.site.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folders.site.parent, prefix=f".{folders.site.name}-") as name:
        source, pages = Path(name, "source"), Path(name, "pages")
        _write_sources(source, profile, folders, notebooks)
        if build_main(["-q", "-d", f"{name}/doctrees", str(source), str(pages)]):
            raise RuntimeError(f"The site of {profile.name} was not built: Sphinx says why above.")
        shutil.rmtree(folders.site, ignore_errors=True)
        pages.replace(folders.site)
    return folders.site / "index.html"


def _write_sources(
    source: Path, profile: Profile, folders: Workspace, notebooks: list[Path]
) -> None:
    texts = captions(profile)
    pages = {
        "figures.md": _gallery(folders.figures, texts, notebooks),
        "methods.md": methods_page(),
        "provenance.md": _provenance(profile, folders.runs),
        **{f"api/{name or 'cptlab'}.md": _reference(name) for name in API},
    }
    for name, text in pages.items():
        _write(source / name, text)
    _write(source / "conf.py", CONF)
    style = files("cptlab.lab.site").joinpath("site.css").read_text(encoding="utf-8")
    _write(source / "_static/site.css", style)
    if folders.figures.is_dir():
        for kind in DRAWN:
            for path in folders.figures.glob(f"[!.]*.{kind}"):
                _copy(path, source / "drawn" / path.name)
    for path in notebooks:
        _write(source / "notebooks" / path.name, _notebook(path, texts))
    documents = ["README.md", *(f"{name}.md" for name in (*HOW_TO, *BACKGROUND))]
    home = _home(profile, notebooks)
    _write(source / "index.md", LINK.sub(partial(_kept, source, "", documents), home))
    _take_documents(source, documents)


def _home(profile: Profile, notebooks: Iterable[Path]) -> str:
    """Findings, and the contents of the site."""
    names = [f"notebooks/{path.stem}" for path in notebooks]
    claims = [name for name in names if name.endswith(CLAIMS)]
    groups = {
        "Results": ["figures", *claims, "provenance"],
        "Notebooks": [name for name in names if name not in claims],
        "How to": HOW_TO,
        "Background": ["methods", "cptlab in full <README>", *BACKGROUND],
        "Reference": [f"api/{name or 'cptlab'}" for name in API],
    }
    trees = "\n".join(
        f"```{{toctree}}\n:hidden:\n:caption: {title}\n\n" + "\n".join(pages) + "\n```\n"
        for title, pages in groups.items()
    )
    shown = f"This site shows the profile `{profile.name}`"
    of_another = (
        f"{shown}; what follows is about the profile `{COMMITTED_PROFILE}`, the study that comes "
        "with cptlab."
    )
    told = f"{shown}." if profile.name == COMMITTED_PROFILE else of_another
    return f"# cptlab: the study of CPT\n\n{told}\n\n{findings()}\n\n{trees}"


def findings() -> str:
    """What the study in the repository says, as Markdown: a section of the README."""
    readme = (CARRIED / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## What it says\n")[2]
    return (
        re.split(r"^##", section, maxsplit=1, flags=re.MULTILINE)[0]
        .strip()
        .replace("](#", "](README.md#")
    )


def _gallery(folder: Path, texts: Mapping[str, str], notebooks: Iterable[Path]) -> str:
    """Every stored figure with its caption, its files and the notebook that draws it."""
    parts = ["# Figures", "Every figure with the numbers behind it."]
    code = {path.stem: path.read_text(encoding="utf-8") for path in notebooks}
    drawn = {path.stem for path in folder.glob("[!.]*.png")}
    for name in sorted(drawn, key=[*texts, *sorted(drawn)].index):
        links = [
            f"{{download}}`{kind.upper()} <drawn/{name}.{kind}>`"
            for kind in DRAWN
            if (folder / f"{name}.{kind}").is_file()
        ]
        drawing = [stem for stem, text in code.items() if f'\\"{name}\\"' in text]
        links += [f"[notebook](notebooks/{stem}.ipynb)" for stem in drawing[:1]]
        caption = texts.get(name, name)
        figure = f":::{{figure}} drawn/{name}.png\n:alt: {caption}\n:name: {name}\n\n"
        parts.append(f"{figure}{caption} {' '.join(links)}\n:::")
    tables = sorted({path.stem for path in folder.glob("[!.]*.csv")} - drawn)
    if tables:
        links = (f"{{download}}`{name}.csv <drawn/{name}.csv>`" for name in tables)
        parts += ["## Tables", ", ".join(links)]
    return "\n\n".join(parts)


def _provenance(profile: Profile, store: Path) -> str:
    """Settings, runs and methods behind the pages."""
    found, missing = origin.stored(profile, store)
    tables = [origin.settings_table(profile), origin.runs_table(found, missing)]
    parts = [table.to_html() for table in tables]
    parts += [origin.methods_table(found).to_html()] if found else []
    head = "# Where the numbers come from\n\nVersions and machine are those that each run was "
    head += "done with; *missing* are runs that have no result yet."
    return "\n\n".join([head, *(RAW.format(part) for part in parts)])


def _reference(name: str) -> str:
    """The docstrings of a package and its modules, or of a module."""
    full = f"cptlab.{name}".rstrip(".")
    parts = [f"# {full}", _module(full, name in ("checks", "seeds"))]
    folder = Path(*cptlab.__path__, *name.split("."))
    if name and folder.is_dir():
        for found in pkgutil.walk_packages([str(folder)], f"{full}."):
            # a package has the docstrings of its modules' names once more
            parts += [f"## {found.name}", _module(found.name, members=not found.ispkg)]
    return "\n\n".join(parts)


def _module(name: str, members: bool) -> str:
    return f"```{{eval-rst}}\n.. automodule:: {name}\n{'   :members:' * members}\n```"


def _notebook(path: Path, texts: Mapping[str, str]) -> str:
    """An executed notebook whose code is folded and whose pictures have alternative texts."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.metadata.setdefault("tags", []).append("hide-input")
        shown = [text for name, text in texts.items() if f'"{name}"' in cell.source]
        cell.metadata["mystnb"] = {"image": {"alt": " ".join(shown) or "Figure of this cell."}}
    return nbformat.writes(notebook)


def _take_documents(source: Path, names: list[str]) -> None:
    """Documents of the repository and what they link to, as far as it is there."""
    taken: set[str] = set()
    while names:
        name = names.pop()
        path = CARRIED / name
        if name in taken or (source / name).exists() or not path.is_file():
            continue
        taken.add(name)
        if path.suffix != ".md":
            _copy(path, source / name)
            continue
        folder = posixpath.dirname(name)
        text = path.read_text(encoding="utf-8")
        _write(source / name, LINK.sub(partial(_kept, source, folder, names), text))


def _kept(source: Path, folder: str, names: list[str], link: re.Match[str]) -> str:
    """A link if its file can come along, which then is among the names; else its text alone."""
    target = posixpath.normpath(posixpath.join(folder, link[3].partition("#")[0]))
    if (source / target).is_file():
        return link[0]
    if Path(target).suffix not in KINDS or not (CARRIED / target).is_file():
        return link[2]
    names.append(target)
    return link[0]


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
