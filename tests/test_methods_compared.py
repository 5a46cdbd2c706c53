"""The systems of the paper's tables: sizes at ViT-B/16, stages, averages, and what is inferred."""

import dataclasses
from functools import lru_cache
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from test_every_method import ALL
from tiny_clip import tiny_clip
from tiny_world import tiny_dataset

from cptlab.clip import Prompts, class_sentences, init_prompts
from cptlab.data import draw_long_tailed
from cptlab.methods import (
    CPT,
    DPC,
    IVLP,
    TCP,
    BatchOutputs,
    Candle,
    CLIPLoRA,
    CoCoOp,
    Context,
    CoOp,
    CoPrompt,
    DeKg,
    KgCoOp,
    MaPLe,
    NPTStyle,
    PromptSRC,
)
from cptlab.methods.parts.averaging import gaussian_weights
from cptlab.methods.parts.balance import Balance
from cptlab.methods.schedule import PUBLISHED, Schedule, scaled
from cptlab.training.loop import train
from cptlab.training.model import PromptedCLIP
from cptlab.training.spec import RunSpec

DEPTH = {"text_depth": 2, "vision_depth": 2}
VIT_B_16 = SimpleNamespace(
    name="ViT-B-16",
    text_width=512,
    vision_width=768,
    embed_dim=512,
    text_layers=12,
    vision_layers=12,
)
SIZES = [
    (CoOp(), 2_048),
    (CoCoOp(), 35_360),
    (IVLP(), 46_080),
    (IVLP(2, 12, 2, 12), 30_720),
    (MaPLe(), 3_555_072),
    (MaPLe(depth=3), 1_185_024),
    (PromptSRC(), 46_080),
    (CoPrompt(), 3_555_072 + 262_144),
    (NPTStyle(), 3_555_072),
    (KgCoOp(), 2_048),
    (TCP(), 331_904),
    (Candle(), 1_575_937),  # and 512 for every new class
    (DeKg(class_aware=False), 2_048),
    (DeKg(), 331_904),
    (CLIPLoRA(), 184_320),
    (CLIPLoRA(rank=16, where="vision"), 884_736),
    (CLIPLoRA(where="text", blocks=(9, 10, 11)), 18_432),
    (DPC(on="coop", tokens_per_layer=4), 2_048),
    (DPC(), 3_555_072),
    (CPT(), 46_080),
    (CPT(text_depth=3, vision_depth=3), 15_360),
]


@pytest.mark.parametrize(("method", "expected"), SIZES, ids=str)
def test_trained_parameters_at_vit_b_16(method, expected):
    """As the public code trains them (or, for the paper's own, as its context says)."""
    shape = method.prompt_shape()
    tokens = shape.text_tokens * shape.text_depth * 512
    tokens += shape.vision_tokens * shape.vision_depth * 768
    extra = method.extra(VIT_B_16, torch.Generator().manual_seed(0))
    assert tokens + sum(value.numel() for value in extra.values()) == expected


# ---------------------------------------------------------------------------------------- schedules


def test_schedules_keep_their_proportion_to_that_of_cpt():
    assert scaled(MaPLe().schedule(), PUBLISHED) == MaPLe().schedule()
    embedded = Schedule(epochs=6, lr=0.001, batch_size=32)
    assert scaled(CPT().schedule(), embedded) == embedded
    assert scaled(MaPLe().schedule(), embedded) == Schedule(epochs=3, lr=0.0014, batch_size=32)
    dekg = scaled(DeKg().schedule(), embedded)
    assert (dekg.epochs, dekg.batch_size, dekg.optimiser) == (50, 32, "adam")
    short = dataclasses.replace(embedded, epochs=1)
    assert scaled(MaPLe().schedule(), short).epochs == 2  # one more than the warm-up


def test_a_schedule_that_counts_steps_keeps_their_proportion():
    embedded = Schedule(epochs=6, lr=0.001, batch_size=32)
    assert scaled(CLIPLoRA().schedule(), embedded).steps_per_shot == 32  # 1/16 of CPT's are left


# --------------------------------------------------------------------------- training, as a whole


@pytest.fixture(scope="module")
def backbone():
    return tiny_clip(torch.float32)


def run(backbone, method, balance=None, **schedule):
    base = tiny_dataset().halves()[0]
    plan = Schedule(**{"epochs": 4, "lr": 0.02, "batch_size": 8} | schedule)
    spec = RunSpec("tiny", method, 0.25, 1, plan, backbone="tiny", balance=balance)
    ends = []

    def after(state):
        ends.append([p.detach().clone() for p in state.model.prompts.parameters()])
        return [{}]

    subset = draw_long_tailed(base, 0.25, 1)
    return train([spec], backbone, base, [subset], after), ends


