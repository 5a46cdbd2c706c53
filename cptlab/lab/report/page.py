"""The page itself: what the notebooks stored goes through one template into one file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from cptlab.lab.report.captions import captions
from cptlab.lab.report.comparisons import comparisons
from cptlab.lab.report.ledger import MARKS, stored_ledger
from cptlab.lab.report.origin import executed, origin, profile_facts
from cptlab.lab.report.pictures import pictures
from cptlab.lab.workspace import Workspace

if TYPE_CHECKING:
    from cptlab.lab.study.profiles import Profile

RUNS = "runs.csv"  # the runs behind the ledger, stored beside it


def write_report(
    profile: Profile,
    folders: Workspace,
    notebooks: Iterable[str],
    runs: pd.DataFrame,
    environments: Iterable[Mapping[str, Any]],
    missing: int,
) -> Path:
    """Write `index.html` into `folders.report` from stored figures, tables and notebooks.

    Equal inputs make equal files. What is not there yet is named on the page.

    Args:
        profile: whose study it is.
        folders: where figures and executed notebooks are, and where the page goes.
        notebooks: names of the notebooks, in order.
        runs: a row per result that was found (`results.table`); if there is none, the runs of
            the stored `runs.csv` stand for them and the page says so.
        environments: what each of them was computed with.
        missing: how many of the profile's runs have no result.

    Returns:
        Path of the page, replaced at once.

    Raises:
        ValueError: if there is no figure or one cannot be read.
    """
    page = folders.report / "index.html"
    shown = pictures(folders.figures, page, captions(profile))
    committed = folders.figures / RUNS
    stands_in = runs.empty and committed.is_file()
    if stands_in:
        runs = pd.read_csv(committed)
    text = _template().render(
        profile=profile.name,
        settings=profile_facts(profile),
        pictures=shown,
        ledger=stored_ledger(folders.figures),
        marks=MARKS,
        comparisons=comparisons(folders.figures),
        notebooks=executed(notebooks, folders.notebooks, page),
        origin=origin(runs, environments, missing),
        stands_in=stands_in,
    )
    folders.report.mkdir(parents=True, exist_ok=True)
    beside = page.with_name(f".{page.name}.{os.getpid()}.tmp")
    try:
        beside.write_text(text, encoding="utf-8", newline="\n")
        os.replace(beside, page)
    finally:
        beside.unlink(missing_ok=True)
    return page


def _template() -> Any:
    loader = PackageLoader("cptlab.lab.report", package_path="")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")
