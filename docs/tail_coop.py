"""CoOp that learns more from images of rare classes.

An example of a method outside the package:

    cptlab run --method docs/tail_coop.py:TailCoOp --dataset food
    cptlab figures 06 --profile smoke --method docs/tail_coop.py:TailCoOp
"""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from cptlab.clip import PromptShape
from cptlab.methods.base import BatchOutputs, Context, Method, Row, cross_entropy
from cptlab.methods.schedule import Schedule


@dataclass(frozen=True)
class TailCoOp(Method):
    """CoOp with L = L_CE + weight L_tail, in which an image of class c counts 1 / n_c."""

    name: ClassVar[str] = "tail_coop"
    rows: ClassVar[tuple[Row, ...]] = (Row("TailCoOp", "#7869FF", (9, 1, 0)),)
    per_replica: ClassVar[tuple[str, ...] | None] = ("weight",)
    weight: float = 1.0
    text_tokens: int = 4

    def schedule(self) -> Schedule:
        return Schedule(epochs=50, lr=0.002, batch_size=32)

    def prompt_shape(self) -> PromptShape:
        return PromptShape(self.text_tokens, text_depth=1, vision_tokens=0, vision_depth=0)

    def weights(self) -> dict[str, float]:
        return {"ce": 1.0, "tail": self.weight}

    def losses(
        self, outputs: BatchOutputs, context: Context, prepared: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        rare = 1 / context.class_counts.float()  # (R, K)
        rare = (rare / rare.mean(-1, keepdim=True)).gather(-1, outputs.labels)  # (R, B)
        each = F.cross_entropy(outputs.logits.mT, outputs.labels, reduction="none")  # (R, B)
        return {"ce": cross_entropy(outputs), "tail": (rare * each).mean(-1)}
