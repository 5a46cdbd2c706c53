"""Errors of the command line: one line on stderr, and the exit status."""

from __future__ import annotations

import errno
import sys
import warnings

import click

ADVICE = {
    errno.ENOENT: "Check the path.",
    errno.EACCES: "Make it accessible, or choose another place.",
    errno.EROFS: "Choose another place.",
    errno.ENOTDIR: "Choose another place.",
    errno.EISDIR: "Name a file, not a folder.",
    errno.ENOSPC: "Free some space and start again.",
}


def call(command: click.Command, name: str) -> None:
    """Do what the arguments of this process ask of a command; `name` is that of the program.

    Expected errors become one line on stderr and exit status 1, wrong usage is explained with
    status 2, an interrupt ends with 130.
    """
    # as the documentation of `warnings` allows
    warnings.formatwarning = lambda message, *_: f"cptlab: {message}\n"  # ty: ignore[invalid-assignment]
    try:
        command.main(prog_name=name, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted; finished runs are kept, start again to go on.", err=True)
        sys.exit(130)
    except (ValueError, OSError, RuntimeError, ModuleNotFoundError) as error:
        click.echo(f"cptlab: {message(error)}", err=True)
        sys.exit(1)


def message(error: Exception) -> str:
    """The message of an expected error; for errors of the system and of Python with advice."""
    if isinstance(error, ModuleNotFoundError):
        return (
            f"The package {error.name} is not installed here. What cptlab needs comes with "
            "`pip install 'cptlab[lab]'`, or in a checkout with `make env`."
        )
    if isinstance(error, OSError) and error.strerror:  # our own have a message only
        where = f"{error.filename}: " if error.filename is not None else ""
        return f"{where}{error.strerror}. {ADVICE.get(error.errno, '')}".rstrip()
    return str(error)
