"""What engines are, and what every remote worker checks before it calls anything."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from cptlab import __version__

DATA_ROOT = "CPTLAB_DATA"  # as in cptlab.data.root, which comes with all of torch
PACKAGES = ("cptlab", "torch", "open_clip_torch", "numpy", "scikit-learn")
"""Those that decide the numbers of a run."""

Map = Callable[[Callable[[Any], Any], Sequence[Any]], Generator[tuple[Any, Any]]]
"""(function, items) -> pairs of item and value (or WorkerDied), as they are finished."""

_alone = threading.Lock()  # a Dask worker may have several threads; torch's settings are global


class WorkerDied(RuntimeError):
    """A worker died with an item in hand, each time that it was tried."""

    def __init__(self) -> None:
        super().__init__("the worker died each time that it was tried (out of memory?)")


@dataclass(frozen=True)
class Engine:
    """workers: how many items are in hand at once. imap: see `Map`; closing it early stops them."""

    workers: int
    imap: Map


@dataclass(frozen=True)
class Caller:
    """What the workers of one engine must agree with, and what they are told.

    Attributes:
        token: path of a file that lies in the store as long as the engine is in use.
        versions: of `PACKAGES`.
        data_root: value of CPTLAB_DATA, if set.
    """

    token: Path
    versions: dict[str, str]
    data_root: str | None


@contextmanager
def caller(store: Path) -> Generator[Caller]:
    """This process, as its workers should know it."""
    with NamedTemporaryFile(dir=store.resolve(), prefix=".in-use-") as file:
        yield Caller(Path(file.name), versions(), os.environ.get(DATA_ROOT))


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Installed versions; of cptlab that of the code: metadata of a checkout may be older."""
    others = {name: metadata.version(name) for name in packages if name != "cptlab"}
    return {"cptlab": __version__, **others}


def call(asked_by: Caller, function: Callable[[Any], Any], item: object) -> object:
    """In a worker: function(item), after a look at store and versions; one call at a time.

    Raises RuntimeError, naming the machine, if results of this worker would be lost or mixed.
    """
    with _alone:
        if not asked_by.token.exists():
            raise RuntimeError(
                f"The worker on {platform.node()} does not see {asked_by.token.parent}: all need "
                "the same folder at the same path, on a shared file system. Choose one with --out."
            )
        mine, wanted = versions(), asked_by.versions
        other = [
            f"{name} {mine[name]}, not {wanted[name]}"
            for name in wanted
            if mine[name] != wanted[name]
        ]
        if other:
            raise RuntimeError(
                f"The worker on {platform.node()} has {'; '.join(other)}: results would be mixed. "
                "Install the same versions everywhere."
            )
        if asked_by.data_root is not None:
            os.environ[DATA_ROOT] = asked_by.data_root
        return function(item)
