"""Features, logits, losses and gradients against the methods' public code.

The cases lie in tests/golden (see its README), or in the folder that CPTLAB_GOLDEN_DIR names.
"""

import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny_clip import golden_clip

from cptlab.clip import (
    ImageTower,
    Prompts,
    PromptShape,
    TextTower,
    class_sentences,
    init_prompts,
)

FOLDER = Path(os.environ.get("CPTLAB_GOLDEN_DIR", Path(__file__).parent / "golden"))
COVERED = ("CoOp", "IVLP")
DTYPES = (torch.float64, torch.float32)


def read(path: Path) -> tuple[dict, dict]:
    with np.load(path) as file:
        arrays = {key: file[key] for key in file if key != "meta"}
        meta = json.loads(str(file["meta"])) if "meta" in file else {}
    return meta, arrays


CASES = [path for path in sorted(FOLDER.glob("*.npz")) if read(path)[0].get("method") in COVERED]


@pytest.fixture(scope="module", params=DTYPES, ids=str)
def backbone(request):
    return golden_clip(FOLDER, request.param)


def limit(kind: str, expected: torch.Tensor, dtype: torch.dtype) -> float:
    """Largest absolute difference allowed."""
    if dtype == torch.float64:
        return 1e-9
    largest = float(expected.abs().max())
    return {"features": 1e-5, "logits": 1e-4, "loss": 1e-4, "gradient": 5e-5 * largest}[kind]


def check(kind: str, actual: torch.Tensor, expected: np.ndarray) -> None:
    expected = torch.from_numpy(expected)
    assert actual.shape == expected.shape
    difference = (actual.detach().double() - expected).abs().max()
    assert difference < limit(kind, expected, actual.dtype)


def prompts_of(arrays: dict, tower: str, dtype: torch.dtype) -> list[torch.Tensor]:
    """Learnable tokens of a case, layer by layer, as one replica."""
    names = [f"{tower}_tokens_layer_{i}" for i in range(99)]
    return [torch.from_numpy(arrays[name])[None].to(dtype) for name in names if name in arrays]


def test_no_case_is_missing():
    """Of every method with public code; a file that went would only mean fewer tests."""
    assert Counter(read(path)[0].get("method") for path in FOLDER.glob("*.npz")) == {
        None: 2,  # the weights of the CLIP of all cases, and its features without prompts
        "CoOp": 3,
        "IVLP": 3,
        "CoCoOp": 2,
        "MaPLe": 3,
        "CoPrompt": 3,
        "PromptSRC": 2,
        "PromptSRC averaging": 3,
        "DeKg": 2,
        "DeKg with class-aware tokens": 2,
        "DeKg losses": 1,
        "DPC stage 2 on CoOp": 2,
        "DPC stage-2 loss": 1,
        "DPC hard negatives": 1,
    }


def test_unprompted(backbone):
    _, arrays = read(FOLDER / "unprompted.npz")
    images = torch.from_numpy(arrays["images"]).to(backbone.text_positions.dtype)
    image_features = ImageTower(backbone)(images[None])[0]
    text_features = TextTower(backbone, arrays["sentences"].tolist(), 4)()[0]
    check("features", image_features, arrays["image_features_raw"])
    check("features", text_features, arrays["text_features_raw"])
    cosines = F.normalize(image_features, dim=-1) @ F.normalize(text_features, dim=-1).T
    check("logits", backbone.logit_scale * cosines, arrays["logits"])


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path, backbone):
    meta, arrays = read(path)
    dtype = backbone.text_positions.dtype
    prompts = Prompts(prompts_of(arrays, "text", dtype), prompts_of(arrays, "vision", dtype))
    assert (len(prompts.text), len(prompts.vision)) == (meta["text_depth"], meta["vision_depth"])
    words = "a photo of a" if meta["words_init"] else None
    sentences = class_sentences(arrays["class_names"].tolist(), meta["n_text"], words)
    assert sentences == arrays["sentences"].tolist()
    assert np.array_equal(backbone.tokenize(sentences).numpy(), arrays["token_ids"])

    text_features = F.normalize(
        TextTower(backbone, sentences, meta["n_text"])(prompts.text)[0], dim=-1
    )
    images = torch.from_numpy(arrays["images"]).to(dtype)
    image_features = F.normalize(ImageTower(backbone)(images[None], prompts.vision)[0], dim=-1)
    logits = backbone.logit_scale * image_features @ text_features.T
    loss = F.cross_entropy(logits, torch.from_numpy(arrays["labels"]).long())
    loss.backward()

    check("features", text_features, arrays["text_features"])
    check("features", image_features, arrays["image_features"])
    check("logits", logits, arrays["logits"])
    check("loss", loss, arrays["loss"])
    for tower, layers in (("text", prompts.text), ("vision", prompts.vision)):
        for i, layer in enumerate(layers):
            check("gradient", layer.grad[0], arrays[f"grad_{tower}_tokens_layer_{i}"])


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_start_values(path, backbone):
    meta, arrays = read(path)
    shape = PromptShape(meta["n_text"], meta["text_depth"], meta["n_vision"], meta["vision_depth"])
    words = "a photo of a" if meta["words_init"] else None
    prompts = init_prompts(backbone, shape, [torch.Generator().manual_seed(0)], words)
    assert sum(p.numel() for p in prompts.parameters()) == meta["n_trainable"]
    if words:
        init = torch.from_numpy(arrays["text_tokens_layer_0_init"])
        assert torch.equal(prompts.text[0][0], init)
    else:
        assert "text_tokens_layer_0_init" not in arrays
