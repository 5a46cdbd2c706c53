"""CLIP-LoRA as a method: where it starts, where it acts, how long it learns, and bad input."""

import dataclasses
import json
from collections import Counter

import pytest
import torch
from safetensors import safe_open
from tiny_clip import largest_error, tiny_clip
from tiny_world import tiny_dataset

from cptlab.clip import init_prompts
from cptlab.data import Task, draw_long_tailed, labels_of
from cptlab.data.long_tail import class_counts
from cptlab.lab.bench.work import work_of
from cptlab.lab.compare.question import Question
from cptlab.lab.runs.export import export
from cptlab.lab.study.profiles import DEMO, PAPER
from cptlab.methods import CLIPLoRA, ZeroShot
from cptlab.methods.schedule import Schedule
from cptlab.training.loop import train
from cptlab.training.model import PromptedCLIP
from cptlab.training.optimisation import planned_epochs
from cptlab.training.spec import RunSpec

SCHEDULE = Schedule(epochs=2, lr=0.02, batch_size=8, optimiser="adamw")
PHOTO = "a photo of a {}."


@pytest.fixture(scope="module")
def backbone():
    return tiny_clip(torch.float32)


def started(backbone, method):
    names = tiny_dataset().class_names
    generators = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
    prompts = init_prompts(backbone, method.prompt_shape(), generators, None, method.extra)
    return PromptedCLIP(backbone, prompts, method, names)


def trained(backbone, method, seeds=(1, 2)):
    base = tiny_dataset().halves()[0]
    specs = [RunSpec("tiny", method, 0.25, s, SCHEDULE, backbone="tiny") for s in seeds]
    return train(specs, backbone, base, [draw_long_tailed(base, 0.25, s) for s in seeds])


