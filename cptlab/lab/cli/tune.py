"""The command `cptlab tune`: six configurations of every method, on data that no study tests."""

from __future__ import annotations

import click

from cptlab.lab.cli.command import Command
from cptlab.lab.cli.names import EMBEDDED, METHODS, PAPER, one_of
from cptlab.lab.cli.options import data_root_option, engine_option, jobs_option, profile_option


@click.command(cls=Command)
@click.argument("datasets", nargs=-1, shell_complete=one_of((*EMBEDDED, *PAPER), or_path=True))
@click.option(
    "--methods",
    multiple=True,
    help="Separated by commas, as for `compare`; those of the profile's study if left out.",
    shell_complete=one_of(METHODS, or_path=True),
)
@click.option("--tau", default=0.06, show_default=True, help="Imbalance ratio.")
@click.option("--seeds", default="101,102", show_default=True, help="1-3 or 1,2,5")
@profile_option
@click.option("--out", help="Write everything below this folder.")
@jobs_option
@engine_option
@click.option("--dry-run", is_flag=True, help="Say what it would take; do nothing.")
@data_root_option
def tune(
    datasets: tuple[str, ...],
    methods: tuple[str, ...],
    tau: float,
    seeds: str,
    profile: str,
    out: str | None,
    jobs: int,
    engine: str,
    dry_run: bool,
) -> None:
    """Tune methods, each in six configurations of rate, epochs and what it has to search.

    Learns half of the base classes and judges by H with the other half as new ones, on validation
    images or, for the embedded data sets, on a training vendor that is left out: no test image and
    no new class is looked at. Writes tuned.csv.

    Example: cptlab tune activities food --methods coop,"CPT (pair mean)"
    """
    click.echo("Listing the runs of this search.")  # the imports below take seconds
    from cptlab.data import full_name
    from cptlab.lab.bench import forecast
    from cptlab.lab.runs.queue import run
    from cptlab.lab.runs.ready import require_ready
    from cptlab.lab.runs.results import missing
    from cptlab.lab.study import given, lineup, tuning
    from cptlab.lab.study.origin import duration
    from cptlab.lab.study.paired import store
    from cptlab.lab.study.profiles import profile_named
    from cptlab.lab.workspace import workspace
    from cptlab.methods.outside import full_reference

    size = profile_named(profile)
    wanted = [one for text in methods for one in given.methods(text)]
    found = lineup.chosen(size, [full_reference(str(one)) for one in wanted])
    found = {name: method for name, method in found.items() if tuning.can_be_tuned(method)}
    names = [full_name(name) for name in datasets] or tuning.DATASETS
    study = tuning.tuning(size, found or lineup.tuned(size), names, given.seeds(seeds), tau)
    folders = workspace(profile, out)
    click.echo(f"{len(study)} runs of {len(set(study.values()))} methods go to {folders.runs}.")
    for remark in require_ready(list(study)):
        click.echo(remark)
    if dry_run:
        todo = missing(list(study), folders.runs)
        cost = forecast.forecast(todo, folders.runs, jobs) if todo else None
        click.echo(f"{len(todo)} to do in about {duration(cost.seconds if cost else 0)}.")
        return
    results = run(list(study), folders.runs, jobs, where=engine)
    table = tuning.summary(study, results)
    store(folders.figures, "tuned.csv", table)
    click.echo(tuning.best_as_text(table))
    click.echo(f"All configurations: {folders.figures / 'tuned.csv'}")
