"""Hyper-parameters that families of methods share: deep prompts, independent or coupled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Generator, Tensor

from cptlab.clip import Backbone, Prompts, PromptShape
from cptlab.methods.base import Method, Tokens, Use
from cptlab.methods.parts.coupling import coupled, coupling_start
from cptlab.methods.schedule import Schedule


@dataclass(frozen=True)
class DeepPrompts(Method):
    """Hyper-parameters of the methods that prompt both towers independently (IVLP and its kin).

    Epochs and depths of other protocols are CPT's (supplement, 6.1, and its public predecessor's).
    """

    published_for: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "few_shot": {"epochs": 25},
        "transfer": {"epochs": 8, "text_depth": 3, "vision_depth": 3},
    }
    text_tokens: int = 4
    text_depth: int = 9
    vision_tokens: int = 4
    vision_depth: int = 9

    def prompt_shape(self) -> PromptShape:
        return PromptShape(self.text_tokens, self.text_depth, self.vision_tokens, self.vision_depth)


@dataclass(frozen=True)
class CoupledPrompts(Method):
    """Hyper-parameters of the methods whose visual tokens are projected from text tokens: MaPLe,
    whose schedule this is, and its kin.
    """

    published_for: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "transfer": {"depth": 3, "epochs": 2, "lr": 0.0026}
    }
    tokens_per_layer: int = 2
    depth: int = 9

    def schedule(self) -> Schedule:
        return Schedule(epochs=5, lr=0.0035, batch_size=4)

    def prompt_shape(self) -> PromptShape:
        return PromptShape(self.tokens_per_layer, self.depth, vision_tokens=0, vision_depth=0)

    def extra(self, backbone: Backbone, generator: Generator) -> dict[str, Tensor]:
        return coupling_start(backbone, self.depth, generator)

    def tokens(self, prompts: Prompts, use: Use) -> Tokens:
        return Tokens(list(prompts.text), coupled(prompts.text, prompts.extra))
