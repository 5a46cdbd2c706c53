"""DeKg (ICLR 2025): guidance by frozen texts, and independence of them, for text prompts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Generator, Tensor

from cptlab.clip import CONTEXT_INIT, Backbone, Prompts, PromptShape
from cptlab.methods.base import BatchOutputs, Context, Method, Row, cross_entropy
from cptlab.methods.parts.class_aware import (
    SENTENCES,
    check_block,
    check_template,
    class_aware_tokens,
    meta_net_start,
    sentence,
)
from cptlab.methods.parts.guidance import guidance
from cptlab.methods.schedule import Schedule


@dataclass(frozen=True)
class DeKg(Method):
    """Text prompts with L = L_CE + weight_kg L_kg + weight_kd L_kd against frozen prototypes.

    L_kg = 1 - mean cosine of a class's learned and frozen prototype (stay near); L_kd = HSIC of
    both sets with linear kernels (become independent).

    class_aware (the variant "DeKg_TCP", which the paper's table can only mean): a meta-net makes
    tokens of every class's own from its frozen prototype, which replace the context before text
    block `block`; context starts at random, Adam, and HSIC sees the prototypes before they are
    normalised. Without it ("DeKg" on KgCoOp): CoOp's context, SGD, HSIC of normalised ones.

    random_context: whether the context starts at random or from "a photo of a"; None: as published
    for the variant. anchor_templates: None is the data set's own, CoOp's. template: the sentence
    around the class name, "{}", whose first words the context replaces; if it has none, the context
    comes first. None: the class name and, with class-aware tokens, what follows it in the data
    set's own template. `published_for` has the release's sentences where they are others.
    """

    name: ClassVar[str] = "dekg"
    rows: ClassVar[tuple[Row, ...]] = (Row("DeKg", "#4B693C", (6, 1, 0)),)
    per_replica: ClassVar[tuple[str, ...] | None] = ("weight_kg", "weight_kd")
    published_for: ClassVar[Mapping[str, Mapping[str, object]]] = SENTENCES
    class_aware: bool = True
    weight_kg: float = 8.0
    weight_kd: float = 6.0
    text_tokens: int = 4
    block: int = 8
    random_context: bool | None = None
    anchor_templates: tuple[str, ...] | None = None
    template: str | None = None

    @property
    def context_init(self) -> str | None:
        random = self.class_aware if self.random_context is None else self.random_context
        return None if random else CONTEXT_INIT

    def published(self, where: str) -> Mapping[str, object]:
        return super().published(where) if self.class_aware or where == "dtd" else {}

    def schedule(self) -> Schedule:
        if self.class_aware:
            return Schedule(epochs=100, lr=0.002, batch_size=32, optimiser="adam")
        return Schedule(epochs=100, lr=0.002, batch_size=128)

    def prompt_shape(self) -> PromptShape:
        return PromptShape(self.text_tokens, text_depth=1, vision_tokens=0, vision_depth=0)

    def extra(self, backbone: Backbone, generator: Generator) -> dict[str, Tensor]:
        return meta_net_start(backbone, self.text_tokens, generator) if self.class_aware else {}

    def prompt_template(self, n_tokens: int, own: str) -> str:
        if self.template is None and not self.class_aware:
            return super().prompt_template(n_tokens, own)
        return sentence(self.template, own, n_tokens)

    def class_tokens(self, prompts: Prompts, frozen: Tensor) -> dict[int, Tensor]:
        if not self.class_aware:
            return {}
        return {self.block: class_aware_tokens(prompts.extra, frozen, self.text_tokens)}

    def check(self, backbone: Backbone, n_classes: int) -> None:
        super().check(backbone, n_classes)
        check_template(self.template, self.text_tokens)
        if self.class_aware:
            check_block(self.block, backbone)

    def weights(self) -> dict[str, float]:
        return {"ce": 1.0, "kg": self.weight_kg, "kd": self.weight_kd}

    def losses(
        self, outputs: BatchOutputs, context: Context, prepared: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        anchors = F.normalize(context.frozen_prototypes, dim=-1)
        unit = F.normalize(outputs.prototypes, dim=-1)
        kd = hsic(outputs.prototypes if self.class_aware else unit, anchors)
        return {"ce": cross_entropy(outputs), "kg": guidance(unit, anchors), "kd": kd}


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
