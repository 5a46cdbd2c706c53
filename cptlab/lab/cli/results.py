"""The commands about stored results: `cptlab results pack`, `unpack` and `table`."""

from __future__ import annotations

from pathlib import Path

import click

from cptlab.lab.cli.options import profile_option
from cptlab.lab.workspace import workspace

out_option = click.option("--out", help="The folder that `cptlab figures --out` was given.")


@click.group()
def results() -> None:
    """Pack a study's results into one file, redraw figures from such a file, or list all runs.

    Example: cptlab results unpack my-study.tar.xz
    """


@results.command()
@click.argument("file", type=click.Path(path_type=Path))
@profile_option
@out_option
def pack(file: Path, profile: str, out: str | None) -> None:
    """Write the finished runs of a profile to FILE, a few megabytes for thousands.

    Example: cptlab results pack my-study.tar.xz --profile demo
    """
    from cptlab.lab.runs import archive
    from cptlab.lab.runs.results import load_result
    from cptlab.lab.study import studies
    from cptlab.lab.study.profiles import profile_named

    chosen, store = profile_named(profile), workspace(profile, out).runs
    specs = dict.fromkeys(spec for study in studies.STUDIES.values() for spec in study(chosen))
    found = [result for spec in specs if (result := load_result(store, spec))]
    if not found:
        raise ValueError(
            f"No run of profile {profile} is finished in {store}: `cptlab figures --profile "
            f"{profile}` makes them."
        )
    archive.pack(found, file, studies.with_prompts(chosen))
    click.echo(f"{len(found)} of {len(specs)} runs packed into {file}.")


@results.command()
@click.argument("file", type=click.Path(path_type=Path))
@profile_option
@out_option
def unpack(file: Path, profile: str, out: str | None) -> None:
    """Copy the results in FILE to where runs are stored; results that are there stay.

    `cptlab figures` with the same profile then redraws the figures without training.

    Example: cptlab results unpack my-study.tar.xz
    """
    from cptlab.lab.runs import archive

    store = workspace(profile, out).runs
    click.echo(f"{archive.unpack(file, store)} results were new to {store}.")


@results.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path), required=False)
def table(store: Path, file: Path | None) -> None:
    """Write all finished runs in STORE to the CSV file FILE, or show the main columns.

    STORE is a folder of runs, or one that --out was given. A column for everything that was chosen,
    hyper-parameters and schedule included.

    Example: cptlab results table comparison birds.csv
    """
    from cptlab.lab.runs.frame import COSTS, read_results

    frame = read_results(store)
    if file is None:
        names = list(frame.columns)
        upto = names[1 : names.index(COSTS[0])]  # without the long run id
        shown = frame[[name for name in upto if not name.startswith(("target ", "domain "))]]
        click.echo(shown.to_string(index=False, float_format="{:.4g}".format, na_rep="-"))
    else:
        frame.to_csv(file, index=False)
        click.echo(f"{len(frame)} runs, {len(frame.columns)} columns: {file}")
