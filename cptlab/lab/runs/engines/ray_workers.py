"""The workers of a Ray cluster, or of a new one on this machine."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cptlab.lab.runs.engines.base import LOST, TRIES, Engine, WorkerDied, call, caller, needed

SECONDS = 10
"""How long a cluster may take to answer."""
QUIET = {"log_to_driver": False, "logging_level": "ERROR"}


@contextmanager
def ray_engine(where: str, store: Path, jobs: int, threads: int, gpu: bool) -> Iterator[Engine]:
    """An engine over a Ray cluster; an item takes `threads` CPUs, and a GPU if it needs one.

    Raises RuntimeError if ray is not installed, or no cluster answers or has room for an item.
    """
    ray = needed("ray", "ray")
    _connect(ray, where, jobs * threads)
    try:
        workers = sum(
            _room(node["Resources"], threads, gpu) for node in ray.nodes() if node["Alive"]
        )
        if not workers:
            raise RuntimeError(
                f"The Ray cluster has no workers: none of its machines has {threads} CPU"
                f"{'s' * (threads > 1)}{' and a GPU' * gpu} to give."
            )
        # Tried again here, because Ray would do so for ever if memory is short.
        remote = ray.remote(num_cpus=threads, num_gpus=int(gpu), max_retries=0)(call)
        with caller(store) as asked_by:

            def submit(function: Callable[[Any], Any], item: object) -> Any:
                return remote.remote(asked_by, function, item)

            yield Engine(workers, lambda function, items: _imap(ray, submit, function, items))
    finally:
        ray.shutdown()


def _connect(ray: Any, where: str, cpus: int) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anyone
    # Not whatever Ray finds on this machine: it waits for long on what a dead one left.
    address = os.environ.get("RAY_ADDRESS", "local") if where == "ray" else where
    try:
        if address == "local":
            ray.init(address, num_cpus=cpus, include_dashboard=False, **QUIET)
            return
        if address.startswith("ray://"):  # Ray itself would try for half a minute
            at = urlsplit(address)
            socket.create_connection((at.hostname, at.port or 10001), SECONDS).close()
        ray.init(address, **QUIET)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise RuntimeError(
            f"No Ray cluster answers at {address} ({error}). Start one with `ray start --head "
            "--ray-client-server-port 10001`, or correct the address; if it asks for a token, set "
            "RAY_AUTH_MODE=token here too."
        ) from error


def _room(resources: dict[str, float], threads: int, gpu: bool) -> int:
    """How many items a machine takes at once."""
    by_cpu = int(resources.get("CPU", 0)) // threads
    return min(by_cpu, int(resources.get("GPU", 0))) if gpu else by_cpu


def _imap(
    ray: Any, submit: Callable[..., Any], function: Callable[[Any], Any], items: Sequence[Any]
) -> Iterator[tuple[Any, Any]]:
    errors, tries = ray.exceptions, Counter()
    waiting = {submit(function, item): number for number, item in enumerate(items)}
    try:
        while waiting:
            (task,), _ = ray.wait(list(waiting), num_returns=1)
            number = waiting.pop(task)
            try:
                value = ray.get(task)
            except errors.RayTaskError as error:
                raise error.cause from error
            except (errors.WorkerCrashedError, errors.OutOfMemoryError, errors.NodeDiedError):
                tries[number] += 1
                if tries[number] < TRIES:
                    waiting[submit(function, items[number])] = number
                    continue
                value = WorkerDied()
            except errors.RayError as error:
                raise RuntimeError(f"The Ray cluster failed ({error}). {LOST}") from error
            yield items[number], value
    finally:
        for task in waiting:
            ray.cancel(task, force=True)
