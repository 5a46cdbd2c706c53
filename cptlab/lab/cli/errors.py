"""Errors of the command line: one line on stderr, and the exit status."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import warnings
from contextlib import suppress
from types import FrameType

import click

ADVICE = {
    errno.ENOENT: "Check the path.",
    errno.EACCES: "Make it accessible, or choose another place.",
    errno.EROFS: "Choose another place.",
    errno.ENOTDIR: "Choose another place.",
    errno.EISDIR: "Name a file, not a folder.",
    errno.ENOSPC: "Free some space and start again.",
}


ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that ask a program to end: of `kill` and of batch systems, and of a closed terminal."""
PATIENCE = 40
"""Seconds for clearing up after one of them."""
KEPT = "; finished runs are kept, start again to go on."


class Ended(SystemExit):
    """One of these signals came; what is in hand is cleared up as after an interrupt."""


def call(command: click.Command, name: str) -> None:
    """Do what the arguments of this process ask of a command; `name` is that of the program.

    Expected errors become one line on stderr and exit status 1, wrong usage is explained with
    status 2, an interrupt ends with 130, SIGTERM with 143 and a closed terminal with 129.
    """
    for number in ENDING:
        if signal.getsignal(number) == signal.SIG_DFL:  # nohup has SIGHUP ignored
            signal.signal(number, _end)
    # Of what workers hold that are stopped in the middle; it is cleared up all the same.
    quiet = "ignore:resource_tracker"
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [os.getenv("PYTHONWARNINGS"), quiet]))
    # as the documentation of `warnings` allows
    warnings.formatwarning = lambda message, *_: f"cptlab: {message}\n"  # ty: ignore[invalid-assignment]
    try:
        command.main(prog_name=name, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt, Ended) as error:
        ended = isinstance(error, Ended)
        with suppress(OSError):  # the terminal may be gone
            what = "Ended" if ended else "Interrupted"
            click.echo(f"{what}{KEPT}", err=True)
        sys.exit(error.code if ended else 130)
    except (ValueError, OSError, RuntimeError, ModuleNotFoundError) as error:
        click.echo(f"cptlab: {message(error)}", err=True)
        sys.exit(1)


def _end(number: int, frame: FrameType | None) -> None:
    # An exception that comes between taking a lock and its release leaves it taken, and those who
    # clear up may wait for it: rarely, but for ever.
    timer = threading.Timer(PATIENCE, _give_up, [128 + number])
    timer.daemon = True
    timer.start()
    raise Ended(128 + number)


def _give_up(status: int) -> None:
    """End without clearing up; worker processes see that, and end too."""
    with suppress(OSError):
        click.echo(f"Ended{KEPT}", err=True)
    os._exit(status)


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
