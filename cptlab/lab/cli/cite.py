"""The command `cptlab cite`: the paper and this software, as CITATION.cff tells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
import yaml

from cptlab.lab.cli.command import Command
from cptlab.lab.workspace import CARRIED

Work = Mapping[str, Any]
"""In the words of the Citation File Format 1.2."""


@click.command(cls=Command)
def cite() -> None:
    """Print how to cite the paper and this software, as text and as BibTeX.

    Example: cptlab cite
    """
    about = yaml.safe_load((CARRIED / "CITATION.cff").read_text(encoding="utf-8"))
    works = [*about["references"], about]
    click.echo("\n\n".join([about["message"], *map(as_text, works), *map(as_bibtex, works)]))


def as_text(work: Work) -> str:
    """Authors, year, title, and where it is or which version, in one line."""
    names = [
        one.get("name") or f"{one['given-names']} {one['family-names']}" for one in work["authors"]
    ]
    authors = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    where = work.get("url") or f"Version {work['version']}."
    return f"{authors} ({_year(work)}). {work['title']}. {where}"


def as_bibtex(work: Work) -> str:
    """An entry `@misc`, which every style knows."""
    # double braces: words of a group are no names of persons, and a title keeps its capitals
    names = [
        f"{{{one['name']}}}" if "name" in one else f"{one['family-names']}, {one['given-names']}"
        for one in work["authors"]
    ]
    fields = {"author": " and ".join(names), "title": f"{{{work['title']}}}", "year": _year(work)}
    for identifier in work.get("identifiers", ()):
        kind, _, number = identifier["value"].partition(":")
        fields |= {"eprint": number, "archiveprefix": kind}
    if "url" in work:
        fields["url"] = work["url"]
    if "version" in work:
        fields["note"] = f"Version {work['version']}"
    first = work["authors"][0]
    key = (first.get("name") or first["family-names"]).split()[0].lower() + _year(work)
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@misc{{{key},", *lines, "}"])


def _year(work: Work) -> str:
    return str(work.get("year") or work["date-released"].year)
