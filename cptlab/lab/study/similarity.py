"""Similarity of class texts, before and after tuning: matrices and numbers (Fig. 1 a-c)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cptlab.geometry import (
    cluster_prototypes,
    cosine_matrix,
    effective_rank,
    offdiagonal_statistics,
    order_by_cluster,
)
from cptlab.lab.runs.results import Result
from cptlab.lab.study.claims.variants import ZERO_SHOT

SHOWN = 96
"""Classes of a matrix; more could not be told apart."""


@dataclass(frozen=True, eq=False)  # arrays have no plain equality
class Similarities:
    """Cosine similarities of K class texts, in an order that puts clusters side by side.

    matrices: method -> (K, K). clusters: (K,) of each row. statistics: a row per method with its
    effective rank and the mean, minimum and maximum cosine within and between clusters.
    """

    names: tuple[str, ...]
    matrices: Mapping[str, np.ndarray]
    clusters: np.ndarray
    statistics: pd.DataFrame

    def tidy(self) -> pd.DataFrame:
        """A row per method and pair: "method", "class_a", "class_b", "cosine"."""
        names, n = np.array(self.names), len(self.names)
        pairs = {"class_a": np.repeat(names, n), "class_b": np.tile(names, n)}
        return pd.concat(
            pd.DataFrame({"method": method, **pairs, "cosine": matrix.flatten()})
            for method, matrix in self.matrices.items()
        )


def similarities(results: Mapping[str, Sequence[Result]], names: Sequence[str]) -> Similarities:
    """Similarities of class texts after the first run of each method.

    Args:
        results: of each method, zero-shot among them, on one data set.
        names: the training classes, of which the first `SHOWN` are shown.
    """
    shown = names[:SHOWN]
    texts = {name: found[0].model().class_texts(shown)[0] for name, found in results.items()}
    first = texts[ZERO_SHOT]
    return similarities_of(texts, frozen_clusters(results, names)[: len(shown)], shown, first)


def similarities_of(
    texts: Mapping[str, Tensor], clusters: Tensor, names: Sequence[str], frozen: Tensor
) -> Similarities:
    """Similarities of texts.

    texts: title -> (K, d). clusters: (K,). names: of the K classes. frozen: (K, d) texts that tell
    the order (`geometry.order_by_cluster`).
    """
    matrices = {name: cosine_matrix(prototypes) for name, prototypes in texts.items()}
    order = order_by_cluster(frozen, clusters)
    rows = [
        {
            "method": name,
            "effective rank": float(effective_rank(matrix)),
            **offdiagonal_statistics(matrix, clusters),
        }
        for name, matrix in matrices.items()
    ]
    return Similarities(
        names=tuple(np.array(names)[order]),
        matrices={name: matrix[order][:, order].numpy() for name, matrix in matrices.items()},
        clusters=clusters[order].numpy(),
        statistics=pd.DataFrame(rows),
    )


def frozen_clusters(results: Mapping[str, Sequence[Result]], names: Sequence[str]) -> Tensor:
    """(K,) clusters of the frozen texts of the training classes.

    Those of the first run that works in several clusters, or without one what the same algorithm
    finds in the texts of zero-shot.
    """
    for found in results.values():
        clusters = found[0].details["clusters"]
        if clusters is not None and len(set(clusters)) > 1:
            return torch.tensor(clusters)
    return cluster_prototypes(results[ZERO_SHOT][0].model().class_texts(names)[0].cpu())
