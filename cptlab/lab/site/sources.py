"""The sources of the site: a text or notebook for each page, and what they show."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from copy import deepcopy
from importlib.resources import files
from pathlib import Path

import nbformat

import cptlab
from cptlab.lab.runs.results import Result
from cptlab.lab.site import documents, explored
from cptlab.lab.site.beside import beside_page
from cptlab.lab.site.conf import PICTURES
from cptlab.lab.site.documents import copy, write
from cptlab.lab.site.gallery import DRAWN, alternative_of_cell, gallery, messages, plain
from cptlab.lab.site.home import home, home_of_comparison
from cptlab.lab.site.lacking import COMPARISON
from cptlab.lab.study import origin
from cptlab.lab.study.captions import captions
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.scope import scope
from cptlab.lab.workspace import Workspace

CONF = "from cptlab.lab.site.conf import *\n"
CLAIMS = "12_claims"
WIDGET = "application/vnd.jupyter.widget-view+json"
HTML = "```{{raw}} html\n<div class='table-wrapper'>{}</div>\n```"
API = ["", "checks", "seeds", "clip", "data", "emoji", "geometry", "methods", "training"]
API += ["lab.compare", "lab.figures", "lab.runs", "lab.study"]
"""Packages and modules whose docstrings are the reference, a page each."""

PROVENANCE = """# Where the numbers come from

