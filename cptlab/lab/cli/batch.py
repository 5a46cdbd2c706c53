"""The batch: run the studies of some notebooks, then the notebooks themselves with papermill."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from joblib import Parallel, delayed
from tqdm.auto import tqdm

from cptlab.lab.bench.forecast import Forecast, forecast
from cptlab.lab.cli.errors import message
from cptlab.lab.cli.execute import declared, execute_notebook
from cptlab.lab.runs import inputs
from cptlab.lab.runs.engines import LOCAL, worker_processes
from cptlab.lab.runs.locks import held
from cptlab.lab.runs.queue import run
from cptlab.lab.runs.ready import require_ready
from cptlab.lab.runs.results import look, remarks
from cptlab.lab.site import build_site
from cptlab.lab.study import lineup
from cptlab.lab.study.notebooks import STUDIES
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.profiles import profile_named
from cptlab.lab.workspace import DEFAULT_PROFILE, Workspace
from cptlab.training.spec import RunSpec


class NotebooksFailed(RuntimeError):
    """Some notebooks of a batch failed; the others were executed."""


@dataclass(frozen=True)
class Plan:
    """What a batch will do: its runs, those that are missing, and what these cost.

    remarks: what should be known about stored results (`cptlab.lab.runs.results.remarks`).
    parameters: what the notebooks are given beside `out` and `jobs`. jobs: parallel runs of a
    notebook; 0 for none, so that it shows what is finished.
    """

    profile: Profile
    folders: Workspace
    notebooks: list[str]
    runs: list[RunSpec]
    todo: list[RunSpec]
    forecast: Forecast
    remarks: list[str]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    jobs: int = 1

    def of_finished(self) -> Plan:
        """The same without training, and without the notebooks that would have nothing to show,
        which a remark names. Raises ValueError if no run is finished.
        """
        todo = set(self.todo)
        done = [spec for spec in self.runs if spec not in todo]
        if self.runs and not done:
            raise ValueError(
                f"None of these {len(self.runs):,} runs is finished in {self.folders.runs}: "
                "leave --finished out to train them."
            )
        empty = []
        for name in self.notebooks:
            study = STUDIES[name](self.profile)
            if study and todo.issuperset(study):
                empty.append(name)
        remarks = [f"No run is finished of {', '.join(empty)}: left out."] if empty else []
        return dataclasses.replace(
            self,
            notebooks=[name for name in self.notebooks if name not in empty],
            runs=done,
            todo=[],
            forecast=forecast([]),
            remarks=[*self.remarks, *remarks],
            jobs=0,
        )


def notebook_names(wanted: Sequence[str] = (), given: Collection[str] = ()) -> list[str]:
    """Full notebook names for names or leading numbers ("02"); if none is wanted, all that have the
    parameters that are given.

    Raises ValueError for a name that fits no notebook, or one of a notebook without a parameter.
    """
    able = [name for name in STUDIES if {*given} <= {*declared(name)}] if given else [*STUDIES]
    if not wanted:
        return able
    names = []
    for text in wanted:
        stem = Path(text).stem
        fitting = [name for name in STUDIES if stem.zfill(2) in (name, name.split("_")[0])]
        if not fitting:
            raise ValueError(f"Unknown notebook {text!r}; choose from {', '.join(STUDIES)}.")
        names += fitting
    for name in names:
        if lacking := [parameter for parameter in given if parameter not in declared(name)]:
            having = [other for other in STUDIES if lacking[0] in declared(other)]
            raise ValueError(
                f"Notebook {name} has no parameter {lacking[0]}; {', '.join(having)} "
                f"{'has' if len(having) == 1 else 'have'} it."
            )
    return list(dict.fromkeys(names))


def with_runs(profile: Profile, names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The notebooks that have something to show under changed parameters.

    Raises ValueError for one that was wanted and has not.
    """
    usual = profile_named(DEFAULT_PROFILE)
    empty = [name for name in names if STUDIES[name](usual) and not STUDIES[name](profile)]
    if empty and wanted:
        raise ValueError(
            f"Notebook {empty[0]} has nothing to show with these data sets: it is about transfer, "
            "from embedded ones, ImageNet, or two or more of your own."
        )
    return [name for name in names if name not in empty]