def test_promptsrc_ends_with_its_average(backbone):
    """Without the average, end-of-epoch values are the same; the last one is then replaced."""
    method = PromptSRC(**DEPTH)
    trained, seen = run(backbone, method)
    changes = {"name": "plain", "averaging": lambda self, epochs: None}
    plain = dataclasses.dataclass(frozen=True)(type("Plain", (PromptSRC,), changes))(**DEPTH)
    _, ends = run(backbone, plain)
    weights = gaussian_weights(4, 3.0, 0.2).tolist()
    for i, parameter in enumerate(trained.model.prompts.parameters()):
        for before, expected in zip(seen[:-1], ends[:-1], strict=True):
            assert torch.equal(before[i], expected[i])
        average = sum(weight * end[i] for weight, end in zip(weights, ends, strict=True))
        torch.testing.assert_close(parameter.detach(), average)
        assert torch.equal(seen[-1][i], parameter)  # what is evaluated after the last epoch


@pytest.mark.parametrize("on", ["coop", "maple"])
def test_dpc_freezes_the_first_stage(backbone, on):
    method = DPC(on=on, tokens_per_layer=2, depth=2, hard_negatives=3)
    trained, _ = run(backbone, method)
    first, _ = run(backbone, method.first_stage())
    prompts, before = trained.model.prompts, first.model.prompts
    assert prompts.count() == before.count()
    for name, value in before.named_parameters():
        own = name.replace(".", "_") if name.startswith("text") else name.removeprefix("extra.")
        assert torch.equal(prompts.extra[f"first_{own}"], value)  # frozen, and stored
        assert not torch.equal(dict(prompts.named_parameters())[name], value)  # tuned
    # New classes see the first stage alone, as published (w_new = 0).
    names = ("zebra", "yak")
    alone = PromptedCLIP(backbone, before, first.model.method)
    torch.testing.assert_close(trained.model.class_texts(names), alone.class_texts(names))
    on_base = trained.model.class_texts(trained.model.trained_on)
    assert not torch.allclose(on_base, alone.class_texts(trained.model.trained_on))


def test_dpc_needs_more_classes_than_negatives(backbone):
    with pytest.raises(ValueError, match="8 hard negatives for each image, but there are 5"):
        run(backbone, DPC(depth=2))


CLASSICS = [
    Balance(logits="logit_adjustment", adjustment=2.0),
    Balance(logits="balanced_softmax"),
    Balance(class_weights=True),
    Balance(sampling="class_balanced"),
]


@pytest.fixture(scope="module")
def without_classics(backbone):
    return lru_cache(lambda method: run(backbone, method, epochs=2)[0])


@pytest.mark.parametrize("balance", CLASSICS, ids=str)
@pytest.mark.parametrize("method", [m for m in ALL if m.weights()], ids=repr)
def test_long_tail_classics_change_any_method(backbone, without_classics, method, balance):
    if balance.acts_on_loss() and not method.class_logits():
        with pytest.raises(ValueError, match=f"This loss of {method.name} has no logits"):
            run(backbone, method, balance)
        return
    plain, balanced = without_classics(method), run(backbone, method, balance, epochs=2)[0]
    assert balanced.errors == [None]
    ends = zip(plain.model.prompts.parameters(), balanced.model.prompts.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in ends)


@pytest.mark.parametrize("method", [CoOp(), DPC(depth=2, hard_negatives=3)], ids=repr)
def test_what_weighs_all_classes_alike_changes_nothing(backbone, without_classics, method):
    """beta = 0 gives every class the weight 1, and an adjustment of 0 moves no logit."""
    plain = without_classics(method)
    for balance in (
        Balance(class_weights=True, beta=0.0),
        Balance(logits="logit_adjustment", adjustment=0.0),
    ):
        same = run(backbone, method, balance, epochs=2)[0]
        for a, b in zip(plain.model.prompts.parameters(), same.model.prompts.parameters()):
            torch.testing.assert_close(a, b)


# ------------------------------------------------------------------------------ prompts by image


