"""The workers of a Dask cluster: one that runs already, or SLURM jobs by dask-jobqueue."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from cptlab.lab.runs.engines.base import Caller, Engine, WorkerDied, call, caller

SECONDS = 10
"""How long a scheduler may take to answer."""
FAST = """export DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON="{'MALLOC_TRIM_THRESHOLD_': None}\""""
"""For the shell that starts a worker. Dask's nanny has glibc give memory back at once, which makes
every large tensor a new mapping: training took half as long again (docs/log.md)."""
HOW = (
    "dask-jobqueue reads the cores, memory, queue, walltime and so on of a job from jobqueue.yaml "
    "in ~/.config/dask: https://jobqueue.dask.org"
)


@contextmanager
def dask_engine(where: str, store: Path) -> Generator[Engine]:
    """An engine over the workers of the scheduler at an address.

    Raises RuntimeError if distributed is not installed, or there is no scheduler or no worker.
    """
    distributed = _needed("distributed")
    try:
        client = distributed.Client(where, timeout=SECONDS, set_as_default=False)
    except OSError as error:
        raise RuntimeError(
            f"No Dask scheduler answers at {where}. Start one with `dask scheduler` and workers "
            f"with `dask worker {where} --nthreads 1`, or correct the address."
        ) from error
    with client, _without_tracebacks(), caller(store) as asked_by:
        workers = len(client.nthreads())
        if not workers:
            raise RuntimeError(
                f"The Dask scheduler at {where} has no workers: start some with `dask worker "
                f"{where} --nthreads 1`."
            )
        yield Engine(workers, partial(_imap, client, asked_by))


@contextmanager
def slurm_engine(store: Path, jobs: int) -> Generator[Engine]:
    """An engine over SLURM jobs, as many of them as asked for at any time: lost ones are replaced.

    Raises RuntimeError if dask-jobqueue or SLURM is not installed or a job is not described.
    """
    distributed, _ = _needed("distributed"), _needed("dask_jobqueue")
    if shutil.which("sbatch") is None:
        raise RuntimeError(
            "There is no sbatch here: start --engine slurm where SLURM jobs can be submitted."
        )
    try:
        cluster = slurm_cluster()
    except (ValueError, TypeError) as error:
        reason = str(error).splitlines()[0].rstrip(",: ")
        raise RuntimeError(f"SLURM jobs cannot be made ({reason}). {HOW}") from error
    with (
        cluster,
        distributed.Client(cluster, set_as_default=False) as client,
        _without_tracebacks(),
        caller(store) as asked_by,
    ):
        cluster.adapt(minimum_jobs=jobs, maximum_jobs=jobs)
        yield Engine(jobs, partial(_imap, client, asked_by))  # they may wait in SLURM's queue


@contextmanager
def _without_tracebacks() -> Generator[None]:
    """Keep Dask's log of a scheduler that is lost off the screen: our message says what to do."""
    log = logging.getLogger("distributed.client")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def slurm_cluster(**options: object) -> Any:
    """A dask_jobqueue.SLURMCluster as the site configures it, whose workers train at full speed."""
    dask, dask_jobqueue = _needed("dask"), _needed("dask_jobqueue")
    site = dask.config.get("jobqueue.slurm.job-script-prologue") or []
    return dask_jobqueue.SLURMCluster(job_script_prologue=[*site, FAST], **options)


def _imap(
    client: Any, asked_by: Caller, function: Callable[[Any], Any], items: Sequence[Any]
) -> Generator[tuple[Any, Any]]:
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
) -> Generator[tuple[Any, Any]]:
    distributed = _needed("distributed")
    futures = {client.submit(call, asked_by, function, item, pure=False): item for item in items}
    try:
        for future in distributed.as_completed(futures, loop=client.loop):
            try:
                value = future.result()
            except distributed.KilledWorker:
                value = WorkerDied()
            except CancelledError as error:
                raise RuntimeError(
                    "The Dask scheduler went away. Finished runs are kept: mend it and start the "
                    "same command again."
                ) from error
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


def _needed(module: str) -> ModuleType:
    """Import a package of the extra for clusters; RuntimeError with what to install without it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise RuntimeError(
            f"This engine needs the package {module}: pip install 'cptlab[dask]'."
        ) from error
