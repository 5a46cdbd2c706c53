"""A data set of one's own is listed once, again when it has changed, and results say of what."""

import json
import os

import pytest
from tiny_data_root import image, own_folder

from cptlab.data import content_id, open_dataset, open_task, own
from cptlab.lab.cli.main import commands
from cptlab.lab.runs import one_pass, results
from cptlab.lab.runs import queue as runs
from cptlab.lab.study.profiles import SMOKE
from cptlab.methods import ZeroShot

CLASSES = ("ant", "bee", "cat", "dog")


@pytest.fixture
def listed(monkeypatch):
    """The paths that are listed, each time that one is."""
    paths, lists = [], own._listed
    monkeypatch.setattr(own, "_listings", {})
    monkeypatch.setattr(own, "_listed", lambda path: paths.append(path.name) or lists(path))
    return paths


def settle(root):
    """Make everything as old as a data set that was there before."""
    for path in (root, *root.rglob("*")):
        os.utime(path, (1e9, 1e9))
    return root


@pytest.fixture
def insects(tmp_path, monkeypatch):
    monkeypatch.setenv("CPTLAB_DATA", "")
    return settle(own_folder(tmp_path / "data/insects", CLASSES, 3))


def test_what_has_not_changed_is_listed_once(insects, listed):
    first = open_dataset(str(insects))
    assert open_task(str(insects), "few_shot").learned is first
    assert open_task(str(insects)) is open_task(str(insects))
    content_id(str(insects))
    assert listed == ["insects"]


@pytest.mark.parametrize("change", ["image", "deeper", "gone", "class", "template", "text"])
def test_what_has_changed_is_listed_again(change, insects, listed):
    (insects / "ant/deeper").mkdir()
    (insects / "template.txt").write_text("the {}.")
    settle(insects)
    before = content_id(str(insects))
    if change == "image":
        image(insects / "ant/new.png")
    elif change == "deeper":  # the folder held none
        image(insects / "ant/deeper/new.png")
    elif change == "gone":
        next((insects / "ant").glob("*.png")).unlink()
    elif change == "class":
        own_folder(insects, ("wasp",))
    elif change == "template":
        (insects / "template.txt").unlink()
    else:
        (insects / "template.txt").write_text("one {}.")
    assert content_id(str(insects)) != before
    assert listed == ["insects"] * 2


def test_a_table_and_its_facts(insects, listed):
    table = insects.parent / "t.csv"
    rows = [f"insects/{c}/{c} {i}.png,{c}" for c in CLASSES for i in range(3)]
    table.write_text("\n".join(["path,label", *rows]))
    settle(insects.parent)
    before = content_id(str(table))
    assert content_id(str(table)) == before and listed == ["t.csv"]
    (insects.parent / "t.classes.csv").write_text("\n".join(["label", *CLASSES[::-1]]))
    changed = content_id(str(table))
    settle(insects.parent)
    table.write_text("\n".join(["path,label", *rows[1:]]))
    assert len({before, changed, content_id(str(table))}) == 3


def test_what_changed_just_now_is_not_kept(insects, listed):
    """Another change in the same tick of the file system's clock would not show."""
    image(insects / "ant/new.png")
    open_dataset(str(insects))
    open_dataset(str(insects))
    assert listed == ["insects"] * 2


def test_a_command_lists_once(insects, listed, tmp_path):
    line = f"run --method zero_shot --profile smoke --out {tmp_path / 'out'} --dataset {insects}"
    commands.main(line.split(), standalone_mode=False)
    assert listed == ["insects"]


def test_many_runs_list_once(insects, listed, tmp_path):
    specs = [SMOKE.spec(str(insects), ZeroShot(), tau, 1) for tau in (0.06, 0.25, 1.0)]
    assert len(runs.run(specs, tmp_path / "runs", progress=False)) == 3
    assert len(runs.run(specs, tmp_path / "runs", progress=False)) == 3
    assert listed == ["insects"]


def test_images_that_come_while_a_run_is_done(insects, tmp_path, monkeypatch):
    """Its result is of the images that were there before, and is not used for the others."""
    predict, spec = one_pass.predict_both_ways, SMOKE.spec(str(insects), ZeroShot(), 0.06, 1)
    before = content_id(str(insects))

    def late(*arguments):
        image(insects / "ant/new.png")
        return predict(*arguments)

    monkeypatch.setattr(one_pass, "predict_both_ways", late)
    with pytest.raises(RuntimeError, match="belong to data that have changed: start again"):
        runs.run([spec], tmp_path, progress=False)
    stored = json.loads((tmp_path / spec.run_id / "result.json").read_text())
    assert stored["data"] == before != content_id(str(insects))
    assert results.load_result(tmp_path, spec) is None
    monkeypatch.undo()
    assert runs.run([spec], tmp_path, progress=False)[0].details["data"] == content_id(str(insects))
