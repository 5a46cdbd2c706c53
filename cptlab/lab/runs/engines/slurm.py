"""Jobs of SLURM as Dask workers, by dask-jobqueue."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from cptlab.lab.runs.engines.base import Engine, caller, needed
from cptlab.lab.runs.engines.dask_workers import FAST, imap

HOW = (
    "dask-jobqueue reads the cores, memory, queue, walltime and so on of a job from jobqueue.yaml "
    "in ~/.config/dask: https://jobqueue.dask.org"
)


@contextmanager
def slurm_engine(store: Path, jobs: int) -> Iterator[Engine]:
    """An engine over SLURM jobs, as many of them as asked for at any time: lost ones are replaced.

    Raises RuntimeError if dask-jobqueue or SLURM is not installed or a job is not described.
    """
    needed("dask_jobqueue", "slurm")
    distributed = needed("distributed", "slurm")
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
        caller(store) as asked_by,
    ):
        cluster.adapt(minimum_jobs=jobs, maximum_jobs=jobs)
        yield Engine(jobs, partial(imap, client, asked_by))  # they may wait in SLURM's queue


def slurm_cluster(**options: object) -> Any:
    """A dask_jobqueue.SLURMCluster as the site configures it, whose workers train at full speed."""
    dask, dask_jobqueue = needed("dask", "slurm"), needed("dask_jobqueue", "slurm")
    site = dask.config.get("jobqueue.slurm.job-script-prologue") or []
    return dask_jobqueue.SLURMCluster(job_script_prologue=[*site, FAST], **options)
