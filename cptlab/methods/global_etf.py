"""Global-ETF prompt tuning, the control of the paper's Fig. 1(b) and Fig. 4 (not defined there).

Read as CPT with one cluster of all classes and without the two alignment terms, on IVLP prompts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from cptlab.geometry.clusters import number_of_clusters
from cptlab.geometry.losses import PairReduction, textual_etf_separation
from cptlab.methods.base import BatchOutputs, Context, Row, cross_entropy
from cptlab.methods.families import DeepPrompts


@dataclass(frozen=True)
class GlobalETF(DeepPrompts):
    """IVLP with one equiangular tight frame over all training classes.

    reduction "pair_mean" averages over pairs. The literal sum over all pairs would grow with K^2
    and diverge, so under "sum" the weight is multiplied by (k - 1) / (M (K - 1)): the pairs of a
    class then weigh together what they do in CPT's literal sum over M clusters of k = K / M classes
    (M as `cluster_size` sets it). The gradients differ only in which pairs they come from and in
    the targets, 1 / (K - 1) in place of 1 / (k - 1).
    """

    name: ClassVar[str] = "global_etf"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("Global-ETF (sum)", "#CB5700", "^"),
        Row("Global-ETF (pair mean)", "#661100", ">", options={"reduction": "pair_mean"}),
    )
    per_replica: ClassVar[tuple[str, ...] | None] = ("lambda_etf", "cluster_size")
    lambda_etf: float = 0.25
    reduction: PairReduction = "sum"
    cluster_size: int = 16

    def searched(self) -> Mapping[str, tuple[object, ...]]:
        return {"lambda_etf": (0.25, 1.0, 4.0)}

    def weights(self) -> dict[str, float]:
        return {"ce": 1.0, "etf": self.lambda_etf}

    def prepare(self, context: Context) -> dict[str, Tensor]:
        n_classes = len(context.class_names)
        factor = 1.0
        if self.reduction == "sum":
            n_clusters = number_of_clusters(n_classes, self.cluster_size)
            pairs_per_class = n_classes / n_clusters - 1
            factor = pairs_per_class / (n_clusters * max(n_classes - 1, 1))
        device = context.frozen_prototypes.device
        one_cluster = torch.zeros(n_classes, dtype=torch.long, device=device)
        return {"clusters": one_cluster, "factor": torch.tensor(factor, device=device)}

    def losses(
        self, outputs: BatchOutputs, context: Context, prepared: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        etf = textual_etf_separation(outputs.prototypes, prepared["clusters"], self.reduction)
        return {"ce": cross_entropy(outputs), "etf": prepared["factor"] * etf}
