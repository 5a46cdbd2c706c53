"""Accuracies: per class, base/new with their harmonic mean, and head/medium/tail."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from cptlab.data import ImageDataset, Sample, labels_of
from cptlab.model import PromptedCLIP


def harmonic_mean(base: float, new: float) -> float:
    """H = 2 base new / (base + new), 0 if both are 0 (CoOp protocol)."""
    return 2 * base * new / (base + new) if base + new > 0 else 0.0


@torch.no_grad()
def class_accuracies(
    model: PromptedCLIP, dataset: ImageDataset, samples: Sequence[Sample]
) -> tuple[np.ndarray, np.ndarray]:
    """Top-1 accuracy in percent (R, K) and number of samples (K,) per class, for all replicas.

    Pictures are classified among the data set's own class names.

    Raises ValueError for a class without samples.
    """
    labels, n_classes = np.array(labels_of(samples), dtype=int), len(dataset.class_names)
    totals = np.bincount(labels, minlength=n_classes)
    if (totals == 0).any():
        empty = dataset.class_names[int(np.argmin(totals))]
        raise ValueError(
            f"Class {empty!r} of data set {dataset.name!r} has no pictures to test on."
        )
    prototypes = model.prototypes(model.text_tower(dataset.class_names))
    predicted = model.logits(model.encode_samples(dataset, samples), prototypes).argmax(-1).cpu()
    hits = [np.bincount(labels[row == labels], minlength=n_classes) for row in predicted.numpy()]
    return 100 * np.stack(hits) / totals, totals


def micro(accuracies: np.ndarray, totals: np.ndarray) -> float:
    """Accuracy over pictures (not over classes) of one replica, in percent."""
    return float((accuracies * totals).sum() / totals.sum())


def thirds(accuracies: np.ndarray, ranks: Sequence[int]) -> dict[str, float]:
    """Mean class accuracy of the head, medium and tail third of the classes.

    Thirds go by rank, not by n_k: the same classes form the tail at every imbalance ratio, tau = 1
    included, so that numbers can be compared across ratios.
    """
    order = np.argsort(ranks)
    head, medium, tail = np.array_split(accuracies[order], 3)
    return {
        "head": float(head.mean()),
        "medium": float(medium.mean()) if len(medium) else float("nan"),
        "tail": float(tail.mean()) if len(tail) else float("nan"),
    }


def base_to_new(
    model: PromptedCLIP, base: ImageDataset, new: ImageDataset
) -> tuple[list[dict[str, float]], np.ndarray, np.ndarray]:
    """Base-to-new generalisation on test pictures: metrics of each replica, and class accuracies.

    Base pictures are classified among base names only, new ones among new names only. The
    accuracies of base classes (R, K) and new ones (R, K') are in percent.
    """
    base_accuracy, base_totals = class_accuracies(model, base, base.test)
    new_accuracy, new_totals = class_accuracies(model, new, new.test)
    metrics = []
    for on_base, on_new in zip(base_accuracy, new_accuracy, strict=True):
        values = {"base": micro(on_base, base_totals), "new": micro(on_new, new_totals)}
        metrics.append(values | {"H": harmonic_mean(values["base"], values["new"])})
    return metrics, base_accuracy, new_accuracy
