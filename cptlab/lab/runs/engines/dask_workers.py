"""The workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from cptlab.lab.runs.engines.base import LOST, Caller, Engine, WorkerDied, call, caller, needed

SECONDS = 10
"""How long a scheduler may take to answer."""
FAST = """export DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON="{'MALLOC_TRIM_THRESHOLD_': None}\""""
"""For the shell that starts a worker. Dask's nanny has glibc give memory back at once, which makes
every large tensor a new mapping: training took half as long again (docs/log.md)."""


@contextmanager
def dask_engine(where: str, store: Path) -> Iterator[Engine]:
    """An engine over the workers of the scheduler at an address.

    Raises RuntimeError if distributed is not installed, or there is no scheduler or no worker.
    """
    distributed = needed("distributed", "dask")
    try:
        client = distributed.Client(where, timeout=SECONDS, set_as_default=False)
    except OSError as error:
        raise RuntimeError(
            f"No Dask scheduler answers at {where}. Start one with `dask scheduler` and workers "
            f"with `dask worker {where} --nthreads 1`, or correct the address."
        ) from error
    with client, caller(store) as asked_by:
        workers = len(client.nthreads())
        if not workers:
            raise RuntimeError(
                f"The Dask scheduler at {where} has no workers: start some with `dask worker "
                f"{where} --nthreads 1`."
            )
        yield Engine(workers, partial(imap, client, asked_by))


def imap(
    client: Any, asked_by: Caller, function: Callable[[Any], Any], items: Sequence[Any]
) -> Iterator[tuple[Any, Any]]:
    """`Map` over the workers of a distributed.Client.

    Dask blames a death on all that the worker had in its queue, so each of them has another chance
    with no other beside it.
    """
    suspects = []
    for item, value in _tried(client, asked_by, function, items):
        if isinstance(value, WorkerDied):
            suspects.append(item)
        else:
            yield item, value
    for item in suspects:
        yield from _tried(client, asked_by, function, [item])


def _tried(
    client: Any, asked_by: Caller, function: Callable[[Any], Any], items: Sequence[Any]
) -> Iterator[tuple[Any, Any]]:
    distributed = needed("distributed", "dask")
    futures = {client.submit(call, asked_by, function, item, pure=False): item for item in items}
    try:
        for future in distributed.as_completed(futures, loop=client.loop):
            try:
                value = future.result()
            except distributed.KilledWorker:
                value = WorkerDied()
            except CancelledError as error:
                raise RuntimeError(f"The Dask scheduler went away. {LOST}") from error
            except ModuleNotFoundError as error:
                raise RuntimeError(
                    f"A Dask worker cannot do this ({error}): install the same packages everywhere."
                ) from error
            yield futures.pop(future), value  # let go, or Dask does it again if it is lost
    finally:
        _stop(client, [future for future in futures if not future.done()])


def _stop(client: Any, futures: list[Any]) -> None:
    """Drop what waits, and restart the workers that are at it: Dask cannot interrupt a task."""
    if futures and client.status == "running":
        keys = {future.key for future in futures}
        busy = [worker for worker, at in client.processing().items() if keys & set(at)]
        client.cancel(futures)
        if busy:
            client.restart_workers(busy, raise_for_error=False)
