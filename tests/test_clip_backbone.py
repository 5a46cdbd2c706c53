"""The import guard, model names, and the refusal of models that the towers cannot reproduce."""

import importlib
import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file
from tiny_clip import TOKENIZER, random_model, tiny_clip, tiny_config

from cptlab.clip import (
    TextTower,
    class_sentences,
    guard,
    load,
    loading,
    untrained,
    weights_id,
    wrap,
)
from cptlab.clip.guard import open_clip
from cptlab.clip.local_weights import quick_gelu

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
        ("ViT-B-16", "laion", "neither a file, .*nor one of its tags.*laion2b"),
        ("ViT-B-16", "openai", 'trained with QuickGELU.*"ViT-B-16-quickgelu"'),
        ("ViT-B-32-quickgelu", "laion2b_s34b_b79k", "neither a file, .*nor one of its tags"),
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

    file = tmp_path / "tiny.safetensors"
    state = model.state_dict()
    lacking = {name: value for name, value in state.items() if name != "visual.proj"}
    spoilt = state | {"visual.proj": state["visual.proj"] * float("nan")}
    save_file(lacking, file)
    with pytest.raises(
        ValueError, match=r'another model \(Missing key.* "visual\.proj".*\)\. Give'
    ):
        load("Tiny-ViT", str(file))
    save_file(spoilt, file)
    with pytest.raises(ValueError, match=r"are unusable: visual\.proj holds NaN"):
        load("Tiny-ViT", str(file))
    for contents in (b"damaged", b""):
        file.write_bytes(contents)
        with pytest.raises(ValueError, match=r"of Tiny-ViT could not be loaded: it is neither a"):
            load("Tiny-ViT", str(file))
    torch.save(model, tmp_path / "pickled.pt")
    with pytest.raises(ValueError, match=r"more than tensors .*: open_clip\.model\.CLIP"):
        load("Tiny-ViT", str(tmp_path / "pickled.pt"))


@pytest.fixture
def tiny_models(tmp_path):
    """Tiny-GELU and its twin with QuickGELU are known to open_clip; a folder holds weights."""
    config = tiny_config()
    for name, quick in (("Tiny-GELU", False), ("Tiny-GELU-quickgelu", True)):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(config | {"quick_gelu": quick}))
        open_clip.add_model_config(path)
    folder = tmp_path / "weights"
    folder.mkdir()
    save_file(random_model(config).state_dict(), folder / "open_clip_model.safetensors")
    return folder


def with_config(folder, **model_cfg):
    mean = {"mean": [0.1, 0.2, 0.3]}
    values = {"model_cfg": tiny_config() | model_cfg, "preprocess_cfg": mean}
    (folder / "open_clip_config.json").write_text(json.dumps(values))


def test_a_folder_of_weights_is_read_with_its_configuration(tiny_models):
    with_config(tiny_models, quick_gelu=True)
    backbone = load("Tiny-GELU-quickgelu", str(tiny_models))
    assert backbone.mean == (0.1, 0.2, 0.3)
    file = tiny_models / "open_clip_model.safetensors"
    assert weights_id("Tiny-GELU-quickgelu", str(tiny_models)) == weights_id("x", str(file))
    with pytest.raises(ValueError, match=r'QuickGELU.*use the model name "Tiny-GELU-quickgelu"'):
        load("Tiny-GELU", str(tiny_models))
    with_config(tiny_models)
    with pytest.raises(ValueError, match=r'trained with GELU.*use the model name "Tiny-GELU"'):
        load("Tiny-GELU-quickgelu", str(file))


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("ViT-B-16-openai.safetensors", True),
        ("models--timm--vit_base_patch16_clip_224.openai/snapshots/1/model.safetensors", True),
        ("models--laion--CLIP-ViT-B-16-laion2B-s34B-b88K/blobs/1/model.bin", False),
        ("openai/mine.pt", None),  # a folder of the user's own says nothing
        ("vit_b_16-laion400m_e32.pt", None),  # published with both
        ("metaclip_400m.pt", True),
    ],
)
def test_what_names_tell_about_the_activation(file, expected, tmp_path):
    assert quick_gelu(tmp_path / file) is expected


def test_an_activation_that_nothing_tells_is_a_warning(tiny_models):
    with pytest.warns(UserWarning, match=r"Nothing tells .* Tiny-GELU-quickgelu the other"):
        load("Tiny-GELU", str(tiny_models))


def test_folders_without_weights_and_damaged_configurations_are_named(tiny_models):
    (tiny_models / "open_clip_config.json").write_text("{}")
    with pytest.raises(ValueError, match=r"open_clip_config\.json is no configuration"):
        load("Tiny-GELU", str(tiny_models))
    with pytest.raises(ValueError, match=r"neither a file, nor a folder with open_clip_model"):
        load("Tiny-GELU", str(tiny_models.parent))


def test_untrained_weights_are_seeded_and_disturb_nobody(tiny_models):
    state = torch.get_rng_state()
    first, again = (untrained("Tiny-GELU", seed=3) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.text_projection, again.text_projection)
    assert not torch.equal(first.text_projection, untrained("Tiny-GELU", seed=4).text_projection)


def test_the_hugging_face_cache_serves_a_tag_offline(tiny_models, tmp_path):
    """Published weights come out of a cache on disk, with no network."""
    cache = tmp_path / "hub/models--timm--vit_base_patch16_clip_224.openai"
    snapshot = cache / "snapshots/1"
    snapshot.mkdir(parents=True)
    (cache / "refs").mkdir()
    (cache / "refs/main").write_text("1")
    code = f"""
import torch
from safetensors.torch import save_file
from cptlab.clip import load, untrained
model = untrained("ViT-B-16-quickgelu").model
save_file(model.state_dict(), "{snapshot}/open_clip_model.safetensors")
found = load("ViT-B-16-quickgelu", "openai").model
assert torch.equal(found.positional_embedding, model.positional_embedding)
"""
    settings = os.environ | {"HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, "-c", code], env=settings, check=True)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("RN50", "RN50 cannot be used: its image tower is a ResNet. Choose a plain CLIP"),
        ("ViT-B-16-SigLIP", "its image tower is timm's vit_base_patch16_siglip_224"),
        ("roberta-ViT-B-32", "its text tower is Hugging Face's roberta-base"),
    ],
)
def test_unsupported_towers_are_named_before_weights_are_asked_for(name, reason):
    with pytest.raises(ValueError, match=reason):
        load(name)


def test_weights_of_another_pretraining_seed_go_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "OTHER_SEEDS", tmp_path)
    with pytest.raises(ValueError, match=r"no EmojiCLIP-seed7\.safetensors; .*: none here"):
        load(pretrained="seed7")
    assert weights_id("EmojiCLIP", "seed7") == "EmojiCLIP/seed7"
    shutil.copy(loading.EMOJI_WEIGHTS, tmp_path / "EmojiCLIP-seed1.safetensors")
    assert weights_id("EmojiCLIP", "seed1") == weights_id("EmojiCLIP")
    assert load(pretrained="seed1").embed_dim == load().embed_dim
    with pytest.raises(ValueError, match="a checkout: seed1"):
        load(pretrained="seed2")
