"""What a run says beside accuracy: calibration, F1, the worst classes, tail taken for head; and how
its class texts lie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from cptlab.geometry import (
    cluster_auc,
    cluster_prototypes,
    cosine_matrix,
    drift,
    effective_rank,
)
from cptlab.training.evaluation import Predictions, harmonic_mean

BINS = 15
"""Of the expected calibration error (Guo et al. 2017)."""


def calibration_error(found: Predictions) -> float:
    """Expected calibration error in percent: |accuracy - confidence| of the first class, mean over
    `BINS` bins of equal width, weighted by their images (Guo et al. 2017, eq. 5).
    """
    confidence = np.exp(found.log_probabilities[:, 0].astype(np.float64))
    right = (found.top[:, 0] == found.labels).astype(float)
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, right - confidence, minlength=BINS)
    return float(100 * np.abs(gaps).sum() / len(right))


def negative_log_likelihood(found: Predictions) -> float:
    """Mean over images of minus the natural logarithm of the true class's probability."""
    return float(-found.true_log_probabilities.astype(np.float64).mean())


def macro_f1(found: Predictions, n_classes: int) -> float:
    """F1 = 2 hits / (images + predictions) in percent, mean over classes."""
    predicted = found.top[:, 0]
    hits = np.bincount(predicted[predicted == found.labels], minlength=n_classes)
    images = np.bincount(found.labels, minlength=n_classes)
    named = np.bincount(predicted, minlength=n_classes)
    return float(100 * np.mean(2 * hits / np.maximum(images + named, 1)))


def worst(accuracies: np.ndarray) -> dict[str, float]:
    """Mean accuracy of the worst quarter of the classes (at least one), and of the worst class."""
    ordered = np.sort(accuracies)
    quarter = ordered[: max(1, len(ordered) // 4)]
    return {"worst_quarter": float(quarter.mean()), "worst_class": float(ordered[0])}


def tail_as_head(found: Predictions, ranks: Sequence[int]) -> float:
    """Percent of the images of tail classes (last third) that are taken for one of the first."""
    head, _, tail = np.array_split(np.argsort(ranks), 3)
    of_tail = np.isin(found.labels, tail)
    if not of_tail.any():
        return float("nan")
    return float(100 * np.isin(found.top[of_tail, 0], head).mean())


def measures(
    predictions: Mapping[str, Predictions],
    joint: Mapping[str, Predictions],
    accuracies: np.ndarray,
    source: str,
    ranks: Sequence[int],
) -> dict[str, float]:
    """All of these of one replica, by the name of a metric.

    "<role>_ece" and "<role>_nll" of the learned classes and of new ones; "macro_f1",
    "worst_quarter", "worst_class" and "tail_as_head" of the learned ones; with base and new classes
    "joint_base" and "joint_new", accuracies among all names at once, and "joint", their harmonic
    mean.

    Args:
        predictions, joint: by role, as `joint.predict_both_ways` returns them; no `joint` where
            roles do not belong together.
        accuracies: (K,) of the learned classes in percent.
        source: the role that was learned.
        ranks: of the learned classes, from head to tail.
    """
    found: dict[str, float] = {}
    for role in (source, "new"):
        if role in predictions:
            found[f"{role}_ece"] = calibration_error(predictions[role])
            found[f"{role}_nll"] = negative_log_likelihood(predictions[role])
    found["macro_f1"] = macro_f1(predictions[source], len(accuracies))
    found |= worst(accuracies)
    found["tail_as_head"] = tail_as_head(predictions[source], ranks)
    if joint:
        for role, rows in joint.items():
            found[f"joint_{role}"] = float(100 * (rows.top[:, 0] == rows.labels).mean())
        found["joint"] = harmonic_mean(found["joint_base"], found["joint_new"])
    return found


def frozen_clusters(frozen: Tensor) -> Tensor | None:
    """(K,) spherical clusters of frozen prototypes (K, d) of the paper's size, the same for all
    methods; None where some texts are too alike to have any.
    """
    try:
        return cluster_prototypes(frozen)
    except ValueError:  # methods that use clusters have stopped before training
        return None


def of_texts(prototypes: Tensor, frozen: Tensor, clusters: Tensor | None) -> dict[str, float]:
    """Measures of one replica's prototypes (K, d) beside the frozen ones (K, d).

    "effective_rank" of their cosine matrix, in dimensions; "drift_degrees", the mean angle to the
    frozen ones; and "cluster_auc", how often a pair of classes inside a frozen cluster is more
    similar than a pair across two, in percent (50: clusters say nothing), where there are both.
    """
    similarity = cosine_matrix(prototypes)
    found = {
        "effective_rank": effective_rank(similarity).item(),
        "drift_degrees": drift(prototypes, frozen)["degrees"],
    }
    auc = None if clusters is None else cluster_auc(similarity, clusters)
    return found if auc is None else found | {"cluster_auc": 100 * auc}
