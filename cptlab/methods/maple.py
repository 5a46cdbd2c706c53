"""MaPLe, multi-modal prompt learning (Khattak et al. 2023): visual tokens projected from text."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Generator, Tensor

from cptlab.clip import Backbone, Prompts, PromptShape
from cptlab.methods.base import Method, Tokens, Use
from cptlab.parts.coupling import coupled, coupling_start
from cptlab.schedule import Schedule


@dataclass(frozen=True)
class MaPLe(Method):
    """Deep text tokens; at each layer a linear layer of its own makes the visual tokens of them.

    Gradients reach the text tokens through both towers. Plain cross-entropy.
    """

    name: ClassVar[str] = "maple"
    elsewhere: ClassVar[Mapping[str, Mapping[str, float]]] = {
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
        return Tokens(prompts.text, coupled(prompts.text, prompts.extra))
