"""The command line: `cptlab figures`, `report`, `run`, `data`, `tune`, `bench` and the others."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cptlab.cli_bench import bench, tune
from cptlab.cli_data import data, data_root_option, doctor
from cptlab.cli_emojiclip import emojiclip
from cptlab.cli_errors import words
from cptlab.cli_results import results as results_commands
from cptlab.completion import EMBEDDED, ENGINES, METHODS, NOTEBOOKS, PAPER, PROFILES, one_of
from cptlab.workspace import DEFAULT_PROFILE

if TYPE_CHECKING:
    from cptlab.data import Protocol

profile_option = click.option(
    "--profile",
    default=DEFAULT_PROFILE,
    show_default=True,
    help=f"Size of the study, schedule and depths: {', '.join(PROFILES)}.",
    shell_complete=one_of(PROFILES),
)


@click.group()
@click.version_option(package_name="cptlab")
def commands() -> None:
    """Prompt tuning of CLIP for long-tailed data: the CPT study on a laptop.

    Example: cptlab figures --profile smoke --out /tmp/smoke

    TAB completes names after eval "$(_CPTLAB_COMPLETE=bash_source cptlab)"; zsh_source and
    fish_source likewise.
    """


for command in (bench, data, doctor, emojiclip, results_commands, tune):
    commands.add_command(command)


def _known_engine(_: click.Context, __: click.Parameter, where: str) -> str:
    """A wrong one should fail now, not when the first run starts."""
    if where not in ENGINES:
        from cptlab.engines import kind

        kind(where)
    return where


@commands.command()
@click.argument("notebooks", nargs=-1, shell_complete=one_of(NOTEBOOKS))
@profile_option
@click.option("--out", help="Write everything below this folder.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=os.cpu_count() or 1,
    show_default=True,
    help="Parallel runs.",
)
@click.option("--dry-run", is_flag=True, help="List the runs and an estimate; do nothing.")
@click.option(
    "--engine",
    default="loky",
    show_default=True,
    shell_complete=one_of(ENGINES),
    callback=_known_engine,
    help="Where runs are done: loky (this machine), the address of a Dask scheduler "
    "(tcp://host:8786), ray or the address of a Ray cluster (ray://host:10001), slurm. A running "
    "cluster has its own number of workers; --jobs is for the others, and for notebooks.",
)
@data_root_option
def figures(
    notebooks: tuple[str, ...], profile: str, out: str | None, jobs: int, dry_run: bool, engine: str
) -> None:
    """Train what is missing and regenerate figures; all NOTEBOOKS, or some ("01", "02").

    Example: cptlab figures 02 --profile demo
    """
    from cptlab import batch, bench, forecast
    from cptlab.profiles import profile_named
    from cptlab.workspace import workspace

    chosen, folders = profile_named(profile), workspace(profile, out)
    batch.notebook_names(notebooks)  # an unknown one fails before the drawings are opened
    if not dry_run:
        batch.check(chosen)
    plan = batch.plan(chosen, notebooks, folders, jobs)
    done = len(plan.runs) - len(plan.todo)
    if dry_run:
        todo = set(plan.todo)
        for spec in plan.runs:
            click.echo(f"{'missing' if spec in todo else 'done   '}  {spec.run_id}")
        if plan.todo:
            click.echo(forecast.words(plan.todo, forecast.step_times(bench.committed_rows())))
    for remark in plan.remarks:
        click.echo(remark)
    click.echo(
        f"Profile {profile}: {len(plan.runs)} runs, {done} done, {len(plan.todo)} to do in about "
        f"{_duration(plan.minutes)} with {jobs} jobs, then {len(plan.notebooks)} notebooks of some "
        "15 s each."
    )
    if dry_run:
        batch.check(chosen)  # last, so that the plan can be seen before data and weights are there
    else:
        batch.figures(plan, jobs, engine)
        click.echo(f"Figures: {folders.figures}\nNotebooks and pages: {folders.notebooks}")
        click.echo(f"Report: {folders.report / 'index.html'}")


@commands.command()
@profile_option
@click.option("--out", help="The folder that the figures were written below.")
def report(profile: str, out: str | None) -> None:
    """Rebuild the report, one page with everything, from stored figures; trains nothing.

    Example: cptlab report --profile smoke --out /tmp/smoke
    """
    from cptlab import batch
    from cptlab.profiles import profile_named
    from cptlab.workspace import workspace

    chosen, folders = profile_named(profile), workspace(profile, out)
    if not any(folders.figures.glob("*.png")):
        place = f" --out {out}" if out else ""
        raise ValueError(
            f"There are no figures of profile {profile} in {folders.figures}: draw them first, "
            f"with cptlab figures --profile {profile}{place}"
        )
    click.echo(f"Report: {batch.report(chosen, folders)}")


@commands.command()
@click.option(
    "--method",
    default="cpt",
    show_default=True,
    help=f"{', '.join(METHODS)}.",
    shell_complete=one_of(METHODS),
)
@click.option(
    "--dataset",
    default="food",
    show_default=True,
    help=f"One of {', '.join(EMBEDDED)}; one of the paper's, such as dtd; or the path of a folder "
    "of class sub-folders or of a CSV file.",
    shell_complete=one_of((*EMBEDDED, *PAPER), or_path=True),
)
@click.option("--tau", default=0.06, show_default=True, help="Imbalance ratio.")
@click.option("--seed", default=1, show_default=True)
@profile_option
@click.option(
    "--class-order",
    type=click.Choice(["name", "permuted"]),
    default="name",
    show_default=True,
    help="Order of the classes from head to tail.",
)
@click.option(
    "--protocol",
    type=click.Choice(["base_to_new", "transfer", "few_shot"]),
    default="base_to_new",
    show_default=True,
    help="What is learned and tested.",
)
@click.option("--set", "options", multiple=True, help="Hyper-parameter of the method: name=value.")
@click.option(
    "--balance",
    "balances",
    multiple=True,
    help="Long-tail classic: logits=balanced_softmax or logit_adjustment (with adjustment=1.0), "
    "class_weights=True (with beta=0.9999), sampling=class_balanced.",
)
@click.option("--out", help="Store the run below this folder.")
@data_root_option
def run(
    method: str,
    dataset: str,
    tau: float,
    seed: int,
    profile: str,
    class_order: str,
    protocol: Protocol,
    options: tuple[str, ...],
    balances: tuple[str, ...],
    out: str | None,
) -> None:
    """Train and evaluate one method once, and print what was resolved and measured.

    Example: cptlab run --method cpt --dataset food --tau 0.06 --set lambda_rs=0.5
    """
    import dataclasses
    import json

    from cptlab import results, runs, world
    from cptlab.checks import build, option
    from cptlab.data import full_name, is_path, open_roles
    from cptlab.data.doctor import require_sound
    from cptlab.locks import claimed
    from cptlab.methods import METHODS
    from cptlab.parts.balance import Balance
    from cptlab.profiles import profile_named
    from cptlab.spec import make_method
    from cptlab.workspace import workspace

    chosen = profile_named(profile)
    values = dict(option("--set", text) for text in options)
    if method in METHODS:
        values = chosen.depths_of(METHODS[method], protocol) | values
    built = make_method(method, **values)
    named = {
        n: os.path.abspath(os.path.expanduser(v))
        for n, v in vars(built).items()
        if v in built.files()
    }
    built = dataclasses.replace(built, **named)  # a relative path would mean another file elsewhere
    plain = chosen.spec(full_name(dataset), built, tau, seed, protocol)
    balance = build(Balance, dict(option("--balance", text) for text in balances))
    spec = dataclasses.replace(
        plain, class_order=class_order, balance=balance if balances else None
    )
    roles = open_roles(spec.dataset, spec.protocol)  # fails before anything is printed or made
    if is_path(spec.dataset):
        require_sound(Path(spec.dataset))  # a damaged test image should fail before training
    learned = next(iter(roles.values()))  # so should what the method cannot learn
    spec.method.check(world.backbone_of(spec), len(learned.class_names))
    store = workspace(profile, out).runs
    click.echo(json.dumps(spec.as_dict(), indent=1))
    runs.check_writable(store)
    for remark in results.remarks([spec], store):
        click.echo(remark)
    with claimed(store, [spec], wait=True):  # somebody else may be at it
        if results.load_result(store, spec) is None:
            for error in runs.execute([spec], store, progress=True).values():
                raise error
    result = results.load_result(store, spec)
    for what, instead in spec.method.substitutes().items():
        click.echo(f"For want of {what}: {instead}.")
    for name, value in result.metrics.items():
        unit = "dimensions" if name == "effective_rank" else "%"
        shown = "     - (too few classes for thirds)" if value != value else f"{value:6.2f} {unit}"
        click.echo(f"{name:>14} {shown}")
    click.echo(f"Stored in {result.folder}")


def _duration(minutes: float) -> str:
    return f"{minutes:.1f} min" if minutes < 120 else f"{minutes / 60:,.0f} h"


def main() -> None:
    """Entry point: expected errors become one line on stderr and exit status 1."""
    warnings.formatwarning = lambda message, *_: f"cptlab: {message}\n"
    try:
        commands.main(prog_name="cptlab", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted; finished runs are kept, start again to go on.", err=True)
        sys.exit(130)
    except (ValueError, OSError, RuntimeError, ModuleNotFoundError) as error:
        click.echo(f"cptlab: {words(error)}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