This page lists the settings of the profile and the runs of all its notebooks: each notebook says
how many of them it shows. Versions and machine are those that each run was done with; *missing* are
runs that have no result yet. Times are wall time of whole runs, training and testing, with whatever
else the machine did; runs of one pass share its time evenly. Notebook 15, *Cost and accuracy*,
times single training steps instead."""


def write_sources(
    source: Path,
    profile: Profile,
    folders: Workspace,
    notebooks: Mapping[Path, nbformat.NotebookNode],
    remarks: Sequence[str],
    before: Path,
) -> None:
    """Write everything that Sphinx makes pages of into an empty folder.

    A workspace with nothing but a comparison gets pages of that alone: documents and the reference
    take half a minute, and are not about it. remarks: what is missing (`cptlab.lab.site.lacking`).
    before: sources of the last time.
    """
    texts = captions(profile)
    write(source / "conf.py", CONF)
    style = files("cptlab.lab.site").joinpath("site.css").read_text(encoding="utf-8")
    write(source / "_static/site.css", style)
    # forges that publish pages would leave out folders with an underscore
    write(source / PICTURES / ".nojekyll", "")
    write(source / "figures.md", gallery(folders.figures, texts, notebooks))
    for kind in DRAWN:
        for path in folders.figures.glob(f"[!.]*.{kind}"):
            copy(path, source / PICTURES / "drawn" / path.name)
    for path, notebook in notebooks.items():
        _write_notebook(source / "notebooks" / path.name, notebook, folders.figures, texts)
    if [path.stem for path in notebooks] == [COMPARISON]:
        (notebook,) = notebooks.values()
        home = home_of_comparison(profile, folders.figures, notebook, texts, remarks)
        trees = _navigation({"Results": [f"notebooks/{COMPARISON}", "figures"]})
        write(source / "index.md", f"{home}\n\n{trees}")
    else:
        _write_study(source, profile, folders, notebooks, remarks, before)


def _write_study(
    source: Path,
    profile: Profile,
    folders: Workspace,
    notebooks: Mapping[Path, nbformat.NotebookNode],
    remarks: Sequence[str],
    before: Path,
) -> None:
    """The pages of a study beside its notebooks and figures."""
    texts = captions(profile)
    found, lacking = origin.stored(profile, folders.runs)
    write(source / "provenance.md", _provenance(profile, found, lacking))
    for name in API:
        write(source / f"api/{name or 'cptlab'}.md", _reference(name))
    results = ["figures"]
    runs = explored.shown(profile, folders.runs)
    if runs:
        write(source / "explore.md", _explore(runs, before / "explore.md"))
        results.append("explore")
    names = [f"notebooks/{path.stem}" for path in notebooks]
    claims = [name for name in names if name.endswith(CLAIMS)]
    results += claims
    beside = beside_page(notebooks)
    if beside:
        _write_notebook(source / "beside.ipynb", beside, folders.figures, texts)
        results.append("beside")
    own = [*documents.guides(), *documents.background()]
    wanted = ["README.md", *(f"{name}.md" for name in own)]
    trees = _navigation(
        {
            "Results": [*results, "provenance"],
            "Notebooks": [name for name in names if name not in claims],
            "How to": documents.guides(),
            "Background": ["The README <README>", *documents.background()],
            "Reference": [f"api/{name or 'cptlab'}" for name in API],
        }
    )
    told = messages(folders.figures, texts)
    text = f"{home(profile, scope(profile, found, lacking), told, remarks)}\n\n{trees}"
    write(source / "index.md", documents.with_links(text, "index.md", source, wanted))
    documents.take_documents(source, wanted)


def _explore(runs: Mapping[str, Result], before: Path) -> str:
    try:
        return explored.explore_page(runs, before)
    except (OSError, ValueError) as error:  # the runs came from elsewhere, or have few classes
        return f"# Explore the class texts\n\nThere is no map of these runs: {plain(str(error))}"


def _navigation(groups: Mapping[str, list[str]]) -> str:
    return "\n".join(
        f"```{{toctree}}\n:hidden:\n:caption: {title}\n\n" + "\n".join(pages) + "\n```\n"
        for title, pages in groups.items()
        if pages
    )


def _provenance(profile: Profile, found: Sequence[Result], missing: int) -> str:
    """Settings, runs and methods behind the pages."""
    tables = [origin.settings_table(profile), origin.runs_table(found, missing)]
    # names of their own, else they had new ones each time
    parts = [table.to_html(table_uuid=f"table{number}") for number, table in enumerate(tables)]
    parts += [origin.methods_table(found).to_html()] if found else []
    return "\n\n".join([PROVENANCE, *(HTML.format(part) for part in parts)])


def _reference(name: str) -> str:
    """The docstrings of a package and its modules, or of a module."""
    full = f"cptlab.{name}".rstrip(".")
    parts = [
        f"# {full}" if name else f"# The package {full}",
        _module(full, name in ("checks", "seeds")),
    ]
    if not name:
        parts += [_starting_point(public, of) for public, of in cptlab.PUBLIC.items()]
    folder = Path(*cptlab.__path__, *name.split("."))
    if name and folder.is_dir():
        for found in pkgutil.walk_packages([str(folder)], f"{full}."):
            # a package has the docstrings of its modules' names once more
            parts += [f"## {found.name}", _module(found.name, members=not found.ispkg)]
    return "\n\n".join(parts)


def _starting_point(name: str, module: str) -> str:
    """The docstring of a name that a script starts from, which its module's page has, too."""
    is_class = isinstance(getattr(cptlab, name), type)
    kind, members = ("autoclass", "   :members:\n") if is_class else ("autofunction", "")
    directive = f".. {kind}:: cptlab.{name}\n   :no-index:\n{members}"
    return f"## {name}\n\nFrom `{module}`.\n\n```{{eval-rst}}\n{directive}```"


def _module(name: str, members: bool) -> str:
    return f"```{{eval-rst}}\n.. automodule:: {name}\n{'   :members:' * members}\n```"


def _write_notebook(
    target: Path, notebook: nbformat.NotebookNode, figures: Path, texts: Mapping[str, str]
) -> None:
    """An executed notebook whose code is folded and whose pictures have alternative texts.

    Progress bars are left out: for those, pages would ask a network for scripts.
    """
    notebook = deepcopy(notebook)
    notebook.metadata.pop("widgets", None)
    cells: list[nbformat.NotebookNode] = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_progress(output)]
            if cells and cells[-1].cell_type == "code" and not cells[-1].outputs:
                cell.source = f"{cells.pop().source}\n\n{cell.source}"  # one fold for both
            cell.metadata.setdefault("tags", []).append("hide-input")
            alt = alternative_of_cell(cell.source, figures, texts)
            cell.metadata["mystnb"] = {"image": {"alt": alt}}
        cells.append(cell)
    notebook.cells = cells
    write(target, nbformat.writes(notebook))


def _is_progress(output: nbformat.NotebookNode) -> bool:
    return output.get("name") == "stderr" or WIDGET in output.get("data", {})
