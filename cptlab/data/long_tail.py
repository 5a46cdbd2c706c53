"""Few-shot, long-tailed subsets as pure functions of (data set, imbalance, n_max, seed)."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from cptlab.data.dataset import ImageDataset, Sample, by_label, labels_of
from cptlab.seeds import numpy_stream

ClassOrder = Literal["name", "permuted", "count"]


@dataclass(frozen=True)
class Subset:
    """A drawn training set; `counts[c]` is n_c, `ranks[c]` the class's place from head to tail."""

    samples: tuple[Sample, ...]
    counts: tuple[int, ...]
    ranks: tuple[int, ...]

    @property
    def checksum(self) -> str:
        """Short hash of the sample keys, in order."""
        return checksum((sample.key, sample.label) for sample in self.samples)


def checksum(pairs: Iterable[tuple[str, int]]) -> str:
    """Short hash of (key, label) pairs, in order."""
    text = "\n".join(f"{key} {label}" for key, label in pairs)
    # names of files need not be UTF-8
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def class_counts(n_classes: int, tau: float, n_max: int = 16) -> list[int]:
    """Samples per class from head to tail: n_k = max(1, floor(n_max tau^(k/(K-1)))).

    The exponential profile of long-tailed CIFAR (Cui et al. 2019; the paper, section 4.1), clamped
    so that no class is empty; tau = `tau` is min n_k / max n_k.

    Raises ValueError for an imbalance outside (0, 1], or n_max or n_classes below 1.
    """
    if not 0 < tau <= 1:
        raise ValueError(f"The imbalance ratio tau must lie in (0, 1], got {tau}.")
    if n_max < 1 or n_classes < 1:
        raise ValueError(f"Need at least one class and one shot, got {n_classes} and {n_max}.")
    steps = max(n_classes - 1, 1)
    # The small constant keeps exact powers (16 x 0.25 = 4) from falling below themselves.
    return [max(1, math.floor(n_max * tau ** (k / steps) + 1e-9)) for k in range(n_classes)]


def draw_long_tailed(
    dataset: ImageDataset,
    tau: float,
    seed: int,
    n_max: int = 16,
    order: ClassOrder = "name",
) -> Subset:
    """Draw a long-tailed few-shot training set from `dataset.train`.

    Every class keeps a seeded ranking of its samples and the first n_k of it are taken, so that
    the subsets of one seed are nested across imbalance ratios. Classes run from head to tail in
    label order ("name"), in a seeded permutation ("permuted"), or from most to fewest samples in
    the pool ("count"; the same number: label order). Where subsets are published (`dataset.draw`),
    the ranking is their n_max-shot list.

    A class with fewer samples than n_k gives all it has (CoOp protocol); `counts` has the truth.
    So a data set that is long-tailed by itself is taken whole at tau = 1 and a large n_max.

    Raises ValueError for an unknown order or a class without samples.
    """
    n_classes = len(dataset.class_names)
    counts_by_rank = class_counts(n_classes, tau, n_max)
    if order == "name":
        ranks = list(range(n_classes))
    elif order == "permuted":
        ranks = numpy_stream("order", dataset.name, seed).permutation(n_classes).tolist()
    elif order == "count":
        pool = Counter(labels_of(dataset.train))
        from_head = sorted(range(n_classes), key=lambda label: -pool[label])
        place = {label: rank for rank, label in enumerate(from_head)}
        ranks = [place[label] for label in range(n_classes)]
    else:
        raise ValueError(f"Unknown class order {order!r}; choose 'name', 'permuted' or 'count'.")
    rankings = _rankings(dataset, seed, n_max)
    for label, name in enumerate(dataset.class_names):
        if not rankings.get(label):
            raise ValueError(
                f"Class {name!r} of data set {dataset.name!r} has no training samples."
            )
    chosen = [
        sample
        for label, ranking in rankings.items()
        for sample in ranking[: counts_by_rank[ranks[label]]]
    ]
    counts = [0] * n_classes
    for sample in chosen:
        counts[sample.label] += 1
    return Subset(tuple(chosen), tuple(counts), tuple(ranks))


def _rankings(dataset: ImageDataset, seed: int, n_max: int) -> dict[int, list[Sample]]:
    """The first samples that a seed takes of each class, n_max at least where there are so many.

    Published subsets come in public code's order of classes, others in label order.
    """
    if dataset.draw is not None:
        return by_label(dataset.draw(seed, n_max)[0])
    rankings = {}
    for label, pool in sorted(by_label(dataset.train).items()):
        stream = numpy_stream("draw", dataset.name, dataset.class_names[label], seed)
        rankings[label] = [pool[i] for i in stream.permutation(len(pool))]
    return rankings
