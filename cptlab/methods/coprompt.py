"""CoPrompt (Roy and Etemad 2024): coupled prompts and adapters, consistent with frozen CLIP."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from cptlab.clip import IMAGENET_TEMPLATES, Backbone, Prompts
from cptlab.methods.base import BatchOutputs, Context, Row, cross_entropy
from cptlab.methods.families import CoupledPrompts
from cptlab.methods.parts.bottleneck import bottleneck, bottleneck_start
from cptlab.methods.parts.descriptions import descriptions_of
from cptlab.methods.schedule import Schedule


@dataclass(frozen=True)
class CoPrompt(CoupledPrompts):
    """MaPLe's prompts, an adapter behind each tower, and consistency of two kinds.

    L = L_CE + w (text + image). Text: prototypes against frozen features of a class description,
    one random index a step for all classes. Image: features of one augmented view against frozen
    features of another. `consistency` "cosine" is 1 - mean cosine, "mse" a mean over entries.

    descriptions: JSON file {class name: [sentences]}, the same number for each class. Without one,
    the 80 ImageNet templates take their place, and results say so (`substitutes`). Views come
    from torchvision's RandAugment (2 operations, strength 10 of 31), which has other operations
    than the public code's. Depth, tokens and weight are its defaults for every data set, where it
    has other values for each.
    """

    name: ClassVar[str] = "coprompt"
    rows: ClassVar[tuple[Row, ...]] = (Row("CoPrompt (templates)", "#AF8695", (4, 1, 45)),)
    per_replica: ClassVar[tuple[str, ...] | None] = ("weight",)
    published_for: ClassVar[Mapping[str, Mapping[str, object]]] = {}
    views: ClassVar[int] = 2
    frozen_images: ClassVar[bool] = True
    weight: float = 1.0
    consistency: Literal["cosine", "mse"] = "cosine"
    image_mix: float = 0.1
    text_mix: float = 0.2
    descriptions: str | None = None

    def schedule(self) -> Schedule:
        return Schedule(epochs=8, lr=0.0035, batch_size=4)

    def files(self) -> tuple[str, ...]:
        return () if self.descriptions is None else (self.descriptions,)

    def substitutes(self) -> dict[str, str]:
        return {} if self.descriptions else {"descriptions": "OpenAI's 80 ImageNet templates"}

    def extra(self, backbone: Backbone, generator: Generator) -> dict[str, Tensor]:
        d = backbone.embed_dim
        sizes = d, max(1, d // 4), d
        return {
            **super().extra(backbone, generator),
            **bottleneck_start("image_adapter", sizes, generator, bias=False),
            **bottleneck_start("text_adapter", sizes, generator, bias=False),
        }

    def adapt_images(self, prompts: Prompts, features: Tensor) -> Tensor:
        adapted = bottleneck(features, prompts.extra, "image_adapter").relu()
        return (1 - self.image_mix) * features + self.image_mix * adapted

    def adapt_texts(self, prompts: Prompts, features: Tensor) -> Tensor:
        adapted = bottleneck(features, prompts.extra, "text_adapter").relu()
        return (1 - self.text_mix) * features + self.text_mix * adapted

    def sentences(self, own: str) -> tuple[str, ...]:
        return super().sentences(own) + (() if self.descriptions else IMAGENET_TEMPLATES)

    def weights(self) -> dict[str, float]:
        return {"ce": 1.0, "text": self.weight, "image": self.weight}

    def prepare(self, context: Context) -> dict[str, Tensor]:
        """Frozen features (descriptions, K, d) of the classes' descriptions."""
        rows = descriptions_of(context.class_names, self.descriptions)
        return {"targets": torch.stack([context.encode(row) for row in zip(*rows, strict=True)])}

    def losses(
        self, outputs: BatchOutputs, context: Context, prepared: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        targets = prepared["targets"]  # (R, descriptions, K, d)
        chosen = (outputs.uniform * targets.shape[1]).long().view(-1, 1, 1, 1)
        texts = targets.gather(1, chosen.expand(-1, 1, *targets.shape[2:])).squeeze(1)
        frozen = outputs.frozen_image_features  # there, as the method asks for `frozen_images`
        return {
            "ce": cross_entropy(outputs),
            "text": self._distance(outputs.prototypes, texts),
            "image": self._distance(outputs.image_features, frozen),  # ty: ignore[invalid-argument-type]
        }

    def _distance(self, learned: Tensor, frozen: Tensor) -> Tensor:
        learned, frozen = F.normalize(learned, dim=-1), F.normalize(frozen, dim=-1)
        if self.consistency == "mse":
            return (learned - frozen).square().mean((-2, -1))
        return 1 - (learned * frozen).sum(-1).mean(-1)
