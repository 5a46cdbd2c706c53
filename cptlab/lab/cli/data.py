"""The commands about data: `cptlab doctor`, `cptlab data fetch`, `cptlab data subset`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cptlab.lab.cli.command import Command, Group
from cptlab.lab.cli.names import EMBEDDED, PAPER, one_of
from cptlab.lab.cli.options import data_root_option


@click.command(cls=Command)
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--full", is_flag=True, help="Decode every image, not only some.")
@click.option(
    "--backbone",
    default="EmojiCLIP",
    show_default=True,
    help="The model that will read the class names at PATH; others read longer ones.",
)
@data_root_option
def doctor(path: Path | None, full: bool, backbone: str) -> None:
    """Check the paper's data sets, or the folder or CSV file at PATH; status 1 if one is broken.

    Numbers are compared with the published ones. The header of every image is read; the first image
    of each class and 50 others are decoded.

    Example: cptlab doctor --data-root ~/data
    """
    from cptlab.data import doctor as checks
    from cptlab.data import is_path
    from cptlab.data.root import data_root

    if path is None:
        checkups = checks.examine_root(data_root(), full)
    else:
        from cptlab.clip import reads

        checkups = [checks.examine_own(path, full, reads(backbone))]
        if not is_path(str(path)):
            checkups[0].notes.append(
                f"other commands take {path} for a data set of that name, ./{path} for this folder"
            )
    click.echo(checks.report(checkups))
    if any(checkup.problems for checkup in checkups):
        sys.exit(1)


@click.group(cls=Group)
def data() -> None:
    """Get the paper's data sets; write few-shot subsets.

    Example: cptlab data fetch dtd --data-root ~/data
    """


@data.command("fetch")
@click.argument("name", shell_complete=one_of(PAPER))
@data_root_option
def data_fetch(name: str) -> None:
    """Download the data set NAME of the paper, as far as torchvision can; say what is left to do.

    Example: cptlab data fetch dtd --data-root ~/data
    """
    from cptlab.data.fetch import fetch
    from cptlab.data.paper import ROWS
    from cptlab.data.root import data_root

    root = data_root()
    steps = fetch(name, root)
    if steps:
        click.echo("\n".join([f"{name}: still to do by hand:", *(f"- {step}" for step in steps)]))
    else:
        click.echo(
            f"{name}: images and lists are there; `cptlab doctor` checks that they are whole. "
            "After a download that was interrupted, remove what is below "
            f"{root / ROWS[name].folder} and try again."
        )


@data.command("subset")
@click.argument("name", shell_complete=one_of((*EMBEDDED, *PAPER), or_path=True))
@click.option("--seed", default=1, show_default=True)
@click.option("--shots", default=16, show_default=True, help="Images of the largest class.")
@click.option("--tau", default=1.0, show_default=True, help="Imbalance ratio.")
@click.option(
    "--classes", type=click.Choice(["all", "base", "new"]), default="all", show_default=True
)
@click.option("--out", type=click.Path(path_type=Path), help="Write the subset as JSON.")
@click.option("--check", type=click.Path(path_type=Path), help="Compare with a subset in a file.")
@data_root_option
def data_subset(
    name: str,
    seed: int,
    shots: int,
    tau: float,
    classes: str,
    out: Path | None,
    check: Path | None,
) -> None:
    """Draw the training images that a run with this seed learns from.

    Example: cptlab data subset food --seed 1 --shots 16
    """
    from cptlab.data import draw_long_tailed, open_dataset
    from cptlab.data.few_shot import read_subset, subset_values, write_subset

    dataset = open_dataset(name)
    if classes != "all":
        dataset = dataset.halves()[0 if classes == "base" else 1]
    subset = draw_long_tailed(dataset, tau, seed, shots)
    click.echo(
        f"{dataset.name}, {classes} classes, seed {seed}: {len(subset.samples)} images of "
        f"{len(subset.counts)} classes, checksum {subset.checksum}"
    )
    values = subset_values(dataset, subset, seed, shots, tau)
    if check is not None and read_subset(check) != values:
        raise ValueError(f"{check} holds another subset than the one that is drawn now.")
    if out is not None:
        write_subset(values, out)
        click.echo(f"Written to {out}")
