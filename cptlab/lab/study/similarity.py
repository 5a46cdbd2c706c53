"""Similarity of class texts, before and after tuning: matrices and numbers (Fig. 1 a-c)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cptlab.geometry import (
    cluster_auc,
    cluster_prototypes,
    cosine_matrix,
    effective_rank,
    offdiagonal_statistics,
    order_by_cluster,
)
from cptlab.geometry.scatter import centred, unit
from cptlab.lab.runs.results import Result
from cptlab.lab.study.claims.variants import ZERO_SHOT

SHOWN = 96
"""Classes of a matrix; more could not be told apart."""


@dataclass(frozen=True, eq=False)  # arrays have no plain equality
class Similarities:
    """Cosine similarities of K class texts, in an order that puts clusters side by side.

    matrices: method -> (K, K). centred: the same of unit vectors minus their mean. clusters: (K,)
    of each row. statistics: a row per method with its effective rank, how often a pair inside a
    cluster is more similar than a pair across two ("cluster_auc"), and the mean and standard
    deviation of the cosine within and between clusters.
    """

    names: tuple[str, ...]
    matrices: Mapping[str, np.ndarray]
    centred: Mapping[str, np.ndarray]
    clusters: np.ndarray
    statistics: pd.DataFrame

    @property
    def told(self) -> str:
        """The `message` of the statistics."""
        return message(self.statistics)

    def tidy(self) -> pd.DataFrame:
        """A row per method and pair: "method", "class_a", "class_b", "cosine", "centred"."""
        names, n = np.array(self.names), len(self.names)
        pairs = {"class_a": np.repeat(names, n), "class_b": np.tile(names, n)}
        return pd.concat(
            pd.DataFrame(
                {"method": method, **pairs}
                | {"cosine": matrix.flatten(), "centred": self.centred[method].flatten()}
            )
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
    bare = {name: cosine_matrix(centred(unit(found))) for name, found in texts.items()}
    order = order_by_cluster(frozen, clusters)
    rows = [
        {
            "method": name,
            "effective rank": float(effective_rank(matrix)),
            **offdiagonal_statistics(matrix, clusters),
            "cluster_auc": cluster_auc(matrix, clusters),
        }
        for name, matrix in matrices.items()
    ]
    return Similarities(
        names=tuple(np.array(names)[order]),
        matrices={name: matrix[order][:, order].numpy() for name, matrix in matrices.items()},
        centred={name: matrix[order][:, order].numpy() for name, matrix in bare.items()},
        clusters=clusters[order].numpy(),
        statistics=pd.DataFrame(rows).astype({"cluster_auc": float}),  # None: nothing to compare
    )


def message(statistics: pd.DataFrame) -> str:
    """How often a pair inside a frozen cluster is more similar than a pair across, in one sentence.

    statistics: of `Similarities`, the frozen texts first.
    """
    known = statistics.dropna(subset=["cluster_auc"]).reset_index()
    if known.empty:
        return "All classes are in one cluster, or each in its own: no pairs to compare"
    shares, names = 100 * known["cluster_auc"], known["method"]
    text = "A pair of classes inside a frozen cluster is more similar than a pair across in "
    text += f"{shares[0]:.0f} % of cases"
    tuned = shares[1:].sort_values()
    if tuned.empty:
        return text
    ends = dict.fromkeys([tuned.index[0], tuned.index[-1]])
    told = " and ".join(f"in {shares[i]:.0f} % after {names[i]}" for i in ends)
    return f"{text} in the frozen model, {told} (one run each)"


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
