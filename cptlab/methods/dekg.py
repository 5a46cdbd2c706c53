"""DeKg (ICLR 2025): guidance by frozen texts, and independence of them, for text prompts."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Generator, Tensor

from cptlab.clip import CONTEXT_INIT, Backbone, Prompts, PromptShape
from cptlab.methods.base import BatchOutputs, Context, Method, Row, cross_entropy
from cptlab.methods.parts.bottleneck import bottleneck, bottleneck_start, quick_gelu
from cptlab.methods.schedule import Schedule


@dataclass(frozen=True)
class DeKg(Method):
    """Text prompts with L = L_CE + weight_kg L_kg + weight_kd L_kd against frozen prototypes.

    L_kg = 1 - mean cosine of a class's learned and frozen prototype (stay near); L_kd = HSIC of
    both sets with linear kernels (become independent). Anchors use the data set's own template,
    CoOp's; the release has others for DTD and, with TCP, for FGVC Aircraft and Food101.

    class_aware (the variant "DeKg_TCP", which the paper's table can only mean): a meta-net makes
    tokens of every class's own from its frozen prototype, which replace the context before text
    block `block`; context starts at random, Adam, and HSIC sees the prototypes before they are
    normalised. Without it ("DeKg" on KgCoOp): CoOp's context, SGD, HSIC of normalised ones.
    """

    name: ClassVar[str] = "dekg"
    rows: ClassVar[tuple[Row, ...]] = (Row("DeKg", "#4B693C", (6, 1, 0)),)
    per_replica: ClassVar[tuple[str, ...]] = ("weight_kg", "weight_kd")
    anchor_templates: ClassVar[None] = None
    class_aware: bool = True
    weight_kg: float = 8.0
    weight_kd: float = 6.0
    text_tokens: int = 4
    block: int = 8

    @property
    def words(self) -> str | None:
        return None if self.class_aware else CONTEXT_INIT

    def schedule(self) -> Schedule:
        if self.class_aware:
            return Schedule(epochs=100, lr=0.002, batch_size=32, optimiser="adam")
        return Schedule(epochs=100, lr=0.002, batch_size=128)

    def prompt_shape(self) -> PromptShape:
        return PromptShape(self.text_tokens, text_depth=1, vision_tokens=0, vision_depth=0)

    def extra(self, backbone: Backbone, generator: Generator) -> dict[str, Tensor]:
        if not self.class_aware:
            return {}
        d, outputs = backbone.embed_dim, self.text_tokens * backbone.text_width
        return bottleneck_start("meta_net", (d, max(1, d // 4), outputs), generator)

    def class_tokens(self, prompts: Prompts, frozen: Tensor) -> dict[int, Tensor]:
        if not self.class_aware:
            return {}
        anchors = F.normalize(frozen, dim=-1).unsqueeze(0)
        tokens = bottleneck(anchors, prompts.extra, "meta_net", quick_gelu)
        return {self.block: tokens.unflatten(-1, (self.text_tokens, -1))}

    def check(self, backbone: Backbone, n_classes: int) -> None:
        super().check(backbone, n_classes)
        if self.class_aware and not 0 <= self.block < backbone.text_layers:
            raise ValueError(
                f"block is {self.block}, but the text tower of {backbone.name} has blocks 0 to "
                f"{backbone.text_layers - 1}: choose one of them."
            )

    def weights(self) -> dict[str, float]:
        return {"ce": 1.0, "kg": self.weight_kg, "kd": self.weight_kd}

    def losses(
        self, outputs: BatchOutputs, context: Context, prepared: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        anchors = F.normalize(context.frozen_prototypes, dim=-1)
        unit = F.normalize(outputs.prototypes, dim=-1)
        kg = 1 - (unit * anchors).sum(-1).mean(-1)
        kd = hsic(outputs.prototypes if self.class_aware else unit, anchors)
        return {"ce": cross_entropy(outputs), "kg": kg, "kd": kd}


def hsic(learned: Tensor, anchors: Tensor) -> Tensor:
    """Hilbert-Schmidt independence criterion with linear kernels, tr(H K_1 H K_2): (...,).

    Args:
        learned, anchors: (..., K, d); each matrix is divided by its Frobenius norm. There is no
            factor 1 / (K - 1)^2.
    """

    def kernel(x: Tensor) -> Tensor:
        x = x / x.norm(dim=(-2, -1), keepdim=True)
        x = x - x.mean(-2, keepdim=True)  # H K H is the kernel of centred rows
        return x @ x.mT

    return (kernel(learned) * kernel(anchors)).sum((-2, -1))
