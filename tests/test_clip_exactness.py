"""The fast towers against naive forwards: depths, class counts, names, sources of tokens."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from naive_image import plain_forward
from naive_text import full_context
from tiny_clip import largest_error, random_tokens, tiny_clip

from cptlab.clip import ImageTower, PlainTextTower, TextTower, class_sentences, text_tower

LIMITS = {torch.float64: 1e-12, torch.float32: 1e-5}
DEEP = {"text_layers": 12, "text_width": 16}
QUICK = DEEP | {"quick_gelu": True}
CONTEXT_INIT = "a photo of a"
PARTS = [
    "cat",
    "sea",
    "jack-o'-lantern",
    "red velvet",
    "Boeing 737-800",
    "pneumonoultramicroscopic",
]


@pytest.fixture(autouse=True, params=[0, 20], ids=["equal lengths", "padded groups"])
def group_cost(request, monkeypatch):
    """As on a CPU, and in a few padded groups, as on a GPU."""
    monkeypatch.setitem(text_tower.GROUP_COST, "cpu", request.param)


def mixed_names(count):
    """Different names of one to some thirty tokens."""
    names = [PARTS[c % len(PARTS)] for c in range(min(count, len(PARTS)))]
    for c in range(len(names), count):
        names.append(f"{' '.join(PARTS[(c * k) % len(PARTS)] for k in range(1, c % 5 + 2))} {c}")
    return names


def random(*shape, dtype=torch.float64, seed=3):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def check_equal(actual, expected, inputs, limit):
    """Features (K, d) and the gradient of a random linear function of them."""
    assert largest_error(actual, expected) < limit
    weights = random(*expected.shape, dtype=expected.dtype)
    keep = {"allow_unused": True, "materialize_grads": True, "retain_graph": True}
    grads, expected_grads = (
        torch.autograd.grad((out * weights).sum(), inputs, **keep) for out in (actual, expected)
    )
    assert max(grad.abs().max() for grad in expected_grads) > 1e-6
    for grad, expected_grad in zip(grads, expected_grads, strict=True):
        if expected_grad.any():
            assert largest_error(grad, expected_grad) < limit
        else:
            assert not grad.any()


# -- the text tower, tokens shared by all classes


def test_groups_are_the_cheapest():
    lengths = torch.tensor([1, 1, 1, 2, 4, 4, 5, 9])
    for cost in (0, 1, 3, 4, 100):
        padded = text_tower._padded(lengths, cost)
        options = []
        for cuts in itertools.product((False, True), repeat=len(lengths) - 1):
            groups = torch.tensor((False, *cuts)).cumsum(0)
            longest = torch.stack([lengths[groups == g].max() for g in groups])
            options.append((int(longest.sum()) + cost * (1 + sum(cuts)), longest))
        best = min(total for total, _ in options)
        assert any(total == best and torch.equal(padded, longest) for total, longest in options)
    assert torch.equal(text_tower._padded(lengths, 0), lengths)
    assert text_tower._padded(lengths, 100).tolist() == [9] * 8


CASES = [  # depth, n, K, words, padded ids, changes
    (1, 4, 100, CONTEXT_INIT, True, QUICK),
    (9, 4, 17, CONTEXT_INIT, True, QUICK),
    (9, 4, 17, CONTEXT_INIT, False, DEEP),
    (12, 4, 2, CONTEXT_INIT, True, DEEP),
    (3, 1, 17, CONTEXT_INIT, False, QUICK),  # "photo of a" stays behind the learned token
    (9, 1, 2, None, True, DEEP),  # nothing stays
    (12, 16, 17, None, True, QUICK),
    (3, 16, 1, None, False, DEEP),
    (12, 4, 1, CONTEXT_INIT, True, QUICK),
]


@pytest.mark.parametrize("dtype", LIMITS, ids=str)
@pytest.mark.parametrize(("depth", "n", "count", "words", "padded", "changes"), CASES)
def test_text_features_and_gradients(depth, n, count, words, padded, changes, dtype):
    backbone = tiny_clip(dtype, **changes)
    sentences = class_sentences(mixed_names(count), n, words)
    tokens = random_tokens(1, depth, n, backbone.text_width, dtype=dtype)
    given = sentences
    if not padded:
        ids = backbone.tokenize(sentences)
        given = ids[:, : backbone.sentence_lengths(ids).max()]
        assert given.shape[1] < 77
    actual = TextTower(backbone, given, n)(tokens)[0]
    expected = full_context(backbone, sentences, [t[0] for t in tokens])
    check_equal(actual, expected, tokens, LIMITS[dtype])


def test_three_hundred_classes():
    backbone = tiny_clip(**QUICK)
    sentences = class_sentences(mixed_names(300), 4)
    tokens = random_tokens(1, 3, 4, backbone.text_width)
    actual = TextTower(backbone, sentences, 4)(tokens)[0]
    expected = full_context(backbone, sentences, [t[0] for t in tokens])
    check_equal(actual, expected, tokens, 1e-12)


@pytest.mark.parametrize("build", [TextTower, PlainTextTower])
def test_names_up_to_the_context_limit(build):
    backbone = tiny_clip()
    fits = "cat " * 69 + "otter"  # 70 tokens; with four words, point, start and end 77
    sentences = class_sentences(["dog", fits], 4)
    assert backbone.sentence_lengths(backbone.tokenize(sentences)).tolist() == [8, 77]
    tokens = random_tokens(1, 2, 4, backbone.text_width)
    actual = build(backbone, sentences, 4)(tokens)[0]
    check_equal(actual, full_context(backbone, sentences, [t[0] for t in tokens]), tokens, 1e-12)
    with pytest.raises(ValueError, match=r"cat cat otter\.\" has 78 tokens .* at most 77"):
        build(backbone, class_sentences(["dog", "cat " + fits], 4), 4)


# -- tokens of every class's own


@pytest.mark.parametrize("build", [TextTower, PlainTextTower])
@pytest.mark.parametrize(
    ("depth", "n", "count", "blocks", "dtype"),
    [
        (1, 4, 17, [8], torch.float64),  # as DeKg has it
        (1, 4, 17, [8], torch.float32),
        (0, 16, 5, [0], torch.float64),  # class-specific context at the input only
        (3, 2, 7, [0], torch.float64),  # shared tokens replace them again, in blocks 1 and 2
        (5, 4, 7, [2], torch.float64),  # in the midst of shared tokens
        (2, 1, 7, [3, 11], torch.float64),  # twice, also before the last block
        (0, 4, 1, [11], torch.float64),
        (12, 4, 7, [4, 5], torch.float64),
    ],
)
def test_class_tokens(depth, n, count, blocks, dtype, build):
    backbone = tiny_clip(dtype, **QUICK)
    width = backbone.text_width
    sentences = class_sentences(mixed_names(count)[::-1], n)
    tokens = random_tokens(1, depth, n, width, dtype=dtype)
    own = {b: random(1, count, n, width, dtype=dtype, seed=b).requires_grad_() for b in blocks}
    actual = build(backbone, sentences, n)(tokens, own)[0]
    expected = full_context(
        backbone, sentences, [t[0] for t in tokens], {b: t[0] for b, t in own.items()}
    )
    check_equal(actual, expected, [*tokens, *own.values()], LIMITS[dtype])


# -- tokens made by other modules


def test_coupled_prompts():
    """MaPLe: visual tokens are a linear map of the text tokens, one map per layer."""
    backbone = tiny_clip()
    sentences = class_sentences(mixed_names(6), 2)
    text = random_tokens(1, 3, 2, backbone.text_width)
    maps = [random(24, 20, seed=i).requires_grad_() for i in range(3)]
    images = random(3, 3, 16, 16)
    vision = [F.linear(t, m) for t, m in zip(text, maps, strict=True)]

    fast = TextTower(backbone, sentences, 2)(text)[0], ImageTower(backbone)(images[None], vision)[0]
    naive = (
        full_context(backbone, sentences, [t[0] for t in text]),
        plain_forward(backbone, images, [v[0] for v in vision]),
    )
    check_equal(torch.cat(fast), torch.cat(naive), [*text, *maps], 1e-12)


def test_prompts_per_image():
    """CoCoOp: context plus a bias that a small net makes of the image; (R, B) prefixes at once."""
    backbone = tiny_clip()
    sentences = class_sentences(mixed_names(6), 4)
    (context,) = random_tokens(2, 1, 4, backbone.text_width)
    net = random(20, 16).requires_grad_()
    features = random(2, 3, 16, seed=4)
    prompts = context[:, None] + F.linear(features, net)[..., None, :]  # (R, B, n, w)
    actual = TextTower(backbone, sentences, 4)([prompts])
    assert actual.shape == (2, 3, 6, 16)
    expected = [
        full_context(backbone, sentences, [context[r] + F.linear(features[r, b], net)])
        for r in range(2)
        for b in range(3)
    ]
    check_equal(actual.flatten(0, 2), torch.cat(expected), [context, net], 1e-12)
