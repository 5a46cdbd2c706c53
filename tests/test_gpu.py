"""What only a GPU can show: the captured step, mixed precision, and no waiting inside a step."""

from copy import deepcopy

import pandas as pd
import pytest
import torch
from test_every_method import ALL as EVERY_METHOD
from tiny_clip import tiny_clip
from tiny_world import tiny_dataset

from cptlab.clip import wrap
from cptlab.data import draw_long_tailed
from cptlab.lab.runs.classify import classify
from cptlab.methods import CPT, CoOp, GlobalETF, TipAdapter
from cptlab.methods.schedule import Schedule
from cptlab.training import loop
from cptlab.training.evaluation import predictions_of
from cptlab.training.loop import train
from cptlab.training.model import PromptedCLIP
from cptlab.training.spec import RunSpec

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
DEPTH = {"text_depth": 2, "vision_depth": 2}
SCHEDULE = Schedule(epochs=3, lr=0.02, batch_size=8)
LEARNING = [method for method in EVERY_METHOD if method.weights()]
METHODS = (*LEARNING, CPT(**DEPTH, n_clusters=2))
SIDE_BY_SIDE = [method for method in METHODS if not method.hard_negatives]


def trained(method, device: str, seeds=(1, 2, 3), precision="fp32", schedule=SCHEDULE):
    """One method for all seeds, or a list of one per seed; one seed if it trains alone."""
    if method in METHODS and method not in SIDE_BY_SIDE:
        seeds = seeds[:1]
    methods = method if isinstance(method, list) else [method] * len(seeds)
    tiny = tiny_clip(torch.float32)
    backbone = wrap(tiny.model.to(device), tiny.tokenizer, "tiny", precision)
    base = tiny_dataset().halves()[0]
    specs = [
        RunSpec("tiny", method, 0.25, seed, schedule, backbone="tiny")
        for method, seed in zip(methods, seeds, strict=True)
    ]
    subsets = [draw_long_tailed(base, 0.25, seed) for seed in seeds]
    return train(specs, backbone, base, subsets)


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_the_captured_step_equals_the_cpu(method):
    on_gpu, on_cpu = trained(method, "cuda"), trained(method, "cpu")
    assert not any(on_gpu.errors)
    for actual, expected in zip(
        on_gpu.model.prompts.parameters(), on_cpu.model.prompts.parameters(), strict=True
    ):
        torch.testing.assert_close(actual.cpu(), expected, rtol=2e-3, atol=2e-5)
    for logs in zip(on_gpu.logs, on_cpu.logs, strict=True):
        for row, expected in zip(*logs, strict=True):
            assert row == pytest.approx(expected, rel=2e-3, abs=1e-3)


@pytest.mark.parametrize("method", SIDE_BY_SIDE, ids=repr)
def test_a_replica_equals_the_run_alone(method):
    together, alone = trained(method, "cuda"), trained(method, "cuda", seeds=(2,))
    for actual, expected in zip(
        together.model.prompts.replica(1).parameters(),
        alone.model.prompts.parameters(),
        strict=True,
    ):
        torch.testing.assert_close(actual, expected, rtol=2e-3, atol=2e-5)


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_low_precision_keeps_prompts_in_float32_and_stays_near(method):
    low, full = trained(method, "cuda", precision="bf16"), trained(method, "cuda")
    for actual, expected in zip(
        low.model.prompts.learned(), full.model.prompts.learned(), strict=True
    ):
        assert actual.dtype == torch.float32
        cosine = torch.nn.functional.cosine_similarity(actual.flatten(), expected.flatten(), dim=0)
        assert cosine > 0.99


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_nothing_waits_inside_a_step(method, monkeypatch):
    def watched(step, *batch):
        torch.cuda.set_sync_debug_mode("error")
        try:
            step(*batch)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        return step

    monkeypatch.setattr(loop, "captured", watched)
    assert not any(trained(method, "cuda").errors)


def test_a_diverging_replica_leaves_the_others_alone():
    methods = [GlobalETF(**DEPTH, lambda_etf=weight) for weight in (0.25, 1e30, 0.5)]
    together = trained(methods, "cuda")
    assert [error is None for error in together.errors] == [True, False, True]
    alone = trained(methods[0], "cuda", seeds=(1,))
    for actual, expected in zip(
        together.model.prompts.replica(0).parameters(),
        alone.model.prompts.parameters(),
        strict=True,
    ):
        torch.testing.assert_close(actual, expected, rtol=2e-3, atol=2e-5)


def test_without_momentum_too(monkeypatch):
    schedule = Schedule(epochs=2, lr=0.02, batch_size=8, momentum=0.0)
    assert trained(CoOp(), "cuda", schedule=schedule).errors == [None] * 3


@pytest.mark.parametrize("method", [*LEARNING, TipAdapter()], ids=repr)
def test_predictions_and_classified_images_are_those_of_the_cpu(method):
    model = trained(method, "cuda", seeds=(1,)).model
    dataset = tiny_dataset().halves()[0]
    model.trained_on = dataset.class_names
    plain = PromptedCLIP(
        tiny_clip(torch.float32), deepcopy(model.prompts).cpu(), method, dataset.class_names
    )
    pixels = dataset.read([sample.key for sample in dataset.test], plain.backbone.image_size)
    found, frames = [], []
    for each in (model, plain):
        (predictions,) = predictions_of(each, dataset, dataset.test)
        found.append(torch.from_numpy(predictions.log_probabilities))
        frames.append(classify(each, pixels))
    torch.testing.assert_close(found[0], found[1], rtol=2e-3, atol=2e-3)
    pd.testing.assert_frame_equal(*frames, check_exact=False, rtol=5e-3, atol=1e-3)
