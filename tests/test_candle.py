"""Candle beyond its golden values: who knows which names, single test images, bad input."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from golden_cases import FOLDER, clip_of
from test_every_method import SCHEDULE, tiny_task
from test_frozen_features import crops
from tiny_clip import tiny_clip

from cptlab.clip import Prompts
from cptlab.data import draw_long_tailed
from cptlab.lab.runs import inputs
from cptlab.lab.runs.finished import load_run
from cptlab.lab.runs.queue import run
from cptlab.methods import Candle
from cptlab.methods.parts.fusion import fused, fused_alone, fusion_start
from cptlab.training.loop import train
from cptlab.training.spec import RunSpec


@pytest.fixture(scope="module")
def backbone():
    return tiny_clip(torch.float32)


@pytest.fixture
def tiny(monkeypatch, backbone):
    monkeypatch.setattr(inputs, "backbone_of", lambda spec: backbone)
    monkeypatch.setattr(inputs, "task_of", lambda spec: tiny_task(spec.protocol))


@pytest.mark.parametrize("knows", [True, False])
def test_base_to_new_tells_the_names_of_new_classes(tiny, backbone, tmp_path, knows):
    """And no other protocol; a stored run still knows them."""
    base, new = (tiny_task("base_to_new").tests[role].class_names for role in ("base", "new"))
    for protocol, named in (("base_to_new", knows), ("few_shot", False), ("transfer", False)):
        method = Candle(knows_new_names=knows)
        spec = RunSpec("tiny", method, 0.25, 1, SCHEDULE, protocol=protocol, backbone="tiny")
        (result,) = run([spec], tmp_path, progress=False)
        model = load_run(result.folder).model()
        assert model.new_names == (new if named else ())
        assert ("virtual" in model.prompts.extra) == named
        assert len(model.prompts.extra["texts"][0]) == len(model.trained_on) + len(model.new_names)
        assert model.use(model.trained_on) == model.use(base[::-1]) == model.use(base[:2]) == "base"
        assert model.use((*base, "unknown")) == "new"
        if protocol == "base_to_new":
            assert model.use(new) == model.use(new[::-1]) == ("named" if knows else "new")
            images = torch.randn(1, 3, backbone.embed_dim)
            for names in (base, new):
                inverse, few = (model.bind(asked) for asked in (names[::-1], names[1:3]))
                logits = model.compare(images, model.bind(names))
                torch.testing.assert_close(model.compare(images, inverse), logits.flip(-1))
                if knows or names == base:  # else the texts of all that are asked attend
                    torch.testing.assert_close(model.compare(images, few), logits[..., 1:3])


def test_virtual_prototypes_start_from_texts_and_are_learned(backbone):
    base, new = tiny_task("base_to_new").tests.values()
    method = Candle()
    spec = RunSpec("tiny", method, 0.25, 1, SCHEDULE, backbone="tiny")
    subset = draw_long_tailed(base, 0.25, 1)
    done = train([spec], backbone, base, [subset], new_names=new.class_names)
    virtual, texts = done.model.prompts.extra["virtual"], done.context.new_prototypes
    assert virtual.shape[1:] == texts.shape
    assert 0 < (virtual[0] - texts).abs().max() < 0.5
    features = done.model.unprompted().encode_samples(base, subset.samples)[0]
    labels = torch.tensor([sample.label for sample in subset.samples])
    for c, mean in enumerate(done.model.prompts.extra["visual"][0]):
        torch.testing.assert_close(mean, features[labels == c].mean(0))


def test_visual_prototypes_are_of_images_as_tests_see_them(backbone):
    base = dataclasses.replace(tiny_task("base_to_new").learned, crops=crops)
    subset = draw_long_tailed(base, 0.25, 1)
    plain, cropped = (
        train(
            [RunSpec("tiny", Candle(), 0.25, 1, SCHEDULE, backbone="tiny", crop=crop)],
            backbone,
            base,
            [subset],
        ).model.prompts.extra
        for crop in (False, True)
    )
    assert torch.equal(plain["visual"], cropped["visual"])
    assert not torch.equal(plain["project_images"], cropped["project_images"])


def test_an_image_alone_is_a_batch_of_one():
    generator, heads = torch.Generator().manual_seed(0), 4
    learned = {
        name: torch.stack([value, -value]) + 0.3 * torch.randn(2, *value.shape, generator=generator)
        for name, value in fusion_start(16, generator).items()
    }
    images, classes = (torch.randn(2, n, 16, generator=generator) for n in (3, 5))
    found, each = fused_alone(images, classes, learned, heads)
    for b in range(3):
        tokens = torch.cat([images[:, b : b + 1], classes], 1)
        expected = fused(tokens, learned, heads)
        torch.testing.assert_close(found[:, b], expected[:, 0])
        torch.testing.assert_close(each[:, b], expected[:, 1:])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 3}, "heads is 3, but features of golden have 32 numbers: choose a divisor"),
        ({"heads": 0}, "heads is 0, but"),
        ({"visual_scale": float("nan")}, "visual_scale is nan: give a number of at least 0"),
        ({"visual_scale": -1.0}, "visual_scale is -1.0: give"),
    ],
)
def test_what_cannot_be_is_said(options, message):
    with pytest.raises(ValueError, match=message):
        Candle(**options).check(clip_of(FOLDER / "clip_tiny.npz", torch.float32), 4)


def test_new_classes_without_a_prototype_have_their_text_twice():
    """Then both logits of a new class are one, up to the visual scale."""
    generator, d = torch.Generator().manual_seed(0), 8
    start = {"project_images": torch.eye(d), "project_texts": torch.eye(d)}
    start |= fusion_start(d, generator)
    known = torch.randn(2, 3, d, generator=generator)
    start |= {"visual": known[0], "texts": known[1]}
    extra = {name: value[None] for name, value in start.items()}
    images, texts = (torch.randn(1, n, d, generator=generator) for n in (4, 2))
    logits = [
        Candle(visual_scale=scale).own_logits(Prompts([], [], extra), images, texts, 10.0, "new")
        for scale in (0.0, 1.0)
    ]
    assert logits[0].shape == (1, 4, 2)
    torch.testing.assert_close(logits[1], 2 * logits[0])
    assert F.cosine_similarity(images[0, :1], texts[0])[0] * 10 != logits[0][0, 0, 0]
