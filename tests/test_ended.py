"""However a command ends, its worker processes and kernels end with it."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest
from joblib import Parallel, delayed

from cptlab.lab.runs.engines import worker_processes

TRAINING = ["figures", "06", "--profile", "demo"]
NOTEBOOK = ["figures", "00", "--profile", "smoke"]


def until(look, seconds: float):
    """What `look` returns once that is true."""
    end = time.monotonic() + seconds
    while not (value := look()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return value


def started(folder, arguments) -> subprocess.Popen:
    """A command with two worker processes, as a terminal starts it: leader of its own group."""
    return subprocess.Popen(
        [sys.executable, "-m", "cptlab", *arguments, "--jobs", "2", "--out", "out"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def kernels(command: psutil.Process) -> list[psutil.Process]:
    """Its notebooks' kernels."""
    found = []
    for process in command.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # a helper of the kernel's start may be over already
            if "ipykernel_launcher" in " ".join(process.cmdline()):
                found.append(process)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "number", "status"),
    [
        (TRAINING, signal.SIGTERM, 143),
        (TRAINING, signal.SIGHUP, 129),
        (TRAINING, signal.SIGKILL, -9),
        (TRAINING, signal.SIGINT, 130),
        (NOTEBOOK, signal.SIGTERM, 143),
        (NOTEBOOK, signal.SIGKILL, -9),
    ],
)
def test_workers_and_kernels_end_with_the_command(tmp_path, arguments, number, status):
    command = started(tmp_path, arguments)
    process = psutil.Process(command.pid)
    if arguments is TRAINING:
        until(lambda: list((tmp_path / "out/runs/.passes").glob("*/*.safetensors")), 300)
    else:
        until(lambda: kernels(process), 300)
    children = process.children(recursive=True)
    assert len(children) >= 3  # two workers, and who clears up after them
    if number == signal.SIGINT:
        os.killpg(command.pid, number)  # as a terminal does
    else:
        os.kill(command.pid, number)
    said = command.communicate(timeout=60)[1]
    assert command.returncode == status
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    if number != signal.SIGKILL:
        assert "; finished runs are kept, start again to go on." in said.splitlines()[-1]
        assert "resource_tracker" not in said and "Traceback" not in said


HANGING = """
import click, time
from cptlab.lab.cli import errors
errors.PATIENCE = 0.5

@click.command()
def hang():
    print("begun", flush=True)
    try:
        time.sleep(60)
    finally:
        time.sleep(60)  # clears up for ever

errors.call(hang, "hang")
"""


def test_a_command_that_cannot_clear_up_ends_all_the_same():
    command = subprocess.Popen(
        [sys.executable, "-c", HANGING],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert command.stdout.readline() == "begun\n"
    command.terminate()
    said = command.communicate(timeout=30)[1]
    assert command.returncode == 143
    assert said == "Ended; finished runs are kept, start again to go on.\n"


def grown(megabytes: int) -> int:
    """Keep memory, as caches do; the id of this process."""
    keep = sys.modules.setdefault("kept by a test", [])
    keep.append(bytearray(megabytes * 2**20))
    time.sleep(1.1)  # loky looks once a second
    return os.getpid()


@pytest.mark.slow
def test_a_worker_may_grow(recwarn):
    """loky takes that for a leak, and a worker that stopped for a death."""
    with worker_processes(2, 1):
        workers = Parallel()(delayed(grown)(size) for size in (1, 1, 400, 400, 1, 1, 1, 1))
    assert len(set(workers)) == 2
    assert [str(warning.message) for warning in recwarn] == []
