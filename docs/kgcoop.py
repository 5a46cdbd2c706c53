"""KgCoOp (Yao et al. 2023): context tokens that stay near the frozen prototypes.

An example of a method outside the package:

    cptlab run --method docs/kgcoop.py:KgCoOp --dataset food
    cptlab figures 06 --profile smoke --method docs/kgcoop.py:KgCoOp
"""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from cptlab.clip import PromptShape
from cptlab.methods.base import BatchOutputs, Context, Method, Row, cross_entropy
from cptlab.methods.schedule import Schedule


@dataclass(frozen=True)
class KgCoOp(Method):
    """CoOp with L = L_CE + weight mean_c (1 - cos(g_c, frozen g_c))."""

    name: ClassVar[str] = "kgcoop"
    rows: ClassVar[tuple[Row, ...]] = (Row("KgCoOp", "#0B7A75", "D"),)
    per_replica: ClassVar[tuple[str, ...] | None] = ("weight",)
    anchor_templates: ClassVar[tuple[str, ...] | None] = None  # the data set's own sentence
    weight: float = 8.0
    text_tokens: int = 4

    def schedule(self) -> Schedule:
        return Schedule(epochs=100, lr=0.002, batch_size=128)

    def prompt_shape(self) -> PromptShape:
        return PromptShape(self.text_tokens, text_depth=1, vision_tokens=0, vision_depth=0)

    def weights(self) -> dict[str, float]:
        return {"ce": 1.0, "guidance": self.weight}

    def losses(
        self, outputs: BatchOutputs, context: Context, prepared: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        cosines = F.cosine_similarity(outputs.prototypes, context.frozen_prototypes, dim=-1)
        return {"ce": cross_entropy(outputs), "guidance": 1 - cosines.mean(-1)}
