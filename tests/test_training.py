"""The training loop against public schedules, an SGD written out, and a slow loop by hand."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tiny_clip import tiny_clip
from tiny_world import tiny_dataset

from cptlab.clip import init_prompts
from cptlab.data import draw_long_tailed
from cptlab.data.long_tail import class_counts
from cptlab.methods import (
    CPT,
    IVLP,
    TCP,
    Candle,
    CLIPLoRA,
    CoCoOp,
    CoOp,
    CoPrompt,
    DeKg,
    GlobalETF,
    KgCoOp,
    LinearProbe,
    MaPLe,
    NPTStyle,
    PromptSRC,
    TipAdapter,
    ZeroShot,
)
from cptlab.methods.schedule import Schedule
from cptlab.seeds import torch_stream
from cptlab.training.images import read_images
from cptlab.training.loop import TrainingDiverged, train
from cptlab.training.model import PromptedCLIP
from cptlab.training.optimisation import (
    batches,
    optimiser_for,
    planned_epochs,
    rewind,
    steps_per_epoch,
)
from cptlab.training.spec import RunSpec

PROTOCOL = json.loads((Path(__file__).parent / "golden/protocol.json").read_text())
DEPTH = {"text_depth": 2, "vision_depth": 2}
METHODS = (
    LinearProbe(),
    LinearProbe(class_adaptive=True),
    TipAdapter(fine_tune=True, alpha=1.0, beta=1.0),
    CoOp(),
    CoCoOp(),
    IVLP(**DEPTH),
    MaPLe(depth=2),
    PromptSRC(**DEPTH),
    CoPrompt(depth=2),
    NPTStyle(depth=2),
    KgCoOp(),
    TCP(block=2),
    Candle(),
    DeKg(block=2),
    CLIPLoRA(),
    GlobalETF(**DEPTH),
    CPT(**DEPTH),
)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def backbone():
    return tiny_clip(torch.float32)


def run(backbone, method, tau=0.25, dataset=None, after_epoch=None, seed=1, **schedule):
    """Train one run on the base half of the tiny data set (five classes)."""
    schedule = {"epochs": 3, "lr": 0.02, "batch_size": 8} | schedule
    spec = RunSpec("tiny", method, tau, seed, Schedule(**schedule), backbone="tiny")
    base = (dataset or tiny_dataset()).halves()[0]
    trained = train([spec], backbone, base, [draw_long_tailed(base, tau, seed)], after_epoch)
    for error in trained.errors:
        if error is not None:
            raise error
    return trained


# ------------------------------------------------------------------------- schedule and optimiser


@pytest.mark.parametrize("case", PROTOCOL["schedule"], ids=lambda case: f"{case['epochs']} epochs")
def test_schedule_equals_the_public_code(case):
    schedule = Schedule(case["epochs"], case["base_lr"], warmup_lr=case["warmup_lr"])
    rates = [schedule.learning_rate(epoch) for epoch in range(case["epochs"])]
    assert rates == pytest.approx(case["lr_per_epoch"], rel=1e-12)


def test_schedule_by_hand():
    schedule = Schedule(epochs=5, lr=0.0035)
    rates = [schedule.learning_rate(epoch) for epoch in range(5)]
    assert rates == pytest.approx([1e-5, 0.0035, 0.003166, 0.002291, 0.001209], abs=5e-7)
    # Twice as many epochs stretch the cosine: half the rate at (e - 1) / E = 1/2.
    assert schedule.learning_rate(6, epochs=10) == pytest.approx(0.0035 / 2)


def test_sgd_equals_the_public_code():
    case = PROTOCOL["sgd_trace"]
    schedule = Schedule(
        case["epochs"],
        case["base_lr"],
        momentum=case["momentum"],
        weight_decay=case["weight_decay"],
        warmup_lr=case["warmup_lr"],
    )
    assert (schedule.momentum, schedule.weight_decay) == (
        Schedule().momentum,
        Schedule().weight_decay,
    )
    values = torch.tensor(case["start"], dtype=torch.float64, requires_grad=True)
    optimiser = optimiser_for([values], schedule)
    for step, gradient in enumerate(case["gradients"]):
        epoch = step // case["steps_per_epoch"]
        optimiser.param_groups[0]["lr"] = schedule.learning_rate(epoch)
        values.grad = torch.tensor(gradient, dtype=torch.float64)
        optimiser.step()
        assert values.tolist() == pytest.approx(case["values_after_step"][step], rel=1e-12)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_rewinding_leaves_no_trace(name):
    """As a step is tried out before it is recorded on a GPU, the real ones must start afresh."""

    def end(warm_up: bool) -> torch.Tensor:
        values = torch.tensor([1.0, -2.0], requires_grad=True)
        optimiser = optimiser_for([values], Schedule(warmup_lr=0.1, optimiser=name))
        gradients = [torch.tensor([0.3, 0.1]), torch.tensor([-0.2, 0.4])]
        if warm_up:
            start = [(values, values.detach().clone())]
            values.grad = torch.ones(2)
            optimiser.step()
            rewind(optimiser, start)
        for gradient in gradients:
            values.grad = gradient
            optimiser.step()
        return values.detach()

    assert torch.equal(end(warm_up=True), end(warm_up=False))


# ----------------------------------------------------------------------------------------- batches


@pytest.mark.parametrize(
    ("n", "size", "lengths"),
    [
        (12, 4, [4, 4, 4]),
        (11, 4, [4, 4]),
        (13, 4, [4, 4, 4]),
        (3, 4, [3]),
        (4, 4, [4]),
        (1, 1, [1]),
    ],
)
def test_an_incomplete_batch_is_dropped_unless_it_is_alone(n, size, lengths):
    parts = batches(n, size, seed=1, epoch=0)
    assert [len(part) for part in parts] == lengths
    assert steps_per_epoch(n, size) == len(lengths)
    drawn = torch.cat(parts).tolist()
    assert len(set(drawn)) == len(drawn) and set(drawn) <= set(range(n))


def test_batches_are_pure_and_differ_between_epochs_and_seeds():
    state = torch.get_rng_state()
    orders = {tuple(torch.cat(batches(16, 4, s, e)).tolist()) for s in (1, 2) for e in range(3)}
    assert torch.equal(torch.get_rng_state(), state)
    assert len(orders) == 6
    assert torch.equal(batches(16, 4, 2, 1)[0], batches(16, 4, 2, 1)[0])


@pytest.mark.parametrize(
    ("batch_size", "tau", "epochs"),
    [
        # EuroSAT, K = 5, 12 epochs: balanced 20 steps an epoch, 7 at tau = .06: 240 / 7 = 34.3
        (4, 0.06, 34),
        # Batches of 32: balanced 2 steps an epoch, 1 (of 28 images) at tau = .06
        (32, 0.06, 24),
        (4, 1.0, 12),
    ],
)
def test_matching_the_steps_of_the_balanced_run(batch_size, tau, epochs):
    schedule = Schedule(batch_size=batch_size, match_balanced_steps=True)
    spec = RunSpec("tiny", CoOp(), tau, schedule=schedule)
    counts = class_counts(5, tau)
    assert sum(counts) == {1.0: 80, 0.06: 28}[tau]
    assert planned_epochs(spec, counts) == epochs
    plain = dataclasses.replace(spec, schedule=Schedule(batch_size=batch_size))
    assert planned_epochs(plain, counts) == 12


def test_match_balanced_steps_trains_longer(backbone):
    # 44 images in batches of 8 are 5 steps an epoch, 80 are 10.
    log = run(backbone, CoOp(), tau=0.25, match_balanced_steps=True).logs[0]
    assert [row["epoch"] for row in log] == [1, 2, 3, 4, 5, 6]
    assert log[-1]["lr"] == pytest.approx(0.02 * 0.5 * (1 + math.cos(math.pi * 4 / 6)))


# ---------------------------------------------------------------------------------------- training


@pytest.mark.parametrize(
    "method", [m for m in METHODS if not m.support_views], ids=lambda m: m.name
)
def test_training_changes_the_prompts_and_nothing_else(method, backbone, monkeypatch):
    before = {key: value.clone() for key, value in backbone.model.state_dict().items()}
    steps = []
    original = torch.optim.SGD.step
    monkeypatch.setattr(torch.optim.SGD, "step", lambda self: steps.append(original(self)))
    trained = run(backbone, method)
    assert len(steps) == 3 * 5  # 44 images in batches of 8: 5 full ones an epoch
    for key, value in backbone.model.state_dict().items():
        assert torch.equal(value, before[key])
    shape, generators = method.prompt_shape(), [torch_stream("init", 1)]
    start = init_prompts(backbone, shape, generators, method.context_init, method.extra)
    ends = dict(trained.model.prompts.named_parameters())
    assert {name for name, end in ends.items() if end.requires_grad} == set(start.state_dict())
    for name, old in start.named_parameters():
        assert not torch.equal(old, ends[name])
        assert ends[name].isfinite().all()


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_training_lowers_the_loss_and_logs_every_term(method, backbone):
    log = run(backbone, method, epochs=6, tau=1.0).logs[0]
    assert [row["epoch"] for row in log] == [1, 2, 3, 4, 5, 6]
    assert log[0]["lr"] == 1e-5 and log[1]["lr"] == 0.02
    assert log[-1]["loss"] < log[0]["loss"]
    for row in log:
        parts = sum(weight * row[name] for name, weight in method.weights().items())
        assert row["loss"] == pytest.approx(parts, rel=1e-4)
        assert 0 <= row["train_accuracy"] <= 100


def test_training_is_deterministic_and_leaves_global_randomness_alone(backbone):
    method = CPT(**DEPTH)
    state = torch.get_rng_state()
    first = run(backbone, method)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(5)
    again, other = run(backbone, method), run(backbone, method, seed=2)
    assert again.logs == first.logs
    assert other.logs != first.logs
    for a, b in zip(
        first.model.prompts.parameters(), again.model.prompts.parameters(), strict=True
    ):
        assert torch.equal(a, b)


@pytest.mark.parametrize("method", [CoOp(), IVLP(**DEPTH)], ids=lambda m: m.name)
def test_training_equals_a_slow_loop(method, backbone):
    """Images encoded again in every step (CoOp's are cached), SGD written out."""
    trained = run(backbone, method)
    base = tiny_dataset().halves()[0]
    subset = draw_long_tailed(base, 0.25, 1)
    prompts = init_prompts(backbone, method.prompt_shape(), [torch_stream("init", 1)])
    model = PromptedCLIP(backbone, prompts)
    parameters = list(prompts.parameters())
    velocities = [torch.zeros_like(p) for p in parameters]
    for epoch in range(3):
        rate = 1e-5 if epoch == 0 else 0.01 * (1 + math.cos(math.pi * (epoch - 1) / 3))
        for batch in batches(len(subset.samples), 8, 1, epoch):
            samples = [subset.samples[i] for i in batch]
            images = model.image_features(read_images(backbone, base, samples)[None])
            logits = model.logits(images, model.prototypes(model.bind(base.class_names)))
            loss = F.cross_entropy(logits[0], torch.tensor([s.label for s in samples]))
            gradients = torch.autograd.grad(loss, parameters)
            with torch.no_grad():
                for p, v, g in zip(parameters, velocities, gradients, strict=True):
                    v.mul_(0.9).add_(g + 5e-4 * p)
                    p.sub_(rate * v)
    for actual, expected in zip(trained.model.prompts.parameters(), parameters, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-5)


def test_zero_shot_is_not_trained(backbone):
    trained = run(backbone, ZeroShot())
    assert trained.logs == [[]]
    assert list(trained.model.prompts.parameters()) == []


def test_what_is_measured_after_an_epoch_joins_the_log(backbone):
    seen = []

    def after(state):
        seen.append(next(state.model.prompts.parameters()).detach().clone())
        return [{"H": float(len(seen))}]

    trained = run(backbone, CoOp(), after_epoch=after)
    assert [row["H"] for row in trained.logs[0]] == [1, 2, 3]
    assert torch.equal(seen[-1], next(trained.model.prompts.parameters()))


# --------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("method", [CoOp(), CPT(**DEPTH)], ids=lambda m: m.name)
def test_divergence_is_named(method, backbone):
    message = r"Run tiny-.*NaN or infinite in epoch 2 .*Lower the learning rate"
    with pytest.raises(TrainingDiverged, match=message):
        run(backbone, method, lr=1e30)


def test_divergence_in_the_very_last_step_is_seen(backbone):
    """One step an epoch: the loss of epoch 2 is still finite, the prompts after it are not."""
    with pytest.raises(TrainingDiverged, match=r"in epoch 2 .*loss \d"):
        run(backbone, CoOp(), epochs=2, batch_size=100, lr=3e38, weight_decay=1e4)


def test_nan_images_are_divergence(backbone):
    dataset = dataclasses.replace(
        tiny_dataset(), read=lambda keys, size: torch.full((len(keys), 3, size, size), math.nan)
    )
    with pytest.raises(TrainingDiverged, match="in epoch 1"):
        run(backbone, IVLP(**DEPTH), dataset=dataset)


def test_prompts_deeper_than_the_backbone(backbone):
    with pytest.raises(ValueError, match="text_depth is 9, but the text tower of tiny has 3"):
        run(backbone, CPT())


def test_too_few_classes_for_the_clusters(backbone):
    with pytest.raises(ValueError, match="Cannot make 6 clusters of 5 classes"):
        run(backbone, CPT(**DEPTH, n_clusters=6))


@pytest.mark.parametrize("method", [CoOp(), CLIPLoRA()], ids=lambda method: method.name)
def test_a_compiled_step_learns_the_same(backbone, method, monkeypatch):
    """Dynamo traces the step; the code generator, which would take a minute, is left out."""
    compiled = []

    def compile(function):
        compiled.append(function)
        return real(function, backend="eager")

    real = torch.compile
    monkeypatch.setattr(torch, "compile", compile)
    base = tiny_dataset().halves()[0]
    subset = draw_long_tailed(base, 0.25, 1)
    plain = RunSpec("tiny", method, 0.25, 1, Schedule(3, 0.02, 8), backbone="tiny")
    logs = []
    for spec in (plain, dataclasses.replace(plain, compile=True)):
        logs += train([spec], backbone, base, [subset]).logs
    assert len(compiled) == 1
    for row, expected in zip(*logs, strict=True):
        assert row == pytest.approx(expected, rel=1e-5)
