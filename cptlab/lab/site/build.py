"""Lets Sphinx make pages of the sources of a site, anew where something has changed."""

from __future__ import annotations

import filecmp
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from sphinx.cmd.build import build_main

from cptlab.lab.runs.locks import LOCK, held
from cptlab.lab.site.lacking import lacking, read_notebooks
from cptlab.lab.site.sources import write_sources
from cptlab.lab.study.profile import Profile
from cptlab.lab.workspace import Workspace


def build_site(profile: Profile, folders: Workspace) -> list[str]:
    """Pages of everything that was executed and drawn in a workspace, from `site/index.html` on.

    Returns what is missing in them, as sentences; the first page has them, too.

    The pages are replaced as a whole when the new ones are done, and ask for nothing beyond their
    folder. Beside it lies what Sphinx has read, so that the next time it reads only what has
    changed. Documents of the repository are on the pages as far as they are here: a wheel carries
    `docs` and the README, but not the committed figures and golden values, which are left out.

    Raises:
        ValueError: if there is no executed notebook that can be read.
        RuntimeError: if Sphinx fails.
    """
    notebooks, damaged = read_notebooks(folders.notebooks)
    if not notebooks:
        raise ValueError(
            f"There is no executed notebook in {folders.notebooks}: `cptlab figures --profile "
            f"{profile.name}` executes them, and makes the site. {' '.join(damaged)}".strip()
        )
    remarks = [*damaged, *lacking(profile, folders, [path.stem for path in notebooks])]
    cache = folders.site.parent / f".{folders.site.name}-read"
    source, pages = cache / "source", cache / "pages"
    with held([cache / LOCK], wait=True):
        with TemporaryDirectory(dir=cache) as name:
            fresh = Path(name)
            write_sources(fresh, profile, folders, notebooks, remarks, before=source)
            _update(source, fresh)
        # every page has the titles of all others, so that all are written anew
        shutil.rmtree(pages, ignore_errors=True)
        if build_main(["-q", "-d", f"{cache}/doctrees", str(source), str(pages)]):
            raise RuntimeError(f"The site of {profile.name} was not built: Sphinx says why above.")
        shutil.rmtree(folders.site, ignore_errors=True)
        pages.replace(folders.site)
    return remarks


def _update(kept: Path, fresh: Path) -> None:
    """Make a folder equal to another; files that are equal keep their times, which Sphinx reads."""
    for path in kept.rglob("*"):
        if path.is_file() and not (fresh / path.relative_to(kept)).is_file():
            path.unlink()
    for path in fresh.rglob("*"):
        target = kept / path.relative_to(fresh)
        if path.is_file() and not (target.is_file() and filecmp.cmp(path, target, shallow=False)):
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
