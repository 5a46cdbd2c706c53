"""The import guard, model names, and the refusal of models that the towers cannot reproduce."""

import importlib
import json
import sys

import pytest
import torch
from safetensors.torch import save_file
from tiny_clip import TOKENIZER, random_model, tiny_clip, tiny_config

from cptlab.clip import TextTower, class_sentences, guard, load, wrap
from cptlab.clip.guard import open_clip

# -- guard


def test_guard_does_nothing_where_open_clip_imports(monkeypatch):
    def no_library(*_):
        raise AssertionError("declared operators without need")

    monkeypatch.setattr(torch.library, "Library", no_library)
    before = {name: module for name, module in sys.modules.items() if "torchvision" in name}
    assert guard.import_open_clip() is open_clip
    assert before == {n: module for n, module in sys.modules.items() if "torchvision" in n}


def test_guard_retries_after_exactly_the_missing_operator(monkeypatch):
    calls = []

    def fails_once(name):
        calls.append(name)
        if len(calls) == 1:
            raise RuntimeError(guard.MISSING_OPERATOR)
        return open_clip

    declared = []

    class Library:
        def __init__(self, *arguments):
            assert arguments == ("torchvision", "FRAGMENT")

        def define(self, schema):
            declared.append(schema.split("(")[0])

    kept = []
    half_imported = {name for name in sys.modules if name.split(".")[0] == "torchvision"}
    with monkeypatch.context() as patch:
        for name in half_imported:
            patch.setitem(sys.modules, name, sys.modules[name])  # put back afterwards
        patch.setattr(importlib, "import_module", fails_once)
        patch.setattr(torch.library, "Library", Library)
        patch.setattr(guard, "_declared", kept)
        assert guard.import_open_clip() is open_clip
        assert not half_imported & sys.modules.keys()
    assert calls == ["open_clip", "open_clip"]
    assert declared == ["nms", "qnms"] and isinstance(kept[0], Library)


def test_guard_passes_other_errors_through(monkeypatch):
    def fails(name):
        raise RuntimeError("another cause")

    monkeypatch.setattr(importlib, "import_module", fails)
    with pytest.raises(RuntimeError, match="another cause"):
        guard.import_open_clip()


# -- wrap


def test_backbone_is_frozen_and_in_evaluation_mode():
    backbone = tiny_clip()
    assert not backbone.model.training
    assert not any(p.requires_grad for p in backbone.model.parameters())


def test_uniform_view():
    backbone = tiny_clip()
    assert (backbone.text_width, backbone.vision_width, backbone.embed_dim) == (20, 24, 16)
    assert (backbone.text_layers, backbone.vision_layers) == (3, 3)
    assert (backbone.context_length, backbone.image_size) == (77, 16)
    assert backbone.logit_scale == pytest.approx(1 / 0.07)
    assert backbone.mean == open_clip.OPENAI_DATASET_MEAN
    assert backbone.std == open_clip.OPENAI_DATASET_STD


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"text_pool_type": "none"}, "one text feature per token"),
        ({"text_pool_type": "eos", "text_eos_id": 2}, "end token 2"),
        ({"text_vocab_size": 50000}, "vocabulary"),
        ({"text_proj_bias": True}, "projection"),
        ({"text_proj_type": "none"}, "projection"),
        ({"text_qk_norm": True}, "blocks"),
        ({"vision_scale_fc": True}, "blocks"),
        ({"vision_pool_type": "avg"}, "class token"),
        ({"vision_attentional_pool": True, "vision_attn_pooler_heads": 2}, "class token"),
        ({"vision_output_tokens": True}, "class token"),
        ({"vision_patch_dropout": 0.5}, "drops patches"),
        ({"vision_image_size": (16, 24)}, "not square"),
        ({"vision_layers": (1, 1, 1, 1)}, "ModifiedResNet"),
        ({"init_logit_bias": -10.0}, "logit bias"),
    ],
)
def test_wrap_refuses_with_the_reason(changes, reason):
    model = open_clip.CLIP(**tiny_config(**changes))
    with pytest.raises(ValueError, match=f"tiny cannot be used: .*{reason}"):
        wrap(model, TOKENIZER, "tiny")


def test_wrap_refuses_another_text_tower_or_tokenizer():
    with pytest.raises(ValueError, match="CustomTextCLIP has another text tower"):
        wrap(open_clip.CustomTextCLIP(**tiny_config()), TOKENIZER, "tiny")
    with pytest.raises(ValueError, match="tokenizer is not CLIP's own"):
        wrap(open_clip.CLIP(**tiny_config()), str.split, "tiny")


# -- load


@pytest.mark.parametrize(
    ("name", "pretrained", "message"),
    [
        ("ViT-B16", "openai", "no model.*Did you mean: ViT-B-16"),
        ("emojiclip", None, "Did you mean: .*EmojiCLIP"),
        ("ViT-B-16", None, "needs weights.*laion2b"),
        ("ViT-B-16", "laion", "neither a file nor one of its tags.*laion2b"),
        ("ViT-B-16", "openai", 'trained with QuickGELU.*"ViT-B-16-quickgelu"'),
        ("ViT-B-32-quickgelu", "laion2b_s34b_b79k", "neither a file nor one of its tags"),
    ],
)
def test_unknown_or_mismatched_names(name, pretrained, message):
    with pytest.raises(ValueError, match=message):
        load(name, pretrained)


def test_other_models_load_from_a_file(tmp_path):
    config = tiny_config()
    (tmp_path / "Tiny-ViT.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "Tiny-ViT.json")
    model = random_model(config)
    save_file(model.state_dict(), tmp_path / "tiny.safetensors")
    backbone = load("Tiny-ViT", str(tmp_path / "tiny.safetensors"))
    sentences = class_sentences(["cat", "sea lion"], 4)
    expected = model.encode_text(TOKENIZER(sentences))
    assert torch.allclose(TextTower(backbone, sentences, 4)()[0], expected, atol=1e-5)

    (tmp_path / "tiny.safetensors").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"weights .* of Tiny-ViT could not be loaded"):
        load("Tiny-ViT", str(tmp_path / "tiny.safetensors"))
