"""The files of golden values: all there, all compared, each with its own setting."""

import json
from collections import Counter

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden_cases import (
    DTYPES,
    FOLDER,
    METHODS,
    cases,
    check,
    clip_of,
    kind,
    method_of,
    paths,
    read,
)

from cptlab.clip import ImageTower, TextTower

FILES = {
    "clip_tiny": 1,
    "unprompted": 1,
    "Linear probe": 2,
    "CLAP": 2,
    "Tip-Adapter": 3,
    "CoOp": 6,
    "IVLP": 3,
    "CoCoOp": 3,
    "MaPLe": 3,
    "CoPrompt": 3,
    "PromptSRC": 2,
    "PromptSRC averaging": 3,
    "KgCoOp": 3,
    "TCP": 4,
    "Candle": 2,
    "DeKg": 3,
    "DeKg with class-aware tokens": 6,
    "DeKg losses": 1,
    "CLIP-LoRA": 7,
    "DPC stage 2 on CoOp": 2,
    "DPC stage-2 loss": 1,
    "DPC hard negatives": 1,
}
"""Files of each kind: of every method with public code; one that went would mean fewer tests."""


def test_no_case_is_missing():
    assert Counter(kind(path) for path in FOLDER.glob("*.npz")) == FILES


def test_no_case_is_passed_over():
    """Of an added folder too."""
    assert FILES.keys() >= METHODS.keys()
    assert {path.name for path in paths() if kind(path) not in FILES} == set()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("path", cases("unprompted"), ids=lambda path: path.stem)
def test_unprompted(path, dtype):
    _, arrays = read(path)
    backbone = clip_of(path, dtype)
    images = torch.from_numpy(arrays["images"]).to(dtype)
    image_features = ImageTower(backbone)(images[None])[0]
    text_features = TextTower(backbone, arrays["sentences"].tolist(), 0)()[0]
    check("features", image_features, arrays["image_features_raw"])
    check("features", text_features, arrays["text_features_raw"])
    cosines = F.normalize(image_features, dim=-1) @ F.normalize(text_features, dim=-1).T
    check("logits", backbone.logit_scale * cosines, arrays["logits"])


# ------------------------------------------------------------------------------ made-up cases


def test_a_folder_of_further_cases_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("CPTLAB_GOLDEN_DIR", str(tmp_path))
    with pytest.raises(ValueError, match=r"CPTLAB_GOLDEN_DIR is .*: there are no cases"):
        paths()
    made_up = tmp_path / "made_up.npz"
    np.savez(made_up, meta=np.array(json.dumps({"method": "CoOp"})))
    assert made_up in cases("CoOp") and set(cases("CoOp")) > {made_up}
    np.savez(made_up, meta=np.array(json.dumps({"method": "CoOp 2"})))
    with pytest.raises(AssertionError, match="made_up"):
        test_no_case_is_passed_over()


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("coop_n4_words", {"class_token_position": "middle"}, "class_token_position is 'middle'"),
        ("coop_n4_random", {"class_specific": True}, "class_specific is True, and CoOp has no opt"),
        ("cocoop_n4_words", {"text_depth": 2}, "text_depth is 2, and CoCoOp has no option for it"),
        ("maple_n2_depth3", {"n_vision": 4}, "n_vision is 4, and MaPLe has no option for it"),
        ("maple_n2_depth3", {"words_init": False}, "context_init is None, and MaPLe has no option"),
        ("ivlp_n6text_n3vision_depth2text_1vision", {"words_init": True}, "context_init is 'X X X"),
        ("kgcoop_dtd", {"n_vision": 2}, "n_vision is 2, and KgCoOp has no option for it"),
        ("candle_dtd", {"mask": "in_text"}, "mask is 'in_text', and Candle has no option for it"),
        ("tcp_dtd", {"weight_kd": 6.0}, "weight_kd is 6.0, and TCP has no option for it"),
        ("dekg_n4_words", {"injection_block": 2}, "injection_block is 2, and DeKg has no option"),
        ("dekg_tcp_words", {"n_vision": 2}, "n_vision is 2, and DeKg has no option for it"),
    ],
)
def test_settings_that_no_option_can_express(name, change, message, tmp_path):
    meta, arrays = read(FOLDER / f"{name}.npz")
    method_of(meta, arrays, tmp_path)
    with pytest.raises(ValueError, match=f"{name}: {message}"):
        method_of(meta | change, arrays, tmp_path)


@pytest.mark.parametrize(
    ("name", "change", "option", "value"),
    [
        ("ivlp_n4_depth3", {"vision_depth": 1}, "vision_depth", 1),
        ("promptsrc_n4_depth3", {"n_vision": 2}, "vision_tokens", 2),
        ("promptsrc_n2_depth4", {"text_weight": 3.0}, "text_weight", 3.0),
        ("coprompt_n2_depth3", {"text_adapter_ratio": 0.5}, "text_mix", 0.5),
        ("kgcoop_dtd", {"weight": 4.0}, "weight", 4.0),
        ("candle_dtd", {"visual_scale": 2.0}, "visual_scale", 2.0),
        ("tcp_dtd", {"words_init": True}, "context_init", "a photo of a"),
        ("dekg_tcp_words", {"injection_block": 3}, "block", 3),
        ("dekg_tcp_words", {"words_init": True}, "random_context", False),
        ("dpc_n4_w0.2", {"mix_weight": 0.7}, "weight_base", 0.7),
    ],
)
def test_settings_become_options(name, change, option, value, tmp_path):
    meta, arrays = read(FOLDER / f"{name}.npz")
    assert getattr(method_of(meta | change, arrays, tmp_path), option) == value


def test_sentences_of_no_template(tmp_path):
    meta, arrays = read(FOLDER / "dekg_tcp_ucf101.npz")
    arrays["sentences"] = arrays["sentences"][::-1]
    with pytest.raises(ValueError, match="No template makes the sentences"):
        method_of(meta, arrays, tmp_path)
