"""Geometry of prototypes: clusters, losses and measures, as pure functions on tensors."""

from cptlab.geometry.clusters import cluster_prototypes, number_of_clusters
from cptlab.geometry.losses import (
    class_wise_convergence,
    rotation_stabilization,
    textual_etf_separation,
)
from cptlab.geometry.measures import (
    cosine_matrix,
    effective_rank,
    offdiagonal_statistics,
    order_by_cluster,
    purity,
)

__all__ = [
    "class_wise_convergence",
    "cluster_prototypes",
    "cosine_matrix",
    "effective_rank",
    "number_of_clusters",
    "offdiagonal_statistics",
    "order_by_cluster",
    "purity",
    "rotation_stabilization",
    "textual_etf_separation",
]
