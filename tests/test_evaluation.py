"""Accuracies of a model that is known to be right or wrong image by image."""

import dataclasses

import numpy as np
import pytest
import torch
from tiny_world import tiny_dataset

from cptlab.data import ImageDataset, Sample
from cptlab.training.evaluation import (
    class_accuracies,
    harmonic_mean,
    micro,
    predictions_of,
    scores,
    thirds,
)


@dataclasses.dataclass
class Clairvoyant:
    """Stands in for a prompted CLIP: a sample key "wanted/..." is classified as `wanted`.

    It raises if class names are not offered, and answers class 0 if `wanted` is not among them.
    """

    def classify(self, dataset: ImageDataset, samples) -> torch.Tensor:
        rows = [dataset.class_names.index(s.key.split("/")[0]) for s in samples]
        return torch.eye(len(dataset.class_names))[rows][None]


def dataset_of(answers: list[list[str]], names: tuple[str, ...]) -> ImageDataset:
    """Test samples of each class, given by what the model will say to them."""
    test = [
        Sample(f"{a}/{i}", label) for label, row in enumerate(answers) for i, a in enumerate(row)
    ]
    return ImageDataset("made-up", names, (), tuple(test), read=None)


def test_class_accuracies_by_hand():
    dataset = dataset_of(
        [["a", "a", "b", "a"], ["c", "a"], ["c"]],
        ("a", "b", "c"),
    )
    accuracies, totals = class_accuracies(predictions_of(Clairvoyant(), dataset, dataset.test), 3)
    assert accuracies.tolist() == [[75, 0, 100]]
    assert totals.tolist() == [4, 2, 1]
    # 4 of 7 images are right; the mean over classes would be 58.3.
    assert micro(accuracies[0], totals) == pytest.approx(400 / 7)


def test_harmonic_mean_by_hand():
    assert harmonic_mean(60, 40) == pytest.approx(48)
    assert harmonic_mean(50, 50) == pytest.approx(50)
    assert harmonic_mean(80, 0) == 0
    assert harmonic_mean(0, 0) == 0
    # Published averages: CoOp 82.69 / 63.22 -> 71.66, MaPLe 82.28 / 75.14 -> 78.55.
    assert harmonic_mean(82.69, 63.22) == pytest.approx(71.66, abs=0.005)
    assert harmonic_mean(82.28, 75.14) == pytest.approx(78.55, abs=0.005)


def test_thirds_follow_ranks():
    accuracies = np.array([10.0, 20, 30, 40, 50, 60, 70])
    # Seven classes: 3 head, 2 medium, 2 tail.
    assert thirds(accuracies, range(7)) == {"head": 20, "medium": 45, "tail": 65}
    reverse = thirds(accuracies, [6, 5, 4, 3, 2, 1, 0])
    assert reverse == {"head": 60, "medium": 35, "tail": 15}
    # Class 3 has rank 0, class 0 rank 1, class 1 rank 2.
    assert thirds(accuracies[[3, 0, 1]], [0, 1, 2]) == {"head": 40, "medium": 10, "tail": 20}
    assert thirds(accuracies[:3], [1, 2, 0]) == {"head": 30, "medium": 10, "tail": 20}


def test_thirds_of_two_classes_have_no_tail():
    values = thirds(np.array([10.0, 20.0]), [0, 1])
    assert (values["head"], values["medium"]) == (10, 20)
    assert np.isnan(values["tail"])


def test_base_and_new_images_meet_their_own_names_only():
    base = dataset_of([["a", "a", "a", "b"], ["b", "b"]], ("a", "b"))
    new = dataset_of([["c"], ["c"]], ("c", "d"))
    (metrics,), accuracies = scores(Clairvoyant(), {"base": base, "new": new})
    assert accuracies["base"].tolist() == [[75, 100]]
    assert accuracies["new"].tolist() == [[100, 0]]
    assert metrics["base"] == pytest.approx(500 / 6)
    assert metrics["new"] == 50
    assert metrics["H"] == pytest.approx(2 * (500 / 6) * 50 / (500 / 6 + 50))


def test_means_over_targets_and_over_domains():
    right, half, wrong = (
        dataset_of([row, ["b"]], ("a", "b")) for row in (["a", "a"], ["a", "b"], ["b", "b"])
    )
    roles = {"source": right, "target x": half, "target y": right, "domain z": wrong}
    (metrics,), _ = scores(Clairvoyant(), roles)
    assert metrics == {
        "source": 100,
        "target x": pytest.approx(200 / 3),
        "target y": 100,
        "domain z": pytest.approx(100 / 3),
        "targets": pytest.approx(250 / 3),
        "domains": pytest.approx(100 / 3),
    }


def test_halves_relabel_and_separate():
    base, new = tiny_dataset(7).halves()
    assert base.class_names == ("ant", "bee", "cat", "dog")  # ceil(7 / 2) = 4
    assert new.class_names == ("eel", "fox", "gnu")
    for half in (base, new):
        for sample in (*half.train, *half.test):
            assert sample.key.split("/")[0] == half.class_names[sample.label]
    everything = [tuple(s.key for s in half.test) for half in (base, new)]
    assert everything[0] + everything[1] == tuple(s.key for s in tiny_dataset(7).test)


@pytest.mark.parametrize("keep", [(0, 2), ()])
def test_class_without_test_images(keep):
    dataset = dataset_of([["a"], ["b"], ["c"]], ("a", "b", "c"))
    samples = [s for s in dataset.test if s.label in keep]
    name = "b" if keep else "a"
    with pytest.raises(ValueError, match=f"Class '{name}' of data set 'made-up' has no images"):
        predictions_of(Clairvoyant(), dataset, samples)