@pytest.mark.parametrize("where", ["both", "text", "vision"])
def test_it_starts_from_the_frozen_clip(backbone, where):
    """Exactly, in both towers and on any class names, with dropout too."""
    model, data = started(backbone, CLIPLoRA(where=where)), tiny_dataset()
    frozen = PromptedCLIP(backbone, model.prompts, ZeroShot(), data.class_names, PHOTO)
    assert torch.equal(model.classify(data, data.test)[:1], frozen.classify(data, data.test)[:1])
    images = torch.randn(2, 3, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    uniform = torch.tensor([0.1, 0.6])
    dropped = model.image_features(images, "training", uniform)
    assert torch.equal(dropped, model.frozen_features(images))
    classes = model.bind(data.class_names, "training")
    texts = model.prototypes(classes, uniform=uniform)
    assert largest_error(texts, model.prototypes(classes).expand_as(texts)) < 1e-6


def test_start_values(backbone):
    extra = CLIPLoRA(rank=3).extra(backbone, torch.Generator().manual_seed(0))
    assert {name: tuple(t.shape) for name, t in extra.items()} == {
        "text_down": (3, 3, 3, 20),
        "text_up": (3, 3, 20, 3),
        "vision_down": (3, 3, 3, 24),
        "vision_up": (3, 3, 24, 3),
    }
    assert not extra["text_up"].any() and not extra["vision_up"].any()
    for tower, width in (("text", 20), ("vision", 24)):
        bound, down = width**-0.5, extra[f"{tower}_down"]
        assert 0.9 * bound < down.abs().max() <= bound
        assert down.std() == pytest.approx(bound / 3**0.5, rel=0.1)


@pytest.mark.parametrize(
    ("where", "learned"), [("both", {"text", "vision"}), ("text", {"text"}), ("vision", {"vision"})]
)
def test_only_the_chosen_towers_learn(backbone, where, learned):
    model = trained(backbone, CLIPLoRA(where=where)).model
    assert {name.partition("_")[0] for name in model.prompts.extra} == learned
    assert all(p.abs().min() > 0 for name, p in model.prompts.extra.items() if "up" in name)
    new = tiny_dataset().halves()[1]  # the adapted towers serve new classes too
    frozen = PromptedCLIP(backbone, model.prompts, ZeroShot(), new.class_names, PHOTO)
    texts = largest_error(model.class_texts(new.class_names), frozen.class_texts(new.class_names))
    images = largest_error(
        model.encode_samples(new, new.test),
        frozen.encode_samples(new, new.test).expand(2 if "vision" in learned else 1, -1, -1),
    )
    assert (texts > 1e-3) == ("text" in learned)
    assert (images > 1e-3) == ("vision" in learned)


def test_dropout_acts_in_training_alone_and_anew_in_every_step(backbone):
    model = trained(backbone, CLIPLoRA(dropout=0.5)).model
    images = torch.randn(2, 3, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    first, again, other = (
        model.image_features(images, "training", torch.tensor(uniform))
        for uniform in ([0.2, 0.4], [0.2, 0.4], [0.3, 0.4])
    )
    assert torch.equal(first, again)
    assert torch.equal(first[1], other[1]) and not torch.equal(first[0], other[0])
    tested = model.image_features(images)
    assert not torch.equal(tested, first) and torch.equal(tested, model.image_features(images))
    # its mean over many steps is near what is tested
    mean = torch.stack(
        [
            model.image_features(images, "training", torch.tensor([i / 997, 0.5]))[0]
            for i in range(300)
        ]
    ).mean(0)
    assert largest_error(mean, tested[0]) < 0.3 * largest_error(first[0], tested[0]) + 0.05


def test_it_learns_so_many_steps_for_every_shot():
    spec = PAPER.spec("dtd", CLIPLoRA(), 0.06, 1)
    assert (spec.schedule.lr, spec.schedule.batch_size) == (2e-4, 32)
    # 8,000 steps whatever the classes: 12 or 3 an epoch
    assert planned_epochs(spec, 24 * [16]) == round(8000 / 12)
    assert planned_epochs(spec, class_counts(24, 0.06)) == round(8000 / 3)
    few = dataclasses.replace(spec, n_max=1, protocol="few_shot")
    assert planned_epochs(few, 47 * [1]) == 500
    assert planned_epochs(few, 1000 * [1]) == round(500 / 31)
    many = dataclasses.replace(spec.schedule, steps_per_shot=1)
    assert planned_epochs(dataclasses.replace(spec, schedule=many), 1000 * [16]) == 1
    # all that there are, whatever is asked for
    large = dataclasses.replace(spec, n_max=1000, protocol="few_shot")
    assert planned_epochs(large, [20, 20, 5]) == 20 * 500
    small = DEMO.spec("food", CLIPLoRA(), 0.06, 1)
    assert small.schedule.steps_per_shot == 32  # 500 times (6 / 12) times (4 / 32), rounded up
    assert (small.schedule.lr, small.schedule.weight_decay) == (8e-5, 0.01)


def test_shots_that_no_class_has_are_not_learned_for(backbone):
    """Neither in training nor in what is told before it."""
    data = tiny_dataset(4)
    largest = max(Counter(labels_of(data.train)).values())
    schedule = dataclasses.replace(SCHEDULE, steps_per_shot=2)
    spec = RunSpec("tiny", CLIPLoRA(), 1.0, 1, schedule, n_max=1000, backbone="tiny")
    subset = draw_long_tailed(data, 1.0, 1, 1000)
    expected = round(2 * largest / (len(data.train) // 8))
    assert len(train([spec], backbone, data, [subset]).logs[0]) == expected > 0
    assert work_of(spec, lambda spec: Task("all", {"all": data})).epochs == expected


def test_epochs_that_a_question_asks_for_take_the_place_of_steps():
    for epochs, expected in ((None, 85), (3, 3)):  # 16 * 32 steps, 6 of them an epoch
        asked = Question("food", "clip_lora", seeds=1, epochs=epochs)
        (spec,) = (spec for spec in asked.study if spec.method.weights())
        assert planned_epochs(spec, class_counts(40, spec.tau)) == expected


def test_what_is_exported(backbone, tmp_path):
    """Where images are changed as well, what was learned goes with the class weights."""
    both = trained(backbone, CLIPLoRA(), seeds=(1,)).model
    with pytest.warns(UserWarning, match="clip_lora learned something in the image tower"):
        export(both, tmp_path / "both.safetensors")
    with safe_open(tmp_path / "both.safetensors", "pt") as file:
        down = file.get_tensor("prompts.extra.vision_down")
        assert torch.equal(down, both.prompts.extra["vision_down"])
        assert json.loads(file.metadata()["names"]) == list(both.trained_on)
    export(trained(backbone, CLIPLoRA(where="text"), seeds=(1,)).model, tmp_path / "t.safetensors")
    with safe_open(tmp_path / "t.safetensors", "pt") as file:
        assert list(file.keys()) == ["class_weights"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rank": 0}, "rank is 0: give 1 or more"),
        ({"rank": -2}, "rank is -2: give 1 or more"),
        ({"rank": 21}, "rank is 21, but the text tower of tiny is 20 wide"),
        ({"rank": 22, "where": "vision", "dropout": 1.0}, "dropout is 1.0: give a chance"),
        ({"rank": 25, "where": "vision"}, "rank is 25, but the vision tower of tiny is 24 wide"),
        ({"rank": 2.0}, "CLIPLoRA.rank is 2.0, but must be int"),
        ({"dropout": -0.1}, "dropout is -0.1: give a chance of at least 0, below 1"),
        ({"dropout": float("nan")}, "dropout is nan: give a chance"),
        ({"where": "images"}, "CLIPLoRA.where is 'images', but must be one of both, text, vision"),
        ({"blocks": (1, 3)}, "blocks has 3, but the text tower of tiny has blocks 0 to 2"),
        ({"blocks": (-1,)}, "blocks has -1, but the text tower of tiny has blocks 0 to 2"),
        ({"blocks": (1, 1)}, r"blocks is \(1, 1\): name each once"),
        ({"blocks": 1}, "CLIPLoRA.blocks is 1, but must be tuple"),
        ({"alpha": float("inf")}, "CLIPLoRA.alpha is inf, but must be finite"),
    ],
)
def test_bad_input_is_told_before_any_work(backbone, options, message):
    with pytest.raises(ValueError, match=message):
        RunSpec("food", CLIPLoRA(**options)).method.check(backbone, 5)
