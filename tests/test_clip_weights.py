"""EmojiCLIP's compact weight files: round trip, and every way in which a file can be unusable."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny_clip import TOKENIZER, random_model, tiny_clip

from cptlab.clip import TextTower, load
from cptlab.clip.loading import EMOJI_CONFIG
from cptlab.clip.weights import load_compact, save_compact

USED = [0, 49406, 49407, 320, 1125, 539, 269, 2368]  # padding, start, end and a few words


@pytest.fixture(scope="module")
def emoji_model():
    return random_model(json.loads(EMOJI_CONFIG.read_text()))


@pytest.fixture(scope="module")
def emoji_file(emoji_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "emoji.safetensors"
    save_compact(emoji_model, USED, path)
    return path


def test_emoji_clip_round_trip(emoji_model, emoji_file):
    random_state = torch.get_rng_state()
    backbone = load(pretrained=str(emoji_file))
    assert torch.equal(torch.get_rng_state(), random_state)
    assert (backbone.name, backbone.context_length, backbone.image_size) == ("EmojiCLIP", 32, 48)
    assert backbone.tokenizer.context_length == 32

    loaded, original = backbone.model.state_dict(), emoji_model.state_dict()
    assert loaded.keys() == original.keys()
    table = loaded.pop("token_embedding.weight")
    for key, value in loaded.items():
        assert value.dtype == torch.float32
        assert torch.equal(value, original[key].half().float())
    kept = original["token_embedding.weight"][USED].half().float()
    assert torch.equal(table[USED], kept)
    unused = torch.ones(len(table), dtype=torch.bool)
    unused[USED] = False
    assert torch.allclose(table[unused], kept.mean(0), atol=1e-7)


def test_float16_keeps_features_close(emoji_model, emoji_file):
    sentence = [f"{TOKENIZER.decode([2368])}"]  # a word whose embedding is stored
    loaded = TextTower(load(pretrained=str(emoji_file)), sentence, 0)()
    ids = TOKENIZER(sentence, context_length=32)
    assert torch.allclose(loaded[0], emoji_model.encode_text(ids), rtol=0.02, atol=0.02)


def test_weight_file_is_compact(emoji_file):
    with safe_open(emoji_file, framework="pt") as file:
        assert file.get_slice("token_embedding.rows").get_shape() == [len(USED), 192]
        assert file.get_slice("token_embedding.ids").get_dtype() == "I32"
        assert file.get_slice("logit_scale").get_dtype() == "F16"


def test_missing_weights():
    with pytest.raises(FileNotFoundError, match=r"No weights at nowhere.safetensors"):
        load(pretrained="nowhere.safetensors")


@pytest.mark.parametrize("keep", [0, 5, 1000, 0.5, 0.999])
def test_truncated_weights(emoji_file, tmp_path, keep):
    content = emoji_file.read_bytes()
    path = tmp_path / "cut.safetensors"
    path.write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    with pytest.raises(ValueError, match=r"cut.safetensors is damaged.*fetch it again"):
        load(pretrained=str(path))


def rewritten(emoji_file, path, change):
    """A copy of a compact file after ``change(tensors)``."""
    tensors = load_file(emoji_file)
    change(tensors)
    save_file(tensors, path, metadata={"vocab_size": "49408"})
    return str(path)


@pytest.mark.parametrize("key", ["visual.proj", "token_embedding.rows"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_with_nan_or_infinity(emoji_file, tmp_path, key, value):
    def spoil(tensors):
        tensors[key][0, 0] = value

    path = rewritten(emoji_file, tmp_path / "bad.safetensors", spoil)
    with pytest.raises(ValueError, match=r"bad.safetensors is unusable.*NaN or infinity"):
        load(pretrained=path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.update({"visual.proj": t["visual.proj"][:, :5].clone()}), "visual.proj"),
        (lambda t: t.pop("visual.proj"), "visual.proj"),
        (lambda t: t.update({"surplus": torch.zeros(1)}), "surplus"),
        (lambda t: t.pop("token_embedding.ids"), "not a compact weight file"),
        (lambda t: t.update({"token_embedding.ids": torch.arange(3)}), "do not match"),
        (lambda t: t["token_embedding.ids"].add_(10), "do not match"),
    ],
)
def test_weights_of_something_else(emoji_file, tmp_path, change, message):
    path = rewritten(emoji_file, tmp_path / "other.safetensors", change)
    with pytest.raises(ValueError, match=message):
        load(pretrained=path)


def test_weights_without_vocabulary_size(emoji_file, tmp_path):
    save_file(load_file(emoji_file), tmp_path / "bare.safetensors")
    with pytest.raises(ValueError, match="not a compact weight file"):
        load_compact(tmp_path / "bare.safetensors")


def test_save_compact_refuses_what_float16_cannot_hold(tmp_path):
    model = tiny_clip(torch.float32).model
    with pytest.raises(ValueError, match="Token ids"):
        save_compact(model, [], tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="Token ids"):
        save_compact(model, [49408], tmp_path / "x.safetensors")
    model.visual.proj[0, 0] = 1e6
    with pytest.raises(ValueError, match=r"float16: visual.proj"):
        save_compact(model, USED, tmp_path / "x.safetensors")
