"""Where passes run: processes of this machine, or the workers of a Dask, Ray or SLURM cluster.

An engine calls a function on items, in any order, on workers that may die. What a dead worker had
in hand is tried again (with runs: from their last checkpoint); what keeps killing its worker comes
back as `WorkerDied`, and everything else is done.

Workers need the same versions as the caller and the result store at the same path, on a file system
with locks; each looks before it begins. Of the caller's settings they get the data root; others,
such as HF_HOME, are set where the workers are started.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cptlab.lab.runs.engines.base import Engine, WorkerDied
from cptlab.lab.runs.engines.dask_workers import dask_engine
from cptlab.lab.runs.engines.processes import processes
from cptlab.lab.runs.engines.ray_workers import ray_engine
from cptlab.lab.runs.engines.slurm import slurm_engine

__all__ = ["LOCAL", "Engine", "WorkerDied", "engine", "kind"]

LOCAL = "loky"
SCHEMES = {"tcp": "dask", "tls": "dask", "ucx": "dask", "ray": "ray"}


def kind(where: str) -> str:
    """loky, dask, ray or slurm, from what `engine` takes; ValueError for anything else."""
    if where in (LOCAL, "ray", "slurm"):
        return where
    scheme, found, host = where.partition("://")
    if not found or not host or scheme not in SCHEMES:
        raise ValueError(
            f"Unknown engine {where!r}: give loky, the address of a Dask scheduler "
            "(tcp://host:8786), ray, the address of a Ray cluster (ray://host:10001), or slurm."
        )
    return SCHEMES[scheme]


@contextmanager
def engine(
    where: str, store: Path, jobs: int = 1, threads: int = 1, gpu: bool = False
) -> Iterator[Engine]:
    """An engine for work that writes to a store.

    Args:
        where: "loky" for processes of this machine; the address of a Dask scheduler
            ("tcp://host:8786"); "ray" for a new Ray on this machine, or the cluster that
            RAY_ADDRESS names; the address of another ("ray://host:10001"); or "slurm", with
            dask-jobqueue's configuration of this site.
        store: folder that every worker must see.
        jobs: processes for "loky" (1: none beside this one) and for a new "ray", jobs for "slurm";
            a running cluster has the workers that it has.
        threads: of one item.
        gpu: whether an item needs a GPU to itself. Ray hands them out; Dask and SLURM workers have
            those that they are started with.

    Raises:
        ValueError: for another `where`; RuntimeError if a package is not installed or a cluster
            does not answer or has no workers. Also, from `Engine.imap`, if a worker lacks the
            store or has other versions, or the cluster is lost.
    """
    match kind(where):
        case "dask":
            chosen = dask_engine(where, store)
        case "ray":
            chosen = ray_engine(where, store, jobs, threads, gpu)
        case "slurm":
            chosen = slurm_engine(store, jobs)
        case _:
            chosen = processes(store, jobs, threads)
    with chosen as found:
        yield found
