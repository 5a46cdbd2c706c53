"""The commands about stored results: `cptlab results pack`, `unpack` and `table`."""

from __future__ import annotations

from pathlib import Path

import click

from cptlab.lab.cli.command import Group
from cptlab.lab.cli.options import profile_option
from cptlab.lab.workspace import workspace

out_option = click.option("--out", help="The folder that `cptlab figures --out` was given.")


@click.group(cls=Group)
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
    store = workspace(profile, out).runs
    click.echo(f"Profile {profile}: looking at what is done in {store}.")  # imports take seconds
    from cptlab.lab.runs import archive
    from cptlab.lab.runs.results import look
    from cptlab.lab.study import studies
    from cptlab.lab.study.notebooks import STUDIES
    from cptlab.lab.study.profiles import profile_named

    chosen = profile_named(profile)
    specs = dict.fromkeys(spec for study in STUDIES.values() for spec in study(chosen))
    looked = look(specs, store, progress=True)
    found = looked.results(looked.done)
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

    `cptlab figures` with the same profile and --out then redraws the figures without training.

    Example: cptlab results unpack my-study.tar.xz
    """
    folders = workspace(profile, out)
    click.echo(f"Unpacking {file} into {folders.runs}.")  # the imports below take seconds
    from cptlab.lab.runs import archive

    runs = archive.unpack(file, folders.runs)
    click.echo(f"{sum(runs.values())} of {len(runs)} results were new.")
    click.echo(_use(set(runs), profile, out))


def _use(unpacked: set[str], profile: str, out: str | None) -> str:
    """Which command looks for these runs where they lie now."""
    from cptlab.lab.study.notebooks import STUDIES
    from cptlab.lab.study.profiles import PROFILES, profile_named

    def used_by(name: str) -> int:
        chosen = profile_named(name)
        return len(unpacked & {s.run_id for study in STUDIES.values() for s in study(chosen)})

    used = {name: used_by(name) for name in dict.fromkeys((profile, *PROFILES))}
    best = max(used, key=lambda name: used[name])  # the first one of the best, so the one asked for
    if not used[best]:
        return (
            "None of them is a run of a profile as it comes: name the profile, with what was "
            "changed, that they were packed with."
        )
    where, store = "" if out is None else f" --out {out}", workspace(best, out).runs
    uses = f"`cptlab figures --profile {best}{where}` uses {used[best]} of them"
    if store == workspace(profile, out).runs:
        return f"{uses}."
    return f"{uses}, but looks in {store}: unpack them again with --profile {best}."


@results.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path), required=False)
def table(store: Path, file: Path | None) -> None:
    """Write all finished runs in STORE to the CSV file FILE, or show the main columns,
    among them what differs between runs of a method.

    STORE is a folder of runs, or one that --out was given. A column for everything that was chosen,
    hyper-parameters and schedule included.

    Example: cptlab results table comparison birds.csv
    """
    click.echo(f"Reading the runs in {store}.", err=True)  # seconds; the table may go elsewhere
    from cptlab.lab.runs.frame import COSTS, read_results

    frame = read_results(store)
    if file is None:
        names = list(frame.columns)
        upto = names[1 : names.index(COSTS[0])]  # without the long run id
        shown = [name for name in upto if not name.startswith(("target ", "domain "))]
        last = max(names.index(name) for name in COSTS if name in names)  # older runs lack some
        chosen = names[last + 1 :]
        each = frame.groupby("method")[chosen].nunique()
        varied = [name for name in chosen if (each[name] > 1).any()]
        frame = frame[[*shown[:5], *varied, *shown[5:]]]
        frame = frame.assign(dataset=[Path(name).stem for name in frame["dataset"]])
        click.echo(frame.to_string(index=False, float_format="{:.4g}".format, na_rep="-"))
    else:
        frame.to_csv(file, index=False)
        click.echo(f"{len(frame)} runs, {len(frame.columns)} columns: {file}")
