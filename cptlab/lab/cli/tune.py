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
    from cptlab.checks import counted, first_few
    from cptlab.data import full_name
    from cptlab.lab.bench import forecast
    from cptlab.lab.runs.queue import run
    from cptlab.lab.runs.ready import require_ready
    from cptlab.lab.runs.results import missing
    from cptlab.lab.study import given, lineup, tuning
    from cptlab.lab.study.origin import duration
    from cptlab.lab.study.profiles import profile_named
    from cptlab.lab.workspace import workspace
    from cptlab.methods.outside import full_reference

    size = profile_named(profile)
    wanted = [one for text in methods for one in given.methods(text)]
    found = lineup.chosen(size, [full_reference(str(one)) for one in wanted])
    fixed = [label for label, method in found.items() if not tuning.can_be_tuned(method)]
    if fixed and len(fixed) == len(found):
        raise ValueError(f"There is nothing to tune of {', '.join(fixed)}: name other methods.")
    remarks = [f"Left out, as there is nothing to tune: {', '.join(fixed)}."] if fixed else []
    names = [full_name(name) for name in datasets] or tuning.DATASETS
    tried = {label: found[label] for label in found if label not in fixed} or lineup.tuned(size)
    study = tuning.tuning(size, tried, names, given.seeds(seeds), tau)
    if not found:  # what nobody named goes where it does not fit
        few = tuning.too_few_classes(study)
        study = {spec: label for spec, label in study.items() if label not in few}
        remarks += [
            f"Left out: {label}, which draws more hard negatives than {first_few(where)} has "
            "classes to learn."
            for label, where in few.items()
        ]
    remarks += require_ready(list(study))
    folders = workspace(profile, out)
    runs, kinds = counted(len(study), "run"), counted(len(set(study.values())), "method")
    click.echo("\n".join([*remarks, f"{runs} of {kinds} go to {folders.runs}."]))
    if dry_run:
        todo = missing(list(study), folders.runs)
        cost = forecast.forecast(todo, folders.runs, jobs) if todo else None
        click.echo(f"{len(todo)} to do in about {duration(cost.seconds if cost else 0)}.")
        return
    results = run(list(study), folders.runs, jobs, where=engine)
    table = tuning.summary(study, results)
    tuning.store(table, folders.figures / "tuned.csv")
    click.echo(tuning.best_as_text(table))
    click.echo(f"All configurations: {folders.figures / 'tuned.csv'}")
