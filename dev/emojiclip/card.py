"""What EmojiCLIP can and cannot do, measured: the numbers of its model card."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score
from torch import Tensor

from cptlab import clip
from cptlab.clip import Backbone
from cptlab.clip.loading import EMOJI_CONFIG
from cptlab.data import Sample, draw_long_tailed, emoji_dataset, labels_of
from cptlab.emoji import catalog
from cptlab.geometry import cosine_matrix, purity
from cptlab.training.model import PromptedCLIP, frozen_prototypes

CARD = EMOJI_CONFIG.with_name("MODEL_CARD.md")
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
TEMPLATE = ("a photo of a {}.",)
FEW_SHOT_SETS = ("food", "animals", "activities", "smileys")
SEEDS = (1, 2, 3, 4, 5)


def zero_shot(backbone: Backbone) -> pd.DataFrame:
    """Zero-shot hits on the canonical view of every unseen drawing.

    One row per (category, vendor, class): columns exposure and hit (percent).
    """
    frozen = PromptedCLIP(backbone, clip.Prompts([], []))
    rows = []
    for name, category in catalog.CATEGORIES.items():
        concepts = catalog.evaluation_concepts(category)
        text = frozen_prototypes(backbone, concepts["name"].tolist(), TEMPLATE)[None]
        dataset = emoji_dataset(name)
        for vendor in catalog.VENDORS:
            samples = [Sample(f"{code}/{vendor}/0", i) for i, code in enumerate(concepts["code"])]
            features = frozen.encode_samples(dataset, samples)
            predicted = frozen.logits(features, text)[0].argmax(-1).numpy()
            hits = 100.0 * (predicted == np.arange(len(concepts)))
            columns = {"name": name, "vendor": vendor, "exposure": concepts["exposure"]}
            rows.append(pd.DataFrame({**columns, "hit": hits}))
    return pd.concat(rows, ignore_index=True)


def few_shot(backbone: Backbone, tau: float = 1.0) -> pd.DataFrame:
    """Base halves, train and test vendors disjoint: zero-shot against prototypes from 16 shots.

    A class's few-shot weight is its mean unit image feature, normalised, plus its text feature
    without the mean over classes, normalised. Rows: data set, seed, zero_shot, few_shot (percent).
    """
    frozen = PromptedCLIP(backbone, clip.Prompts([], []))
    rows = []
    for name in FEW_SHOT_SETS:
        base, _ = emoji_dataset(name).halves()
        text = frozen_prototypes(backbone, base.class_names, TEMPLATE)
        labels = torch.tensor(labels_of(base.test))
        test = F.normalize(frozen.encode_samples(base, base.test)[0], dim=-1)
        plain = _accuracy(test @ F.normalize(text, dim=-1).T, labels)
        unit_text = F.normalize(text, dim=-1)
        centred = F.normalize(unit_text - unit_text.mean(0), dim=-1)
        for seed in SEEDS:
            shots = draw_long_tailed(base, tau, seed).samples
            features = F.normalize(frozen.encode_samples(base, shots)[0], dim=-1)
            sums = torch.zeros_like(text).index_add_(0, torch.tensor(labels_of(shots)), features)
            weights = F.normalize(sums, dim=-1) + centred
            fitted = _accuracy(test @ weights.T, labels)
            rows.append({"name": name, "seed": seed, "zero_shot": plain, "few_shot": fitted})
    return pd.DataFrame(rows)


def _accuracy(scores: Tensor, labels: Tensor) -> float:
    return 100 * (scores.argmax(-1) == labels).float().mean().item()


def geometry(backbone: Backbone) -> pd.DataFrame:
    """Cosines between class texts, and between images and texts, per category."""
    frozen = PromptedCLIP(backbone, clip.Prompts([], []))
    rows = []
    for name, category in catalog.CATEGORIES.items():
        concepts = catalog.evaluation_concepts(category)
        dataset = emoji_dataset(name)
        text = frozen_prototypes(backbone, dataset.class_names, TEMPLATE)
        samples = [
            Sample(f"{code}/{vendor}/0", i)
            for vendor in catalog.VENDORS
            for i, code in enumerate(concepts["code"])
        ]
        features = F.normalize(frozen.encode_samples(dataset, samples)[0], dim=-1)
        cosines = features @ F.normalize(text, dim=-1).T
        matched = cosines[torch.arange(len(samples)), labels_of(samples)]
        common = torch.tensor((concepts["exposure"] == "common").to_numpy()).repeat(5)
        between = cosine_matrix(text)
        pairs = between[~torch.eye(len(between), dtype=torch.bool)]
        unmatched = (cosines.sum() - matched.sum()) / (cosines.numel() - len(samples))
        rows.append(
            {
                "name": name,
                "text-text": pairs.mean().item(),
                "spread": pairs.std().item(),
                "matched": matched.mean().item(),
                "matched, common": matched[common].mean().item(),
                "unmatched": unmatched.item(),
            }
        )
    return pd.DataFrame(rows)


def clusters(backbone: Backbone) -> pd.DataFrame:
    """Purity and NMI of k-means on class texts against Unicode subcategories (as many clusters)."""
    tables = {name: catalog.evaluation_concepts(c) for name, c in catalog.CATEGORIES.items()}
    tables["all six"] = pd.concat(tables.values(), ignore_index=True)
    rows = []
    for name, concepts in tables.items():
        text = F.normalize(frozen_prototypes(backbone, concepts["name"].tolist(), TEMPLATE), dim=-1)
        truth = concepts["subcategory"].astype("category").cat.codes.to_numpy()
        groups = KMeans(len(set(truth)), n_init=10, random_state=0).fit_predict(text.double())
        rows.append(
            {
                "name": name,
                "classes": len(concepts),
                "subcategories": len(set(truth)),
                "purity": purity(torch.from_numpy(groups), torch.from_numpy(truth.copy())),
                "NMI": normalized_mutual_info_score(truth, groups),
            }
        )
    return pd.DataFrame(rows)


def numbers(weights: str | None = None) -> str:
    """All measurements of a weight file as Markdown; takes about a minute."""
    backbone = clip.load("EmojiCLIP", weights)
    hits = zero_shot(backbone)
    by_class = hits.groupby(["name", "exposure"])["hit"].mean().unstack()
    by_vendor = hits.groupby(["name", "vendor"])["hit"].mean().unstack()[list(catalog.VENDORS)]
    per_set = by_vendor.assign(
        all=hits.groupby("name")["hit"].mean(), common=by_class["common"], rare=by_class["rare"]
    )
    per_set.loc["mean of six"] = per_set.mean()
    shots = {tau: few_shot(backbone, tau) for tau in (1.0, 0.06)}
    fitted = shots[1.0].groupby("name")[["zero_shot", "few_shot"]].mean()
    fitted["few_shot, tau 0.06"] = shots[0.06].groupby("name")["few_shot"].mean()
    fitted["seed std"] = shots[1.0].groupby("name")["few_shot"].std()
    fitted.loc["mean of four"] = fitted.mean()
    parts = [
        "Zero-shot top-1 (%) on drawings of five unseen vendors, canonical view, template "
        f'"{TEMPLATE[0]}"; common and rare concepts apart:',
        _markdown(per_set, "{:.1f}"),
        "Base halves, training vendors Apple, JoyPixels, Windows, test vendors Meta, Samsung "
        f"(8 test views a class, mean of {len(SEEDS)} draws, %):",
        _markdown(fitted, "{:.1f}"),
        f"Geometry (cosines; logit scale {backbone.logit_scale:.1f}):",
        _markdown(geometry(backbone).set_index("name"), "{:.2f}"),
        "k-means on class texts against the Unicode subcategories:",
        _markdown(clusters(backbone).set_index("name"), "{:.2f}"),
    ]
    return "\n\n".join(parts)


def _markdown(table: pd.DataFrame, form: str) -> str:
    lines = [["", *table.columns], ["---"] + ["---:"] * len(table.columns)]
    for name, row in table.iterrows():
        lines.append(
            [str(name), *(f"{v:.0f}" if v == int(v) and v > 9 else form.format(v) for v in row)]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(text: str) -> None:
    """Put the measurements between the card's markers."""
    card = CARD.read_text(encoding="utf-8")
    head, _, rest = card.partition(BEGIN)
    _, _, tail = rest.partition(END)
    CARD.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{tail}", encoding="utf-8")
