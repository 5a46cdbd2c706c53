"""Methods that start from frozen training images: what runs in a step, and what becomes of it."""

import dataclasses
import math

import pytest
import torch
from tiny_clip import tiny_clip
from tiny_world import read, tiny_dataset

from cptlab.clip import ImageTower, Prompts, TextTower, load_prompts, save_prompts
from cptlab.data import Subset, Task, draw_long_tailed, labels_of
from cptlab.lab.runs import inputs
from cptlab.lab.runs.queue import run
from cptlab.lab.study.profiles import PAPER
from cptlab.methods import CoOp, LinearProbe, TipAdapter, ZeroShot
from cptlab.methods.base import Support
from cptlab.methods.schedule import Schedule
from cptlab.methods.tip_adapter import grid, leave_one_out
from cptlab.training import support
from cptlab.training.loop import TrainStep, train
from cptlab.training.model import PromptedCLIP
from cptlab.training.spec import RunSpec

SCHEDULE = Schedule(epochs=3, lr=0.02, batch_size=8)
ALL = (
    LinearProbe(),
    LinearProbe(class_adaptive=True),
    TipAdapter(),
    TipAdapter(alpha=1.17, beta=1.0),
    TipAdapter(fine_tune=True),
)
LEARNING = [method for method in ALL if method.learns()]
of_all = pytest.mark.parametrize("method", ALL, ids=repr)


@pytest.fixture(scope="module")
def backbone():
    return tiny_clip(torch.float32)


@pytest.fixture(scope="module")
def halves():
    return tiny_dataset(8).halves()


def spec_of(method, seed=1, **changes) -> RunSpec:
    return RunSpec("tiny", method, 0.25, seed, SCHEDULE, backbone="tiny", **changes)


def trained(method, backbone, dataset, seeds=(1,), **changes):
    specs = [spec_of(method, seed, **changes) for seed in seeds]
    subsets = [draw_long_tailed(dataset, spec.tau, spec.seed) for spec in specs]
    return train(specs, backbone, dataset, subsets), subsets


def crops(keys, size, seeds):
    noise = [torch.rand(3, size, size, generator=torch.Generator().manual_seed(s)) for s in seeds]
    return (read(keys, size) + torch.stack(noise)) / 2


# ------------------------------------------------------------------------------------ what is run


@pytest.mark.parametrize("method", [*LEARNING, CoOp()], ids=repr)
def test_no_tower_runs_in_a_step_where_nothing_in_it_is_learned(
    method, backbone, halves, monkeypatch
):
    ran, inside = set(), []
    step = TrainStep.__call__

    def stepping(self, *args):
        inside.append(True)
        try:
            return step(self, *args)
        finally:
            inside.pop()

    monkeypatch.setattr(TrainStep, "__call__", stepping)
    for tower in (ImageTower, TextTower):
        call = tower.__call__

        def counted(self, *args, call=call, name=tower.__name__):
            ran.update({name} if inside else ())
            return call(self, *args)

        monkeypatch.setattr(tower, "__call__", counted)
    trained(method, backbone, halves[0])
    assert ran == ({"TextTower"} if method.name == "coop" else set())


def test_crops_are_encoded_before_training_and_steps_draw_from_all_of_them(
    backbone, halves, monkeypatch
):
    """Twenty of each image, by the run's seed; an epoch has the steps of the images alone."""
    data, seen = dataclasses.replace(halves[0], crops=crops), []
    encode = ImageTower.__call__
    monkeypatch.setattr(
        ImageTower, "__call__", lambda self, x, *a: seen.append(x.shape[1]) or encode(self, x, *a)
    )
    one, [subset] = trained(LinearProbe(), backbone, data, crop=True)
    images = len(subset.samples)
    assert sum(seen) == 20 * images  # none in a step
    assert len(one.logs[0]) == SCHEDULE.epochs
    again, _ = trained(LinearProbe(), backbone, data, (1, 2), crop=True)
    weights = again.model.prompts.extra["class_weights"]
    torch.testing.assert_close(weights[0], one.model.prompts.extra["class_weights"][0])
    assert not torch.equal(weights[0], weights[1])
    plain, _ = trained(LinearProbe(), backbone, data)
    assert not torch.equal(plain.model.prompts.extra["class_weights"][0], weights[0])


# -------------------------------------------------------------------------------- what is learned


