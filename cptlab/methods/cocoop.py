"""CoCoOp (Zhou et al. 2022b): context tokens that a small network shifts for every image."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Generator, Tensor

from cptlab.clip import CONTEXT_INIT, Backbone, Prompts, PromptShape
from cptlab.methods.base import Method, Row
from cptlab.methods.parts.bottleneck import bottleneck, bottleneck_start
from cptlab.methods.schedule import Schedule


@dataclass(frozen=True)
class CoCoOp(Method):
    """CoOp's tokens plus a meta-net: v_i(x) = v_i + b(x) for every context token v_i.

    b(x) = W_2 relu(W_1 f(x) + b_1) + b_2 with the normalised frozen image feature f(x) and a hidden
    layer of d / 16. The text features of all classes are made again for every image; no prompts
    enter the image tower. context_init: words that the tokens start from; None: random.
    """

    name: ClassVar[str] = "cocoop"
    rows: ClassVar[tuple[Row, ...]] = (Row("CoCoOp", "#BD8732", "P"),)
    per_image: ClassVar[bool] = True
    text_tokens: int = 4
    context_init: str | None = CONTEXT_INIT

    def schedule(self) -> Schedule:
        return Schedule(epochs=10, lr=0.002, batch_size=1)

    def prompt_shape(self) -> PromptShape:
        return PromptShape(self.text_tokens, text_depth=1, vision_tokens=0, vision_depth=0)

    def extra(self, backbone: Backbone, generator: Generator) -> dict[str, Tensor]:
        d = backbone.embed_dim
        return bottleneck_start("meta_net", (d, max(1, d // 16), backbone.text_width), generator)

    def image_context(self, prompts: Prompts, image_features: Tensor) -> Tensor:
        bias = bottleneck(F.normalize(image_features, dim=-1), prompts.extra, "meta_net")
        return prompts.text[0].unsqueeze(-3) + bias.unsqueeze(-2)
