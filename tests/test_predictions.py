"""Stored predictions are those that the metrics were made of, and nothing else hangs on them."""

import numpy as np
import pandas as pd
import pytest
import torch
from edited_files import edited
from test_own_methods import SCHEDULE
from tiny_clip import tiny_clip
from tiny_data_root import own_folder
from tiny_world import tiny_dataset

from cptlab.data import ImageDataset, Sample, Task, open_task
from cptlab.lab.runs import archive, inputs, predictions
from cptlab.lab.runs.finished import load_run
from cptlab.lab.runs.queue import run
from cptlab.lab.runs.results import RESULT, load_result, missing
from cptlab.methods import CPT, CoCoOp, CoOp, ZeroShot
from cptlab.training.evaluation import Predictions, class_accuracies, predictions_of, summary
from cptlab.training.spec import RunSpec

METHODS = (CoOp(), CoCoOp(), CPT(text_depth=2, vision_depth=2, n_clusters=2), ZeroShot())


@pytest.fixture
def tiny(monkeypatch):
    """The tiny CLIP, and tasks of six and of three classes."""
    backbone = tiny_clip(torch.float32)
    base, new = tiny_dataset(9).select(range(6)), tiny_dataset(9).select(range(6, 9))
    task = Task("base", {"base": base, "target one's, ünd": new})
    monkeypatch.setattr(inputs, "backbone_of", lambda spec: backbone)
    monkeypatch.setattr(inputs, "task_of", lambda spec: task)
    return task


def spec_of(method, seed: int = 1, **changes) -> RunSpec:
    return RunSpec("tiny", method, 0.25, seed, SCHEDULE, backbone="tiny", **changes)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_they_are_those_of_the_metrics(tiny, tmp_path, method):
    specs = [spec_of(method, seed, curve=method.name == "coop") for seed in (1, 2)]
    for result in run(specs, tmp_path, progress=False):
        assert result.details["pass"]["replicas"] == 2
        frame = load_run(result.folder).predictions()
        frame["hit"] = 100 * (frame["label"] == frame["predicted"])
        for role, accuracy in frame.groupby("role")["hit"].mean().items():
            assert accuracy == pytest.approx(result.metrics[role], abs=1e-9)
        by_class = frame.groupby("label", sort=False)["hit"].mean()
        stored = result.classes.set_index("name")["accuracy"]
        pd.testing.assert_series_equal(by_class, stored, check_names=False)

        # every number again, from the prompts
        model = result.model()
        for role, dataset in tiny.tests.items():
            own = frame[frame["role"] == role]
            probabilities = model.classify(dataset, dataset.test)[0].softmax(-1).numpy()
            labels = [sample.label for sample in dataset.test]
            true = probabilities[range(len(labels)), labels]
            np.testing.assert_allclose(own["label_probability"], true, atol=2e-4)
            assert own["image"].tolist() == list(range(len(labels)))
            assert own["label"].tolist() == [dataset.class_names[label] for label in labels]
            order = np.argsort(-probabilities, axis=1, kind="stable")
            for i in range(min(5, len(dataset.class_names))):
                end = f"_{i + 1}" if i else ""
                names = [dataset.class_names[row] for row in order[:, i]]
                assert own[f"predicted{end}"].tolist() == names
                largest = np.sort(probabilities)[:, -1 - i]
                np.testing.assert_allclose(own[f"probability{end}"], largest, atol=2e-4)
        three = frame[frame["role"] != "base"]
        assert three["predicted_4"].isna().all() and three["probability_5"].isna().all()
        assert list(frame.columns[:6]) == [
            "role",
            "image",
            "label",
            "label_probability",
            "predicted",
            "probability",
        ]


class Fixed:
    """Stands in for a prompted CLIP that says the same of every image."""

    def __init__(self, logits):
        self.logits = torch.tensor(logits)

    def classify(self, dataset, samples):
        return self.logits.expand(1, len(samples), -1)


def test_of_equal_classes_the_first_is_first_as_in_the_accuracies():
    names = tuple(map(str, range(40)))
    dataset = ImageDataset("even", names, (), tuple(Sample(n, int(n)) for n in names), None)
    logits = [0.0] * 40
    for largest in ((), (7, 21, 30), (3,)):
        row = [1.0 if i in largest else value for i, value in enumerate(logits)]
        (found,) = predictions_of(Fixed(row), dataset, dataset.test)
        first = max(range(40), key=row.__getitem__)
        assert set(found.top[:, 0]) == {first}
        assert all(len(set(top)) == 5 for top in found.top.tolist())
        assert set(largest) <= set(found.top[0].tolist())
        accuracies, totals = class_accuracies([found], 40)
        assert accuracies[0].tolist() == [100.0 if i == first else 0.0 for i in range(40)]
        assert totals.tolist() == [1] * 40
        expected = torch.tensor(row).log_softmax(0).numpy()
        np.testing.assert_allclose(found.log_probabilities[0], expected[found.top[0]], rtol=1e-5)
        np.testing.assert_allclose(found.true_log_probabilities, expected, rtol=1e-5)


