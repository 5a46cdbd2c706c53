"""Where a page's numbers come from: runs, their environments, the profile, notebooks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from cptlab.lab.report.pictures import address

if TYPE_CHECKING:
    from cptlab.lab.study.profiles import Design, Profile


@dataclass(frozen=True)
class Origin:
    """What is known of the runs.

    runs: how many results were read. missing: how many of the profile's have none. facts: name ->
    words. methods: one row per method, with its runs, data sets, seeds, seconds per run (median)
    and minutes in all.
    """

    runs: int
    missing: int
    facts: dict[str, str]
    versions: dict[str, str]
    methods: list[dict[str, str]]


@dataclass(frozen=True)
class Page:
    """An executed notebook: title, addresses relative to the report, when and how long (words)."""

    name: str
    title: str
    html: str
    notebook: str
    finished: str
    duration: str


def origin(runs: pd.DataFrame, environments: Iterable[Mapping[str, Any]], missing: int) -> Origin:
    """Facts about runs.

    Args:
        runs: a row per run: "dataset", "method", "seed", "seconds"; may be empty.
        environments: of each run, as `provenance.environment` stored it; may be fewer.
        missing: runs of the profile whose results are not there.
    """
    stored = list(environments)
    days = _distinct(one["finished"][:10] for one in stored)
    facts = {}
    if len(runs):
        facts["runs"] = f"{len(runs):,}"
        facts["training and evaluation"] = f"{duration(runs['seconds'].sum())} of run time in all"
    if stored:
        facts |= {
            "finished": " to ".join(dict.fromkeys((days[0], days[-1]))),
            "device": ", ".join(_distinct(one["device"] for one in stored)),
            "machine": ", ".join(_distinct(one["machine"] for one in stored)),
            "threads of a run": ", ".join(_distinct(str(one["threads"]) for one in stored)),
            "Python": ", ".join(_distinct(one["python"] for one in stored)),
        }
    names = dict.fromkeys(name for one in stored for name in one["versions"])
    versions = {
        name: " and ".join(_distinct(one["versions"].get(name, "?") for one in stored))
        for name in names
    }
    return Origin(len(runs), missing, facts, versions, _by_method(runs))


def _by_method(runs: pd.DataFrame) -> list[dict[str, str]]:
    if runs.empty:
        return []
    return [
        {
            "method": method,
            "runs": f"{len(members):,}",
            "data sets": str(members["dataset"].nunique()),
            "seeds": str(members["seed"].nunique()),
            "seconds, median": f"{members['seconds'].median():.1f}",
            "minutes in all": f"{members['seconds'].sum() / 60:.1f}",
        }
        for method, members in runs.groupby("method", sort=False)
    ]


def profile_facts(profile: Profile) -> dict[str, str]:
    """What a profile asks for, in words: backbone, schedule, data sets, ratios, seeds."""
    schedule = "as published for each method and protocol"
    if profile.schedule is not None:
        schedule = (
            f"{profile.schedule.epochs:g} epochs, learning rate {profile.schedule.lr:g}, batches "
            f"of {profile.schedule.batch_size} (CPT's; other methods in proportion)"
        )
    return {
        "backbone": ", ".join(filter(None, (profile.backbone, profile.pretrained))),
        "schedule": schedule,
        "precision": profile.precision,
        "base-to-new": _part(profile.comparison),
        "losses, weights, clusters": _part(profile.details),
        "transfer and domain shift": _part(profile.transfer),
        "few-shot": f"{_part(profile.few_shot)}; shots {', '.join(map(str, profile.shots))}",
        "readings of the losses": "; ".join(reading.name for reading in profile.readings),
    }


def _part(part: Design) -> str:
    taus = ", ".join(f"{tau:g}" for tau in part.taus)
    fewer = part.seeds_at_larger_tau
    milder = f" ({len(fewer)} at all but the smallest tau)" if fewer is not None else ""
    number = f"{len(part.seeds)} seed{'s' if len(part.seeds) > 1 else ''}{milder}"
    return f"{', '.join(part.datasets)}; tau {taus}; {number}"


def executed(names: Iterable[str], folder: Path, page: Path) -> list[Page]:
    """The notebooks of these names that were executed into `folder`, for a report at `page`."""
    found = []
    for name in names:
        html, notebook = folder / f"{name}.html", folder / f"{name}.ipynb"
        if not (html.is_file() and notebook.is_file()):
            continue
        content = json.loads(notebook.read_text(encoding="utf-8"))
        record = content["metadata"].get("papermill", {})
        seconds = record.get("duration")
        found.append(
            Page(
                name,
                _heading(content) or name,
                address(html, page),
                address(notebook, page),
                str(record.get("end_time") or "")[:10],
                "" if seconds is None else duration(seconds),
            )
        )
    return found


def _heading(content: dict[str, Any]) -> str:
    """The first heading of a notebook, or empty."""
    texts = ["".join(c["source"]) for c in content["cells"] if c["cell_type"] == "markdown"]
    lines = [line for text in texts for line in text.splitlines() if line.startswith("# ")]
    return lines[0].removeprefix("# ").strip() if lines else ""


def duration(seconds: float) -> str:
    """Seconds in words of a fitting unit."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _distinct(values: Iterable[str]) -> list[str]:
    return sorted(set(values))
