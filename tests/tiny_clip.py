"""Small CLIPs with fixed random weights for tests, built by open_clip itself."""

import json
from pathlib import Path

import numpy as np
import torch

from cptlab.clip.backbone import Backbone, wrap
from cptlab.clip.guard import open_clip
from cptlab.clip.loading import EMOJI_CONFIG

TOKENIZER = open_clip.SimpleTokenizer()
TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 16, "layers": 3, "width": 24, "head_width": 12, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 20, "heads": 2, "layers": 3},
}


def random_model(config: dict, seed: int = 0) -> torch.nn.Module:
    """An open_clip CLIP in which every parameter matters: biases and gains are random too."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = open_clip.CLIP(**config)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim == 1:
                    parameter += 0.2 * torch.randn_like(parameter)
            model.positional_embedding *= 20  # as large as the token embeddings, as when trained
            model.token_embedding.weight *= 10
    return model


def tiny_config(**changes) -> dict:
    """TINY with entries changed: ``vision_*`` and ``text_*`` go to the towers' own settings."""
    config = {"embed_dim": TINY["embed_dim"]}
    for tower in ("vision", "text"):
        own = {k.removeprefix(f"{tower}_"): v for k, v in changes.items() if k.startswith(tower)}
        config[f"{tower}_cfg"] = TINY[f"{tower}_cfg"] | own
    rest = {k: v for k, v in changes.items() if not k.startswith(("vision_", "text_"))}
    return config | rest


def tiny_clip(dtype: torch.dtype = torch.float64, seed: int = 0, **changes) -> Backbone:
    model = random_model(tiny_config(**changes), seed)
    return wrap(model.to(dtype), TOKENIZER, "tiny")


def emoji_clip(dtype: torch.dtype = torch.float64) -> Backbone:
    """The packaged architecture with random weights."""
    config = json.loads(EMOJI_CONFIG.read_text())
    tokenizer = open_clip.SimpleTokenizer(context_length=config["text_cfg"]["context_length"])
    return wrap(random_model(config).to(dtype), tokenizer, "EmojiCLIP")


def golden_clip(folder: Path, dtype: torch.dtype) -> Backbone:
    """The CLIP behind the golden values; ``folder`` holds clip_tiny.npz."""
    with np.load(folder / "clip_tiny.npz") as file:
        arrays = {key: file[key] for key in file}
    config = json.loads(str(arrays.pop("config")))
    ids, rows = arrays.pop("token_embedding_ids"), arrays.pop("token_embedding_rows")
    table = np.zeros((config["vocab_size"], config["text_width"]), np.float32)
    table[ids] = rows
    arrays["token_embedding.weight"] = table
    model = random_model(
        {
            "embed_dim": config["embed_dim"],
            "quick_gelu": config["quick_gelu"],
            "vision_cfg": {
                "image_size": config["image_size"],
                "patch_size": config["patch_size"],
                "layers": config["vision_layers"],
                "width": config["vision_width"],
                "head_width": config["vision_head_width"],
            },
            "text_cfg": {
                "context_length": config["context_length"],
                "vocab_size": config["vocab_size"],
                "width": config["text_width"],
                "heads": config["text_heads"],
                "layers": config["text_layers"],
            },
        }
    )
    model.load_state_dict({k: torch.from_numpy(v.astype(np.float32)) for k, v in arrays.items()})
    return wrap(model.to(dtype), TOKENIZER, "golden")


def random_tokens(
    replicas: int,
    layers: int,
    n: int,
    width: int,
    seed: int = 1,
    dtype: torch.dtype = torch.float64,
) -> list[torch.Tensor]:
    """Layers of learnable tokens (replicas, n, width), large enough to matter."""
    generator = torch.Generator().manual_seed(seed)
    draws = torch.randn(layers, replicas, n, width, generator=generator, dtype=dtype)
    return [layer.clone().requires_grad_() for layer in draws * 0.5]


def largest_error(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference relative to the largest expected entry."""
    assert actual.shape == expected.shape
    actual, expected = actual.detach(), expected.detach()
    return float((actual - expected).abs().max() / expected.abs().max())
