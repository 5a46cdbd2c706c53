"""The first page: what the figures rest on, what they say, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import nbformat
import pandas as pd

from cptlab.checks import counted, first_few
from cptlab.lab.site import documents
from cptlab.lab.site.gallery import messages, plain
from cptlab.lab.study.families import PLANNED
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.scope import design_of

TOLD = "## What the figures say\n\n"
MISSING = ":::{{admonition}} Missing here\n:class: note\n\n{}:::"
TABLES = ("runs.csv", "table.md")
"""Files of a comparison that its first page is made of."""


def home(profile: Profile, scope: str, told: str, remarks: Sequence[str]) -> str:
    """Markdown: the findings of the study in the repository, and those of this site's figures.

    scope: `cptlab.lab.study.scope.scope`. told: `gallery.messages`.
    """
    shown = f"This site shows the profile `{profile.name}`: its figures, notebooks and documents."
    others = "The other parts and their runs: [where the numbers come from](provenance.md)."
    here = [f"{shown} {scope} {others}", missing(remarks)]
    title, findings, told = "# cptlab: the study of CPT", documents.findings(), told and TOLD + told
    if profile.name == PLANNED:
        parts = [title, documents.opening(), findings, told, "## What this site rests on", *here]
    else:
        other = (
            f"## What the study says\n\nThis is about the profile `{PLANNED}`, the study that "
            "comes with cptlab: other runs than those of this site."
        )
        parts = [title, documents.opening(), *here, other, findings, told]
    return "\n\n".join(filter(None, parts))


def home_of_comparison(
    profile: Profile,
    figures: Path,
    notebook: nbformat.NotebookNode,
    texts: Mapping[str, str],
    remarks: Sequence[str],
) -> str:
    """Markdown: what a comparison rests on, what it says, its table.

    profile: in case that the notebook does not name its own.
    """
    title, own, table = "A comparison", "", ""
    if all((figures / name).is_file() for name in TABLES):
        runs, table = pd.read_csv(figures / TABLES[0]), (figures / TABLES[1]).read_text("utf-8")
        asked = notebook.metadata.get("papermill", {}).get("parameters", {})
        title += f" on {plain(first_few(list(dict.fromkeys(runs['dataset']))))}"
        own = (
            f"This compares {counted(runs['method'].nunique(), 'method')} with the settings of the "
            f"profile `{asked.get('profile', profile.name)}`. It rests on "
            f"{counted(len(runs), 'run')}: {plain(design_of(runs))} Each run, and what the numbers "
            "do not show, are in [the notebook](notebooks/compare.ipynb)."
        )
    parts = [f"# {title}", own, missing(remarks), messages(figures, texts), table]
    return "\n\n".join(filter(None, parts))


def missing(remarks: Sequence[str]) -> str:
    """A box with what the site has not; "" if it has all."""
    return MISSING.format("".join(f"- {text}\n" for text in remarks)) if remarks else ""