def test_small_probabilities_are_no_zeros(tmp_path):
    logarithms = np.array([[-1e-6, -14.0, -150.0]])
    found = Predictions(np.array([2]), np.array([[0, 1, 2]]), logarithms, logarithms[:, 2])
    predictions.write(tmp_path / "p", {"all": found}, {})
    row = predictions.read(tmp_path / "p", {"all": ("a", "b", "c")}).iloc[0]
    assert -np.log(row["label_probability"]) == pytest.approx(150, rel=1e-3)
    assert 1 - row["probability"] == pytest.approx(1e-6, rel=0.05)


def test_images_of_ones_own_are_known_by_their_keys(tiny, tmp_path, monkeypatch):
    root = own_folder(tmp_path / "insects", ("ant", "bee", "cat", "dog"))
    monkeypatch.setattr(inputs, "task_of", lambda spec: open_task(spec.dataset, spec.protocol))
    spec = RunSpec(str(root), CoOp(), 1, 1, SCHEDULE, backbone="tiny")
    (result,) = run([spec], tmp_path / "runs", progress=False)
    frame = result.predictions()
    assert len(frame) == 8
    for row in frame.itertuples():
        assert (root / row.image).is_file() and row.image.startswith(f"{row.label}/")


def test_equal_predictions_are_equal_bytes(tiny, tmp_path):
    for store in ("a", "b"):
        run([spec_of(CoOp())], tmp_path / store, progress=False)
    one, other = (path.read_bytes() for path in sorted(tmp_path.glob(f"*/*/{predictions.FILE}")))
    assert one == other
    with np.load(next(tmp_path.glob(f"*/*/{predictions.FILE}"))) as file:
        images = sum(len(file[name]) for name in file if name.endswith("/labels"))
    assert images == 36 and len(one) < 36 * 25 + 8 * 250  # eight arrays, each with its own header


def test_where_there_are_none_the_result_is_as_good(tiny, tmp_path):
    (result,) = run([spec_of(CoOp())], tmp_path, progress=False)
    file = result.folder / predictions.FILE
    whole = file.read_bytes()
    for damaged in (b"", b"no zip", whole[:200], whole[: len(whole) // 2], whole[: len(whole) - 9]):
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"npz is damaged .*: delete .* and train the run"):
            load_run(result.folder).predictions()
    middle = len(whole) // 3
    file.write_bytes(whole[:middle] + bytes(b ^ 255 for b in whole[middle : middle + 8]))
    with pytest.raises(ValueError, match="is damaged"):
        load_run(result.folder).predictions()
    found = {role: Predictions(*(np.array([[9]]),) * 4) for role in tiny.tests}
    predictions.write(
        file, {r: Predictions(f.labels[0], *[f.top] * 3) for r, f in found.items()}, {}
    )
    edited(result.folder / RESULT, lambda values: None, checked=False)
    with pytest.raises(ValueError, match="classes that the result does not name"):
        load_run(result.folder).predictions()
    file.unlink()
    with pytest.raises(FileNotFoundError, match="no predictions of single images stored, as res"):
        load_run(result.folder).predictions()
    assert missing([result.spec], tmp_path) == []
    assert load_result(tmp_path, result.spec).metrics == result.metrics


def test_an_archive_has_them_where_it_has_prompts(tiny, tmp_path):
    one, other = run([spec_of(CoOp(), 1), spec_of(CoOp(), 2)], tmp_path / "runs", progress=False)
    (other.folder / predictions.FILE).unlink()
    for kept, stored in (([one.spec], [one]), ([other.spec], []), ([], [])):
        store = tmp_path / f"store{len(kept)}{len(stored)}"
        archive.pack([one, other], tmp_path / "packed.tar.xz", kept)
        archive.unpack(tmp_path / "packed.tar.xz", store)
        files = sorted(store.glob(f"*/{predictions.FILE}"))
        assert [file.parent.name for file in files] == [result.folder.name for result in stored]
        for file, result in zip(files, stored, strict=True):
            again = load_run(file.parent).predictions()
            pd.testing.assert_frame_equal(again, result.predictions())


def test_summaries_take_what_was_predicted_before(tiny):
    """One look at the images serves metrics and the stored file."""
    role, dataset = next(iter(tiny.tests.items()))
    always = predictions_of(Fixed([9.0, 0, 0, 0, 0, 0]), dataset, dataset.test)
    (metrics,), accuracies = summary({role: always}, tiny.tests)
    assert metrics == {"base": pytest.approx(100 / 6)}
    assert accuracies["base"].tolist() == [[100, 0, 0, 0, 0, 0]]
