"""Real workers of joblib, Dask and Ray: the same bits, nothing done twice, deaths survived."""

import os
import signal
import threading
import time
from contextlib import contextmanager

import psutil
import pytest

from cptlab import engines, runs
from cptlab.engines import WorkerDied, engine
from cptlab.methods import CoOp
from cptlab.passes import BEGUN
from cptlab.results import load_result
from cptlab.runs import run
from cptlab.schedule import Schedule
from cptlab.spec import RunSpec

SPECS = [
    RunSpec("activities", CoOp(), tau, seed, Schedule(6, 0.01, 16), n_max=4)
    for tau in (0.5, 0.25)
    for seed in (1, 2)
]


@contextmanager
def dask_cluster():
    distributed = pytest.importorskip("distributed", reason="needs the extra cptlab[dask]")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    )
    with cluster:
        yield cluster.scheduler_address


@contextmanager
def ray_cluster():
    pytest.importorskip("ray", reason="needs the extra cptlab[ray]")
    yield "ray"


@contextmanager
def loky():
    yield "loky"


CLUSTERS = {"loky": loky, "dask": dask_cluster, "ray": ray_cluster}


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    store = tmp_path_factory.mktemp("serial")
    return outcome(run(SPECS, store, progress=False, replicas=2))


@pytest.fixture(params=CLUSTERS)
def where(request):
    with CLUSTERS[request.param]() as address:
        yield address


def outcome(results):
    return [
        (r.metrics, r.details["log"], (r.folder / "prompts.safetensors").read_bytes())
        for r in results
    ]


def holder(store) -> psutil.Process | None:
    """The process that has a run of the store in hand, if it has passed its first epoch."""
    if not list((store / BEGUN).rglob("*.safetensors")):
        return None
    for process in psutil.Process().children(recursive=True):
        try:
            files = process.open_files()
        except psutil.Error:
            continue
        if any(file.path.startswith(str(store)) for file in files):
            return process
    return None


def kill_one(store, killed) -> None:
    """Kill a worker in the middle of a run."""
    for _ in range(6000):
        process = holder(store)
        if process is not None:
            process.kill()
            killed.append(process.pid)
            return
        time.sleep(0.01)


def test_workers_give_the_bits_of_a_serial_run_though_one_is_killed(where, serial, tmp_path):
    killed: list[int] = []
    killer = threading.Thread(target=kill_one, args=(tmp_path, killed), daemon=True)
    killer.start()
    results = run(SPECS, tmp_path, jobs=2, progress=False, replicas=2, where=where)
    killer.join()
    assert len(killed) == 1
    assert outcome(results) == serial
    assert list((tmp_path / BEGUN).iterdir()) == []
    assert len(list(tmp_path.glob("*/result.json"))) == len(SPECS)


def test_what_kills_every_worker_is_named_and_the_rest_is_done(where, tmp_path):
    def square(number: int) -> int:
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return number**2

    with engine(where, tmp_path, jobs=2) as workers:
        assert workers.workers >= 2
        found = dict(workers.imap(square, [1, 2, 3, 4, 5]))
    assert isinstance(found.pop(3), WorkerDied)
    assert found == {1: 1, 2: 4, 4: 16, 5: 25}


def test_workers_know_the_data_root(where, tmp_path, monkeypatch):
    monkeypatch.setenv("CPTLAB_DATA", str(tmp_path))

    def root(item: int) -> str:
        return os.environ["CPTLAB_DATA"]

    with engine(where, tmp_path, jobs=2) as workers:
        assert list(workers.imap(root, [1])) == [(1, str(tmp_path))]


def test_runs_whose_worker_died_are_failures_with_their_reason(tmp_path, monkeypatch):
    @contextmanager
    def deadly(*args):
        yield engines.Engine(1, lambda function, items: ((item, WorkerDied()) for item in items))

    monkeypatch.setattr(runs, "engine", deadly)
    with pytest.raises(runs.RunsFailed, match=r"4 of 4 runs failed.*\n.*the worker died each time"):
        run(SPECS, tmp_path, progress=False)
    assert not any(load_result(tmp_path, spec) for spec in SPECS)


def test_a_worker_without_the_store_or_with_other_versions_is_refused(tmp_path):
    with pytest.raises(RuntimeError, match=r"does not see .*shared file system.*--out"):
        engines._check([(False, engines._versions())], tmp_path)
    with pytest.raises(RuntimeError, match=r"A worker has .*0\.0\.1.*same versions"):
        engines._check([(True, engines._versions() | {"cptlab": "0.0.1"})], tmp_path)


def test_bad_addresses_are_named(tmp_path, monkeypatch):
    with (
        pytest.raises(ValueError, match="Unknown engine 'mpi': give loky"),
        engine("mpi", tmp_path),
    ):
        pass
    monkeypatch.setattr(engines, "SECONDS", 1)
    pytest.importorskip("distributed", reason="needs the extra cptlab[dask]")
    unreachable = engine("tcp://127.0.0.1:1", tmp_path)
    with pytest.raises(RuntimeError, match="No Dask scheduler answers at tcp://127"), unreachable:
        pass


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    with pytest.raises(
        RuntimeError, match=r"needs the package no_such: pip install 'cptlab\[dask\]'"
    ):
        engines._needed("no_such", "dask")


def test_slurm_jobs_are_asked_for_as_the_site_configures_them(monkeypatch):
    """No SLURM here: what is submitted is dask-jobqueue's script."""
    jobqueue = pytest.importorskip("dask_jobqueue", reason="needs the extra cptlab[slurm]")
    cluster = jobqueue.SLURMCluster(
        cores=1, memory="4GB", queue="gpu", job_extra_directives=["--gres=gpu:1"]
    )
    with cluster:
        script = cluster.job_script()
    assert "#SBATCH -p gpu" in script and "--gres=gpu:1" in script and "--nthreads 1" in script
