"""A finished run is read from its folder alone, or one sentence says why it cannot be."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from edited_files import edited
from golden_study import RUNS, study
from test_own_methods import EXAMPLE, SCHEDULE, spec_of, tail_coop
from tiny_clip import tiny_clip
from tiny_data_root import own_folder
from tiny_world import tiny_dataset

import cptlab
from cptlab import clip
from cptlab.data import Task, open_dataset, sentence_of
from cptlab.lab.runs import archive, inputs
from cptlab.lab.runs.finished import load_run
from cptlab.lab.runs.queue import run
from cptlab.lab.runs.results import load_result
from cptlab.methods import CoOp, UnknownMethod, ZeroShot, registry
from cptlab.training.spec import RunSpec

NAMES = ("ant", "bee", "cat", "dog")


@pytest.fixture
def tiny(monkeypatch):
    """The tiny CLIP behind every run; data sets are what they are."""
    backbone = tiny_clip(torch.float32)
    monkeypatch.setattr(inputs, "backbone_of", lambda spec: backbone)


@pytest.fixture
def finished(tiny, tmp_path):
    """A run on a folder of images of one's own."""
    root = own_folder(tmp_path / "insects", NAMES)
    spec = RunSpec(str(root), CoOp(), 1, 1, SCHEDULE, backbone="tiny", protocol="few_shot")
    (result,) = run([spec], tmp_path / "runs", progress=False)
    return result


def test_images_that_have_moved_are_not_missed(finished, tmp_path, monkeypatch):
    before = open_dataset(finished.spec.dataset)
    expected = finished.model().classify(before, before.test)
    (tmp_path / "insects").rename(tmp_path / "moved")
    monkeypatch.setattr(inputs, "task_of", lambda spec: 1 / 0)
    for place in (finished.folder, str(finished.folder), finished.folder / "result.json"):
        result = cptlab.load_run(place)
        assert (result.spec, result.metrics) == (finished.spec, finished.metrics)
        assert result.learned == NAMES
        model = result.model()
        assert model.trained_on == NAMES
        after = open_dataset(str(tmp_path / "moved"))
        torch.testing.assert_close(model.classify(after, after.test), expected)


def test_only_learned_classes_are_learned(tiny, tmp_path, monkeypatch):
    base, new = tiny_dataset(7).halves()
    task = Task("base", {"new": new, "base": base})
    monkeypatch.setattr(inputs, "task_of", lambda spec: task)
    spec = RunSpec("tiny", ZeroShot(), schedule=SCHEDULE, backbone="tiny")
    (result,) = run([spec], tmp_path, progress=False)
    assert load_run(result.folder).learned == base.class_names


def test_the_sentence_is_stored_and_older_results_go_by_the_name(tiny, tmp_path, monkeypatch):
    base, new = (replace(half, template="{} texture.") for half in tiny_dataset(8).halves())
    monkeypatch.setattr(inputs, "task_of", lambda spec: Task("base", {"base": base, "new": new}))
    spec = RunSpec("eurosat", ZeroShot(), schedule=SCHEDULE, backbone="tiny")
    (result,) = run([spec], tmp_path, progress=False)
    file = result.folder / "result.json"
    assert load_run(file).model().template == "{} texture."
    assert json.loads(file.read_text())["template"] == "{} texture."
    edited(file, lambda values: values.pop("template"), checked=False)
    assert load_run(file).model().template == "a centered satellite photo of {}."
    assert sentence_of("food") == sentence_of("/no/where") == "a photo of a {}."
    older = load_run(RUNS / next(iter(study())).run_id)
    assert older.template == "a photo of a {}."


def test_collapse_is_computed_afterwards_as_it_is_along_training(tiny, tmp_path):
    root = own_folder(tmp_path / "insects", NAMES)
    spec = RunSpec(str(root), CoOp(), 0.5, 1, SCHEDULE, backbone="tiny", curve=True)
    (result,) = run([spec], tmp_path / "runs", progress=False)
    found = result.collapse()
    for name, value in found.items():
        expected = pytest.approx(result.log[name].iloc[-1], rel=1e-3, abs=1e-5, nan_ok=True)
        assert value == expected, name
    assert {"nc1_unbiased", "nc3_papyan"} <= found.keys()
    for image in (root / NAMES[0]).iterdir():
        image.rename(image.with_stem(f"another{image.stem}"))
    with pytest.raises(ValueError, match="are not those that it learned from"):
        result.collapse()