@pytest.mark.parametrize("method", LEARNING, ids=repr)
def test_training_changes_what_is_learned_and_nothing_else(method, backbone, halves):
    frozen = {key: value.clone() for key, value in backbone.model.state_dict().items()}
    state, [subset] = trained(method, backbone, halves[0])
    prompts, context = state.model.prompts, state.context
    views = PromptedCLIP(backbone, Prompts([], [])).encode_samples(halves[0], subset.samples)[0]
    labels = torch.tensor(labels_of(subset.samples))
    start = method.start(context, Support(views.unsqueeze(1), labels))
    for name, value in start.items():
        changed = not torch.equal(prompts.extra[name][0], value)
        assert (
            changed
            == (name in ("class_weights", "cache_keys"))
            == (prompts.extra[name].requires_grad)
        )
    assert all(torch.equal(v, frozen[key]) for key, v in backbone.model.state_dict().items())
    assert state.logs[0][-1]["loss"] < state.logs[0][0]["loss"]


def test_the_penalty_holds_weights_where_zero_shot_is_sure(backbone, halves):
    """Class by class, relative to the probe without it."""
    ends = [
        trained(LinearProbe(class_adaptive=adaptive), backbone, halves[0])[0]
        for adaptive in (False, True)
    ]
    frozen = ends[0].context.frozen_prototypes
    moved = [(end.model.prompts.extra["class_weights"][0] - frozen).norm(dim=-1) for end in ends]
    assert (moved[1] < moved[0]).all()
    assert ends[0].logs[0][-1]["penalty"] > ends[1].logs[0][-1]["penalty"] > 0


@of_all
def test_new_classes_are_told_by_their_frozen_texts_alone(method, backbone, halves):
    base, new = halves
    model = trained(method, backbone, base, (1, 2))[0].model
    zero_shot = trained(ZeroShot(), backbone, base)[0].model
    plain, own = zero_shot.classify(new, new.test), model.classify(new, new.test)
    assert own.shape == (2, *plain.shape[1:])
    torch.testing.assert_close(own, plain.expand_as(own))
    assert not torch.allclose(
        model.classify(base, base.test)[0], zero_shot.classify(base, base.test)[0], atol=1e-3
    )
    own_sentence = dataclasses.replace(new, template="a drawing of a {}.")
    other = zero_shot.classify(own_sentence, new.test)
    torch.testing.assert_close(model.classify(own_sentence, new.test), other.expand_as(own))


