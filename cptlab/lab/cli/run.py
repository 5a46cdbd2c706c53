"""The command `cptlab run`: one run of one's own."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from cptlab.lab.cli.command import Command
from cptlab.lab.cli.names import EMBEDDED, METHODS, PAPER, one_of
from cptlab.lab.cli.options import (
    class_order_option,
    data_root_option,
    profile_option,
    protocol_option,
    shots_option,
)

if TYPE_CHECKING:
    from cptlab.data import Protocol
    from cptlab.data.long_tail import ClassOrder
    from cptlab.lab.runs.results import Result

UNITS = {"effective_rank": "dimensions", "drift_degrees": "degrees"}
"""Of metrics that are no percentages, likelihoods apart."""


@click.command(cls=Command)
@click.option(
    "--method",
    default="cpt",
    show_default=True,
    help=f"{', '.join(METHODS)}; or one of your own, path/to/file.py:Class or "
    "package.module:Class.",
    shell_complete=one_of(METHODS, or_path=True),
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
@class_order_option
@protocol_option
@click.option(
    "--target",
    "targets",
    multiple=True,
    help="Data set that transfer tests, in place of all others of the family; may be repeated.",
    shell_complete=one_of((*EMBEDDED, *PAPER), or_path=True),
)
@shots_option
@click.option("--template", help="Sentence around class names, such as 'a satellite photo of {}.'")
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
    class_order: ClassOrder | None,
    protocol: Protocol,
    targets: tuple[str, ...],
    shots: int,
    template: str | None,
    options: tuple[str, ...],
    balances: tuple[str, ...],
    out: str | None,
) -> None:
    """Train and evaluate one method once, and print what was resolved and measured.

    Example: cptlab run --method cpt --dataset food --tau 0.06 --set lambda_rs=0.5
    """
    import json

    from cptlab.checks import build, option
    from cptlab.data import full_name
    from cptlab.lab.runs import inputs, results
    from cptlab.lab.runs.locks import claimed
    from cptlab.lab.runs.one_pass import check_writable, execute
    from cptlab.lab.runs.ready import require_ready
    from cptlab.lab.study.lineup import with_options
    from cptlab.lab.study.profiles import profile_named
    from cptlab.lab.workspace import workspace
    from cptlab.methods.outside import full_reference
    from cptlab.methods.parts.balance import Balance
    from cptlab.methods.registry import find_method

    chosen = profile_named(profile)
    values = dict(option("--set", text) for text in options)
    built = chosen.make(find_method(full_reference(method)), protocol)
    built = with_options(built, values)
    plain = chosen.spec(full_name(dataset), built, tau, seed, protocol)
    balance = build(Balance, dict(option("--balance", text) for text in balances))
    spec = dataclasses.replace(
        plain,
        class_order=class_order or chosen.class_order,
        balance=balance if balances else None,
        n_max=shots,
        template=template,
        targets=tuple(map(full_name, targets)),
    )
    known = require_ready([spec])  # fails before anything is printed or made
    task = inputs.task_of(spec)
    store = workspace(profile, out).runs
    check_writable(store)
    click.echo(json.dumps(spec.as_dict(), indent=1))
    for remark in known:
        click.echo(remark)
    content = inputs.content_with(task)
    for remark in results.remarks(results.look([spec], store, content)):
        click.echo(remark)
    with claimed(store, [spec], wait=True):  # somebody else may be at it
        if (result := results.load_result(store, spec, content)) is None:
            for error in execute([spec], store, progress=True, task=task).values():
                raise error
        else:
            click.echo(f"This run is already done, stored in {result.folder}: nothing is trained.")
    _show(results.require_result(store, spec, content))


def _show(result: Result) -> None:
    """What was used in place of something, every metric, and where it is stored."""
    for what, instead in result.spec.method.substitutes().items():
        click.echo(f"No {what} given: {instead} are used instead.")
    for name, value in result.metrics.items():
        unit = UNITS.get(name, "nats" if name.endswith("_nll") else "%")
        shown = "     - (too few classes for thirds)" if value != value else f"{value:6.2f} {unit}"
        click.echo(f"{name:>14} {shown}")
    click.echo(f"Stored in {result.folder}")
