"""Whatever happens to a file of a store: no number changes, and no other run stops."""

import json
import random
import shutil
import warnings
from pathlib import Path

import pandas as pd
import pytest
import torch
from edited_files import edited
from tiny_clip import tiny_clip
from tiny_world import tiny_dataset

from cptlab.data import Task
from cptlab.lab.runs import inputs, predictions
from cptlab.lab.runs.finished import load_run
from cptlab.lab.runs.frame import read_results
from cptlab.lab.runs.one_pass import execute
from cptlab.lab.runs.passes import BEGUN, MEMBERS
from cptlab.lab.runs.queue import run
from cptlab.lab.runs.results import load_result, look, remarks
from cptlab.lab.runs.stored import PROMPTS, RESULT
from cptlab.lab.study.origin import methods_table, runs_table
from cptlab.methods import CPT, CoOp, ZeroShot
from cptlab.methods.schedule import Schedule
from cptlab.training.spec import RunSpec

COUNT = 60
SCHEDULE = Schedule(epochs=3, lr=0.02, batch_size=8)
METHODS = ((CoOp(), 1), (CoOp(), 2), (CPT(text_depth=2, vision_depth=2, n_clusters=2), 1))
DONE = [RunSpec("tiny", m, 0.25, s, SCHEDULE, backbone="tiny") for m, s in METHODS]
BEGUN_RUN = RunSpec("tiny", CoOp(), 0.5, 3, SCHEDULE, backbone="tiny")
SPECS = [*DONE, RunSpec("tiny", ZeroShot(), schedule=SCHEDULE, backbone="tiny"), BEGUN_RUN]
ODD = (None, True, "", "x", -1, 3, 99, 1e400, float("nan"), 10**400, [], [1], {}, {"a": [None]})


class Killed(BaseException):
    """Stands in for a kill."""