def test_cocoop_classifies_like_a_loop_over_images(backbone):
    """Each image with a text tower of its own context, written out."""
    method = CoCoOp()
    shape, generators = method.prompt_shape(), [torch.Generator().manual_seed(s) for s in (1, 2)]
    prompts = init_prompts(backbone, shape, generators, method.context_init, method.extra)
    base = tiny_dataset().halves()[0]
    model = PromptedCLIP(backbone, prompts, method, base.class_names)
    samples = base.test[:7]
    logits = model.classify(base, samples)
    features = model.encode_samples(base, samples)[0]
    sentences = class_sentences(base.class_names, 4)
    for r in range(2):
        extra = {name: value[r] for name, value in prompts.extra.items()}
        for i, feature in enumerate(F.normalize(features, dim=-1)):
            hidden = F.linear(feature, extra["meta_net_1_weight"], extra["meta_net_1_bias"]).relu()
            shift = F.linear(hidden, extra["meta_net_2_weight"], extra["meta_net_2_bias"])
            plain = PromptedCLIP(backbone, Prompts([prompts.text[0][r : r + 1] + shift], []))
            texts = F.normalize(plain.class_texts(base.class_names)[0], dim=-1)
            assert len(sentences) == len(texts)
            torch.testing.assert_close(
                logits[r, i], backbone.logit_scale * texts @ feature, rtol=1e-4, atol=1e-4
            )


def test_cocoop_without_a_image_has_one_prototype_a_class(backbone):
    method = CoCoOp()
    generators = [torch.Generator().manual_seed(s) for s in (1, 2)]
    prompts = init_prompts(backbone, method.prompt_shape(), generators, extra=method.extra)
    model = PromptedCLIP(backbone, prompts, method)
    assert model.class_texts(("ant", "bee", "cat")).shape == (2, 3, backbone.embed_dim)


# --------------------------------------------------------------------------------------- NPT-style


def test_npt_terms_by_hand():
    """Three classes at right angles; images of classes 0 and 1 lie on their prototypes."""
    texts = torch.eye(3)[None]
    images = torch.tensor([[[1.0, 0, 0], [0, 2.0, 0]]])  # lengths do not matter
    labels = torch.tensor([[0, 1]])
    context = Context(tuple("abc"), torch.eye(3), torch.ones(1, 3), encode=None)
    method = NPTStyle()
    prepared = {name: value[None] for name, value in method.prepare(context).items()}
    outputs = BatchOutputs(images, texts, images @ texts.mT, labels, uniform=None)
    terms = method.losses(outputs, context, prepared)
    assert terms["lmc"].item() == pytest.approx((0 + 1 / 2) ** 2)
    assert terms["mmi"].item() == pytest.approx(0, abs=1e-6)
    assert prepared["seen"].flatten().tolist() == [1, 1, 0]

    # A second batch: class 0 moves by a tenth of the way, class 2 starts where it is seen.
    images = torch.tensor([[[0, 1.0, 0], [0, 0, 1.0]]])
    labels = torch.tensor([[0, 2]])
    outputs = BatchOutputs(images, texts, images @ texts.mT, labels, uniform=None)
    method.losses(outputs, context, prepared)
    expected = torch.tensor([[0.9, 0.1, 0], [0, 1, 0], [0, 0, 1]])
    torch.testing.assert_close(prepared["means"][0], expected)
    assert prepared["seen"].flatten().tolist() == [1, 1, 1]


def test_npt_pulls_prototypes_towards_a_simplex():
    texts = torch.randn(1, 4, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    context = Context(tuple("abcd"), torch.zeros(4, 8), torch.ones(1, 4), encode=None)
    method, optimiser = NPTStyle(), torch.optim.SGD([texts], 1.0)
    images = torch.randn(1, 2, 8, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([[0, 1]])
    for _ in range(400):
        prepared = {name: value[None] for name, value in method.prepare(context).items()}
        outputs = BatchOutputs(images, texts, images @ texts.mT, labels, uniform=None)
        term = method.losses(outputs, context, prepared)
        optimiser.zero_grad()
        term["lmc"].sum().backward()
        optimiser.step()
    unit = F.normalize(texts.detach()[0], dim=-1)
    cosines = (unit @ unit.T)[~torch.eye(4, dtype=torch.bool)]
    torch.testing.assert_close(cosines, torch.full_like(cosines, -1 / 3), rtol=0, atol=1e-2)


def test_class_weights_reach_the_pairs_of_dpc():
    generator = torch.Generator().manual_seed(1)
    labels = torch.tensor([[0, 2, 1]])
    logits = torch.randn(1, 3, 4, generator=generator)
    weights = torch.tensor([[0.5, 1.0, 2.0, 0.5]])
    outputs = BatchOutputs(logits, logits, logits, labels, None, class_weights=weights)
    found = DPC(on="coop").losses(outputs, None, {})
    pairs = logits[0][:, labels[0]]
    own = weights[0, labels[0]]
    by_text = -(pairs.log_softmax(1).diagonal() * own).mean()
    by_image = -(pairs.log_softmax(0).diagonal() * own).mean()
    assert found["image_to_text"].item() == pytest.approx(by_text.item())
    assert found["text_to_image"].item() == pytest.approx(by_image.item())
