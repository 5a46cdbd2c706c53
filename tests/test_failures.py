"""The worst night: full disks, damaged files, dead kernels; each is named, and the rest goes on."""

import errno

import nbformat
import pytest
import torch
from edited_files import edited
from tiny_clip import tiny_clip
from tiny_data_root import own_folder
from tiny_world import tiny_dataset

from cptlab.data import Task, open_task
from cptlab.lab.cli import batch
from cptlab.lab.cli import execute as notebooks
from cptlab.lab.runs import inputs
from cptlab.lab.runs import one_pass as execution
from cptlab.lab.runs import queue as runs
from cptlab.lab.runs.one_pass import LOG, execute
from cptlab.lab.runs.queue import RunsFailed, run
from cptlab.lab.runs.results import look, missing, remarks
from cptlab.lab.study.profiles import SMOKE
from cptlab.lab.workspace import NOTEBOOKS, workspace
from cptlab.methods import CoOp
from cptlab.methods.schedule import Schedule
from cptlab.training.spec import RunSpec

SCHEDULE = Schedule(epochs=1, lr=0.02, batch_size=8)


def spec(seed: int = 1, dataset: str = "tiny") -> RunSpec:
    return RunSpec(dataset, CoOp(), 0.5, seed, SCHEDULE, backbone="tiny")


@pytest.fixture
def tiny(monkeypatch):
    backbone = tiny_clip(torch.float32)
    base, new = tiny_dataset(8).halves()
    monkeypatch.setattr(inputs, "backbone_of", lambda spec: backbone)

    def task(spec):
        if spec.dataset == "tiny":
            return Task("base", {"base": base, "new": new})
        return open_task(spec.dataset, spec.protocol)

    monkeypatch.setattr(inputs, "task_of", task)


def test_a_full_disk_is_named_and_trains_nothing_twice(tiny, tmp_path, monkeypatch):
    attempts, save = [], execution.save_result

    def full(store, spec, *rest):
        attempts.append(spec)
        if spec.seed > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(store, spec, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(execution, "save_result", full)
        with pytest.raises(RunsFailed, match=r"takes no more results.*free some space") as caught:
            run([spec(1), spec(2), spec(3)], tmp_path, progress=False)
    assert [one.seed for one in attempts] == [1, 2]  # one pass; the members are not tried alone
    assert str(caught.value).count("No space left") == 1
    assert missing([spec(1), spec(2), spec(3)], tmp_path) == [spec(2), spec(3)]
    assert len(run([spec(1), spec(2), spec(3)], tmp_path, progress=False)) == 3


def test_a_store_that_cannot_be_written_fails_before_any_training(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(execution, "train", None)
    (tmp_path / "file").write_text("")
    for call in (lambda store: run([spec()], store), lambda store: execute([spec()], store)):
        with pytest.raises(OSError, match=r"cannot be written to .*file/runs.*--out"):
            call(tmp_path / "file" / "runs")

    def read_only(**options):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(execution.tempfile, "TemporaryFile", read_only)
    with pytest.raises(OSError, match="Read-only file system"):
        run([spec()], tmp_path, progress=False)


def test_a_full_disk_is_seen_before_a_pass_begins(tiny, tmp_path, monkeypatch):
    free = [True]  # in the first pass

    def check(store):
        if not free or not free.pop():
            raise OSError("no room") from OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(execution, "check_writable", check)
    with pytest.raises(RunsFailed) as caught:
        run([spec(seed) for seed in range(1, 7)], tmp_path, progress=False, replicas=2)
    assert str(caught.value).startswith("4 of 6 runs failed (2 finished")
    assert ", ...: OSError: no room" in str(caught.value)
    assert missing([spec(1), spec(2)], tmp_path) == []


def test_what_another_pass_has_done_meanwhile_is_not_done_again(tiny, tmp_path, monkeypatch):
    done, plain = [], runs.execute
    monkeypatch.setattr(
        runs, "execute", lambda specs, *rest: done.append(list(specs)) or plain(specs, *rest)
    )
    run([spec(2)], tmp_path, progress=False)
    assert runs._claim([spec(1), spec(2), spec(3)], tmp_path, wait=True) == []
    assert done == [[spec(2)], [spec(1), spec(3)]]
    assert runs._claim([spec(1), spec(2)], tmp_path, wait=True) == []
    assert len(done) == 2


def test_a_truncated_image_stops_its_runs_alone_and_leaves_a_log(tiny, tmp_path):
    folder = own_folder(tmp_path / "birds", ["ant", "bee", "cat", "dog"], 6)
    base = open_task(str(folder), "base_to_new").learned
    image = folder / base.train[0].key
    whole = image.read_bytes()
    image.write_bytes(whole[: len(whole) // 2])
    store, damaged = tmp_path / "runs", spec(1, str(folder))
    with pytest.raises(RunsFailed) as caught:
        run([spec(1), damaged, spec(2)], store, progress=False)
    message = str(caught.value)
    assert message.startswith("1 of 3 runs failed (2 finished")
    assert f"{image} cannot be read: " in message
    log = store / damaged.run_id / LOG
    assert str(log) in message
    assert "Traceback" in log.read_text() and str(image) in log.read_text()
    image.write_bytes(whole)
    run([damaged], store, progress=False)
    assert not log.exists()


def test_what_is_wrong_with_stored_results_is_said(tiny, tmp_path):
    specs = [spec(seed) for seed in range(1, 7)]
    run(specs, tmp_path, progress=False)
    assert remarks(look(specs, tmp_path)) == []
    cut, weights, older, version = (tmp_path / s.run_id / "result.json" for s in specs[:4])

    cut.write_text(cut.read_text()[:100])
    edited(weights, lambda values: values.update(weights="others"))
    edited(older, lambda values: values.update(format=1), checked=False)
    edited(version, lambda values: values["environment"]["versions"].update(cptlab="0.0.1"))
    told = "\n".join(remarks(look(specs, tmp_path)))
    again = "and will be computed again:"
    assert f"1 stored results are damaged or incomplete {again} {specs[0].run_id}." in told
    assert f"1 stored results belong to other weights {again} {specs[1].run_id}." in told
    assert f"1 stored results have another format than this version's {again}" in told
    assert "1 results were computed by cptlab 0.0.1 (this is " in told
    assert missing(specs, tmp_path) == specs[:3]
    run(specs, tmp_path, progress=False)
    assert len(remarks(look(specs, tmp_path))) == 1  # the older version's, which is used


def test_the_plan_carries_the_remarks(tmp_path):
    folders = workspace("smoke", tmp_path)
    done = next(spec for spec in batch.STUDIES["00_tour"](SMOKE) if spec.method.name == "zero_shot")
    execute([done], folders.runs)
    (folders.runs / done.run_id / "result.json").write_text("{")
    (remark,) = batch.plan(SMOKE, ["00"], folders, 1).remarks
    assert done.run_id in remark


def test_a_dead_kernel_is_named_and_the_notebook_kept(tmp_path, monkeypatch):
    cells = [
        nbformat.v4.new_code_cell("profile = 'smoke'", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"),
    ]
    kernel = nbformat.read(NOTEBOOKS / "00_tour.ipynb", as_version=4).metadata
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    nbformat.write(notebook, tmp_path / "dying.ipynb")
    monkeypatch.setattr(notebooks, "NOTEBOOKS", tmp_path)
    with pytest.raises(RuntimeError, match=r"dying failed.*its kernel died \(out of memory\?\)"):
        notebooks.execute_notebook("dying", {"profile": "smoke"}, tmp_path)
    assert (tmp_path / "dying.failed.ipynb").is_file()
