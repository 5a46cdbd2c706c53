"""A finished run's prompts on other data sets than its own, beside the frozen CLIP."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from test_every_method import ALL
from tiny_data_root import image, own_folder, tiny_root
from tiny_runs import BACKBONE, NAMES, noisy_folder, trained

from cptlab import clip
from cptlab.data import ImageDataset, open_dataset
from cptlab.lab.cli.main import commands
from cptlab.lab.runs import inputs
from cptlab.methods import ZeroShot


@pytest.fixture(scope="module")
def animals(tmp_path_factory):
    return noisy_folder(tmp_path_factory.mktemp("own") / "animals")


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    reads = clip.reads
    monkeypatch.setattr(inputs, "backbone_of", lambda spec: BACKBONE)
    monkeypatch.setattr(clip, "reads", lambda name: reads())


@pytest.mark.parametrize("method", ALL, ids=lambda method: method.name)
def test_on_its_own_data_a_run_has_its_own_numbers(animals, tmp_path, method):
    result = trained(animals, tmp_path / "runs", method)
    frozen = trained(animals, tmp_path / "runs", ZeroShot())
    metrics, classes = result.evaluate(str(animals))
    (row,) = metrics.to_dict("records")
    assert (row["role"], row["images"], row["classes"]) == ("all", 48, 4)
    assert row["accuracy"] == pytest.approx(result.metrics["all"], abs=1e-9)
    assert row["macro"] == pytest.approx(result.metrics["macro"], abs=1e-9)
    assert row["zero_shot"] == pytest.approx(frozen.metrics["all"], abs=1e-9)
    assert row["zero_shot_macro"] == pytest.approx(frozen.metrics["macro"], abs=1e-9)
    assert tuple(classes["name"]) == NAMES and classes["images"].tolist() == [12] * 4
    for column, run in (("accuracy", result), ("zero_shot", frozen)):
        np.testing.assert_allclose(classes[column], run.classes["accuracy"], atol=1e-9)


def test_roles_of_another_protocol(animals, tmp_path):
    result = trained(animals, tmp_path / "runs")
    metrics, classes = result.evaluate(str(animals), "base_to_new")
    assert metrics["role"].tolist() == ["base", "new"]
    assert metrics["images"].tolist() == [24, 24]
    assert classes["role"].tolist() == ["base", "base", "new", "new"]
    whole, _ = result.evaluate(str(animals))
    # fewer names to choose from
    assert metrics["accuracy"].mean() >= whole["accuracy"][0]


def test_the_other_data_set_brings_its_own_names_and_sentence(animals, tmp_path):
    result = trained(animals, tmp_path / "runs", ZeroShot())
    plain = open_dataset(str(animals))
    seen = []

    def read(keys, size):
        seen.extend(keys)
        return plain.read(keys, size)

    other = ImageDataset("x", ("fox", "owl", "elk", "eel"), (), plain.test[::5], read)
    said = [result.evaluate(replace(other, template=t))[1] for t in ("{}.", "a drawing of a {}!")]
    assert tuple(said[0]["name"]) == other.class_names
    assert set(seen) == {sample.key for sample in other.test}
    for classes, template in zip(said, ("{}.", "a drawing of a {}!"), strict=True):
        expected = result.model()
        expected.template = template
        names = [sample.label for sample in other.test]
        frame = expected.predict(replace(other, template=template), other.test)
        hits = [guess == other.class_names[n] for guess, n in zip(frame, names, strict=True)]
        by_class = 100 * pd.Series(hits).groupby(names).mean()
        np.testing.assert_allclose(classes["accuracy"], by_class)
        np.testing.assert_allclose(classes["zero_shot"], by_class)


def test_uneven_classes_weigh_alike_in_macro_alone(animals, tmp_path):
    result = trained(animals, tmp_path / "runs")
    plain = open_dataset(str(animals))
    uneven = replace(plain, test=plain.test[:12] + plain.test[12::6])
    metrics, classes = result.evaluate(uneven)
    weights = classes["images"]
    assert weights.tolist() == [12, 2, 2, 2]
    for column in ("accuracy", "zero_shot"):
        assert metrics[column][0] == pytest.approx(np.average(classes[column], weights=weights))
    assert metrics["macro"][0] == pytest.approx(classes["accuracy"].mean())
    assert metrics["zero_shot_macro"][0] == pytest.approx(classes["zero_shot"].mean())
    with pytest.raises(ValueError, match="Class 'bee' of data set 'animals' has no images to test"):
        result.evaluate(replace(plain, test=plain.test[:12]))


def test_from_the_shell(animals, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CPTLAB_DATA", "")  # put back afterwards
    result = trained(animals, tmp_path / "runs")
    own_folder(tmp_path / "birds", ("jay", "owl", "wren"))
    tiny_root(tmp_path / "data", ["dtd", "imagenet_sketch"])

    def evaluate(*arguments):
        return CliRunner().invoke(commands, ["evaluate", str(result.folder), *arguments])

    done = evaluate("--dataset", "birds", "--csv", "by_class.csv")
    assert done.exit_code == 0, done.output
    header, row, note, written = done.output.splitlines()
    metrics, classes = result.evaluate("birds")
    columns = "role images classes accuracy macro zero_shot zero_shot_macro"
    assert header.split() == columns.split()
    assert row.split()[:3] == ["all", "6", "3"]
    assert float(row.split()[3]) == pytest.approx(metrics["accuracy"][0], abs=0.01)
    assert note.startswith("Percent") and written == "Written to by_class.csv"
    pd.testing.assert_frame_equal(pd.read_csv("by_class.csv"), classes)

    # data sets with test images alone can be tested on, too
    for name in ("dtd", "imagenet_sketch"):
        done = evaluate("--dataset", name, "--data-root", str(tmp_path / "data"))
        assert done.exit_code == 0, done.output
    image(tmp_path / "birds/owl/bad.png").write_bytes(b"no image")
    assert "cannot be read" in str(evaluate("--dataset", "birds").exception)
    assert "No data set 'bird'" in str(evaluate("--dataset", "bird").exception)
    no_folder = evaluate("--dataset", "dtd", "--csv", "none/x.csv")
    assert str(no_folder.exception) == "There is no folder none for x.csv: make it first."
