"""Measures beside accuracy, by hand and against scikit-learn; base and new classes together."""

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, log_loss
from tiny_clip import tiny_clip
from tiny_world import tiny_dataset

from cptlab.clip import init_prompts
from cptlab.geometry import cosine_matrix, effective_rank
from cptlab.methods import CPT, CoOp
from cptlab.seeds import torch_stream
from cptlab.training import measures as found
from cptlab.training.evaluation import predict, predictions_from
from cptlab.training.joint import predict_both_ways
from cptlab.training.model import PromptedCLIP


def some(n=200, k=6, seed=0):
    rng = np.random.default_rng(seed)
    logits, labels = torch.tensor(2 * rng.normal(size=(1, n, k))), rng.integers(0, k, n)
    (one,) = predictions_from(logits, torch.tensor(labels))
    return one, logits[0].softmax(-1).numpy(), labels


def test_against_scikit_learn():
    one, probabilities, labels = some()
    assert found.negative_log_likelihood(one) == pytest.approx(log_loss(labels, probabilities))
    assert found.macro_f1(one, 6) == pytest.approx(
        100 * f1_score(labels, probabilities.argmax(1), average="macro")
    )


def test_calibration_error_by_hand():
    one, probabilities, labels = some()
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    expected = 0.0
    for low in np.arange(found.BINS) / found.BINS:
        inside = (confidence >= low) & (confidence < low + 1 / found.BINS)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert found.calibration_error(one) == pytest.approx(100 * expected)


def test_worst_classes_and_tail():
    assert found.worst(np.array([50.0, 10.0, 30.0, 90.0, 20.0, 70.0, 60.0, 0.0])) == {
        "worst_quarter": 5.0,
        "worst_class": 0.0,
    }
    logits = torch.zeros(1, 3, 6)
    for image, guess in enumerate((0, 5, 3)):
        logits[0, image, guess] = 9
    (one,) = predictions_from(logits, torch.tensor([4, 5, 2]))
    # ranks: classes 5, 4 are head, 3, 2 medium, 1, 0 tail; no image is of the tail
    assert np.isnan(found.tail_as_head(one, [5, 4, 3, 2, 1, 0]))
    assert found.tail_as_head(one, [0, 1, 2, 3, 4, 5]) == 50


@pytest.fixture(scope="module")
def halves():
    base, new = tiny_dataset(7).halves()
    return {"base": base, "new": new}


def model(method, halves, replicas=2):
    backbone = tiny_clip(torch.float32)
    generators = [torch_stream("init", seed) for seed in range(replicas)]
    prompts = init_prompts(
        backbone, method.prompt_shape(), generators, method.context_init, method.extra
    )
    return PromptedCLIP(backbone, prompts, method, halves["base"].class_names)


@pytest.mark.parametrize("method", [CoOp(), CPT(text_depth=2, vision_depth=2)])
def test_joint_predictions_are_those_among_all_names(method, halves):
    clip = model(method, halves)
    own, joint = predict_both_ways(clip, halves)
    before = predict(clip, halves)
    whole = tiny_dataset(7)
    names = halves["base"].class_names + halves["new"].class_names
    assert names == whole.class_names
    for role, data in halves.items():
        for a, b in zip(own[role], before[role], strict=True):
            for field in dataclasses.fields(a):
                assert np.array_equal(getattr(a, field.name), getattr(b, field.name))
        features = clip.encode_samples(data, data.test)
        logits = clip.compare(features, clip.bind(names))
        start = 0 if role == "base" else len(halves["base"].class_names)
        for row, one in zip(logits, joint[role], strict=True):
            assert np.array_equal(one.top[:, 0], row.argmax(-1).numpy())
            assert one.labels.min() >= start and one.labels.max() < len(names)


def test_images_that_are_encoded_otherwise_for_new_classes_are_encoded_twice(halves):
    @dataclasses.dataclass(frozen=True)
    class Other(CPT):
        def tokens(self, prompts, use):
            plain = super().tokens(prompts, use)
            return plain._replace(vision=[2 * v for v in plain.vision]) if use == "new" else plain

    clip = model(Other(text_depth=2, vision_depth=2), halves)
    assert not clip.encodes_alike()
    _, joint = predict_both_ways(clip, halves)
    base = halves["base"]
    parts = [
        clip.compare(clip.encode_samples(base, base.test, use), clip.bind(halves[use].class_names))
        for use in ("base", "new")
    ]
    expected = torch.cat(parts, -1).argmax(-1)
    for row, one in zip(expected, joint["base"], strict=True):
        assert np.array_equal(one.top[:, 0], row.numpy())


def test_all_of_a_run(halves):
    clip = model(CoOp(), halves, replicas=1)
    both = predict_both_ways(clip, halves)
    own, joint = ({role: rows[0] for role, rows in part.items()} for part in both)
    k = len(halves["base"].class_names)
    values = found.measures(own, joint, np.full(k, 50.0), "base", range(k))
    assert set(values) == {
        *("base_ece", "base_nll", "new_ece", "new_nll", "macro_f1", "worst_quarter"),
        *("worst_class", "tail_as_head", "joint_base", "joint_new", "joint"),
    }
    among_own = 100 * (own["base"].top[:, 0] == own["base"].labels).mean()
    assert values["joint_base"] <= among_own
    assert "joint" not in found.measures(own, {}, np.full(k, 50.0), "base", range(k))


def test_frozen_texts_have_not_drifted_and_turned_ones_have():
    plain = torch.randn(9, 8, generator=torch.Generator().manual_seed(0))
    clusters = torch.arange(9) % 2
    still = found.of_texts(plain, plain, clusters)
    assert still["drift_degrees"] == pytest.approx(0, abs=1e-5)
    assert still["effective_rank"] == effective_rank(cosine_matrix(plain)).item()
    turned = plain.roll(1, -1)
    moved = found.of_texts(turned, plain, clusters)
    cosine = torch.nn.functional.cosine_similarity(turned, plain, dim=-1)
    assert moved["drift_degrees"] == pytest.approx(cosine.arccos().rad2deg().mean().item(), 1e-4)
    # the angles between texts are the same
    assert moved["cluster_auc"] == pytest.approx(still["cluster_auc"])
    assert "cluster_auc" not in found.of_texts(plain, plain, None)


def test_texts_that_are_equal_have_no_frozen_clusters():
    assert found.frozen_clusters(torch.ones(40, 4)) is None
    clusters = found.frozen_clusters(torch.eye(40))
    assert clusters is not None and clusters.max() > 0
