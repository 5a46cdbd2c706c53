"""Where passes run: processes of this machine, or the workers of a Dask cluster or of SLURM jobs.

An engine calls a function on items, in any order, on workers that may die. What a dead worker had
in hand is tried again (with runs: from their last checkpoint); what keeps killing its worker comes
back as `WorkerDied`, and everything else is done.

Workers need the same versions as the caller and the result store at the same path, on a file system
with locks; each looks before it begins. Of the caller's settings they get the data root; others,
such as HF_HOME, are set where the workers are started.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from cptlab.lab.runs.engines.base import Engine, WorkerDied
from cptlab.lab.runs.engines.dask_workers import dask_engine, slurm_engine
from cptlab.lab.runs.engines.processes import processes
from cptlab.lab.runs.engines.workers import worker_processes

__all__ = ["LOCAL", "Engine", "WorkerDied", "check_engine", "engine", "worker_processes"]

LOCAL, SLURM = "loky", "slurm"
SCHEMES = ("tcp", "tls", "ucx")
"""Of the addresses of Dask schedulers."""


def check_engine(where: str) -> None:
    """ValueError unless `engine` knows what this is; nothing is started."""
    scheme, _, host = where.partition("://")
    if where not in (LOCAL, SLURM) and not (scheme in SCHEMES and host):
        raise ValueError(
            f"Unknown engine {where!r}: give loky (processes of this machine), slurm, or the "
            "address of a Dask scheduler (tcp://host:8786). Without any engine, start the same "
            "command on several machines: on one store they share the work."
        )


def engine(
    where: str, store: Path, jobs: int = 1, threads: int = 1
) -> AbstractContextManager[Engine]:
    """An engine for work that writes to a store.

    Args:
        where: "loky" for processes of this machine; the address of a Dask scheduler
            ("tcp://host:8786"); or "slurm", with dask-jobqueue's configuration of this site.
        store: folder that every worker must see.
        jobs: processes for "loky" (1: none beside this one), jobs for "slurm"; a running cluster
            has the workers that it has.
        threads: of one item, for "loky"; others have those that they are started with.

    Raises:
        ValueError: for another `where`; on entering, RuntimeError if a package is not installed or
            a cluster does not answer or has no workers. Also, from `Engine.imap`, if a worker lacks
            the store or has other versions, or the cluster is lost.
    """
    check_engine(where)
    if where == LOCAL:
        return processes(store, jobs, threads)
    return slurm_engine(store, jobs) if where == SLURM else dask_engine(where, store)
