"""What is exported gives a run's predictions with numpy and plain open_clip, or says that it does
not.
"""

import json
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import load_file
from test_every_method import ALL
from tiny_runs import BACKBONE, NAMES, noisy_folder, trained

from cptlab import clip, load_run
from cptlab.clip import load_prompts
from cptlab.data import open_dataset
from cptlab.lab.cli.main import commands
from cptlab.lab.runs import inputs
from cptlab.lab.runs.queue import run
from cptlab.lab.study.profiles import SMOKE
from cptlab.methods import CoOp, LinearProbe, TipAdapter
from cptlab.training.images import normalised


def exported(path):
    """Class weights (K, d) and metadata, as anybody reads them."""
    with safe_open(path, framework="numpy") as file:
        return file.get_tensor("class_weights"), file.metadata()


def probabilities(features: np.ndarray, weights: np.ndarray, about: dict) -> np.ndarray:
    """Of image features (N, d), by numpy."""
    features = features / np.linalg.norm(features, axis=1, keepdims=True)
    logits = float(about["logit_scale"]) * features.astype(float) @ weights.T.astype(float)
    logits = np.exp(logits - logits.max(1, keepdims=True))
    return logits / logits.sum(1, keepdims=True)


def test_a_hundred_images_by_numpy_and_open_clip(tmp_path):
    spec = SMOKE.spec("activities", CoOp(), 0.06, 1)
    (result,) = run([spec], tmp_path / "runs", progress=False)
    result = load_run(result.folder)
    dataset, files = open_dataset("activities").halves()[0], []
    keys = [sample.key for sample in dataset.test[:: len(dataset.test) // 100]][:100]
    for i, key in enumerate(keys):
        pixels = (dataset.read([key], 120)[0] * 255).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
        files.append(tmp_path / f"{i}.png")
    result.export(tmp_path / "coop.safetensors")

    weights, about = exported(tmp_path / "coop.safetensors")
    names, backbone = json.loads(about["names"]), json.loads(about["backbone"])
    assert names == list(dataset.class_names)
    assert weights.dtype == np.float32 and weights.shape[0] == len(names)
    np.testing.assert_allclose(np.linalg.norm(weights, axis=1), 1, atol=1e-6)
    assert backbone == {
        "name": "EmojiCLIP",
        "pretrained": None,
        "weights": clip.weights_id("EmojiCLIP"),
    }
    size = int(about["image_size"])
    images = [Image.open(file).resize((size, size), Image.Resampling.BICUBIC) for file in files]
    pixels = np.stack([np.asarray(image, dtype=np.float32) / 255 for image in images])
    pixels = (pixels - json.loads(about["mean"])) / json.loads(about["std"])
    batch = torch.from_numpy(pixels.astype(np.float32)).permute(0, 3, 1, 2)
    with torch.no_grad():
        features = clip.load(backbone["name"]).model.encode_image(batch).numpy()
    found = probabilities(features, weights, about)
    frame = result.classify(files)
    assert len(frame) == 100
    np.testing.assert_allclose(found, frame[names].to_numpy(), atol=1e-5)
    assert [names[i] for i in found.argmax(1)] == frame["predicted"].tolist()
    assert about["template"] == "a photo of a {}." and about["method"] == "coop"


# ---------------------------------------------------------------------------- on the tiny backbone


@pytest.fixture(scope="module")
def animals(tmp_path_factory):
    return noisy_folder(tmp_path_factory.mktemp("own") / "animals")


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(inputs, "backbone_of", lambda spec: BACKBONE)


LEAVE_IMAGES = ("zero_shot", "linear_probe", "coop", "kgcoop", "tcp", "dekg")
"""Methods that use image features as the frozen tower gives them; so does DPC on CoOp, and, for new
classes, Tip-Adapter.
"""


@pytest.mark.parametrize("method", ALL, ids=repr)
def test_every_method_gives_its_predictions_or_says_that_it_does_not(
    tiny, animals, tmp_path, method
):
    result = trained(animals, tmp_path / "runs", method)
    for names in (None, ("wild dog", "eel")):
        plain = method.name in LEAVE_IMAGES or method == ALL[-1]
        plain |= method.name == "tip_adapter" and names is not None
        file = tmp_path / f"{names}.safetensors"
        if method.per_image:
            with pytest.raises(ValueError, match="class weights of cocoop depend on the image"):
                result.export(file, names)
            assert not file.exists()
            continue
        warning = "class weights with plain image features do not give its predictions"
        with nullcontext() if plain else pytest.warns(UserWarning, match=warning):
            result.export(file, names)
        weights, about = exported(file)
        prompts = {k: v for k, v in load_file(file).items() if k.startswith("prompts.")}
        dataset = open_dataset(str(animals))
        keys = [sample.key for sample in dataset.test]
        with torch.no_grad():
            images = normalised(BACKBONE, dataset.read(keys, BACKBONE.image_size))
            features = BACKBONE.model.encode_image(images).numpy()
        found = probabilities(features, weights, about)
        frame = result.classify([animals / key for key in keys], names)
        same = np.allclose(found, frame[list(names or NAMES)].to_numpy(), atol=1e-5)
        assert same == plain == (not prompts) == ("warning" not in about)
        if prompts:
            stored = load_prompts(result.folder / "prompts.safetensors").state_dict()
            assert prompts.keys() == {f"prompts.{key}" for key in stored}
            assert all(np.array_equal(prompts[f"prompts.{k}"], v) for k, v in stored.items())


def test_learned_names_in_another_order(tiny, animals, tmp_path):
    """Learned class weights stand under their names; a cache counts the learned names."""
    for method in (LinearProbe(), TipAdapter()):
        result, found = trained(animals, tmp_path / "runs", method), {}
        for names in (NAMES, NAMES[::-1], ("wild dog", "bee")):
            file = tmp_path / f"{method.name}-{'-'.join(names)}"
            learned = method.name == "tip_adapter"
            with pytest.warns(UserWarning) if learned else nullcontext():
                result.export(file, names)
            weights, about = exported(file)
            assert tuple(json.loads(about["names"])) == names
            assert about.get("learned_names") == (json.dumps(NAMES) if learned else None)
            found[names] = dict(zip(names, weights, strict=True))
        for rows in found.values():
            for name, row in rows.items():
                assert np.array_equal(row, found[NAMES][name])


def test_what_cannot_be_exported(tiny, animals, tmp_path):
    result = trained(animals, tmp_path / "runs")
    there = tmp_path / "there.safetensors"
    there.write_text("mine")
    with pytest.raises(FileExistsError, match="is there already: choose another name"):
        result.export(there)
    with pytest.raises(ValueError, match=r"There is no folder .*none: make it"):
        result.export(tmp_path / "none/x.safetensors")
    for names, message in (
        (["ant", ""], "nothing in this name"),
        (["a_b", "a b"], "'a_b' and 'a b' are one name"),
        ([], "There are no class names"),
        ("ant", "got the string 'ant'"),
        (["x " * 99], "reads at most 77"),
    ):
        with pytest.raises(ValueError, match=message):
            result.export(tmp_path / "x.safetensors", names)
    assert there.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "there.safetensors"]


def test_from_the_shell(tiny, animals, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = trained(animals, tmp_path / "runs")
    shell = CliRunner().invoke
    done = shell(commands, ["export", str(result.folder), "a.safetensors", "--names", "wild_dog,ü"])
    assert (done.exit_code, done.output) == (0, "Written to a.safetensors\n")
    weights, about = exported("a.safetensors")
    assert json.loads(about["names"]) == ["wild dog", "ü"] and weights.shape == (2, 16)
    again = shell(commands, ["export", str(result.folder), "a.safetensors"])
    assert isinstance(again.exception, FileExistsError)
