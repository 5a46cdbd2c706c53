"""Low-rank updates in both towers against merged weights, and the dropout on their way."""

import copy
import dataclasses

import pytest
import torch
from naive_image import plain_forward
from naive_text import full_context
from tiny_clip import largest_error, random_tokens, tiny_clip

from cptlab.clip import (
    Dropout,
    ImageTower,
    LowRank,
    PlainTextTower,
    TextTower,
    class_sentences,
    text_tower,
)

NAMES = ["cat", "red velvet", "sea", "jack-o'-lantern", "Boeing 737-800"]
SCALE = 0.7
BLOCKS = {"all": (0, 1, 2), "first": (0,), "last": (2,), "some": (0, 2)}

of_blocks = pytest.mark.parametrize("blocks", BLOCKS.values(), ids=BLOCKS)


@pytest.fixture(params=[0, 20], ids=["equal lengths", "padded groups"])
def group_cost(request, monkeypatch):
    """As on a CPU, and in a few padded groups, as on a GPU."""
    monkeypatch.setitem(text_tower.GROUP_COST, "cpu", request.param)


in_groups = pytest.mark.usefixtures("group_cost")


@pytest.fixture(scope="module")
def backbone():
    return tiny_clip()


def drawn(*shape, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def updates_of(blocks, width, replicas=2, rank=2, rate=0.0, seeds=(0.3, 0.8)):
    """Updates large enough to matter, and what is learned in them."""
    updates, learned = {}, []
    for block in blocks:
        down, up = (
            drawn(replicas, 3, rank, width, seed=block),
            drawn(replicas, 3, width, rank, seed=9 + block),
        )
        learned += [down.requires_grad_(), up.mul(0.3).requires_grad_()]
        dropout = Dropout(rate, torch.tensor(seeds[:replicas]), block) if rate else None
        updates[block] = LowRank(learned[-2], learned[-1], SCALE, dropout)
    return updates, learned


def merged(backbone, tower, updates, r):
    """The backbone with the updates of one replica in its own weights."""
    model = copy.deepcopy(backbone.model)
    clip = dataclasses.replace(backbone, model=model)
    for block, update in updates.items():
        attention = getattr(clip, f"{tower}_blocks")[block].attn
        added = (SCALE * update.up[r] @ update.down[r]).flatten(0, 1)
        weight = attention.in_proj_weight.detach() + added
        del attention.in_proj_weight
        attention.in_proj_weight = weight
    return clip


def check_equal(actual, expected, inputs):
    assert largest_error(actual, expected) < 1e-12
    weights = drawn(*expected.shape, seed=5)
    grads, expected_grads = (
        torch.autograd.grad((out * weights).sum(), inputs, retain_graph=True)
        for out in (actual, expected)
    )
    for grad, expected_grad in zip(grads, expected_grads, strict=True):
        assert expected_grad.abs().max() > 1e-8
        assert largest_error(grad, expected_grad) < 1e-10


@pytest.mark.parametrize("build", [TextTower, PlainTextTower])
@pytest.mark.parametrize("depth", [0, 2])
@of_blocks
@in_groups
def test_texts_equal_those_of_merged_weights(backbone, blocks, depth, build):
    sentences = class_sentences(NAMES, 4)
    updates, learned = updates_of(blocks, backbone.text_width)
    tokens = random_tokens(2, depth, 4, backbone.text_width) if depth else []
    actual = build(backbone, sentences, 4 if depth else 0)(tokens, {}, updates)
    expected = torch.stack(
        [
            full_context(merged(backbone, "text", updates, r), sentences, [t[r] for t in tokens])
            for r in range(2)
        ]
    )
    check_equal(actual, expected, [*learned, *tokens])


@of_blocks
@in_groups
def test_with_tokens_of_every_class(backbone, blocks):
    sentences = class_sentences(NAMES, 4)
    updates, learned = updates_of(blocks, backbone.text_width, replicas=1)
    own = drawn(1, len(NAMES), 4, backbone.text_width, seed=7).requires_grad_()
    actual = TextTower(backbone, sentences, 4)((), {1: own}, updates)[0]
    clip = merged(backbone, "text", updates, 0)
    check_equal(actual, full_context(clip, sentences, (), {1: own[0]}), [*learned, own])


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
@of_blocks
def test_images_equal_those_of_merged_weights(backbone, blocks, depth):
    """One batch for all replicas; with tokens that flow on, and tokens that give keys only."""
    updates, learned = updates_of(blocks, backbone.vision_width)
    tokens = random_tokens(2, depth, 3, backbone.vision_width) if depth else []
    images = drawn(3, 3, 16, 16, seed=2)
    actual = ImageTower(backbone)(images[None], tokens, updates)
    expected = torch.stack(
        [
            plain_forward(merged(backbone, "vision", updates, r), images, [t[r] for t in tokens])
            for r in range(2)
        ]
    )
    check_equal(actual, expected, [*learned, *tokens])


# -- dropout


@of_blocks
@in_groups
def test_dropout_is_of_every_class_and_word_however_they_are_packed(backbone, blocks):
    """The plain tower has every sentence whole, so that this is no matter of prefixes."""
    sentences = class_sentences(NAMES, 0)
    updates, learned = updates_of(blocks, backbone.text_width, rate=0.4)
    fast, plain = (
        build(backbone, sentences, 0)((), {}, updates) for build in (TextTower, PlainTextTower)
    )
    check_equal(fast, plain, learned)
    without = {block: dataclasses.replace(u, dropout=None) for block, u in updates.items()}
    assert largest_error(TextTower(backbone, sentences, 0)((), {}, without), plain) > 1e-3


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_replicas_drop_as_they_would_alone(backbone, depth):
    updates, _ = updates_of((0, 1, 2), backbone.vision_width, rate=0.4)
    tokens = random_tokens(2, depth, 3, backbone.vision_width) if depth else []
    images, tower = drawn(2, 3, 3, 16, 16, seed=2), ImageTower(backbone)
    together = tower(images, tokens, updates)
    for r in range(2):
        alone = {
            block: LowRank(
                u.down[r : r + 1],
                u.up[r : r + 1],
                SCALE,
                dataclasses.replace(u.dropout, seeds=u.dropout.seeds[r : r + 1]),
            )
            for block, u in updates.items()
        }
        own = tower(images[r : r + 1], [t[r : r + 1] for t in tokens], alone)
        assert largest_error(together[r : r + 1], own) < 1e-13
    assert largest_error(together[0], tower(images, tokens, updates)[0]) == 0


def test_what_is_left_is_divided_by_its_share(backbone):
    """An x of ones, of which A adds up all entries: the share that stays, over that expected."""
    width = 1000
    down, up = torch.ones(1, 3, 1, width), torch.ones(1, 3, width, 1)
    update = LowRank(down, up, 2.0, Dropout(0.25, torch.tensor([0.5]), 3))
    rows = torch.arange(40, dtype=torch.int32)
    added = update(rows, 1, torch.ones(40, width))
    assert added.shape == (1, 40, width)
    kept = update.dropout.keeps(1, rows, width).double().mean(-1, keepdim=True)
    torch.testing.assert_close(added.double(), (2.0 * width * kept / 0.75).expand_as(added))
    assert kept.mean() == pytest.approx(0.75, abs=0.01)


def test_masks_are_independent():
    """Of projections, blocks, steps and neighbours: any two agree as often as chance has it."""
    seeds, rows = torch.rand(6, generator=torch.Generator().manual_seed(1)), torch.arange(200)
    rows = rows.to(torch.int32)
    masks = [
        mask.double().flatten()
        for rate_of in ((0, 0), (0, 1), (0, 2), (1, 0), (7, 2))
        for mask in Dropout(0.25, seeds, rate_of[0]).keeps(rate_of[1], rows, 512)
    ]
    masks += [masks[0].roll(shift) for shift in (1, 2, 512)]
    stacked = torch.stack(masks)
    assert (stacked.mean(-1) - 0.75).abs().max() < 0.006
    correlations = stacked.corrcoef() - torch.eye(len(masks))
    assert correlations.abs().max() < 0.015  # a standard deviation is 0.003


def test_masks_stay_as_they_are():
    """They are part of the numbers of stored runs."""
    rows = torch.tensor([0, 5], dtype=torch.int32)
    keeps = Dropout(0.5, torch.tensor([0.25, 0.75]), 2).keeps(1, rows, 8)
    shown = ["".join(map(str, row)) for row in keeps.flatten(0, 1).int().tolist()]
    assert shown == ["10101011", "01111100", "11000001", "01010101"]


def test_extreme_rates():
    rows = torch.arange(100, dtype=torch.int32)
    assert Dropout(0.0, torch.tensor([0.5]), 0).keeps(0, rows, 64).all()
    assert not Dropout(1 - 1e-12, torch.tensor([0.5]), 0).keeps(0, rows, 64).any()


# -- what does not fit


def test_what_does_not_fit(backbone):
    width, sentences = backbone.text_width, class_sentences(NAMES, 4)
    updates, _ = updates_of((0,), width)
    (wrong, _), (late, _) = updates_of((0,), width + 1), updates_of((3,), width)
    for build in (TextTower, PlainTextTower):
        tower = build(backbone, sentences, 4)
        with pytest.raises(ValueError, match=r"text block 3, but the text tower has blocks 0 to 2"):
            tower((), {}, late)
        with pytest.raises(ValueError, match=rf"expected \(replicas, 3, r, {width}\)"):
            tower((), {}, wrong)
        by_image = [torch.zeros(2, 3, 4, width, dtype=torch.float64)]
        with pytest.raises(ValueError, match="context tokens of every image's own"):
            tower(by_image, {}, updates)
    with pytest.raises(ValueError, match="low-rank update of vision block 0 has the shapes"):
        ImageTower(backbone)(drawn(1, 2, 3, 16, 16, seed=1), (), updates)
