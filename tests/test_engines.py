"""Real workers of joblib, Dask and SLURM: the same bits, nothing twice, deaths survived."""

import os
import signal
import threading
import time
from contextlib import contextmanager

import dask
import dask_jobqueue  # noqa: F401  (its defaults must be there when others are set)
import distributed
import psutil
import pytest

from cptlab.lab.runs import queue as runs
from cptlab.lab.runs.engines import Engine, WorkerDied, engine
from cptlab.lab.runs.passes import BEGUN
from cptlab.lab.runs.queue import run
from cptlab.lab.runs.results import load_result
from cptlab.methods import CoOp
from cptlab.methods.schedule import Schedule
from cptlab.training.spec import RunSpec

SPECS = [
    RunSpec("activities", CoOp(), tau, seed, Schedule(6, 0.01, 16), n_max=4)
    for tau in (0.5, 0.25)
    for seed in (1, 2)
]
FEWER_DEATHS = {"distributed.scheduler.allowed-failures": 1}
"""Until Dask gives up: each costs the start of a process."""
SBATCH = """#!/bin/sh
script=$(mktemp -p "$(dirname "$0")")
cp "$1" "$script"
setsid sh "$script" >/dev/null 2>&1 &
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
kill -- "-$1" 2>/dev/null
"""


@contextmanager
def dask_cluster(folder, monkeypatch):
    with (
        dask.config.set(FEWER_DEATHS),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50
        ) as cluster,
    ):
        yield cluster.scheduler_address


@contextmanager
def slurm(folder, monkeypatch):
    """dask-jobqueue with a queue that starts each job at once, here."""
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    job = {
        "cores": 1,
        "memory": "4GB",
        "interface": "lo",
        "scheduler-options": {"dashboard": False},
    }
    settings = {f"jobqueue.slurm.{name}": value for name, value in job.items()}
    with dask.config.set(settings | FEWER_DEATHS):
        yield "slurm"


CLUSTERS = {"dask": dask_cluster, "slurm": slurm}


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    store = tmp_path_factory.mktemp("serial")
    return outcome(run(SPECS, store, progress=False, replicas=2))


@pytest.fixture(params=["loky", *(pytest.param(c, marks=pytest.mark.slow) for c in CLUSTERS)])
def where(request, tmp_path_factory, monkeypatch):
    if request.param not in CLUSTERS:
        yield request.param
        return
    with CLUSTERS[request.param](tmp_path_factory.mktemp("cluster"), monkeypatch) as address:
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
    for process in psutil.process_iter():
        try:
            files = process.open_files() if process.pid != os.getpid() else []
        except psutil.Error:
            continue
        if any(file.path.startswith(str(store)) for file in files):
            return process
    return None


def kill_one(store, killed, stop) -> None:
    """Kill a worker in the middle of a run."""
    while not stop.wait(0.01):
        process = holder(store)
        if process is not None:
            process.kill()
            killed.append(process.pid)
            return


@pytest.mark.slow
@pytest.mark.parametrize("where", ["loky", "dask"], indirect=True)  # SLURM's are Dask's
def test_workers_give_the_bits_of_a_serial_run_though_one_is_killed(where, serial, tmp_path):
    killed, stop = [], threading.Event()
    killer = threading.Thread(target=kill_one, args=(tmp_path, killed, stop))
    killer.start()
    try:
        results = run(SPECS, tmp_path, jobs=2, progress=False, replicas=2, where=where)
    finally:
        stop.set()
        killer.join()
    assert len(killed) == 1
    assert outcome(results) == serial
    assert list((tmp_path / BEGUN).iterdir()) == []
    assert len(list(tmp_path.glob("*/result.json"))) == len(SPECS)


def test_a_killer_is_named_and_the_rest_done_and_nothing_goes_on_after_closing(
    where, tmp_path, monkeypatch
):
    monkeypatch.setenv("CPTLAB_DATA", str(tmp_path / "data"))

    def square(number: int) -> int | str:
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return number**2 if number else os.environ["CPTLAB_DATA"]

    def linger(number: int) -> None:
        if number:
            (tmp_path / f"{number}.pid").write_text(str(os.getpid()))
            time.sleep(600)

    with engine(where, tmp_path, jobs=2) as workers:
        assert workers.workers >= 2
        found = dict(workers.imap(square, [0, 1, 2, 3, 4, 5]))
        assert isinstance(found.pop(3), WorkerDied)
        assert found == {0: str(tmp_path / "data"), 1: 1, 2: 4, 4: 16, 5: 25}

        values = workers.imap(linger, [1, 0])
        assert next(values) == (0, None)
        (note,) = until(lambda: list(tmp_path.glob("*.pid")))
        values.close()
        pid = int(note.read_text())
        assert until(lambda: not psutil.pid_exists(pid) or zombie(pid))


def until(look, seconds=20.0):
    """What `look` returns once that is true."""
    end = time.monotonic() + seconds
    while not (value := look()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return value


def zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_runs_whose_worker_died_are_failures_with_their_reason(tmp_path, monkeypatch):
    @contextmanager
    def deadly(*args):
        yield Engine(1, lambda function, items: ((item, WorkerDied()) for item in items))

    monkeypatch.setattr(runs, "engine", deadly)
    with pytest.raises(runs.RunsFailed, match=r"4 of 4 runs failed.*\n.*the worker died each time"):
        run(SPECS, tmp_path, progress=False)
    assert not any(load_result(tmp_path, spec) for spec in SPECS)
