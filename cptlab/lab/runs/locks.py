"""Several runners on one store: no two of them do the same run at the same time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from cptlab.training.spec import RunSpec

LOCK = ".lock"


@contextmanager
def claimed(store: Path, specs: Sequence[RunSpec], wait: bool) -> Iterator[bool]:
    """Hold some runs for oneself; yields whether that worked.

    The system lets go of the locks of a process that ends, however it ends. `wait` until others
    have finished these runs, or give up at once if one of them is held.
    """
    with ExitStack() as stack:
        try:
            for name in sorted({spec.run_id for spec in specs}):  # one order for all: no deadlock
                (store / name).mkdir(parents=True, exist_ok=True)
                lock = FileLock(store / name / LOCK, timeout=-1 if wait else 0)
                stack.enter_context(lock)
            mine = True
        except Timeout:
            stack.close()
            mine = False
        yield mine