DAMAGE = {
    "cut": (lambda text: text[: len(text) // 2], r"is damaged \(JSONDecodeError.*train the run"),
    "list": (lambda text: "[1]", "is damaged"),
    "other number": (lambda text: text.replace('"seed": 1', '"seed": 2'), "checksum does not fit"),
    "no checksum": (lambda text: text.replace('"checksum": "', '"x": "'), "checksum does not fit"),
    "older": (lambda text: text.replace('"format": 2', '"format": 1'), "has format 1 and this"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_result_is_named(finished, damage):
    change, message = DAMAGE[damage]
    file = finished.folder / "result.json"
    text = file.read_text()
    file.write_text(change(text))
    assert file.read_text() != text
    with pytest.raises(ValueError, match=rf"(?s)result\.json .*{message}"):
        load_run(finished.folder)


def test_a_whole_folder_may_be_called_as_one_likes(finished, tmp_path, monkeypatch):
    copy = shutil.copytree(finished.folder, tmp_path / "best")
    monkeypatch.chdir(copy)
    for place in (copy, "."):
        assert load_run(place).metrics == finished.metrics
        assert load_run(place).model().trained_on == NAMES


def test_the_result_of_another_run_is_not_believed(finished, tmp_path):
    spec = replace(finished.spec, seed=2)
    (other,) = run([spec], tmp_path / "runs", progress=False)
    copy = shutil.copytree(other.folder, tmp_path / "best")
    for folder in (other.folder, copy):
        shutil.copy(finished.folder / "result.json", folder)
    named = rf"result\.json is the result of {finished.folder.name}, "
    with pytest.raises(ValueError, match=f"{named}which is not the run that the folder is named"):
        load_run(other.folder)
    with pytest.raises(ValueError, match=rf"{named}but prompts\.safetensors beside it is not of"):
        load_run(copy)
    shutil.copy(finished.folder / "prompts.safetensors", copy)
    (copy / "predictions.npz").write_bytes(b"another run's")
    with pytest.raises(ValueError, match=rf"{named}but predictions\.npz beside it is not of"):
        load_run(copy)
    shutil.copy(finished.folder / "predictions.npz", copy)
    assert load_run(copy).metrics == finished.metrics
    for file in finished.folder.iterdir():  # whole, but in the place of another run
        shutil.copy(file, other.folder)
    with pytest.raises(ValueError, match="which is not the run that the folder is named for"):
        load_run(other.folder)


def test_a_specification_that_cannot_be_used_is_named(finished):
    edited(finished.folder / "result.json", lambda values: values["spec"].update(x=1))
    with pytest.raises(ValueError, match=r"json has a specification.*RunSpec has no parameter 'x'"):
        load_run(finished.folder)


def test_what_is_no_run_is_named(finished, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*nowhere: give that of a"):
        load_run(tmp_path / "nowhere")
    with pytest.raises(
        FileNotFoundError, match=rf"holds runs, such as {finished.folder.name}: give"
    ):
        load_run(tmp_path / "runs")
    (finished.folder / "result.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no result\.json: the run is not finished"):
        load_run(finished.folder)


def test_prompts_that_cannot_be_used_leave_the_numbers(finished, monkeypatch, tmp_path):
    with monkeypatch.context() as changed:
        changed.setattr(clip, "weights_id", lambda name, pretrained: "retrained")
        result = load_run(finished.folder)
        assert result.metrics == finished.metrics
        with pytest.raises(ValueError, match=r"other weights of tiny .*tiny/None, here retrained"):
            result.model()
    archive.pack([finished], tmp_path / "packed.tar.xz")
    archive.unpack(tmp_path / "packed.tar.xz", tmp_path / "other")
    archived = load_run(tmp_path / "other" / finished.folder.name)
    assert archived.metrics == finished.metrics
    with pytest.raises(ValueError, match="came from an archive without its prompts"):
        archived.model()
    prompts = finished.folder / "prompts.safetensors"
    prompts.write_bytes(prompts.read_bytes()[:50])
    with pytest.raises(ValueError, match=r"prompts\.safetensors is damaged"):
        load_run(finished.folder).model()
    prompts.unlink()
    with pytest.raises(FileNotFoundError, match="No prompts at"):
        load_run(finished.folder).model()


def test_without_its_gpu_a_run_is_used_on_the_cpu(finished, monkeypatch):
    file, asked = finished.folder / "result.json", []
    edited(file, lambda values: values["spec"].update(device="cuda"))
    backbone = tiny_clip(torch.float32)
    monkeypatch.setattr(inputs, "backbone_of", lambda spec: asked.append(spec.device) or backbone)
    for here, device in ((False, "cpu"), (True, "cuda")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda here=here: here)
        result = load_run(finished.folder)
        result.model()
        assert (result.spec.device, asked.pop()) == ("cuda", device)


def test_a_method_of_ones_own(tiny, tmp_path, monkeypatch):
    base, new = tiny_dataset(8).halves()
    monkeypatch.setattr(inputs, "task_of", lambda spec: Task("base", {"base": base, "new": new}))
    file = tmp_path / "tail_coop.py"
    file.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    (result,) = run([spec_of(tail_coop(file))], tmp_path / "runs", progress=False)
    monkeypatch.setattr(registry, "_named", {})
    with pytest.raises(
        UnknownMethod, match=rf"'tail_coop', which came from {file}:TailCoOp, is not"
    ):
        load_run(result.folder)
    tail_coop(file)
    assert load_run(result.folder).metrics == result.metrics
    assert load_result(tmp_path / "runs", result.spec) is not None
    file.write_text(file.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    tail_coop(file)
    with pytest.warns(UserWarning, match="source of method 'tail_coop' has changed since"):
        load_run(result.folder)
