"""Geometry of prototypes: clusters, losses and measures, as pure functions on tensors."""

from cptlab.geometry.clusters import ClusterMethod, cluster_prototypes, number_of_clusters
from cptlab.geometry.collapse import (
    collapse_measures,
    drift,
    equiangularity,
    nearest_prototype_agreement,
    self_duality,
)
from cptlab.geometry.losses import (
    class_wise_convergence,
    rotation_stabilization,
    textual_etf_separation,
)
from cptlab.geometry.measures import (
    cluster_auc,
    cosine_matrix,
    effective_rank,
    offdiagonal_statistics,
    order_by_cluster,
    purity,
)
from cptlab.geometry.scatter import class_means, scatter_ratio, within_class_scatter
from cptlab.geometry.selection import choose_number

__all__ = [
    "ClusterMethod",
    "choose_number",
    "class_means",
    "class_wise_convergence",
    "cluster_auc",
    "cluster_prototypes",
    "collapse_measures",
    "cosine_matrix",
    "drift",
    "effective_rank",
    "equiangularity",
    "nearest_prototype_agreement",
    "number_of_clusters",
    "offdiagonal_statistics",
    "order_by_cluster",
    "purity",
    "rotation_stabilization",
    "scatter_ratio",
    "self_duality",
    "textual_etf_separation",
    "within_class_scatter",
]