@pytest.mark.parametrize("method", [m for m in ALL if not m.learns()], ids=repr)
def test_caches_of_one_pass_are_those_of_the_runs_alone(method, backbone, halves, tmp_path):
    """Nothing is learned, but every run has its own images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "backbone_of", lambda spec: backbone)
        base, new = halves
        patch.setattr(inputs, "task_of", lambda spec: Task("base", {"base": base, "new": new}))
        specs = [spec_of(method, seed) for seed in (1, 2, 3)]
        together = run(specs, tmp_path / "together", progress=False)
        alone = run(specs, tmp_path / "alone", progress=False, replicas=1)
    for one, other in zip(together, alone, strict=True):
        assert one.metrics == pytest.approx(other.metrics)
        assert one.details["trained_parameters"] == 0 and one.log.empty
        pair = [load_prompts(r.folder / "prompts.safetensors").state_dict() for r in (one, other)]
        for name, value in pair[0].items():
            torch.testing.assert_close(value, pair[1][name])
    keys = [load_prompts(r.folder / "prompts.safetensors").extra["cache_keys"] for r in together]
    assert not torch.equal(keys[0], keys[1])


def test_labels_of_a_cache_are_stored_as_whole_numbers(tmp_path):
    cache = {"cache_labels": torch.tensor([[3, 1]]), "cache_keys": torch.zeros(1, 2, 4)}
    prompts = Prompts([], [], cache)
    assert len(prompts.learned()) == 1
    save_prompts(prompts, tmp_path / "cache.safetensors")
    again = load_prompts(tmp_path / "cache.safetensors").replica(0)
    assert torch.equal(again.extra["cache_labels"], torch.tensor([[3, 1]]))


@pytest.mark.parametrize("method", LEARNING, ids=repr)
def test_a_killed_training_goes_on_to_the_same_numbers(method, backbone, halves, tmp_path):
    """Where rates fall by steps too."""
    schedule = dataclasses.replace(method.schedule(), epochs=4, batch_size=8)
    spec = RunSpec("tiny", method, 0.25, 1, schedule, backbone="tiny")
    subset = draw_long_tailed(halves[0], 0.25, 1)

    def killed(state):
        if len(state.logs[0]) == 2:
            raise KeyboardInterrupt
        return [{}]

    with pytest.raises(KeyboardInterrupt):
        train([spec], backbone, halves[0], [subset], killed, folder=tmp_path)
    rest = train([spec], backbone, halves[0], [subset], folder=tmp_path)
    whole = train([spec], backbone, halves[0], [subset])
    assert rest.logs == whole.logs
    for name, value in whole.model.prompts.named_parameters():
        assert torch.equal(value, rest.model.prompts.get_parameter(name))
    rates = [row["lr"] for row in whole.logs[0]]
    if isinstance(method, TipAdapter):  # no warm-up
        assert rates[0] == schedule.lr and rates[2] == pytest.approx(schedule.lr / 2)
    else:
        assert rates[0] == schedule.warmup_lr and rates[1] == schedule.lr


# -------------------------------------------------------------------- how alpha and beta are set


def test_the_search_asks_each_image_of_the_cache_of_all_others():
    """Two classes on the circle: with its own vote, every image would be right."""
    angles = torch.tensor([0.0, 0.1, 1.5, 0.2])  # the last one is labelled as the far class
    keys = torch.stack([angles.cos(), angles.sin()], -1)
    labels, logits = torch.tensor([0, 0, 1, 1]), torch.tensor([[0.5, 0.0]]).expand(4, 2)
    hits = leave_one_out(keys, labels, logits, [0.1, 5.0], [0.0, 9.0])
    # alpha 0: zero-shot says class 0. Otherwise beta 5 sees near images: 2 of 4; beta .1 sees none
    # nearer than another: of each image's others, the other class has the most.
    assert hits.tolist() == [[2, 0], [2, 2]]


def test_the_pair_that_is_given_and_the_pair_that_is_chosen(backbone, halves):
    """Neither changes with test images."""
    changed = dataclasses.replace(halves[0], test=halves[0].test[:4])
    for data in (halves[0], changed):
        given = trained(TipAdapter(alpha=2.5, beta=4.0), backbone, data)[0].model.prompts.extra
        assert (given["alpha"].item(), given["beta"].item()) == (2.5, 4.0)
        chosen = trained(TipAdapter(), backbone, data)[0].model.prompts.extra
        pair = chosen["alpha"].item(), chosen["beta"].item()
        assert pair[0] in torch.tensor(grid(10.0, 20)) and pair[1] in torch.tensor(grid(12.0, 200))


@pytest.mark.parametrize("fine_tune", [False, True])
def test_with_one_image_of_each_class_nothing_is_searched(backbone, halves, fine_tune):
    """No cached image has another one to vote for it; what is given counts still."""
    data = halves[0]
    for given, expected in (
        ({}, (1.17, 1.0)),
        ({"alpha": 3.0}, (3.0, 1.0)),
        ({"beta": 5.5}, (1.17, 5.5)),
    ):
        spec = spec_of(TipAdapter(fine_tune=fine_tune, **given), n_max=1)
        model = train([spec], backbone, data, [draw_long_tailed(data, 0.25, 1, 1)]).model
        pair = model.prompts.extra["alpha"].item(), model.prompts.extra["beta"].item()
        assert pair == pytest.approx(expected)
    two = Subset(data.train[:1] + data.train[20:22], (1, 2, 0, 0), (1, 0, 2, 3))
    assert [s.label for s in two.samples] == [0, 1, 1]
    found = train([spec_of(TipAdapter())], backbone, data, [two]).model.prompts.extra
    assert found["alpha"].item() in torch.tensor(grid(10.0, 20))


def test_published_values_of_data_sets():
    spec = PAPER.spec("eurosat", TipAdapter(fine_tune=True), 1.0, 1)
    assert (spec.schedule.epochs, spec.schedule.lr, spec.schedule.optimiser) == (
        100,
        0.001,
        "adamw",
    )
    assert PAPER.spec("sun397", TipAdapter(), 1.0, 1).method == TipAdapter()
    pets = PAPER.spec("oxford_pets", TipAdapter(), 1.0, 1).method
    assert (pets.largest_alpha, pets.largest_beta) == (3.0, 7.0)
    probe = PAPER.spec("dtd", LinearProbe(), 1.0, 1).schedule
    assert (probe.epochs, probe.lr, probe.batch_size, probe.weight_decay) == (300, 0.1, 256, 0.0)


# ---------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("value", [-1.0, math.inf, math.nan])
@pytest.mark.parametrize("name", ["alpha", "beta"])
def test_alpha_and_beta_are_finite_and_not_negative(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}: give a number of at least 0"):
        TipAdapter(**{name: value})


@of_all
def test_a_run_without_training_images(method, backbone, halves):
    empty = Subset((), (0,) * 4, (0, 1, 2, 3))
    with pytest.raises(ValueError, match=f"has no training images, which {method.name} starts"):
        train([spec_of(method)], backbone, halves[0], [empty])


@of_all
def test_more_images_than_fit(method, backbone, halves, monkeypatch):
    monkeypatch.setattr(support, "_memory", lambda device: 2000.0)
    monkeypatch.setattr(ImageTower, "__call__", None)  # nothing is encoded before
    with pytest.raises(ValueError, match=r"training images of 4 classes need some .* fewer shots"):
        trained(method, backbone, halves[0])
