"""A Dask cluster of processes, started as its documentation says: deaths, and other versions."""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import distributed
import psutil
import pytest

from cptlab.lab.runs.engines import engine
from cptlab.lab.runs.passes import BEGUN
from cptlab.lab.runs.queue import run
from cptlab.lab.runs.results import missing
from cptlab.methods import CoOp
from cptlab.methods.schedule import Schedule
from cptlab.training.spec import RunSpec

SPECS = [
    RunSpec("activities", CoOp(), tau, seed, Schedule(40, 0.01, 16), n_max=4)
    for tau in (0.5, 0.25)
    for seed in (1, 2)
]


@contextmanager
def process(name, *arguments, **environment):
    """`dask scheduler` or `dask worker`, killed at the end."""
    # -P: without the folder that it starts in, where an egg-info would come before PYTHONPATH
    command = [sys.executable, "-P", "-m", f"distributed.cli.dask_{name}", *arguments]
    command += ["--no-dashboard"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = subprocess.Popen(command, env=os.environ | environment, **quiet)
    try:
        yield started
    finally:
        for one in [*psutil.Process(started.pid).children(recursive=True), started]:
            one.kill()
        started.wait()


@contextmanager
def scheduler(folder):
    """The process, the arguments that lead workers to it, and its address."""
    file = folder / "scheduler.json"
    here = ("--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
    with process("scheduler", *here) as centre:
        until(lambda: file.is_file() and file.stat().st_size)
        address = json.loads(file.read_text())["address"]
        yield centre, ["--scheduler-file", str(file), "--nthreads", "1"], address


def until(look, seconds=120.0):
    """What `look` returns once that is true."""
    end = time.monotonic() + seconds
    while not (value := look()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return value


def workers_of(address) -> int:
    """How many a scheduler knows."""
    with distributed.Client(address, set_as_default=False) as client:
        return len(client.nthreads())


@pytest.mark.slow
def test_a_worker_dies_and_then_the_scheduler_and_no_number_changes(tmp_path):
    serial = run(SPECS, tmp_path / "serial", progress=False)
    store = tmp_path / "store"
    with (
        scheduler(tmp_path) as (centre, there, address),
        process("worker", *there, "--no-nanny") as first,
        process("worker", *there, "--no-nanny"),
    ):
        until(lambda: workers_of(address) == 2)

        def kill():
            until(lambda: list((store / BEGUN).rglob("*.safetensors")))
            first.kill()
            time.sleep(1)
            centre.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(RuntimeError, match=r"scheduler went away\. Finished runs are kept"):
            run(SPECS, store, progress=False, where=address)
        killer.join()
    assert missing(SPECS, store)
    again = run(SPECS, store, progress=False)
    assert [r.metrics for r in again] == [r.metrics for r in serial]
    assert [r.details["log"] for r in again] == [r.details["log"] for r in serial]


@pytest.mark.slow
def test_a_worker_of_another_version_is_named_before_it_trains(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    # Python imports this module when it starts
    (other / "sitecustomize.py").write_text("import cptlab\ncptlab.__version__ = '9.9.9'\n")
    path = os.pathsep.join([str(other), *filter(None, [os.getenv("PYTHONPATH")])])
    with (
        scheduler(tmp_path) as (_, there, address),
        process("worker", *there, PYTHONPATH=path),
    ):
        until(lambda: workers_of(address) == 1)
        message = r"worker on .* has cptlab 9\.9\.9, not .*results would be mixed"
        with engine(address, tmp_path) as cluster, pytest.raises(RuntimeError, match=message):
            list(cluster.imap(abs, [1]))
