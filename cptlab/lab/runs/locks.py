"""Several commands on one store: no two of them do the same work at the same time."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from cptlab.training.spec import RunSpec

LOCK = ".lock"


def claimed(store: Path, specs: Sequence[RunSpec], wait: bool) -> AbstractContextManager[bool]:
    """Hold some runs for oneself (`held`)."""
    return held([store / spec.run_id / LOCK for spec in specs], wait)


@contextmanager
def held(locks: Iterable[Path], wait: bool) -> Generator[bool]:
    """Hold lock files for oneself, all or none; yields whether that worked.

    The system lets go of the locks of a process that ends, however it ends. `wait` until others
    have let go of them, or give up at once if one of them is held.
    """
    with ExitStack() as stack:
        try:
            for path in sorted(set(locks)):  # one order for all: no deadlock
                path.parent.mkdir(parents=True, exist_ok=True)
                stack.enter_context(FileLock(path, timeout=-1 if wait else 0))
            mine = True
        except Timeout:
            stack.close()
            mine = False
        yield mine
