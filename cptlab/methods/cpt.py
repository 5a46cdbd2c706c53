"""CPT, cluster-aware neural collapse prompt tuning (arXiv 2605.11939): the method under study.

Every field whose value the paper leaves open is a choice of ours; the README's table of readings
gives the reasons. A weight of 0 switches a loss off.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor

from cptlab.geometry import losses as geometry
from cptlab.geometry.clusters import ClusterMethod, cluster_prototypes
from cptlab.methods.base import PHOTO, DeepPrompts, Setting, Step, cross_entropy


@dataclass(frozen=True)
class CPT(DeepPrompts):
    """IVLP prompts trained with cross-entropy and three losses inside frozen semantic clusters.

    L = L_CLIP + lambda_tetf L_TETF + lambda_cc L_CC + lambda_rs L_RS, eq. (12). The clusters come
    from the frozen prototypes of the training classes, once, before training; nothing of it is
    needed at test time.

    etf_reduction: "sum" is eq. (9) as printed, "pair_mean" averages over the pairs of a cluster.
    The reading changes the outcome, so tables name it. clip_loss "class_ce" is cross-entropy over
    all training classes, "batch_t2i" is eq. (1) as printed. cluster_method "spherical" is k-means
    on directions and "euclidean" k-means on the features as they are; "spectral" and "kmedoids"
    leave the paper's k-means and ask how much the algorithm matters. The other options are those
    of `cptlab.geometry.losses` and `cptlab.geometry.clusters`.
    """

    name: ClassVar[str] = "cpt"
    per_replica: ClassVar[tuple[str, ...]] = (
        "lambda_tetf",
        "lambda_cc",
        "lambda_rs",
        "cluster_size",
        "n_clusters",
        "cluster_method",
        "cluster_seed",
    )
    lambda_tetf: float = 0.25
    lambda_cc: float = 0.15
    lambda_rs: float = 0.10
    etf_reduction: geometry.PairReduction = "sum"
    etf_diagonal: geometry.Diagonal = "mask"
    etf_singletons: geometry.Singletons = "zero"
    clip_loss: Literal["class_ce", "batch_t2i"] = "class_ce"
    cc_weighting: geometry.Weighting = "unbiased"
    cc_detach_text: bool = False
    anchor_space: geometry.Space = "normalised"
    anchor_reduction: geometry.FeatureReduction = "sum_d"
    anchor_templates: tuple[str, ...] = PHOTO
    cluster_size: int = 16
    n_clusters: int | None = None
    cluster_method: ClusterMethod = "spherical"
    cluster_seed: int = 0

    def weights(self) -> dict[str, float]:
        return {
            "clip": 1.0,
            "tetf": self.lambda_tetf,
            "cc": self.lambda_cc,
            "rs": self.lambda_rs,
        }

    def prepare(self, setting: Setting) -> dict[str, Tensor]:
        """Static cluster mining and the fixed map from classes to clusters, eqs. (2) to (4)."""
        clusters = cluster_prototypes(
            setting.frozen_prototypes,
            self.cluster_size,
            self.n_clusters,
            self.cluster_method,
            self.cluster_seed,
        )
        return {"clusters": clusters.to(setting.frozen_prototypes.device)}

    def losses(
        self, step: Step, setting: Setting, prepared: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        clip = cross_entropy(step) if self.clip_loss == "class_ce" else text_to_image(step)
        tetf = geometry.textual_etf_separation(
            step.prototypes,
            prepared["clusters"],
            self.etf_reduction,
            self.etf_diagonal,
            self.etf_singletons,
        )
        cc = geometry.class_wise_convergence(
            step.image_features,
            step.prototypes,
            step.labels,
            setting.class_counts,
            self.cc_weighting,
            self.cc_detach_text,
        )
        rs = geometry.rotation_stabilization(
            step.prototypes, setting.frozen_prototypes, self.anchor_space, self.anchor_reduction
        )
        return {"clip": clip, "tetf": tetf, "cc": cc, "rs": rs}


def text_to_image(step: Step) -> Tensor:
    """Eq. (1) as printed: every sample's text against the images of the batch, summed: (R,)."""
    chosen = step.labels.unsqueeze(-2).expand(*step.labels.shape, step.labels.shape[-1])
    # logits[r, j, y_i] is the scaled cosine of image j with the text of sample i.
    similarities = step.logits.gather(-1, chosen).mT
    return -F.log_softmax(similarities, dim=-1).diagonal(dim1=-2, dim2=-1).sum(-1)
