"""Accuracies by class, role and third of the long tail; neural collapse of what was learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from cptlab.data import ImageDataset, Sample, Subset, labels_of
from cptlab.geometry import cluster_prototypes, collapse_measures
from cptlab.training.model import PromptedCLIP


def harmonic_mean(base: float, new: float) -> float:
    """H = 2 base new / (base + new), 0 if both are 0 (CoOp protocol)."""
    return 2 * base * new / (base + new) if base + new > 0 else 0.0


@torch.no_grad()
def class_accuracies(
    model: PromptedCLIP, dataset: ImageDataset, samples: Sequence[Sample]
) -> tuple[np.ndarray, np.ndarray]:
    """Top-1 accuracy in percent (R, K) and number of samples (K,) per class, for all replicas.

    Images are classified among the data set's own class names.

    Raises ValueError for a class without samples.
    """
    labels, n_classes = np.array(labels_of(samples), dtype=int), len(dataset.class_names)
    totals = np.bincount(labels, minlength=n_classes)
    if (totals == 0).any():
        empty = dataset.class_names[int(np.argmin(totals))]
        raise ValueError(f"Class {empty!r} of data set {dataset.name!r} has no images to test on.")
    predicted = model.classify(dataset, samples).argmax(-1).cpu()
    hits = [np.bincount(labels[row == labels], minlength=n_classes) for row in predicted.numpy()]
    return 100 * np.stack(hits) / totals, totals


def micro(accuracies: np.ndarray, totals: np.ndarray) -> float:
    """Accuracy over images (not over classes) of one replica, in percent."""
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


@torch.no_grad()
def collapse(
    model: PromptedCLIP, dataset: ImageDataset, subsets: Sequence[Subset], frozen: Tensor
) -> list[dict[str, float]]:
    """Measures of neural collapse of each replica on its own training images.

    frozen (K, d): frozen prototypes; their clusters are the same for all methods, spherical k-means
    with the paper's size, so that methods can be compared.
    """
    clusters = cluster_prototypes(frozen)
    prototypes = model.class_texts(dataset.class_names)
    rows = []
    for r, subset in enumerate(subsets):
        features = model.replica(r).encode_samples(dataset, subset.samples)[0]
        labels = torch.tensor(labels_of(subset.samples))
        measures = collapse_measures(features, labels, prototypes[r], frozen, clusters, features)
        rows.append(measures)
    return rows


def scores(
    model: PromptedCLIP, tests: Mapping[str, ImageDataset]
) -> tuple[list[dict[str, float]], dict[str, np.ndarray]]:
    """Accuracy on the test images of every role's data set (`Task.tests`), by replica.

    Images are classified among the class names of their own role only.

    Returns:
        Metrics of each replica in percent: accuracy by role, and what it adds up to: "H" of base
        and new, the mean over "targets" and over "domains". And by role the accuracies (R, K) of
        its classes.
    """
    accuracies, by_role = {}, {}
    for role, dataset in tests.items():
        accuracies[role], totals = class_accuracies(model, dataset, dataset.test)
        by_role[role] = [micro(row, totals) for row in accuracies[role]]
    metrics = [dict(zip(by_role, values)) for values in zip(*by_role.values())]
    for row in metrics:
        if "new" in row:
            row["H"] = harmonic_mean(row["base"], row["new"])
        for kind in ("target", "domain"):
            parts = [value for role, value in row.items() if role.startswith(f"{kind} ")]
            if parts:
                row[f"{kind}s"] = float(np.mean(parts))
    return metrics, accuracies
