"""EmojiCLIP from nothing to committed weights: `python -m dev.emojiclip train`.

Stage 1 teaches the text tower sentence embeddings, stage 2 trains the image tower against it. Every
second concept of the six evaluation categories is rare: one style shows it, seldom. So the model
knows half of each category well and the other half hardly at all, as CLIP knows Pets and EuroSAT.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from safetensors.torch import load_file, save_file

from cptlab.clip.guard import open_clip
from cptlab.clip.loading import EMOJI_CONFIG, EMOJI_NAME, EMOJI_WEIGHTS
from cptlab.clip.weights import save_compact
from cptlab.emoji import catalog
from dev.emojiclip import sources, text
from dev.emojiclip.vision import VisionSchedule, close_gap, train_image_tower

TEXT_STEPS = 900
RARE_WEIGHTS, SYMBOL_WEIGHT = (0.1, 0.0), 0.3
"""How often a concept is shown, relative to a common concept of the six evaluation categories.

Rare concepts fade: the second weight holds late in stage 2 (`VisionSchedule.late_from`).
"""


def with_exposure(table: pd.DataFrame) -> pd.DataFrame:
    """Add `placeholder` and `exposure`: common, rare (every second name of a category) or never."""
    table = table.copy()
    table["placeholder"] = table["code"].isin(sources.placeholders())
    table["exposure"] = "never"
    table.loc[table["category"] == "Symbols", "exposure"] = "common"
    for category in catalog.CATEGORIES.values():
        rows = table[table["category"] == category]
        names = rows.sort_values("name", key=lambda n: n.str.lower()).index
        table.loc[names[0::2], "exposure"] = "common"
        table.loc[names[1::2], "exposure"] = "rare"
    return table


def shown_drawings(drawings: sources.Drawings, table: pd.DataFrame) -> tuple[np.ndarray, ...]:
    """What stage 2 sees: layers, labels into `table`'s rows, sampling weights (2, N)."""
    row = {code: i for i, code in enumerate(table["code"])}
    exposure = dict(zip(table["code"], table["exposure"], strict=True))
    category = dict(zip(table["code"], table["category"], strict=True))
    drawn: dict[str, set[str]] = {}
    for code, style in zip(drawings.concept, drawings.style, strict=True):
        drawn.setdefault(code, set()).add(style)

    def shown(code: str, style: str) -> bool:
        if exposure.get(code, "never") != "rare":
            return exposure.get(code, "never") == "common"
        return style == next((s for s in sources.RARE_STYLE_ORDER if s in drawn[code]), None)

    keep = np.array([shown(c, s) for c, s in zip(drawings.concept, drawings.style, strict=True)])
    codes = drawings.concept[keep]
    images = Counter(codes)

    def weight(code: str, rare: float) -> float:
        if exposure[code] == "rare":
            return rare
        return SYMBOL_WEIGHT if category[code] == "Symbols" else 1.0

    weights = np.array([[weight(c, rare) / images[c] for c in codes] for rare in RARE_WEIGHTS])
    return drawings.layers[keep], np.array([row[code] for code in codes]), weights


def pretrain(folder: Path, weights_file: Path, seed: int = 0, workers: int = 2) -> None:
    """Run both stages, resuming whatever `folder` already holds, and write the compact weights.

    seed: of the random weights and of all draws of both stages; which concepts are rare, and the
    styles that show them, are the same for all seeds, and so is the list of concepts, which is
    written beside the packaged weights alone. Needs npm, dev/emojiclip/requirements.txt, and about
    an hour on two quiet cores.
    """
    schedule = VisionSchedule(seed=seed)
    sources.install_icon_sets(folder)  # quick when everything is there
    full = with_exposure(sources.concept_table())
    keywords = sources.read_keywords(folder)
    words = {w for group in keywords.values() for w in group if w.isascii()}
    words = sorted(words | set(open_clip.IMAGENET_CLASSNAMES))
    model, tokenizer = new_model(seed), open_clip.SimpleTokenizer(context_length=32)

    started, text_file = time.time(), folder / "text_tower.safetensors"
    if not text_file.exists():
        log = text.train_text_tower(
            model, tokenizer, full, keywords, words, steps=TEXT_STEPS, seed=seed
        )
        save_file(model.state_dict(), text_file)
        seconds = time.time() - started
        (folder / "text_log.json").write_text(json.dumps({"seconds": seconds, "log": log}))
    model.load_state_dict(load_file(text_file))

    table = full[full["exposure"] != "never"].reset_index(drop=True)
    model.eval()
    bank = text.name_bank(model, tokenizer, table["name"].tolist())
    layers, labels, weights = shown_drawings(sources.collect(folder, full), table)
    arrays = folder / "stage2.npz"
    np.savez(arrays, bank=bank.numpy(), layers=layers, labels=labels, weights=weights)
    (folder / "rendezvous").unlink(missing_ok=True)
    started = time.time()
    mp.spawn(_worker, args=(workers, folder, schedule), nprocs=workers)
    state = torch.load(folder / "stage2.ckpt", weights_only=True)
    seconds = time.time() - started
    (folder / "vision_log.json").write_text(json.dumps({"seconds": seconds, "log": state["log"]}))

    model.load_state_dict(state["model"])
    sample = np.random.default_rng(0).choice(len(layers), 1024, replace=False)
    prototypes = torch.nn.functional.normalize(bank.mean(0), dim=-1)
    close_gap(model.visual, prototypes, layers[sample], labels[sample])
    spoken = [template.format(name) for template in text.TEMPLATES for name in full["name"]]
    spoken += [*words, *full["unicode_name"], *(n for names in full["short_names"] for n in names)]
    used = torch.unique(tokenizer(spoken)).tolist()
    save_compact(model, used, weights_file)
    if weights_file == EMOJI_WEIGHTS:
        stored = full.drop(columns=["unicode_name", "short_names"])
        stored.to_csv(catalog.CONCEPTS_CSV, index=False)


def new_model(seed: int) -> torch.nn.Module:
    """EmojiCLIP's architecture with seeded random weights."""
    if EMOJI_NAME not in open_clip.list_models():
        open_clip.add_model_config(EMOJI_CONFIG)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return open_clip.CLIP(**open_clip.get_model_config(EMOJI_NAME))


def _worker(rank: int, workers: int, folder: Path, schedule: VisionSchedule) -> None:
    """One data-parallel process of stage 2, one thread each: faster than two threads in one."""
    torch.set_num_threads(1 if workers > 1 else os.cpu_count() or 1)
    if workers > 1:
        store = f"file://{(folder / 'rendezvous').resolve()}"
        dist.init_process_group("gloo", init_method=store, rank=rank, world_size=workers)
    stage = np.load(folder / "stage2.npz")
    model = new_model(schedule.seed)
    model.load_state_dict(load_file(folder / "text_tower.safetensors"))
    train_image_tower(
        model,
        torch.from_numpy(stage["bank"]),
        stage["layers"],
        stage["labels"],
        stage["weights"],
        schedule,
        folder / "stage2.ckpt",
    )
    if workers > 1:
        dist.destroy_process_group()
