"""The packed text tower against open_clip's own, and against a plain full-context forward."""

import pytest
import torch
from naive_text import full_context
from tiny_clip import emoji_clip, largest_error, random_tokens, tiny_clip

from cptlab.clip import TextTower, class_sentences

NAMES = [
    "cat",
    "Mercedes-Benz SL-Class Coupe 2009",
    "jack-o'-lantern",
    "dog",
    "annual_crop_land",
    "great white shark",
    "sea",
    "supercalifragilisticexpialidocious pneumonoultramicroscopic",
]
LIMITS = {torch.float64: 1e-12, torch.float32: 1e-6}


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("build", [tiny_clip, emoji_clip])
def test_without_tokens_equals_encode_text(build, dtype):
    backbone = build(dtype)
    sentences = class_sentences(NAMES, 4)
    expected = backbone.model.encode_text(backbone.tokenize(sentences))
    actual = TextTower(backbone, sentences, n_tokens=4)()
    assert actual.shape == (1, len(NAMES), backbone.embed_dim)
    assert largest_error(actual[0], expected) < LIMITS[dtype]


def test_without_tokens_sentences_need_to_share_the_start_token_only():
    backbone = tiny_clip()
    sentences = ["zebra.", "the cat sat on the mat", "a photo of a dog."]
    expected = backbone.model.encode_text(backbone.tokenize(sentences))
    assert largest_error(TextTower(backbone, sentences, 0)()[0], expected) < 1e-12


@pytest.mark.parametrize(
    ("depth", "n", "names", "changes"),
    [
        (1, 4, NAMES, {}),
        (2, 4, NAMES, {"quick_gelu": True}),
        (3, 2, NAMES, {}),
        (3, 4, NAMES, {"text_ls_init_value": 0.3}),
        (3, 16, NAMES[:2], {"quick_gelu": True}),
        (2, 1, NAMES[:1], {}),
        (3, 4, NAMES[1:2], {}),
        (3, 4, ["red fox", "red deer", "red panda"], {}),  # names share a token with the prefix
        (3, 4, ["cat", "cat", "dog"], {"text_layers": 4}),
        (1, 4, NAMES, {"text_layers": 1}),
    ],
)
def test_features_and_gradients_equal_full_context_forward(depth, n, names, changes):
    backbone = tiny_clip(**changes)
    sentences = class_sentences(names, n)
    tokens = random_tokens(1, depth, n, backbone.text_width)
    weights = torch.randn(len(names), backbone.embed_dim, dtype=torch.float64, generator=_seed(3))

    actual = TextTower(backbone, sentences, n)(tokens)[0]
    expected = full_context(backbone, sentences, [t[0] for t in tokens])
    assert largest_error(actual, expected) < 1e-12
    grads = torch.autograd.grad((actual * weights).sum(), tokens)
    expected_grads = torch.autograd.grad((expected * weights).sum(), tokens)
    for grad, expected_grad in zip(grads, expected_grads, strict=True):
        assert expected_grad.abs().max() > 1e-6
        assert largest_error(grad, expected_grad) < 1e-12


def test_replicas_equal_single_runs():
    backbone = tiny_clip()
    tower = TextTower(backbone, class_sentences(NAMES, 4), 4)
    tokens = random_tokens(3, 2, 4, backbone.text_width)
    together = tower(tokens)
    grads = torch.autograd.grad(together.square().sum(), tokens)
    for r in range(3):
        alone_tokens = [t[r : r + 1].detach().requires_grad_() for t in tokens]
        alone = tower(alone_tokens)
        assert largest_error(together[r : r + 1], alone) < 1e-13
        alone_grads = torch.autograd.grad(alone.square().sum(), alone_tokens)
        for grad, alone_grad in zip(grads, alone_grads, strict=True):
            assert largest_error(grad[r : r + 1], alone_grad) < 1e-12


def test_more_leading_dimensions_broadcast():
    """One set of context tokens per image, as image-conditioned prompts need."""
    backbone = tiny_clip()
    tower = TextTower(backbone, class_sentences(NAMES, 4), 4)
    (tokens,) = random_tokens(6, 1, 4, backbone.text_width)
    nested = tower([tokens.unflatten(0, (2, 3))])
    assert largest_error(nested.flatten(0, 1), tower([tokens])) < 1e-13


def test_class_order_does_not_matter():
    backbone = tiny_clip()
    tokens = random_tokens(1, 3, 4, backbone.text_width)
    forward = TextTower(backbone, class_sentences(NAMES, 4), 4)(tokens)
    backward = TextTower(backbone, class_sentences(NAMES[::-1], 4), 4)(tokens)
    assert largest_error(backward.flip(1), forward) < 1e-13


def test_many_classes():
    backbone = tiny_clip()
    numbers = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    names = [f"{a} {b} {c}" for a in numbers for b in numbers for c in numbers]
    tokens = random_tokens(1, 1, 4, backbone.text_width)
    features = TextTower(backbone, class_sentences(names, 4), 4)(tokens)[0]
    picks = [0, 17, 555, 999]
    expected = full_context(
        backbone, class_sentences([names[i] for i in picks], 4), [t[0] for t in tokens]
    )
    assert largest_error(features[picks], expected) < 1e-12


