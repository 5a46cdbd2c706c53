"""Killed at random moments, a study ends with the very results of an undisturbed one."""

import json
import multiprocessing
import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest
from small_study import SPECS, work

from cptlab.clip import load_prompts
from cptlab.passes import BEGUN
from cptlab.results import load_result

KILLS = 20
CHANGING = ("seconds", "pass", "environment")


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