@pytest.fixture(scope="module", autouse=True)
def tiny():
    """The tiny CLIP and a small task behind every run."""
    backbone, threads = tiny_clip(torch.float32), torch.get_num_threads()
    base, new = tiny_dataset(7, 8).halves()
    task = Task("base", {"base": base, "new": new})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "backbone_of", lambda spec: backbone)
        patch.setattr(inputs, "task_of", lambda spec: task)
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A store of all runs, undisturbed."""
    store = tmp_path_factory.mktemp("whole")
    run(SPECS, store, progress=False)
    return store


@pytest.fixture(scope="module")
def begun(whole, tmp_path_factory):
    """The same store before its last run had ended: its checkpoint is of the second epoch."""
    store = tmp_path_factory.mktemp("begun") / "runs"
    shutil.copytree(whole, store)
    shutil.rmtree(store / BEGUN_RUN.run_id)

    def kill(epoch):
        if epoch.number == 3:
            raise Killed

    with pytest.raises(Killed):
        execute([BEGUN_RUN], store, observe=kill)
    return store


def numbers(result) -> tuple:
    """All that a run measured and learned."""
    prompts = (result.folder / PROMPTS).read_bytes()
    predicted = result.predictions().to_json(orient="records", double_precision=15)
    return result.metrics, result.log.to_dict("list"), result.details["classes"], prompts, predicted


def places(values: object, path: tuple = ()) -> list[tuple]:
    """Where the values of a JSON text stand."""
    inner = {}
    if isinstance(values, dict | list):
        inner = values if isinstance(values, dict) else dict(enumerate(values))
    return [path, *(place for k, v in inner.items() for place in places(v, (*path, k)))]


def put(values: object, place: tuple, new: object) -> None:
    for key in place[:-1]:
        values = values[key]
    values[place[-1]] = new


def corrupt(file: Path, others: list[Path], chance: random.Random) -> str:
    """Do something to a file; says what."""
    content = bytearray(file.read_bytes())
    kinds = ["flip", "cut", "longer", "swap", "gone"]
    kinds += ["number", "type", "number", "type"] if file.suffix == ".json" else ["flip", "flip"]
    kind = chance.choice(kinds)
    if kind == "flip":
        for _ in range(chance.choice([1, 1, 2, 8])):
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    elif kind == "cut":
        del content[chance.randrange(len(content)) :]
    elif kind == "longer":
        content += content[-chance.randrange(1, 40) :]
    elif kind == "swap":
        content = bytearray(chance.choice(others).read_bytes())
    elif kind in ("number", "type"):
        values = json.loads(content)
        odd = kind == "type"
        old = {place: at(values, place) for place in places(values)[1:]}
        fitting = [p for p, v in old.items() if odd or type(v) in (int, float)]
        place = chance.choice(fitting)
        put(values, place, chance.choice(ODD) if odd else old[place] + chance.choice([1, -1, 1e-6]))
        content = bytearray(json.dumps(values, indent=1).encode())
    file.unlink()
    if kind != "gone":
        file.write_bytes(content)
    return kind


def at(values: object, place: tuple) -> object:
    for key in place:
        values = values[key]
    return values


def every_file(store: Path) -> dict[str, list[Path]]:
    """The files that a store keeps, by kind."""
    found = {name: sorted(store.glob(f"*/{name}")) for name in (RESULT, PROMPTS, predictions.FILE)}
    found["checkpoint"] = list((store / BEGUN).glob("*/*.safetensors"))
    return found | {MEMBERS: list((store / BEGUN).glob(f"*/{MEMBERS}"))}


@pytest.mark.slow
def test_no_number_changes_and_no_other_run_stops(whole, begun, tmp_path):
    expected = {spec: numbers(load_result(whole, spec)) for spec in SPECS}
    table = read_results(whole).set_index("run_id")
    chance, noticed = random.Random(19), []
    for i in range(COUNT):
        store = tmp_path / str(i)
        shutil.copytree(begun, store)
        files = every_file(store)
        kind = list(files)[i % len(files)]
        file = chance.choice(files[kind])
        others = [p for name in (kind, PROMPTS) for p in files[name] if p != file]
        what = f"{i}: {corrupt(file, others, chance)} {kind}"

        found = look(SPECS, store)
        assert len(found.done) >= len(SPECS) - 2, what
        remarks(found)
        runs_table(found.results(found.done), len(found.todo))
        methods_table(found.results(found.done))
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            rows = read_results(store).set_index("run_id")
        pd.testing.assert_frame_equal(
            rows, table.loc[rows.index, rows.columns], check_dtype=False, obj=what
        )
        assert bool(told) == (kind == RESULT and file.exists() and len(rows) < 4), what
        for spec in SPECS[:-1]:
            try:
                result = load_run(store / spec.run_id)
                result.model()
                assert numbers(result) == expected[spec], what
            except (ValueError, FileNotFoundError) as error:
                assert store / spec.run_id == file.parent, what
                assert str(file.parent) in str(error), what
                noticed.append(what)
        results = run(SPECS, store, progress=False)
        for spec, result in zip(SPECS, results, strict=True):
            # a run that is done again alone rounds its calibration in another way than in its pass
            assert result.metrics == pytest.approx(expected[spec][0], abs=1e-3), what
            if kind != predictions.FILE or result.folder != file.parent:
                assert numbers(result)[1:] == expected[spec][1:], what
        assert list((store / BEGUN).iterdir()) == [], what
        shutil.rmtree(store)
    assert len(noticed) > COUNT // 4


def older(store: Path) -> Path:
    """A copy of a store as older versions wrote it, without checksums."""
    copy = shutil.copytree(store, store.parent / f"{store.name}-older", dirs_exist_ok=True)
    for file in copy.glob(f"*/{RESULT}"):
        edited(file, lambda values: None, checked=False)
    return copy


def test_older_results_are_read_and_said_to_have_no_checksums(whole):
    copy = older(whole)
    found = look(SPECS, copy)
    assert found.todo == []
    assert remarks(look(SPECS, whole)) == []
    (told,) = remarks(found)
    assert told.startswith(f"{len(SPECS)} stored results have no checksums, as those of older vers")
    for spec in SPECS:
        result, new = load_result(copy, spec), load_result(whole, spec)
        assert (result.checked, new.checked) == (False, True)
        assert numbers(result) == numbers(new)


IMPOSSIBLE = {
    "metrics.H": (float("nan"), float("inf"), -1, 100.1, "50", True, None, [50], 10**400),
    "metrics.effective_rank": (float("nan"), -1, "2"),
    "metrics.drift_degrees": (float("nan"), -1, "2"),
    "metrics.cluster_auc": (float("nan"), -1, 101, "2"),
    "metrics": (None, [], {}, 5),
    "seconds": (-0.5, float("nan"), float("inf"), "1", True, None),
    "trained_parameters": (-1, 0.5, "1", True),
    "environment": ("x", None, [], {}, {"versions": {}}),
    "environment.versions": ("1.0", {"cptlab": 1}, {"torch": "2"}, None),
    "environment.finished": (20261128, "yesterday", None, ""),
    "environment.threads": ("one", None),
    "classes": ([], {}, [1], [{"name": "ant", "role": "base", "accuracy": 50.0}]),
    "log": (None, [1], {}, [{"epoch": "1"}]),
    "subset": (None, [], {"samples": "4", "checksum": ""}),
    "pass": ({"replicas": 0, "seconds": 1.0}, {"replicas": 1, "seconds": -1.0}, 3),
    "spec": (None, [], {"method": "coop"}),
    "spec.method": ("coop", {}, {"name": 3}),
    "spec.seed": ("1", 1.5, None, True),
    "run_id": (3, None, ["x"]),
    "template": (3, []),
    "clusters": ("0", 3),
    "format": ("2", 2.0, None, True),
}


@pytest.mark.parametrize("place", IMPOSSIBLE)
@pytest.mark.parametrize("checked", [True, False])
def test_impossible_values_are_damage_everywhere(whole, tmp_path, place, checked):
    spec = DONE[0]
    for i, value in enumerate(IMPOSSIBLE[place]):
        store = tmp_path / str(i)
        shutil.copytree(whole / spec.run_id, store / spec.run_id)
        file = store / spec.run_id / RESULT
        edited(file, lambda values, new=value: put(values, tuple(place.split(".")), new), checked)
        found = look([spec], store)
        assert found.todo == [spec], value
        assert "1 stored results are damaged or incomplete and" in remarks(found)[0], value
        assert load_result(store, spec) is None
        with pytest.raises(ValueError, match=r"result\.json is damaged \("):
            load_run(file)
        with (
            pytest.warns(UserWarning, match="1 results .* are left out"),
            pytest.raises(FileNotFoundError, match="holds no finished runs"),
        ):
            read_results(store)


def test_a_result_in_the_folder_of_another_run_is_not_listed(whole, tmp_path):
    for spec in DONE[:2]:
        shutil.copytree(whole / DONE[0].run_id, tmp_path / spec.run_id)
    with pytest.warns(UserWarning, match=f"1 results .* left out: {DONE[1].run_id}"):
        assert list(read_results(tmp_path)["run_id"]) == [DONE[0].run_id]
    assert look(DONE[:2], tmp_path).todo == [DONE[1]]


def test_one_and_two_classes_leave_thirds_empty(whole, tmp_path):
    """Of that few, no number is NaN by damage."""
    spec = DONE[0]
    shutil.copytree(whole / spec.run_id, tmp_path / spec.run_id)
    file = tmp_path / spec.run_id / RESULT
    edited(file, lambda values: values["metrics"].update(tail=float("nan")))
    assert look([spec], tmp_path).todo == [spec]
    edited(file, lambda values: values.update(classes=values["classes"][:2]))
    assert look([spec], tmp_path).todo == []