def test_token_ids_may_replace_sentences_and_be_cut():
    backbone = tiny_clip()
    sentences = class_sentences(NAMES[:3], 4)
    ids = backbone.tokenize(sentences)[:, :20]
    assert torch.equal(TextTower(backbone, ids, 4)(), TextTower(backbone, sentences, 4)())


def test_end_token_found_by_a_given_id():
    """Pooling by a given end token, with end tokens as padding, reads the first one."""
    backbone = tiny_clip(text_pool_type="eos", text_eos_id=49407)
    ids = backbone.tokenize(class_sentences(NAMES, 4))
    padded = torch.where(ids == 0, 49407, ids)
    expected = backbone.model.encode_text(padded)
    assert largest_error(TextTower(backbone, padded, 4)()[0], expected) < 1e-12


def test_too_long_sentence_names_its_class():
    backbone = emoji_clip()
    name = "very " * 40 + "long otter"
    with pytest.raises(ValueError, match=r"long otter.*49 tokens.*at most 32"):
        TextTower(backbone, class_sentences(["cat", name], 4), 4)


@pytest.mark.parametrize(
    ("sentences", "n", "message"),
    [
        (["a photo of a cat.", "a drawing of a dog."], 4, "share their first 2 tokens"),
        (["a cat", "a cat"], 4, "share their first 3 tokens"),
        ([], 4, "at least one class"),
        (torch.zeros(2, 78, dtype=torch.long), 4, "at most 77"),
        (torch.zeros(2, 9, dtype=torch.long), 4, "no end token"),
    ],
)
def test_unusable_sentences(sentences, n, message):
    with pytest.raises(ValueError, match=message):
        TextTower(tiny_clip(), sentences, n)


@pytest.mark.parametrize(
    ("layers", "n", "width", "message"),
    [
        (4, 4, 20, "tower has 3 layers"),
        (1, 3, 20, "built for 4 context tokens and got 3"),
        (1, 4, 24, "expected"),
    ],
)
def test_unusable_tokens(layers, n, width, message):
    tower = TextTower(tiny_clip(), class_sentences(NAMES, 4), 4)
    with pytest.raises(ValueError, match=message):
        tower(random_tokens(1, layers, n, width))


# -- tokens of every class's own


def test_class_tokens_of_replicas_equal_single_runs():
    backbone = tiny_clip()
    tower = TextTower(backbone, class_sentences(NAMES, 4), 4)
    tokens = random_tokens(3, 3, 4, backbone.text_width)
    own = torch.randn(3, len(NAMES), 4, 20, dtype=torch.float64, generator=_seed(4))
    together = tower(tokens, {1: own})
    for r in range(3):
        alone = tower([t[r : r + 1] for t in tokens], {1: own[r : r + 1]})
        assert largest_error(together[r : r + 1], alone) < 1e-13
    # one set for all replicas, or one set of shared tokens for all class tokens
    same = own[:1].expand(3, -1, -1, -1)
    assert largest_error(tower(tokens, {1: own[0]}), tower(tokens, {1: same})) < 1e-13
    tokens = [t[:1] for t in tokens]
    tripled = [t.expand(3, -1, -1) for t in tokens]
    assert largest_error(tower(tokens, {1: own}), tower(tripled, {1: own})) < 1e-13


def test_prefix_is_shared_up_to_the_first_class_tokens():
    """Counts the rows that each block's MLP sees."""
    backbone = tiny_clip(text_layers=4)
    sentences = class_sentences(NAMES, 4)
    tower = TextTower(backbone, sentences, 4)
    lengths = backbone.sentence_lengths(backbone.tokenize(sentences))
    prefix, classes = 5, len(NAMES)  # start token and four of context
    suffixes = int((lengths - prefix).sum())

    def rows(class_tokens):
        seen = [0] * 4

        def hook(i):
            return lambda block, inputs: seen.__setitem__(i, seen[i] + inputs[0][..., 0].numel())

        handles = [b.mlp.register_forward_pre_hook(hook(i)) for i, b in enumerate(tower_blocks)]
        tower((), class_tokens)
        for handle in handles:
            handle.remove()
        return seen

    tower_blocks = backbone.text_blocks
    own = torch.zeros(classes, 4, 20, dtype=torch.float64)
    shared = prefix + suffixes
    assert rows({}) == [shared, shared, shared, classes]
    assert rows({2: own}) == [shared, shared, classes * prefix + suffixes, classes]


@pytest.mark.parametrize(
    ("block", "shape", "message"),
    [
        (3, (8, 4, 20), "block 3, but tiny has blocks 0 to 2"),
        (-1, (8, 4, 20), "block -1, but tiny has blocks 0 to 2"),
        (1, (7, 4, 20), r"block 1 have shape \(7, 4, 20\).*8 classes, 4 tokens, width 20"),
        (1, (2, 8, 3, 20), "8 classes, 4 tokens, width 20"),
        (1, (2, 8, 4, 16), "8 classes, 4 tokens, width 20"),
        (1, (4, 20), "8 classes, 4 tokens, width 20"),
        (1, (3, 8, 4, 20), r"different numbers of replicas, \(2,\), \(3,\)"),
    ],
)
def test_unusable_class_tokens(block, shape, message):
    tower = TextTower(tiny_clip(), class_sentences(NAMES, 4), 4)
    with pytest.raises(ValueError, match=message):
        tower(random_tokens(2, 1, 4, 20), {block: torch.zeros(shape, dtype=torch.float64)})


def _seed(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
