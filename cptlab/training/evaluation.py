"""Predictions and accuracies by class, role and third of the long tail; neural collapse of what
was learned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cptlab.data import ImageDataset, Sample, Subset, labels_of
from cptlab.geometry import cluster_prototypes, collapse_measures
from cptlab.training.model import PromptedCLIP


def harmonic_mean(base: float, new: float) -> float:
    """H = 2 base new / (base + new), 0 if both are 0 (CoOp protocol)."""
    return 2 * base * new / (base + new) if base + new > 0 else 0.0


@dataclass(frozen=True)
class Predictions:
    """What a model says to N images, of its k most probable classes only.

    labels (N,): true classes. top (N, k): classes, most probable first. log_probabilities (N, k):
    of these. true_log_probabilities (N,): of the true classes.
    """

    labels: np.ndarray
    top: np.ndarray
    log_probabilities: np.ndarray
    true_log_probabilities: np.ndarray


@torch.no_grad()
def predictions_of(
    model: PromptedCLIP, dataset: ImageDataset, samples: Sequence[Sample], most: int = 5
) -> list[Predictions]:
    """Predictions of each replica for samples, classified among the data set's own class names;
    `most` classes of each image, or all if there are fewer.

    Raises ValueError for a class without samples.
    """
    check_tested(dataset, samples)
    labels = torch.tensor(labels_of(samples), dtype=torch.long)
    return predictions_from(model.classify(dataset, samples), labels, most)


def check_tested(dataset: ImageDataset, samples: Sequence[Sample]) -> None:
    """Raise ValueError for a class without samples, which has no accuracy."""
    labels = torch.tensor(labels_of(samples), dtype=torch.long)
    totals = labels.bincount(minlength=len(dataset.class_names))
    if (totals == 0).any():
        empty = dataset.class_names[int(totals.argmin())]
        raise ValueError(f"Class {empty!r} of data set {dataset.name!r} has no images to test on.")


def predictions_from(logits: Tensor, labels: Tensor, most: int = 5) -> list[Predictions]:
    """Predictions of each replica from logits (R, N, K) of images with labels (N,)."""
    return [_predictions(row, labels, min(most, row.shape[-1])) for row in logits]


def _predictions(logits: Tensor, labels: Tensor, most: int) -> Predictions:
    """The `most` largest of logits (N, K); among equal ones the first class is first."""
    top = logits.topk(most).indices
    tied = top[:, 0] != logits.argmax(-1)  # `topk` leaves their order open
    if tied.any():
        top[tied] = logits[tied].argsort(stable=True, dim=-1, descending=True)[:, :most]
    total = logits.logsumexp(-1, keepdim=True)
    true = logits.gather(-1, labels.to(logits.device)[:, None])
    parts = (labels, top, logits.gather(-1, top) - total, (true - total)[:, 0])
    return Predictions(*(part.cpu().numpy() for part in parts))


def class_accuracies(
    replicas: Sequence[Predictions], n_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Top-1 accuracy in percent (R, K) and number of samples (K,) per class, of all replicas."""
    labels = replicas[0].labels
    totals = np.bincount(labels, minlength=n_classes)
    hits = [np.bincount(labels[r.top[:, 0] == labels], minlength=n_classes) for r in replicas]
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
    """`summary` of a model's predictions for the test images of every role (`Task.tests`)."""
    return summary(predict(model, tests), tests)


def predict(model: PromptedCLIP, tests: Mapping[str, ImageDataset]) -> dict[str, list[Predictions]]:
    """By role the predictions of each replica for the test images of its data set.

    Images are classified among the class names of their own role only.
    """
    return {role: predictions_of(model, data, data.test) for role, data in tests.items()}


def summary(
    predictions: Mapping[str, Sequence[Predictions]], tests: Mapping[str, ImageDataset]
) -> tuple[list[dict[str, float]], dict[str, np.ndarray]]:
    """Accuracies of predictions on the test images of every role.

    Returns:
        Metrics of each replica in percent: accuracy by role, and what it adds up to: "H" of base
        and new, the mean over "targets" and over "domains". And by role the accuracies (R, K) of
        its classes.
    """
    accuracies, by_role = {}, {}
    for role, replicas in predictions.items():
        n_classes = len(tests[role].class_names)
        accuracies[role], totals = class_accuracies(replicas, n_classes)
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
