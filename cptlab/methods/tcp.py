"""TCP (Yao et al. 2024): class-aware tokens inside the text tower, guided by frozen texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Generator, Tensor

from cptlab.clip import Backbone, Prompts, PromptShape
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
class TCP(Method):
    """Context for the text and, from block `block` on, tokens of every class's own in its place.

    A meta-net makes these tokens from the class's normalised frozen prototype (textual knowledge
    embedding); L = L_CE + weight L_kg, KgCoOp's guidance by the same frozen prototypes. Nothing of
    the context is left beside the class's tokens: the release mixes them with a weight of 1, and
    the weight of its run script is not read.

    context_init: words that the context starts from, at least as many as text_tokens; None, as
    released: random. anchor_templates:
    sentences of the frozen prototypes, None the data set's own. template: the sentence around the
    class name, "{}", whose first words the context replaces; if it has none, the context comes
    first. None: the class name and what follows it in the data set's own. The release's sentences
    where they are others, and its fewer epochs for two data sets, are in `published_for`.

    The release trains in half precision with Adam's epsilon at 1e-3; so it is here, in float32.
    """

    name: ClassVar[str] = "tcp"
    rows: ClassVar[tuple[Row, ...]] = (Row("TCP", "#0F3C2D", (5, 1, 36)),)
    per_replica: ClassVar[tuple[str, ...] | None] = ("weight",)
    published_for: ClassVar[Mapping[str, Mapping[str, object]]] = {
        **SENTENCES,
        "imagenet": {"epochs": 25},
        "sun397": {"epochs": 25},
    }
    weight: float = 8.0
    text_tokens: int = 4
    block: int = 8
    context_init: str | None = None
    anchor_templates: tuple[str, ...] | None = None
    template: str | None = None

    def schedule(self) -> Schedule:
        return Schedule(epochs=50, lr=0.002, batch_size=32, optimiser="adam", eps=1e-3)

    def prompt_shape(self) -> PromptShape:
        return PromptShape(self.text_tokens, text_depth=1, vision_tokens=0, vision_depth=0)

    def extra(self, backbone: Backbone, generator: Generator) -> dict[str, Tensor]:
        return meta_net_start(backbone, self.text_tokens, generator)

    def prompt_template(self, n_tokens: int, own: str) -> str:
        return sentence(self.template, own, n_tokens)

    def class_tokens(self, prompts: Prompts, frozen: Tensor) -> dict[int, Tensor]:
        return {self.block: class_aware_tokens(prompts.extra, frozen, self.text_tokens)}

    def check(self, backbone: Backbone, n_classes: int) -> None:
        super().check(backbone, n_classes)
        check_template(self.template, self.text_tokens)
        check_block(self.block, backbone)

    def weights(self) -> dict[str, float]:
        return {"ce": 1.0, "kg": self.weight}

    def losses(
        self, outputs: BatchOutputs, context: Context, prepared: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        anchors = F.normalize(context.frozen_prototypes, dim=-1)
        kg = guidance(F.normalize(outputs.prototypes, dim=-1), anchors)
        return {"ce": cross_entropy(outputs), "kg": kg}
