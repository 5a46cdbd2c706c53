"""The command `cptlab compare`: a question of one's own, with its table, figures and notebook."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from cptlab.lab.cli.command import Command
from cptlab.lab.cli.names import EMBEDDED, METHODS, PAPER, one_of
from cptlab.lab.cli.options import (
    class_order_option,
    data_root_option,
    engine_option,
    jobs_option,
    profile_option,
    protocol_option,
    shots_option,
)

if TYPE_CHECKING:
    from cptlab.data import Protocol
    from cptlab.data.long_tail import ClassOrder


@click.command(cls=Command)
@click.argument(
    "datasets", nargs=-1, required=True, shell_complete=one_of((*EMBEDDED, *PAPER), or_path=True)
)
@click.option(
    "--methods",
    required=True,
    multiple=True,
    help=f"Separated by commas: {', '.join(METHODS)}; labels of rows, such as 'CPT (pair mean)'; "
    "or your own, path/to/file.py:Class.",
    shell_complete=one_of(METHODS, or_path=True),
)
@click.option("--taus", default="0.06", show_default=True, help="Imbalance ratios: .06,1")
@click.option("--seeds", default="1-3", show_default=True, help="1-3 or 1,2,5")
@protocol_option
@click.option(
    "--set",
    "options",
    multiple=True,
    help="Hyper-parameter of a method: cpt.etf_reduction=pair_mean.",
)
@shots_option
@click.option("--epochs", type=int, help="Of every method; its own in the profile, if left out.")
@click.option("--lr", type=float, help="Learning rate of every method.")
@click.option("--batch-size", type=int, help="Images of a step, of every method.")
@click.option(
    "--template",
    "templates",
    multiple=True,
    help="Sentence of zero-shot classification, 'a satellite photo of {}.'; of one data set: "
    "'birds=a photo of a {}, a bird.'",
)
@class_order_option
@click.option("--reference", help="Name or label of the method that differences are against.")
@profile_option
@click.option("--out", default="comparison", show_default=True, help="Write everything below it.")
@jobs_option
@engine_option
@click.option("--dry-run", is_flag=True, help="Say what it would take; do nothing.")
@click.option("--list", "names", is_flag=True, help="With --dry-run: the id of every run.")
@data_root_option
def compare(
    datasets: tuple[str, ...],
    methods: tuple[str, ...],
    taus: str,
    seeds: str,
    protocol: Protocol,
    options: tuple[str, ...],
    shots: int,
    epochs: int | None,
    lr: float | None,
    batch_size: int | None,
    templates: tuple[str, ...],
    class_order: ClassOrder | None,
    reference: str | None,
    profile: str,
    out: str,
    jobs: int,
    engine: str,
    dry_run: bool,
    names: bool,
) -> None:
    """Compare methods on data sets, named or the paths of your own; zero-shot takes part.

    Trains what is missing, and leaves a table with intervals and paired differences (CSV, Markdown,
    LaTeX), all runs as CSV, two figures, and the notebook that made them.

    Example: cptlab compare birds food --methods coop,cpt --taus .06,1 --seeds 1-3
    """
    click.echo("Listing the runs of this comparison.")  # the imports below take seconds
    from cptlab.data import full_name
    from cptlab.lab.bench import forecast
    from cptlab.lab.cli import batch
    from cptlab.lab.compare import Comparison, Question
    from cptlab.lab.runs.locks import held
    from cptlab.lab.runs.queue import run
    from cptlab.lab.runs.results import missing
    from cptlab.lab.site import build_site
    from cptlab.lab.study.given import methods as methods_in
    from cptlab.lab.study.origin import duration
    from cptlab.lab.study.profiles import profile_named
    from cptlab.lab.workspace import workspace
    from cptlab.methods.outside import full_reference

    asked = Question(
        # what is relative now has to hold in the notebook's folder
        [full_name(name) for name in datasets],
        [full_reference(str(name)) for text in methods for name in methods_in(text)],
        taus=taus,
        seeds=seeds,
        protocol=protocol,
        profile=profile,
        options=_options(options),
        shots=shots,
        epochs=epochs,
        lr=lr,
        batch_size=batch_size,
        class_order=class_order,
        reference=reference,
    )
    asked = dataclasses.replace(asked, template=_templates(templates, tuple(asked.named)))
    asked.against  # noqa: B018 without a method to compare it fails here
    folders, remarks = workspace(profile, out), asked.check()
    click.echo(f"{len(asked.study)} runs of {', '.join(asked.chosen)}; they go to {folders.runs}.")
    for remark in remarks:
        click.echo(remark)
    if dry_run:
        todo = missing(list(asked.study), folders.runs)
        for spec in asked.study if names else ():
            click.echo(f"{'missing' if spec in set(todo) else 'done   '}  {spec.run_id}")
        if todo:
            cost = forecast.forecast(todo, folders.runs, jobs)
            click.echo(forecast.as_text(cost, asked.study))
            click.echo(f"{len(todo)} to do in about {duration(cost.seconds)}, --jobs being {jobs}.")
        return
    results = run(list(asked.study), folders.runs, jobs, where=engine)
    click.echo(Comparison(asked, tuple(results)).as_text())
    fields = {f.name: getattr(asked, f.name) for f in dataclasses.fields(asked)}
    parameters = {**fields, "out": folders.root, "jobs": 1}
    with held([folders.notebooks / ".compare.lock"], wait=True):  # of another such command
        batch.execute_notebook("compare", parameters, folders.notebooks)
        for remark in build_site(profile_named(profile), folders):
            click.echo(remark)
    page = folders.site / "notebooks/compare.html"
    click.echo(f"Table and figures: {folders.figures}\nPage: {page}")


def _options(texts: tuple[str, ...]) -> dict[str, dict[str, object]]:
    """`method.name=value` by method."""
    from cptlab.checks import option

    found: dict[str, dict[str, object]] = {}
    for text in texts:
        key, value = option("--set", text)
        method, dot, name = key.partition(".")
        if not dot:
            raise ValueError(f"--set takes method.name=value here, as in cpt.{text}; got {text!r}.")
        found.setdefault(method, {})[name] = value
    return found


def _templates(texts: tuple[str, ...], datasets: tuple[str, ...]) -> str | dict[str, str] | None:
    """One sentence for all data sets, or sentences by data set."""
    of_one = {}
    for text in texts:
        name, equals, sentence = text.partition("=")
        if equals and "{}" not in name:
            of_one[name] = sentence
        else:
            of_one |= dict.fromkeys(datasets, text)
    return of_one or None