def check(profile: Profile, notebooks: Iterable[str]) -> list[str]:
    """Look at what these notebooks need, so that bad input fails before any long work; what should
    be known about it. Raises ValueError as `require_ready`.
    """
    remarks = require_ready(spec for name in notebooks for spec in STUDIES[name](profile))
    inputs.cached_backbone(profile.backbone, profile.pretrained, profile.device, profile.precision)
    return remarks


def plan(
    profile: Profile,
    wanted: Sequence[str],
    folders: Workspace,
    jobs: int,
    parameters: Mapping[str, Any] | None = None,
) -> Plan:
    """Runs behind these notebooks (all if none is named), each once.

    parameters: what the notebooks are given beside `out` and `jobs`; the profile's name alone, if
    left out.

    Raises ValueError for an unknown notebook.
    """
    names = notebook_names(wanted, parameters or ())
    specs = list(dict.fromkeys(spec for name in names for spec in STUDIES[name](profile)))
    number = f"{len(specs):,} run{'s' if len(specs) != 1 else ''}"
    click.echo(f"Profile {profile.name}: {number}; looking at what is done in {folders.runs}.")
    found = look(specs, folders.runs, progress=True)
    cost = forecast(found.todo, folders.runs, jobs)
    parameters = parameters or {"profile": profile.name}
    return Plan(profile, folders, names, specs, found.todo, cost, remarks(found), parameters)


def labels_of(plan: Plan) -> dict[RunSpec, str]:
    """The row of each run's method, whatever a study varies of it."""
    labels = {}
    for spec in plan.runs:
        label = lineup.label_of(plan.profile, spec.method, spec.protocol)
        labels[spec] = label.partition(", ")[0]
    return labels


def figures(plan: Plan, jobs: int, where: str = LOCAL) -> None:
    """Do the runs of a plan (where: `cptlab.lab.runs.engines`), then execute its notebooks.

    Commands on one workspace share the notebooks as they share the runs: what another has executed
    since this one began is not executed again.

    Writes figures (PNG, SVG and CSV), executed notebooks, and the site of all that is there
    (`cptlab.lab.site`). Raises NotebooksFailed, naming each, after the others have finished and
    the site has been built of them.
    """
    folders, left = plan.folders, plan.notebooks
    before = {name: _execution(folders.notebooks, name) for name in left}
    run(plan.runs, folders.runs, jobs, where=where)
    parameters = {"profile": plan.profile.name, **plan.parameters, "out": folders.root}
    parameters["jobs"] = plan.jobs
    failures = []
    with (
        worker_processes(jobs, 1),
        tqdm(desc="notebooks", total=len(left)) as bar,
    ):
        for wait in (False, True):  # what another command holds comes last
            outcomes = Parallel(return_as="generator_unordered")(
                delayed(_attempt)(name, parameters, folders.notebooks, before[name], wait)
                for name in left
            )
            left = []
            for name, failure in outcomes:
                if failure is None:
                    left.append(name)
                    continue
                bar.update()
                failures += [failure] if failure else []
    if len(failures) < len(plan.notebooks):
        for remark in build_site(plan.profile, folders):
            click.echo(remark)
        if failures:
            failures.append(f"The site has the others: {folders.site / 'index.html'}")
    if failures:
        raise NotebooksFailed("\n".join(failures))


def _attempt(
    name: str,
    parameters: dict[str, object],
    folder: Path,
    before: dict[str, object],
    wait: bool,
) -> tuple[str, str | None]:
    """Execute one notebook in a worker, unless another command has: its name and what went wrong.

    Whatever that is, it must not stop the others. None: another command is at it.
    """
    with held([folder / f".{name}.lock"], wait) as mine:
        if not mine:
            return name, None
        latest = _execution(folder, name)
        if latest != before and latest.get("parameters") == parameters:
            return name, ""
        try:
            execute_notebook(name, parameters, folder)
        except OSError as error:
            return name, f"Notebook {name} could not be written: {message(error)}"
        except (ValueError, RuntimeError) as error:
            return name, str(error)
    return name, ""


def _execution(folder: Path, name: str) -> dict[str, object]:
    """Papermill's notes, with parameters and times, in an executed notebook; empty without one."""
    try:
        notebook = json.loads((folder / f"{name}.ipynb").read_text(encoding="utf-8"))
        return notebook["metadata"]["papermill"]
    except (OSError, ValueError, KeyError, TypeError):  # none is there, or it is damaged
        return {}
