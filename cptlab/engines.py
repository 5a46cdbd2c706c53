"""Where passes run: processes of this machine, or the workers of a Dask, Ray or SLURM cluster.

An engine calls a function on items, in any order, on workers that may die. What a dead worker had
in hand is tried again (with runs: from their last checkpoint); what keeps killing its worker comes
back as `WorkerDied`, and everything else is done. Workers need the same versions as the caller, and
the result store at the same path.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import ModuleType
from typing import Any

from joblib import Parallel, delayed, parallel_config

LOCAL = "loky"
TRIES = 3
SECONDS = 10
"""How long a cluster may take to answer."""
DASK = ("tcp://", "tls://", "ucx://")
PASSED_ON = ("CPTLAB_DATA", "HF_HOME", "HF_HUB_OFFLINE")
"""Environment variables that workers get from the caller."""
_alone = threading.Lock()  # a Dask worker may have several threads; torch's settings are global


class WorkerDied(RuntimeError):
    """A worker died with an item in hand, each time that it was tried."""

    def __init__(self) -> None:
        super().__init__("the worker died each time that it was tried (out of memory?)")


Map = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[tuple[Any, Any]]]
"""(function, items) -> pairs of item and value (or WorkerDied), as they are finished."""


@dataclass(frozen=True)
class Engine:
    """workers: how many items are in hand at once. imap: see `Map`."""

    workers: int
    imap: Map


@contextmanager
def engine(where: str, store: Path, jobs: int = 1, threads: int = 1) -> Iterator[Engine]:
    """An engine for work that writes to a store.

    Args:
        where: "loky" for processes of this machine; the address of a Dask scheduler
            ("tcp://host:8786"); "ray" or the address of a Ray cluster ("ray://host:10001"); or
            "slurm", with dask-jobqueue's configuration of this site.
        store: folder that every worker must see.
        jobs: processes for "loky" (1: none beside this one), jobs to ask SLURM for.
        threads: of one item.

    Raises:
        ValueError: for something else; RuntimeError if a package is not installed, a cluster does
            not answer, or its workers lack the store or have other versions.
    """
    if where == LOCAL:
        yield Engine(jobs, lambda function, items: _processes(function, items, jobs, threads))
    elif where == "ray" or where.startswith("ray://"):
        with _ray(where, store, threads) as found:
            yield found
    elif where == "slurm" or where.startswith(DASK):
        with _dask(where, store, jobs) as found:
            yield found
    else:
        raise ValueError(
            f"Unknown engine {where!r}: give loky, the address of a Dask scheduler "
            "(tcp://host:8786), ray, the address of a Ray cluster (ray://host:10001), or slurm."
        )


def _processes(
    function: Callable[[Any], Any], items: Sequence[Any], jobs: int, threads: int
) -> Iterator[tuple[Any, Any]]:
    """When workers have died, the items that are left run one at a time, to know which it is."""
    left, deaths = dict(enumerate(items)), 0
    while left:
        alone = deaths >= TRIES - 1
        batch = dict([next(iter(left.items()))]) if alone else dict(left)
        n_jobs = 2 if alone else min(jobs, len(batch))  # with one job joblib takes no process
        try:
            with parallel_config("loky", n_jobs=n_jobs, inner_max_num_threads=threads):
                values = Parallel(return_as="generator_unordered")(
                    delayed(_numbered)(number, function, item) for number, item in batch.items()
                )
                for number, value in values:
                    yield left.pop(number), value
        except BrokenExecutor:
            deaths += 1
            if alone:
                yield left.pop(next(iter(batch))), WorkerDied()


def _numbered(number: int, function: Callable[[Any], Any], item: object) -> tuple[int, object]:
    return number, function(item)


@contextmanager
def _dask(where: str, store: Path, jobs: int) -> Iterator[Engine]:
    distributed = _needed("distributed", "dask")
    cluster = None
    if where == "slurm":
        cluster = _needed("dask_jobqueue", "slurm").SLURMCluster()
        cluster.scale(jobs=jobs)
    try:
        client = distributed.Client(cluster or where, timeout=SECONDS, set_as_default=False)
    except OSError as error:
        raise RuntimeError(
            f"No Dask scheduler answers at {where}. Start one with `dask scheduler` and workers "
            "with `dask worker ADDRESS --nthreads 1`, or correct the address."
        ) from error

    def imap(function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
        futures = {
            client.submit(_with, _environment(), function, item, pure=False): item for item in items
        }
        try:
            for future in distributed.as_completed(futures):
                error = future.exception()
                if isinstance(error, distributed.KilledWorker):
                    yield futures[future], WorkerDied()
                elif error is not None:
                    raise error
                else:
                    yield futures[future], future.result()
        finally:
            client.cancel(list(futures))

    with client:
        workers = len(client.scheduler_info(n_workers=-1)["workers"])
        if workers:  # those of SLURM may still be in the queue
            with _token(store) as token:
                _check(client.run(_look, token).values(), store)
        elif cluster is None:
            raise RuntimeError(
                f"The Dask scheduler at {where} has no workers: start some with `dask worker "
                f"{where} --nthreads 1`."
            )
        yield Engine(workers or jobs, imap)
    if cluster is not None:
        cluster.close()


@contextmanager
def _ray(where: str, store: Path, threads: int) -> Iterator[Engine]:
    ray = _needed("ray", "ray")
    try:
        ray.init(
            address=None if where == "ray" else where,
            include_dashboard=False if where == "ray" else None,
            log_to_driver=False,
            logging_level="ERROR",
        )
    except (ConnectionError, ValueError, TimeoutError) as error:
        raise RuntimeError(
            f"No Ray cluster answers at {where} ({error}). Start one with `ray start --head "
            "--ray-client-server-port 10001`, or correct the address."
        ) from error
    remote = ray.remote(num_cpus=threads, max_retries=TRIES - 1)(_with)

    def imap(function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
        waiting = {remote.remote(_environment(), function, item): item for item in items}
        try:
            while waiting:
                (done,), _ = ray.wait(list(waiting), num_returns=1)
                item = waiting.pop(done)
                try:
                    yield item, ray.get(done)
                except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError):
                    yield item, WorkerDied()
        finally:
            for task in waiting:
                ray.cancel(task, force=True)

    try:
        with _token(store) as token:
            _check([ray.get(remote.remote({}, _look, token))], store)
        yield Engine(max(1, int(ray.cluster_resources().get("CPU", 1)) // threads), imap)
    finally:
        ray.shutdown()


def _with(environment: dict[str, str], function: Callable[[Any], Any], item: object) -> object:
    """Call a function in a worker, one at a time, with the caller's settings."""
    with _alone:
        os.environ.update(environment)
        return function(item)


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


@contextmanager
def _token(store: Path) -> Iterator[str]:
    """A file in the store that workers can look for."""
    with NamedTemporaryFile(dir=store, prefix=".token") as file:
        yield file.name


def _look(token: str) -> tuple[bool, dict[str, str]]:
    """In a worker: whether the store is there, and the versions that results depend on."""
    return Path(token).exists(), _versions()


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in ("cptlab", "torch")}


def _check(found: Sequence[tuple[bool, dict[str, str]]], store: Path) -> None:
    for there, versions in found:
        if not there:
            raise RuntimeError(
                f"A worker does not see {store}: all need the same folder at the same path, on a "
                "shared file system. Choose one with --out."
            )
        if versions != _versions():
            raise RuntimeError(
                f"A worker has {versions}, this machine {_versions()}: results would be mixed. "
                "Install the same versions everywhere."
            )


def _needed(module: str, extra: str) -> ModuleType:
    try:
        return import_module(module)
    except ImportError as error:
        raise RuntimeError(
            f"This engine needs the package {module}: pip install 'cptlab[{extra}]'."
        ) from error
