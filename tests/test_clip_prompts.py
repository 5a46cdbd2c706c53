"""Start values, sentences and files of the learnable tokens."""

import pytest
import torch
from safetensors.torch import save_file
from tiny_clip import TOKENIZER, emoji_clip, tiny_clip

from cptlab.clip import (
    Prompts,
    PromptShape,
    class_sentences,
    init_prompts,
    load_prompts,
    save_prompts,
)


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_shapes_and_type():
    backbone = tiny_clip()
    prompts = init_prompts(backbone, PromptShape(4, 3, 2, 1), generators(0, 1))
    assert [tuple(p.shape) for p in prompts.text] == [(2, 4, 20)] * 3
    assert [tuple(p.shape) for p in prompts.vision] == [(2, 2, 24)]
    assert all(p.dtype == torch.float32 and p.requires_grad for p in prompts.parameters())


@pytest.mark.parametrize("shape", [PromptShape(0, 3, 4, 0), PromptShape(0, 0, 0, 0)])
def test_no_tokens_or_no_depth_means_no_prompts(shape):
    prompts = init_prompts(tiny_clip(), shape, generators(0))
    assert len(prompts.text) == len(prompts.vision) == 0


@pytest.mark.parametrize("words", ["a photo of a", None])
def test_each_replica_starts_as_it_would_alone(words):
    backbone, shape = tiny_clip(), PromptShape(4, 2, 4, 3)
    together = init_prompts(backbone, shape, generators(5, 6, 7), words)
    alone = init_prompts(backbone, shape, generators(6), words)
    for a, b in zip(together.parameters(), alone.parameters(), strict=True):
        assert torch.equal(a[1:2], b)
    assert not torch.equal(together.vision[0][0], together.vision[0][1])


def test_a_replica_is_a_copy_that_learns_what_all_learn():
    fixed = torch.nn.Parameter(torch.ones(2, 3), requires_grad=False)
    both = Prompts([torch.zeros(2, 4, 20)], [], {"fixed": fixed, "learned": torch.zeros(2, 5)})
    one = both.replica(1)
    assert one.count() == both.count() == 4 * 20 + 5
    with torch.no_grad():
        one.text[0].fill_(7)
    assert not both.text[0].any()


def test_first_text_layer_starts_from_the_words():
    backbone = tiny_clip()
    prompts = init_prompts(backbone, PromptShape(2, 2, 0, 0), generators(0))
    a, photo = TOKENIZER.encode("a photo")
    expected = torch.stack([backbone.token_embedding[a], backbone.token_embedding[photo]]).float()
    assert torch.equal(prompts.text[0][0], expected)
    assert not torch.allclose(prompts.text[1][0], expected)


def test_random_start_has_standard_deviation_two_hundredths():
    # 5 tokens are more than the words "a photo of a", so the first layer is random as well
    many = init_prompts(tiny_clip(), PromptShape(5, 3, 40, 3), generators(*range(40)))
    for layer in many.parameters():
        # 4,000 draws or more: the estimate's own standard error is below 1.2 %
        assert layer.std().item() == pytest.approx(0.02, rel=0.05)
        assert abs(layer.mean().item()) < 5 * 0.02 / layer.numel() ** 0.5


def test_words_do_not_move_the_other_draws():
    """Runs that differ in the words alone share every other start value."""
    backbone, shape = tiny_clip(), PromptShape(4, 2, 4, 2)
    a = init_prompts(backbone, shape, generators(1), "a photo of a")
    b = init_prompts(backbone, shape, generators(1), None)
    assert torch.equal(a.text[1], b.text[1]) and torch.equal(a.vision[0], b.vision[0])
    assert not torch.equal(a.text[0], b.text[0])


@pytest.mark.parametrize(
    ("n", "words", "expected"),
    [
        (4, "a photo of a", "a photo of a sea lion."),
        (2, "a photo of a", "a photo of a sea lion."),
        (0, "a photo of a", "a photo of a sea lion."),
        (5, "a photo of a", "X X X X X sea lion."),
        (2, None, "X X sea lion."),
        (0, None, "sea lion."),
        (3, "an emoji of a", "an emoji of a sea lion."),
    ],
)
def test_class_sentences(n, words, expected):
    assert class_sentences(["sea_lion"], n, words) == [expected]


def test_depth_beyond_the_tower():
    with pytest.raises(ValueError, match=r"text_depth is 9.*EmojiCLIP has 4 layers.*at most 4"):
        init_prompts(emoji_clip(), PromptShape(), generators(0))
    with pytest.raises(ValueError, match=r"vision_depth is 7.*at most 6"):
        init_prompts(emoji_clip(), PromptShape(4, 4, 4, 7), generators(0))


def test_tokens_leave_room_for_a_name():
    room = emoji_clip().context_length - 4
    PromptShape(room, 1, 0, 0).check(emoji_clip())
    with pytest.raises(ValueError, match=rf"{room + 1} text tokens leave no room for a class name"):
        PromptShape(room + 1, 1, 0, 0).check(emoji_clip())


def test_unusable_arguments():
    with pytest.raises(ValueError, match="vision_tokens is -1"):
        PromptShape(vision_tokens=-1)
    with pytest.raises(ValueError, match=r"one torch.Generator per replica"):
        init_prompts(tiny_clip(), PromptShape(4, 1, 0, 0), [])


@pytest.mark.parametrize("shape", [PromptShape(4, 3, 2, 2), PromptShape(2, 1, 0, 0)])
def test_files_bring_back_every_token(tmp_path, shape):
    prompts = init_prompts(tiny_clip(), shape, generators(0, 1))
    save_prompts(prompts, tmp_path / "prompts.safetensors")
    again = load_prompts(tmp_path / "prompts.safetensors")
    assert prompts.state_dict().keys() == again.state_dict().keys()
    for a, b in zip(prompts.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b) and b.requires_grad


def test_tokens_that_share_memory_can_be_saved(tmp_path):
    layers = torch.randn(2, 1, 4, 20, generator=torch.Generator().manual_seed(0))
    save_prompts(Prompts(list(layers), []), tmp_path / "prompts.safetensors")
    assert torch.equal(load_prompts(tmp_path / "prompts.safetensors").text[1], layers[1])


def test_unusable_files(tmp_path):
    path = tmp_path / "prompts.safetensors"
    with pytest.raises(FileNotFoundError, match="No prompts at"):
        load_prompts(path)
    path.write_bytes(b"not a safetensors file")
    with pytest.raises(ValueError, match="holds no prompts"):
        load_prompts(path)
    save_file({"logit_scale": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="unknown entry logit_scale"):
        load_prompts(path)
    save_file({"text.1": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=r"text.0"):
        load_prompts(path)


@pytest.mark.parametrize(("names", "message"), [("dog", "list of names"), (["a", " "], "Class 1")])
def test_class_names_that_are_none(names, message):
    with pytest.raises(ValueError, match=message):
        class_sentences(names, 4)
