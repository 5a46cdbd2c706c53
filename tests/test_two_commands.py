"""Several `cptlab figures` on one store, as `srun` starts them, share runs and notebooks."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from cptlab.lab.cli import batch
from cptlab.lab.runs.locks import held
from cptlab.lab.runs.results import missing
from cptlab.lab.study.profiles import SMOKE
from cptlab.lab.workspace import workspace

NAMES = ["00_tour", "09_published_tables"]
COMMAND = """
import os, time
from pathlib import Path
from cptlab.lab.cli import batch, main
from cptlab.lab.runs import queue

here = Path.cwd()

def noted(function, names):  # one short line is written in one piece
    def call(first, *rest):
        with (here / "done.txt").open("a") as log:
            log.write(names(first))
        return function(first, *rest)
    return call

def together(*arguments, run=batch.run, **named):
    (here / f"{os.getpid()}.ready").touch()
    while len(list(here.glob("*.ready"))) < 2:
        time.sleep(0.01)
    return run(*arguments, **named)

queue.execute = noted(queue.execute, lambda specs: "".join(f"{s.run_id}\\n" for s in specs))
batch.execute_notebook = noted(batch.execute_notebook, "{}\\n".format)
batch.run = together
main.main()
"""
"""The command line, which notes what it does; both wait for one another before their first run."""


@pytest.mark.slow
def test_two_commands_do_each_run_and_each_notebook_once(tmp_path):
    arguments = ["figures", "00", "09", "--profile", "smoke", "--jobs", "1", "--out", "out"]
    commands = [
        subprocess.Popen(
            [sys.executable, "-c", COMMAND, *arguments],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    said = [command.communicate()[0] for command in commands]
    assert [command.returncode for command in commands] == [0, 0], said
    folders = workspace("smoke", tmp_path / "out")
    runs = batch.plan(SMOKE, NAMES, folders, 1).runs
    assert not missing(runs, folders.runs)
    done = (tmp_path / "done.txt").read_text().split()
    assert sorted(done) == sorted([*(spec.run_id for spec in runs), *NAMES])
    for text in said:
        assert f"Site: {folders.site / 'index.html'}" in text
    executed = {path.name for path in folders.notebooks.glob("[!.]*")}
    assert executed == {f"{name}.ipynb" for name in NAMES}
    pages = {path.stem for path in (folders.site / "notebooks").glob("*.html")}
    assert pages == {*NAMES}
    drawn = {path.stem for path in folders.figures.glob("*.png")}
    assert drawn == {
        "tour_drawings",
        "tour_predictions",
        "tour_gain_by_shots",
        "published_averages",
    }
    assert not [path for path in (tmp_path / "out").rglob("*") if path.suffix == ".tmp"]


@pytest.mark.parametrize(
    ("profile", "drawn"),
    [("smoke", NAMES[1:]), ("demo", NAMES[::-1]), (None, NAMES[::-1])],
    ids=["drawn by the other", "drawn with another profile", "the other died"],
)
def test_a_notebook_that_another_command_holds_comes_last(tmp_path, monkeypatch, profile, drawn):
    folders = workspace("smoke", tmp_path)
    plan = batch.Plan(SMOKE, folders, NAMES, [], [], 0.0, [])
    executed, second = [], Event()

    def execute(name, parameters, folder):
        executed.append(name)
        second.set()

    monkeypatch.setattr(batch, "execute_notebook", execute)
    monkeypatch.setattr(batch, "build_site", lambda *_: [])
    with ThreadPoolExecutor(1) as threads:
        with held([folders.notebooks / f".{NAMES[0]}.lock"], wait=True):
            command = threads.submit(batch.figures, plan, 1)
            assert second.wait(60)
            if profile is not None:
                parameters = {"profile": profile, "out": str(tmp_path), "jobs": 1}
                content = {"metadata": {"papermill": {"parameters": parameters}}}
                (folders.notebooks / f"{NAMES[0]}.ipynb").write_text(json.dumps(content))
        command.result()
    assert executed == drawn


def test_a_later_command_draws_anew_and_a_damaged_notebook_is_replaced(tmp_path, monkeypatch):
    folders = workspace("smoke", tmp_path)
    folders.notebooks.mkdir()
    parameters = {"profile": "smoke", "out": str(tmp_path), "jobs": 1}
    content = {"metadata": {"papermill": {"parameters": parameters}}}
    (folders.notebooks / f"{NAMES[0]}.ipynb").write_text(json.dumps(content))
    (folders.notebooks / f"{NAMES[1]}.ipynb").write_text("{")
    executed = []
    monkeypatch.setattr(batch, "execute_notebook", lambda name, *_: executed.append(name))
    monkeypatch.setattr(batch, "build_site", lambda *_: [])
    batch.figures(batch.Plan(SMOKE, folders, NAMES, [], [], 0.0, []), 1)
    assert executed == NAMES
