"""The plain text tower against open_clip's own and a naive forward, and the choice of a tower."""

import warnings

import pytest
import torch
from naive_text import full_context
from tiny_clip import largest_error, random_tokens, tiny_clip

from cptlab.clip import PlainTextTower, TextTower, class_sentences
from cptlab.clip.checks import reason_against_sharing
from cptlab.clip.plain_text import build_text_tower

NAMES = ["cat", "great white shark", "jack-o'-lantern", "sea", "annual_crop_land"]
CAUSAL = [{}, {"text_pool_type": "eos", "text_eos_id": 49407}]
OTHERS = [
    {"text_no_causal_mask": True},
    {"text_no_causal_mask": True, "text_pool_type": "first", "quick_gelu": True},
    {"text_no_causal_mask": True, "text_pool_type": "last"},
    {"text_no_causal_mask": True, "text_pool_type": "eos", "text_eos_id": 49407},
    {"text_pool_type": "last"},
    {"text_pool_type": "first"},
]


@pytest.mark.parametrize("changes", CAUSAL + OTHERS)
def test_without_tokens_equals_encode_text(changes):
    backbone = tiny_clip(**changes)
    sentences = class_sentences(NAMES, 4)
    expected = backbone.model.encode_text(backbone.tokenize(sentences))
    actual = PlainTextTower(backbone, sentences, n_tokens=4)()
    assert actual.shape == (1, len(NAMES), backbone.embed_dim)
    assert largest_error(actual[0], expected) < 1e-12


@pytest.mark.parametrize("own_block", [None, 1])
@pytest.mark.parametrize("changes", CAUSAL + OTHERS[:-1])
def test_features_and_gradients_equal_naive_forward(changes, own_block):
    backbone = tiny_clip(**changes)
    sentences = class_sentences(NAMES, 2)
    tokens = random_tokens(1, 3, 2, backbone.text_width)
    (own,) = random_tokens(len(NAMES), 1, 2, backbone.text_width, seed=5)
    class_tokens = {} if own_block is None else {own_block: own}
    actual = PlainTextTower(backbone, sentences, 2)(tokens, class_tokens)[0]
    expected = full_context(backbone, sentences, [t[0] for t in tokens], class_tokens)
    assert largest_error(actual, expected) < 1e-12
    inputs = [tokens[0], tokens[2], own if class_tokens else tokens[1]]
    grads = torch.autograd.grad(actual.square().sum(), inputs)
    expected_grads = torch.autograd.grad(expected.square().sum(), inputs)
    for grad, expected_grad in zip(grads, expected_grads, strict=True):
        assert expected_grad.abs().max() > 1e-6
        assert largest_error(grad, expected_grad) < 1e-12


def test_leading_dimensions_equal_single_runs():
    backbone = tiny_clip(text_no_causal_mask=True)
    tower = PlainTextTower(backbone, class_sentences(NAMES, 4), 4)
    tokens = random_tokens(6, 2, 4, backbone.text_width)
    together = tower([t.unflatten(0, (2, 3)) for t in tokens])
    assert together.shape == (2, 3, len(NAMES), backbone.embed_dim)
    for r in range(6):
        alone = tower([t[r : r + 1] for t in tokens])
        assert largest_error(together.flatten(0, 1)[r], alone[0]) < 1e-13


@pytest.mark.parametrize("truncate", [False, True])
@pytest.mark.parametrize("changes", CAUSAL)
def test_equals_the_fast_tower(changes, truncate):
    backbone = tiny_clip(**changes)
    sentences = class_sentences(NAMES, 4)
    plain = PlainTextTower(backbone, sentences, 4, truncate=truncate)
    tokens = random_tokens(2, 3, 4, backbone.text_width)
    (own,) = random_tokens(len(NAMES), 1, 4, backbone.text_width, seed=5)
    fast = TextTower(backbone, sentences, 4)
    assert largest_error(plain(tokens, {1: own}), fast(tokens, {1: own})) < 1e-12
    longest = int(backbone.sentence_lengths(backbone.tokenize(sentences)).max())
    assert plain.positions.shape[0] == (longest if truncate else 77)


@pytest.mark.parametrize("changes", OTHERS)
def test_truncation_is_refused_where_it_would_not_be_exact(changes):
    backbone = tiny_clip(**changes)
    with pytest.raises(ValueError, match=r"sentences of tiny cannot be cut: .*truncate=False"):
        PlainTextTower(backbone, class_sentences(NAMES, 4), 4, truncate=True)


def test_short_token_ids_are_padded():
    backbone = tiny_clip(text_no_causal_mask=True)
    sentences = class_sentences(NAMES, 4)
    ids = backbone.tokenize(sentences)[:, :20]
    plain = PlainTextTower(backbone, sentences, 4)()
    assert torch.equal(PlainTextTower(backbone, ids, 4)(), plain)


@pytest.mark.parametrize("changes", CAUSAL + OTHERS)
def test_choice_of_tower(changes):
    backbone = tiny_clip(**changes)
    sentences = class_sentences(NAMES, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tower = build_text_tower(backbone, sentences, 4)
    assert type(tower) is (TextTower if changes in CAUSAL else PlainTextTower)
    expected = backbone.model.encode_text(backbone.tokenize(sentences))
    assert largest_error(tower()[0], expected) < 1e-12


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"text_no_causal_mask": True}, "not causal"),
        ({"text_pool_type": "last"}, "not read at the end token"),
        ({"text_pool_type": "first"}, "not read at the end token"),
    ],
)
def test_fast_tower_refuses_and_names_the_plain_one(changes, reason):
    backbone = tiny_clip(**changes)
    assert reason in reason_against_sharing(backbone.model, backbone.tokenizer)
    with pytest.raises(ValueError, match=f"{reason}.*PlainTextTower"):
        TextTower(backbone, class_sentences(NAMES, 4), 4)


def test_sentences_may_differ_within_the_learnable_positions_but_not_lack_them():
    backbone = tiny_clip()
    tokens = random_tokens(1, 1, 2, backbone.text_width)
    features = PlainTextTower(backbone, ["the red cat", "X X cat"], 2)(tokens)[0]
    assert largest_error(features[0], features[1]) < 1e-13
    with pytest.raises(ValueError, match=r"Sentence 1 has 3 tokens.*need 4"):
        PlainTextTower(backbone, ["the red cat", "cat"], 2)
