"""What a site lacks, and which command makes it: for its first page and the terminal."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import nbformat

from cptlab.checks import counted
from cptlab.lab.study.notebooks import STUDIES
from cptlab.lab.study.profile import Profile
from cptlab.lab.workspace import Workspace

COMPARISON = "compare"
"""The notebook of `cptlab compare`."""


def read_notebooks(folder: Path) -> tuple[dict[Path, nbformat.NotebookNode], list[str]]:
    """The executed notebooks of a folder, and a sentence about each one that is damaged."""
    found, damaged = {}, []
    for path in sorted(folder.glob("[!.]*.ipynb")):
        if path.stem.endswith(".failed"):
            continue
        try:
            found[path] = nbformat.read(path, as_version=4)
            nbformat.validate(found[path])
        except (OSError, ValueError, AttributeError, KeyError, nbformat.ValidationError):
            found.pop(path, None)
            damaged.append(
                f"Notebook {path.stem} is damaged and left out: the command that made it makes it "
                "again."
            )
    return found, damaged


def lacking(profile: Profile, folders: Workspace, names: Collection[str]) -> list[str]:
    """Sentences about notebooks that were not executed, and about figures if there are none.

    names: of the notebooks that the site shows.
    """
    if COMPARISON in names and len(names) == 1:
        command = "`cptlab compare`, with what it was asked,"
        wanted: list[str] = []
    else:
        name, *changes = profile.name.split(",")
        options = ", with the options that it had before," if changes or folders.root else ""
        command = f"`cptlab figures --profile {name}`{options}"
        wanted = [name for name in STUDIES if name not in names]
    told = []
    if not any(folders.figures.glob("[!.]*.png")):
        told.append(f"There are no figures yet: {command} draws them.")
    if wanted:
        numbers = ", ".join(name.partition("_")[0] for name in wanted)
        verb = "is" if len(wanted) == 1 else "are"
        told.append(
            f"{counted(len(wanted), 'notebook')} of {len(STUDIES)} {verb} missing ({numbers}): "
            f"{command} executes {'it' if len(wanted) == 1 else 'them'}."
        )
    return told
