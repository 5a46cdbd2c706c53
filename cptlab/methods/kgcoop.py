"""KgCoOp (Yao et al. 2023): context tokens whose prototypes stay near the frozen ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from cptlab.clip import PromptShape
from cptlab.methods.base import BatchOutputs, Context, Method, Row, cross_entropy
from cptlab.methods.parts.guidance import guidance
from cptlab.methods.schedule import Schedule


@dataclass(frozen=True)
class KgCoOp(Method):
    """CoOp's context, started from words, with L = L_CE + weight L_kg.

    L_kg is one minus the mean cosine of a class's learned and frozen prototype, as in the public
    code (half the paper's squared distance). `anchor_templates` are the sentences of the frozen
    prototypes, None the data set's own; the release has another one for DTD (`published_for`).

    One schedule serves all protocols and data sets. Modules that the release builds and never
    uses (a meta-net, an adapter, a bias) are left out.
    """

    name: ClassVar[str] = "kgcoop"
    rows: ClassVar[tuple[Row, ...]] = (Row("KgCoOp", "#067772", (5, 1, 0)),)
    per_replica: ClassVar[tuple[str, ...] | None] = ("weight",)
    published_for: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "dtd": {"anchor_templates": ("a photo of a {}, a type of texture.",)},
    }
    weight: float = 8.0
    text_tokens: int = 4
    anchor_templates: tuple[str, ...] | None = None

    def schedule(self) -> Schedule:
        return Schedule(epochs=100, lr=0.002, batch_size=128)

    def prompt_shape(self) -> PromptShape:
        return PromptShape(self.text_tokens, text_depth=1, vision_tokens=0, vision_depth=0)

    def weights(self) -> dict[str, float]:
        return {"ce": 1.0, "kg": self.weight}

    def losses(
        self, outputs: BatchOutputs, context: Context, prepared: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        anchors = F.normalize(context.frozen_prototypes, dim=-1)
        kg = guidance(F.normalize(outputs.prototypes, dim=-1), anchors)
        return {"ce": cross_entropy(outputs), "kg": kg}
