"""The commands that use a trained prompt: `cptlab classify`, `export` and `evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cptlab.checks import first_few, read_text, shown
from cptlab.lab.cli.command import Command
from cptlab.lab.cli.names import EMBEDDED, PAPER, one_of
from cptlab.lab.cli.options import data_root_option
from cptlab.lab.workspace import DEFAULT_PROFILE, workspace

if TYPE_CHECKING:
    import pandas as pd

    from cptlab.data import Protocol
    from cptlab.lab.runs.finished import Result

run_argument = click.argument("run", shell_complete=one_of((), or_path=True))
names_option = click.option(
    "--names",
    help="Class names in place of those that the run learned: cat,dog or a text file with one a "
    "line.",
)
method_option = click.option(
    "--method",
    help="Where the run's method is, if it is one of your own: path/to/file.py:Class.",
)


@click.command(cls=Command)
@run_argument
@click.argument("images", nargs=-1, required=True, shell_complete=one_of((), or_path=True))
@names_option
@click.option(
    "--top",
    default=3,
    show_default=True,
    type=click.IntRange(min=1),
    help="Names to show for each image.",
)
@click.option("--csv", type=click.Path(path_type=Path), help="Write all probabilities to a file.")
@method_option
def classify(
    run: str,
    images: tuple[str, ...],
    names: str | None,
    top: int,
    csv: Path | None,
    method: str | None,
) -> None:
    """Classify IMAGES, files or folders of them, with the prompts of a finished RUN.

    RUN is the folder of a run, or its id in the default store. Images that cannot be read are
    named, the others are classified, and the exit status is 1.

    Example: cptlab classify out/runs/birds-cpt-tau0.06-seed1-1a2b3c4d5e a.jpg more-images
    """
    check_folder(csv)
    result = stored(run, method)
    frame = result.classify(images, listed(names))
    for line in table(frame, top):
        click.echo(line)
    classes = list(frame.columns[4:])
    whose = "of --names" if names else "that the run learned"
    click.echo(f"Classes: the {len(classes)} {whose} ({first_few(classes)}).")
    if csv is not None:
        frame.to_csv(csv, index=False, errors="surrogateescape")  # of odd file names
        click.echo(f"Written to {csv}")
    if (frame["problem"] != "").any():
        raise SystemExit(1)  # a warning has named them


@click.command(cls=Command)
@run_argument
@click.argument("file", type=click.Path(path_type=Path))
@names_option
@method_option
def export(run: str, file: Path, names: str | None, method: str | None) -> None:
    """Write a finished RUN's class weights to FILE, for programs that have no cptlab.

    FILE is a safetensors file with the weights and, as metadata, the names of the classes, logit
    scale, normalisation and backbone. A warning says if the method needs more than the weights.

    Example: cptlab export out/runs/birds-coop-tau0.06-seed1-1a2b3c4d5e birds.safetensors
    """
    stored(run, method).export(file, listed(names))
    click.echo(f"Written to {file}")


@click.command(cls=Command)
@run_argument
@click.option(
    "--dataset",
    required=True,
    help="One of the embedded or the paper's data sets, or the path of a folder or CSV file.",
    shell_complete=one_of((*EMBEDDED, *PAPER), or_path=True),
)
@click.option(
    "--protocol",
    type=click.Choice(["few_shot", "base_to_new", "transfer"]),
    default="few_shot",
    show_default=True,
    help="What is tested: all classes, both halves, or all data sets that transfer has.",
)
@click.option("--csv", type=click.Path(path_type=Path), help="Write accuracies by class to a file.")
@method_option
@data_root_option
def evaluate(
    run: str, dataset: str, protocol: Protocol, csv: Path | None, method: str | None
) -> None:
    """Test the prompts of a finished RUN on another data set, beside the frozen CLIP.

    Example: cptlab evaluate out/runs/food-cpt-tau0.06-seed1-1a2b3c4d5e --dataset travel
    """
    from cptlab.clip import reads
    from cptlab.data import is_path
    from cptlab.data.doctor import require_sound

    check_folder(csv)
    result = stored(run, method)
    if is_path(dataset):
        own = Path(dataset).expanduser()  # what is damaged or too long should fail at once
        require_sound(own, reads(result.spec.backbone), result.spec.method.sentences)
    metrics, classes = result.evaluate(dataset, protocol)
    click.echo(metrics.to_string(index=False, float_format="{:.2f}".format))
    click.echo("Percent; macro: mean over classes; zero_shot: the frozen CLIP.")
    if csv is not None:
        classes.to_csv(csv, index=False)
        click.echo(f"Written to {csv}")


def check_folder(file: Path | None) -> None:
    """Raise ValueError if the folder of a file that is to be written is not there."""
    if file is not None and not file.absolute().parent.is_dir():
        raise ValueError(f"There is no folder {file.parent} for {file.name}: make it first.")


def stored(run: str, method: str | None = None) -> Result:
    """The finished run in a folder, or of an id in the default store; errors of `load_run`.

    method: a reference to the run's method, if it is the user's own.
    """
    from cptlab.lab.runs.finished import load_run
    from cptlab.methods.outside import full_reference
    from cptlab.methods.registry import find_method

    if method is not None:
        find_method(full_reference(method))
    store = workspace(DEFAULT_PROFILE).runs
    if not Path(run).expanduser().exists():
        if not (store / run).is_dir():
            raise ValueError(f"{run} is neither a folder nor the id of a run in {store}.")
        return load_run(store / run)
    return load_run(run)


def listed(names: str | None) -> list[str] | None:
    """Class names of the option --names: separated by commas, or the lines of a text file.

    Raises ValueError for a .txt file that is not there or no text.
    """
    if names is None:
        return None
    file = Path(names).expanduser()
    if not (file.suffix == ".txt" or file.is_file()):
        return names.split(",")
    return [line for line in read_text(file).splitlines() if line.strip()]


def table(frame: pd.DataFrame, top: int) -> list[str]:
    """A line for each image of a classification: its most probable classes, or its problem."""
    images = [shown(str(image)) for image in frame["image"]]
    wide = max(map(len, images))
    lines = []
    for image, problem, row in zip(
        images, frame["problem"], frame.iloc[:, 4:].to_numpy(), strict=True
    ):
        best = (-row).argsort(kind="stable")[:top]
        shares = "   ".join(f"{frame.columns[4 + i]} {100 * row[i]:.1f} %" for i in best)
        lines.append(f"{image:<{wide}}   {f'cannot be read: {problem}' if problem else shares}")
    return lines
