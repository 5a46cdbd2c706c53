"""Jobs of SLURM as Dask workers, by dask-jobqueue."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from cptlab.engines.base import Engine, caller, needed
from cptlab.engines.dask_workers import imap

HOW = (
    "dask-jobqueue reads the cores, memory, queue, walltime and so on of a job from jobqueue.yaml "
    "in ~/.config/dask: https://jobqueue.dask.org"
)


@contextmanager
def slurm_engine(store: Path, jobs: int) -> Iterator[Engine]:
    """An engine over SLURM jobs, as many of them as asked for at any time: lost ones are replaced.

    Raises RuntimeError if dask-jobqueue or SLURM is not installed or a job is not described.
    """
    dask_jobqueue, distributed = needed("dask_jobqueue", "slurm"), needed("distributed", "slurm")
    if shutil.which("sbatch") is None:
        raise RuntimeError(
            "There is no sbatch here: start --engine slurm where SLURM jobs can be submitted."
        )
    try:
        cluster = dask_jobqueue.SLURMCluster()
    except (ValueError, TypeError) as error:
        reason = str(error).splitlines()[0].rstrip(",: ")
        raise RuntimeError(f"SLURM jobs cannot be made ({reason}). {HOW}") from error
    with (
        cluster,
        distributed.Client(cluster, set_as_default=False) as client,
        caller(store) as asked_by,
    ):
        cluster.adapt(minimum_jobs=jobs, maximum_jobs=jobs)
        yield Engine(jobs, partial(imap, client, asked_by))  # they may wait in SLURM's queue
