"""NPT-style: neural-collapse regularised prompt tuning in the spirit of Zhu et al. (KDD 2024).

NPT's code and formulas are not public. Known from its abstract and introduction: two terms, one for
collapse of the language modality and one for isomorphism of both modalities, added to another
prompt tuner, so that text and image features share one simplex. The formulas below, their weights
and MaPLe's prompts and schedule underneath are our inference; results say "style" for that reason.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from cptlab.methods.base import BatchOutputs, Context, Row, cross_entropy
from cptlab.methods.families import CoupledPrompts


@dataclass(frozen=True)
class NPTStyle(CoupledPrompts):
    """Coupled deep prompts; text features pulled to a simplex, image class means to its shape.

    L = L_CE + l_1 L_LMC + l_2 L_MMI. L_LMC is the mean over pairs of classes of
    (cos(g_i, g_j) + 1 / (K - 1))^2. L_MMI is the mean over the batch of
    ||n(m_c - m) - n(g_c - g)||^2 (n normalises), with m_c the running mean of class c's normalised
    image features, and m and g the means over the classes seen so far.
    """

    name: ClassVar[str] = "npt_style"
    rows: ClassVar[tuple[Row, ...]] = (Row("NPT-style", "#917537", (3, 1, 0)),)
    per_replica: ClassVar[tuple[str, ...] | None] = ("lambda_lmc", "lambda_mmi")
    lambda_lmc: float = 1.0
    lambda_mmi: float = 1.0
    memory: float = 0.9

    def weights(self) -> dict[str, float]:
        return {"ce": 1.0, "lmc": self.lambda_lmc, "mmi": self.lambda_mmi}

    def prepare(self, context: Context) -> dict[str, Tensor]:
        """The state: running class means, and which classes have been seen."""
        frozen = context.frozen_prototypes
        return {"means": torch.zeros_like(frozen), "seen": frozen.new_zeros(len(frozen), 1)}

    def losses(
        self, outputs: BatchOutputs, context: Context, prepared: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        texts, images = (
            F.normalize(outputs.prototypes, dim=-1),
            F.normalize(outputs.image_features, dim=-1),
        )
        n_classes = texts.shape[-2]
        between = ~torch.eye(n_classes, dtype=torch.bool, device=texts.device)
        gaps = (texts @ texts.mT + 1 / max(n_classes - 1, 1)) ** 2
        lmc = (gaps * between).sum((-2, -1)) / max(n_classes * (n_classes - 1), 1)

        here = F.one_hot(outputs.labels, n_classes).to(texts.dtype)  # (R, B, K)
        counts = here.sum(-2).unsqueeze(-1)  # (R, K, 1)
        present = (counts > 0).to(texts.dtype)
        fresh = here.mT @ images / counts.clamp(min=1)
        old, seen = prepared["means"].clone(), prepared["seen"].clone()
        keep = self.memory * seen  # a class seen for the first time starts from this batch
        means = torch.where(present > 0, keep * old + (1 - keep) * fresh, old)
        seen = torch.maximum(seen, present)
        with torch.no_grad():
            prepared["means"].copy_(means)
            prepared["seen"].copy_(seen)

        def centred(points: Tensor) -> Tensor:
            middle = (points * seen).sum(-2, keepdim=True) / seen.sum(-2, keepdim=True)
            return F.normalize(points - middle, dim=-1)

        distances = (centred(means) - centred(texts)).square().sum(-1)  # (R, K)
        mmi = distances.gather(-1, outputs.labels).mean(-1)
        return {"ce": cross_entropy(outputs), "lmc": lmc, "mmi": mmi}
