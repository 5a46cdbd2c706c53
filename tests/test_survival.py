"""Killed at random moments, a study ends with the very results of an undisturbed one."""

import json
import multiprocessing
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from small_study import EXECUTED, SPECS, work

from cptlab.clip import load_prompts
from cptlab.lab.runs.passes import BEGUN, MEMBERS, begin, unfinished
from cptlab.lab.runs.results import load_result

KILLS = 20
CHANGING = ("seconds", "processor_seconds", "pass", "environment")


@pytest.fixture(scope="module")
def context():
    """Processes that start quickly: torch and the small CLIP are loaded once, then forked."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["small_study"])
    return context


def files(store: Path) -> set[tuple[str, int]]:
    """Names and times of a store's prompts and checkpoints."""
    found = set()
    for path in store.rglob("*.safetensors"):
        with suppress(FileNotFoundError):  # moved into place meanwhile
            found.add((str(path), path.stat().st_mtime_ns))
    return found


def outcome(store: Path) -> dict[str, tuple]:
    """Everything that a study stored, but for times and versions."""
    found = {}
    for spec in SPECS:
        result = load_result(store, spec)
        values = {k: v for k, v in result.details.items() if k not in CHANGING}
        prompts = load_prompts(result.folder / "prompts.safetensors").state_dict()
        bits = {name: tensor.numpy().tobytes() for name, tensor in prompts.items()}
        found[spec.run_id] = json.dumps(values, sort_keys=True), bits
    return found


@pytest.mark.slow
def test_twenty_kills_change_nothing(tmp_path, context):
    chance = random.Random(0)
    undisturbed = context.Process(target=work, args=(tmp_path / "whole",))
    undisturbed.start()
    undisturbed.join()
    assert undisturbed.exitcode == 0

    store, finished = tmp_path / "killed", []
    for kill in range(KILLS):
        before = files(store)
        process = context.Process(target=work, args=(store,))
        process.start()
        while kill % 4 and process.is_alive() and files(store) == before:
            time.sleep(0.002)  # most kills come when something new is there, some at once
        time.sleep(chance.expovariate(1 / 0.05))
        assert process.is_alive(), f"the study was over before kill {kill + 1}: make it longer"
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        finished.append(len(list(store.glob("*/result.json"))))
    assert len(set(finished)) > 2, f"kills hit few places only: {finished}"
    last = context.Process(target=work, args=(store,))
    last.start()
    last.join()
    assert last.exitcode == 0
    assert outcome(store) == outcome(tmp_path / "whole")
    assert list((store / BEGUN).iterdir()) == []  # nothing is left behind
    assert not [path for path in store.rglob("*") if path.name.endswith(str(os.getpid()))]


def test_two_runners_on_one_store_never_do_the_same_run(tmp_path, context):
    runners = [context.Process(target=work, args=(tmp_path,)) for _ in range(2)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    assert [runner.exitcode for runner in runners] == [0, 0]
    done = (tmp_path / EXECUTED).read_text().split()
    assert sorted(done) == sorted(spec.run_id for spec in SPECS)


def test_what_a_runner_left_that_was_killed_beginning_or_clearing_is_removed(tmp_path):
    folder = begin(tmp_path, SPECS[:1], content=None)
    (folder / MEMBERS).unlink()
    assert unfinished(tmp_path) == []
    assert not folder.exists()


def test_a_pass_that_another_runner_is_beginning_is_not_taken_for_litter(tmp_path, monkeypatch):
    looked, write = [], Path.write_text
    threads = ThreadPoolExecutor(1)

    def interrupted(path, *rest):
        looked.append(threads.submit(unfinished, tmp_path))  # there is a folder and no list yet
        time.sleep(0.2)
        return write(path, *rest)

    monkeypatch.setattr(Path, "write_text", interrupted)
    folder = begin(tmp_path, SPECS[:1], content=None)
    assert looked[0].result() == [SPECS[:1]]
    assert (folder / MEMBERS).exists()


@pytest.mark.slow
def test_runs_of_a_killed_runner_are_free_again(tmp_path, context):
    """Another runner waits for what is held, and does it when the holder is gone."""
    first = context.Process(target=work, args=(tmp_path,))
    first.start()
    while not files(tmp_path):
        time.sleep(0.002)
    second = context.Process(target=work, args=(tmp_path,))
    second.start()
    os.kill(first.pid, signal.SIGKILL)
    first.join()
    second.join()
    assert second.exitcode == 0
    assert all(load_result(tmp_path, spec) for spec in SPECS)
