"""CPT, cluster-aware neural collapse prompt tuning (arXiv 2605.11939): the method under study.

Every field whose value the paper leaves open is a choice of ours; docs/reading.md has the
table of readings. A weight of 0 switches a loss off.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor

from cptlab.geometry import losses as geometry
from cptlab.geometry.clusters import ClusterMethod, cluster_prototypes
from cptlab.methods.base import PHOTO, BatchOutputs, Context, Row, cross_entropy
from cptlab.methods.families import DeepPrompts

PAIR_MEAN: dict[str, object] = {"etf_reduction": "pair_mean"}
"""The reading of eq. (9) as a mean over pairs, which has rows of its own."""


@dataclass(frozen=True)
class CPT(DeepPrompts):
    """Cluster-aware neural collapse prompt tuning (arXiv 2605.11939): prompts and three losses.

    What it learns: tokens before the class names and beside the image patches, in the first layers
    of both frozen CLIP towers (IVLP). A class k with prototype g_k (the text feature of its
    sentence) gets the logit 100 cos(f, g_k) for an image feature f. For K training classes with n_k
    images each, the loss of a step is eq. (12),

        L = L_CLIP + lambda_tetf L_TETF + lambda_cc L_CC + lambda_rs L_RS.

    Before training, eqs. (2) to (4): the frozen prototypes g0_k ("a photo of a ...") fall into M
    clusters of some 16 similar classes by k-means. The clusters stay as they are, and nothing of
    them is needed at test time.

    L_TETF, eq. (9), spreads the classes of a cluster, and only those, evenly: its k prototypes
    should be a simplex equiangular tight frame, every pair at cosine -1/(k-1),

        mean over clusters of  sum over pairs i != j of  (cos(g_i, g_j) + 1/(k-1))^2.

    L_CC, eq. (10), draws images to the prototype of their class, every class weighing the same
    however few images it has,

        mean over classes of  mean over their images of  |f/|f| - g_k/|g_k||^2.

    L_RS, eq. (11), holds the prototypes near the frozen ones, against rotations of the frame and so
    that unseen classes stay where CLIP knows them,

        mean over classes of  |g_k/|g_k| - g0_k/|g0_k||_1.

    A weight of 0 switches a loss off; all three at 0 is IVLP. What the paper leaves open is an
    option; the first of each is the default:

    lambda_tetf, lambda_cc, lambda_rs: the weights, .25, .15 and .10 as published.
    etf_reduction: "sum" is eq. (9) as printed, "pair_mean" averages over the pairs of a cluster.
        This reading changes the outcome, so tables name it.
    etf_diagonal: "mask" leaves out the constant terms i = j, "literal" adds them.
    etf_singletons: clusters of one class add 0 and count in M ("zero"), or not ("drop_from_M").
    clip_loss: "class_ce", cross-entropy over the training classes; "batch_t2i", eq. (1) as printed.
    cc_weighting: "unbiased" is eq. (10) on average over an epoch, "batch_class" over the classes of
        each batch, "plain" over images. cc_detach_text: L_CC moves images only.
    anchor_space, anchor_reduction: L_RS on "normalised" or "raw" prototypes; "sum_d" adds over the
        d coordinates, "mean" averages. anchor_templates: sentences of the frozen prototypes.
    cluster_size, n_clusters: about so many classes a cluster, or exactly so many clusters.
    cluster_method: "spherical" k-means on directions, "euclidean" on the features as they are;
        "spectral" and "kmedoids" leave k-means. cluster_seed: of its start.
    text_tokens, text_depth, vision_tokens, vision_depth: prompts, and the layers that have them.

    Train one with `cptlab run --method cpt --set etf_reduction=pair_mean`, or from Python:

        >>> import cptlab
        >>> run = cptlab.fit("food", cptlab.CPT(etf_reduction="pair_mean"), tau=0.06, seed=1)
        >>> run.metrics["H"], run.metrics["tail"]
    """

    name: ClassVar[str] = "cpt"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("CPT (sum) w/o CC", "#698ABD", "H", options={"lambda_cc": 0.0}),
        Row("CPT (sum) w/o RS", "#C579AB", "v", (2, 2), options={"lambda_rs": 0.0}),
        Row("CPT (sum)", "#0076B6", "o"),
        Row("CPT (pair mean) w/o CC", "#739A7C", "8", options=PAIR_MEAN | {"lambda_cc": 0.0}),
        Row(
            "CPT (pair mean) w/o RS", "#715800", "<", (2, 2), options=PAIR_MEAN | {"lambda_rs": 0.0}
        ),
        Row("CPT (pair mean)", "#008F61", "s", options=PAIR_MEAN),
        Row("CPT w/o TETF", "#5A5A5A", "d", options={"lambda_tetf": 0.0}),
    )
    per_replica: ClassVar[tuple[str, ...] | None] = (
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

    def searched(self) -> Mapping[str, tuple[object, ...]]:
        return {"lambda_tetf": (0.25, 1.0, 4.0)}

    def class_logits(self) -> bool:
        return self.clip_loss == "class_ce"

    def weights(self) -> dict[str, float]:
        return {
            "clip": 1.0,
            "tetf": self.lambda_tetf,
            "cc": self.lambda_cc,
            "rs": self.lambda_rs,
        }

    def prepare(self, context: Context) -> dict[str, Tensor]:
        """Static cluster mining and the fixed map from classes to clusters, eqs. (2) to (4)."""
        clusters = cluster_prototypes(
            context.frozen_prototypes,
            self.cluster_size,
            self.n_clusters,
            self.cluster_method,
            self.cluster_seed,
        )
        return {"clusters": clusters.to(context.frozen_prototypes.device)}

    def losses(
        self, outputs: BatchOutputs, context: Context, prepared: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        clip = cross_entropy(outputs) if self.class_logits() else text_to_image(outputs)
        tetf = geometry.textual_etf_separation(
            outputs.prototypes,
            prepared["clusters"],
            self.etf_reduction,
            self.etf_diagonal,
            self.etf_singletons,
        )
        cc = geometry.class_wise_convergence(
            outputs.image_features,
            outputs.prototypes,
            outputs.labels,
            context.class_counts,
            self.cc_weighting,
            self.cc_detach_text,
        )
        rs = geometry.rotation_stabilization(
            outputs.prototypes, context.frozen_prototypes, self.anchor_space, self.anchor_reduction
        )
        return {"clip": clip, "tetf": tetf, "cc": cc, "rs": rs}


def text_to_image(outputs: BatchOutputs) -> Tensor:
    """Eq. (1) as printed: every sample's text against the images of the batch, summed: (R,)."""
    chosen = outputs.labels.unsqueeze(-2).expand(*outputs.labels.shape, outputs.labels.shape[-1])
    # logits[r, j, y_i] is the scaled cosine of image j with the text of sample i.
    similarities = outputs.logits.gather(-1, chosen).mT
    return -F.log_softmax(similarities, dim=-1).diagonal(dim1=-2, dim2=-1).sum(-1)
