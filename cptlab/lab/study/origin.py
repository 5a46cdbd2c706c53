"""The origin of the numbers: settings of a study, its runs, and the versions that computed them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

from cptlab.checks import counted
from cptlab.lab.runs.inputs import content_once
from cptlab.lab.runs.provenance import PACKAGES
from cptlab.lab.runs.results import Result, load_result, table
from cptlab.lab.study.design import Design
from cptlab.lab.study.notebooks import STUDIES
from cptlab.lab.study.profile import Profile


def provenance(profile: str, results: Mapping[str, Sequence[Result]]) -> str:
    """One sentence: how many runs of which profile, when they finished, with which versions.

    results: of each method label, as `cptlab.lab.study.outcomes.run_study` gives them.
    """
    found = [result for runs in results.values() for result in runs]
    used = ", ".join(f"{name} {version}" for name, version in _versions(found).items())
    when = _days(found) or "on no day"
    return f"Profile `{profile}`: {len(found)} runs, finished {when}, with {used}."


def stored(profile: Profile, store: Path) -> tuple[list[Result], int]:
    """Results of all of a profile's studies, and how many of its runs have none yet."""
    specs = dict.fromkeys(spec for study in STUDIES.values() for spec in study(profile))
    content = content_once()
    found = [r for spec in specs if (r := load_result(store, spec, content)) is not None]
    return found, len(specs) - len(found)


def settings_table(profile: Profile) -> Styler:
    """The settings of a profile: backbone, schedule, data sets, imbalance ratios, seeds."""
    schedule = "as published for each method and protocol"
    if profile.schedule is not None:
        schedule = (
            f"{profile.schedule.epochs:g} epochs, learning rate {profile.schedule.lr:g}, batches "
            f"of {profile.schedule.batch_size} (CPT's; other methods in proportion)"
        )
    return _facts(
        {
            "profile": profile.name,
            "backbone": ", ".join(filter(None, (profile.backbone, profile.pretrained))),
            "schedule": schedule,
            "precision": profile.precision,
            "base to new": _design(profile.comparison),
            "losses, weights, clusters": _design(profile.details),
            "transfer and domain shift": _design(profile.transfer),
            "few-shot": f"{_design(profile.few_shot)}; shots {', '.join(map(str, profile.shots))}",
            "readings of the losses": "; ".join(reading.name for reading in profile.readings),
        }
    )


def runs_table(results: Sequence[Result], missing: int) -> Styler:
    """Number of runs, dates, run time, machine and versions.

    missing: how many runs of the study have no result.
    """
    seconds = sum(result.details["seconds"] for result in results)

    def each(name: str) -> str:
        return ", ".join(sorted({str(one[name]) for one in _environments(results)}))

    return _facts(
        {
            "runs": f"{len(results):,}",
            "missing": f"{missing:,}",
            "run time in all": duration(seconds),
            "finished": _days(results),
            "device": each("device"),
            "machine": each("machine"),
            "threads of a run": each("threads"),
            "Python": each("python"),
            **_versions(results),
        }
    )


def methods_table(results: Iterable[Result]) -> pd.DataFrame:
    """Runs, data sets, seeds and time of each method."""
    runs = table(results).groupby("method", sort=False)
    seconds = runs["seconds"]
    return pd.DataFrame(
        {
            "runs": runs.size(),
            "data sets": runs["dataset"].nunique(),
            "seeds": runs["seed"].nunique(),
            "seconds per run, median": seconds.median().round(1),
            "minutes in all": (seconds.sum() / 60).round(1),
        }
    )


def duration(seconds: float) -> str:
    """Seconds as text: "41 s", "12 min", "3.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _environments(results: Sequence[Result]) -> list[dict[str, Any]]:
    """What `cptlab.lab.runs.provenance.environment` stored with each run."""
    return [result.details["environment"] for result in results]


def _days(results: Sequence[Result]) -> str:
    """First and last day on which runs finished: "2026-11-25 to 2026-11-26"; empty without runs."""
    days = sorted({one["finished"][:10] for one in _environments(results)})
    return " to ".join(dict.fromkeys((*days[:1], *days[-1:])))


def _versions(results: Sequence[Result]) -> dict[str, str]:
    """Versions that runs were computed with, by package; "?" where none was stored."""
    known = [one["versions"] for one in _environments(results)]
    return {
        name: " and ".join(sorted({versions.get(name, "?") for versions in known}))
        for name in PACKAGES
    }


def _design(design: Design) -> str:
    taus = ", ".join(f"{tau:g}" for tau in design.taus)
    return f"{', '.join(design.datasets)}; τ = {taus}; {counted(len(design.seeds), 'seed')}"


def _facts(facts: Mapping[str, Any]) -> Styler:
    """A table with the names on the left and the values on the right."""
    left = [{"selector": "th, td", "props": "text-align: left; vertical-align: top"}]
    shown = pd.Series(facts).to_frame().style.hide(axis="columns").format(escape="html")
    return shown.set_table_styles(left)  # ty: ignore[missing-attribute] pandas names its base class
