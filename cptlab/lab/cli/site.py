"""The command `cptlab site`."""

from __future__ import annotations

import click

from cptlab.lab.cli.command import Command
from cptlab.lab.cli.options import profile_option
from cptlab.lab.cli.results import out_option
from cptlab.lab.workspace import workspace


@click.command(cls=Command)
@profile_option
@out_option
def site(profile: str, out: str | None) -> None:
    """Make the site anew from executed notebooks and figures, as `cptlab figures` does at its end.

    Example: cptlab site --profile smoke
    """
    folders = workspace(profile, out)
    click.echo(f"Profile {profile}: making pages of {folders.notebooks}.")  # imports take seconds
    from cptlab.lab.site import build_site
    from cptlab.lab.study.profiles import profile_named

    for remark in build_site(profile_named(profile), folders):
        click.echo(remark)
    click.echo(f"Site: {folders.site / 'index.html'}")
