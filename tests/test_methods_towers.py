"""Methods behind both towers: what their gradients reach, and replicas against single runs."""

import dataclasses
from functools import partial

import pytest
import torch
from tiny_clip import random_tokens, tiny_clip
from tiny_world import tiny_dataset

from cptlab.clip import Prompts
from cptlab.methods import (
    CPT,
    IVLP,
    TCP,
    BatchOutputs,
    CoCoOp,
    Context,
    CoOp,
    DeKg,
    GlobalETF,
    ZeroShot,
)
from cptlab.training.model import PromptedCLIP, frozen_prototypes

B = 5
COUNTS = torch.tensor([[16, 9, 5, 3, 1, 1]])
TRAINED = (CoOp(), IVLP(), GlobalETF(), GlobalETF(reduction="pair_mean"), CPT())


def randn(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def unit(x: torch.Tensor) -> torch.Tensor:
    return x / x.norm(dim=-1, keepdim=True)


@pytest.fixture(scope="module")
def world():
    """A tiny CLIP, frozen text features of six classes, and two replicas' images."""
    backbone = tiny_clip()
    names = ("ant", "bee", "cat", "dog", "eel", "fox")
    frozen = frozen_prototypes(backbone, names, ("a photo of a {}.",))
    context = Context(names, frozen, COUNTS, encode=None)
    images = randn(2, B, 3, backbone.image_size, backbone.image_size, seed=5)
    labels = torch.tensor([[0, 3, 3, 5, 1], [2, 2, 4, 0, 5]])
    return backbone, context, images, labels


def shallow(method):
    """The method with as many prompted layers as the tiny CLIP has."""
    fields = {f.name for f in dataclasses.fields(method)}
    depth = {name: 2 for name in ("text_depth", "vision_depth") if name in fields}
    return dataclasses.replace(method, **depth)


def prompts_for(method, backbone, replicas: int) -> Prompts:
    shape = method.prompt_shape()
    text = random_tokens(replicas, shape.text_depth, shape.text_tokens, backbone.text_width)
    vision = random_tokens(
        replicas, shape.vision_depth, shape.vision_tokens, backbone.vision_width, seed=2
    )
    return Prompts(text, vision)


def loss_of(method, world, prompts, rows) -> torch.Tensor:
    """Total loss (R,) through both towers; `rows` are the replicas' places in the world."""
    backbone, context, images, labels = world
    model = PromptedCLIP(backbone, prompts)
    images = model.image_features(images[rows])
    prototypes = model.prototypes(model.bind(context.class_names))
    step = BatchOutputs(images, prototypes, model.logits(images, prototypes), labels[rows], None)
    terms = method.losses(step, context, method.prepare(context))
    return sum(weight * terms[name] for name, weight in method.weights().items())


@pytest.mark.parametrize("method", TRAINED, ids=lambda m: m.name)
def test_gradients_reach_all_prompts_and_nothing_else(method, world):
    backbone, method = world[0], shallow(method)
    prompts = prompts_for(method, backbone, 1)
    loss_of(method, world, prompts, [0]).sum().backward()
    for prompt in prompts.parameters():
        assert prompt.grad.abs().max() > 1e-6
    assert all(p.grad is None and not p.requires_grad for p in backbone.model.parameters())
    assert len(prompts.vision) == (0 if method.name == "coop" else 2)


@pytest.mark.parametrize("method", TRAINED, ids=lambda m: m.name)
def test_replicas_equal_single_runs(method, world):
    method = shallow(method)
    together = prompts_for(method, world[0], 2)
    loss = loss_of(method, world, together, [0, 1])
    assert loss.shape == (2,)
    loss.sum().backward()
    for r in range(2):
        alone = Prompts(
            *(
                [p[r : r + 1].detach().clone() for p in tower]
                for tower in (together.text, together.vision)
            )
        )
        single = loss_of(method, world, alone, [r])
        single.sum().backward()
        torch.testing.assert_close(loss[r : r + 1], single)
        for both, one in zip(together.parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(both.grad[r : r + 1], one.grad)


def test_cosine_logits(world):
    backbone, context, images, _ = world
    model = PromptedCLIP(backbone, Prompts([], []))
    images = model.image_features(images[:1])
    logits = model.logits(images, 7 * context.frozen_prototypes[None])
    expected = backbone.logit_scale * unit(images[0]) @ unit(context.frozen_prototypes).T
    torch.testing.assert_close(logits[0], expected)


def test_anchors_are_the_mean_over_templates(world):
    backbone = world[0]
    names, templates = ("red_fox", "eel"), ("a photo of a {}.", "the {}.")
    sentences = [[t.format(n.replace("_", " ")) for n in names] for t in templates]
    features = [backbone.model.encode_text(backbone.tokenize(s)) for s in sentences]
    actual = frozen_prototypes(backbone, names, templates)
    torch.testing.assert_close(actual, (features[0] + features[1]) / 2)


def texts(backbone, sentences):
    return backbone.model.encode_text(backbone.tokenize(sentences))[None]


def test_every_data_set_is_read_in_its_own_template():
    """Where the method uses it: in zero-shot, and in the frozen prototypes behind class tokens."""
    backbone, names = tiny_clip(), ("ant", "bee")
    learned, other = "a photo of a {}, a type of pet.", "{} texture."
    zero_shot = PromptedCLIP(backbone, Prompts([], []), ZeroShot(), names, learned)
    actual = zero_shot.prototypes(zero_shot.bind(names))
    expected = texts(
        backbone, ["a photo of a ant, a type of pet.", "a photo of a bee, a type of pet."]
    )
    torch.testing.assert_close(actual, expected)
    actual = zero_shot.prototypes(zero_shot.bind(names, template=other))
    torch.testing.assert_close(actual, texts(backbone, ["ant texture.", "bee texture."]))

    dekg = PromptedCLIP(backbone, prompts_for(DeKg(), backbone, 1), DeKg(), names, learned)
    for template in (learned, other):
        frozen = dekg.bind(names, template=template).frozen
        torch.testing.assert_close(frozen, frozen_prototypes(backbone, names, (template,)))


def test_test_images_are_classified_in_the_template_of_their_data_set():
    backbone, data = tiny_clip(torch.float32), tiny_dataset(3)
    named = dataclasses.replace(data, template="a drawing of the {}.")
    model = PromptedCLIP(backbone, Prompts([], []), ZeroShot(), data.class_names)
    expected = texts(backbone, [f"a drawing of the {name}." for name in data.class_names])
    features = model.encode_samples(data, data.test)
    torch.testing.assert_close(model.classify(named, data.test), model.logits(features, expected))
    assert not torch.allclose(model.classify(data, data.test), model.classify(named, data.test))


@pytest.mark.parametrize("method", [CoOp(), CoOp(context_init=None), DeKg(class_aware=False)])
def test_learned_context_leaves_the_data_set_s_template_alone(method):
    template = method.prompt_template(4, "a photo of a {}, a type of pet.")
    words = "a photo of a" if method.context_init else "X X X X"
    assert template == f"{words} {{}}."


def test_context_never_replaces_a_class_name():
    backbone = tiny_clip()
    for template in ("{}, a type of car", "a photo of a {}.", "a photo of a person doing {}."):
        DeKg(block=1, template=template).check(backbone, 4)
    for template in ("a photo {}.", "a photo of a dog.", "a photo of a {} or {}.", ""):
        for kind in (DeKg, TCP):
            with pytest.raises(ValueError, match=r"template is '.*': give a sentence with one \{"):
                kind(block=1, template=template).check(backbone, 4)
    with pytest.raises(ValueError, match="no words or at least 5, as many as the context tokens"):
        DeKg(block=1, text_tokens=5, template="a photo of a {}.").check(backbone, 4)


def test_too_few_words_for_the_context_are_refused():
    """Where they were chosen; more tokens than the usual words start at random, as published."""
    backbone = tiny_clip()
    for kind in (CoOp, CoCoOp, partial(TCP, block=1)):
        for words, tokens in (("one two three", 4), ("", 1), ("one two three four five", 6)):
            with pytest.raises(ValueError, match=rf"is '{words}', .* words for {tokens} context"):
                kind(context_init=words, text_tokens=tokens).check(backbone, 4)
        kind(context_init="one two three", text_tokens=3).check(backbone, 4)
        kind(context_init=None, text_tokens=6).check(backbone, 4)
        kind(text_tokens=6).check(backbone, 4)
    with pytest.raises(ValueError, match="words for 5 context tokens: give at least as many"):
        TCP(block=1, text_tokens=5, context_init="a photo of a").check(backbone, 4)


def test_class_aware_tokens_enter_a_block_that_is_there():
    backbone = tiny_clip()
    last = backbone.text_layers - 1
    DeKg(block=last).check(backbone, 4)
    DeKg(block=last + 1, class_aware=False).check(backbone, 4)  # it has none
    for method in (DeKg(block=last + 1), TCP(block=last + 1)):
        with pytest.raises(
            ValueError, match=rf"block is {last + 1}, but .* has blocks 0 to {last}"
        ):
            method.check(backbone, 4)
