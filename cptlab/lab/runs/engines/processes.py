"""Processes of this machine, by joblib's loky."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed

from cptlab.lab.runs.engines.base import Engine, WorkerDied, call, caller
from cptlab.lab.runs.engines.workers import worker_processes

TRIES = 3
"""How often an item may kill its worker, or be in hand when it dies."""


@contextmanager
def processes(store: Path, jobs: int, threads: int) -> Generator[Engine]:
    """An engine over `jobs` processes; with one, items are done in this process."""
    with caller(store) as asked_by:  # joblib keeps processes, with the settings of their start

        def imap(
            function: Callable[[Any], Any], items: Sequence[Any]
        ) -> Generator[tuple[Any, Any]]:
            return _imap(partial(call, asked_by, function), items, jobs, threads)

        yield Engine(jobs, imap)


def _imap(
    function: Callable[[Any], Any], items: Sequence[Any], jobs: int, threads: int
) -> Generator[tuple[Any, Any]]:
    """A death breaks the whole pool: after a few with nothing finished, one item goes alone."""
    left, deaths = dict(enumerate(items)), 0
    while left:
        alone = deaths >= TRIES - 1
        batch = dict([next(iter(left.items()))]) if alone else dict(left)
        n_jobs = min(jobs, max(2, len(batch)))  # with one, joblib takes no process
        try:
            with worker_processes(n_jobs, threads):
                values = Parallel(return_as="generator_unordered")(
                    delayed(_numbered)(number, function, item) for number, item in batch.items()
                )
                for number, value in values:
                    deaths = 0
                    yield left.pop(number), value
        except BrokenExecutor:
            deaths += 1
            if alone:
                deaths = 0
                yield left.pop(next(iter(batch))), WorkerDied()


def _numbered(number: int, function: Callable[[Any], Any], item: object) -> tuple[int, object]:
    return number, function(item)
