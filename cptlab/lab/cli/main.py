"""The command line: `cptlab figures`, `run`, `data`, `tune`, `bench` and the others."""

from __future__ import annotations

import os

import click

from cptlab import __version__
from cptlab.checks import counted
from cptlab.lab.caches import use_writable_caches
from cptlab.lab.cli.bench import bench
from cptlab.lab.cli.cite import cite
from cptlab.lab.cli.command import Group
from cptlab.lab.cli.compare import compare
from cptlab.lab.cli.data import data, doctor
from cptlab.lab.cli.errors import call
from cptlab.lab.cli.names import NOTEBOOKS, one_of
from cptlab.lab.cli.options import (
    data_root_option,
    engine_option,
    jobs_option,
    parameter_options,
    profile_option,
    with_methods,
)
from cptlab.lab.cli.results import results
from cptlab.lab.cli.run import run
from cptlab.lab.cli.site import site
from cptlab.lab.cli.tune import tune
from cptlab.lab.cli.use import classify, evaluate, export


@click.group(cls=Group)
@click.version_option(__version__)
def commands() -> None:
    """Prompt tuning of CLIP for long-tailed data: the CPT study on a laptop.

    Example: cptlab figures --profile smoke --out /tmp/smoke

    TAB completes names after eval "$(_CPTLAB_COMPLETE=bash_source cptlab)"; zsh_source and
    fish_source likewise.
    """


for command in (
    *(bench, cite, classify, compare, data, doctor, evaluate, export, results, run, site, tune),
):
    commands.add_command(command)


@commands.command()
@click.argument("notebooks", nargs=-1, shell_complete=one_of(NOTEBOOKS))
@profile_option
@click.option("--out", help="Write everything below this folder.")
@jobs_option
@click.option("--dry-run", is_flag=True, help="Sum up runs, steps and hours; do nothing.")
@click.option("--list", "listed", is_flag=True, help="With --dry-run: name every run as well.")
@click.option("--finished", is_flag=True, help="Train nothing: show the runs that are finished.")
@engine_option
@click.option(
    "--method",
    "own",
    multiple=True,
    shell_complete=one_of((), or_path=True),
    help="A method of your own that takes part as well: path/to/file.py:Class, "
    "package.module:Class, or its name if it is installed.",
)
@parameter_options
@data_root_option
def figures(
    notebooks: tuple[str, ...],
    profile: str,
    out: str | None,
    jobs: int,
    dry_run: bool,
    listed: bool,
    finished: bool,
    engine: str,
    own: tuple[str, ...],
    **given: str | None,
) -> None:
    """Train what is missing and regenerate figures; all NOTEBOOKS, or some ("01", "02").

    Example: cptlab figures 02 --profile demo

    What is changed goes to folders of its own:
    cptlab figures 03 --profile smoke --datasets food --weights 0,0.1,1 --seeds 1-3
    """
    click.echo(f"Profile {profile}: listing its runs.")  # the imports below take seconds
    from cptlab.lab.bench import forecast
    from cptlab.lab.cli import batch
    from cptlab.lab.study.origin import duration
    from cptlab.lab.study.settings import parameters, profile_with
    from cptlab.lab.workspace import workspace

    changes = parameters(**given)
    names = batch.notebook_names(notebooks, changes)  # an unknown one fails before data are opened
    profile = with_methods(profile, own)
    chosen = profile_with(profile, **changes)
    names = batch.with_runs(chosen, names, notebooks)
    folders = workspace(chosen.name, out)
    if not (dry_run or finished):  # what is finished had all that it needed
        for remark in batch.check(chosen, names):
            click.echo(remark)
    plan = batch.plan(chosen, names, folders, jobs, {"profile": profile, **changes})
    done = len(plan.runs) - len(plan.todo)
    if dry_run:
        todo = set(plan.todo)
        for spec in plan.runs if listed else ():
            click.echo(f"{'missing' if spec in todo else 'done   '}  {spec.run_id}")
        if plan.todo:
            click.echo(forecast.as_text(plan.forecast, batch.labels_of(plan)))
    if finished:
        plan = plan.of_finished()
    for remark in plan.remarks:
        click.echo(remark)
    workers, pages = counted(jobs, "job"), counted(len(plan.notebooks), "notebook")
    click.echo(
        f"Profile {chosen.name}: {len(plan.runs)} runs, {done} done, {len(plan.todo)} to do in "
        f"about {duration(plan.forecast.seconds)} with {workers}, then {pages} of some 15 s each."
    )
    if dry_run:
        # last, so that the plan can be seen before data and weights are there
        for remark in batch.check(chosen, names):
            click.echo(remark)
    else:
        batch.figures(plan, jobs, engine)
        click.echo(f"Figures: {folders.figures}\nSite: {folders.site / 'index.html'}")


def main() -> None:
    """Entry point (`cptlab/__main__.py`)."""
    use_writable_caches()
    os.environ["MPLBACKEND"] = "agg"  # a command draws into files, with or without a display
    call(commands, "cptlab")
