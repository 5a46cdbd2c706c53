"""PromptSRC, self-regulating prompts (Khattak et al. 2023b), the closest relative of CPT's L_RS."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from cptlab.clip import IMAGENET_TEMPLATES
from cptlab.methods.base import BatchOutputs, Context, Row, cross_entropy
from cptlab.methods.families import DeepPrompts
from cptlab.methods.parts.averaging import gaussian_weights
from cptlab.methods.schedule import Schedule


@dataclass(frozen=True)
class PromptSRC(DeepPrompts):
    """IVLP held near the frozen model: text features, image features and predictions.

    L = L_CE + 25 mean|g - g_0| + 10 mean|f - f_0| + KL(p_0 || p), features normalised, means over
    all entries, KL divided by B K. The frozen prototypes g_0 average the first 60 of OpenAI's 80
    templates, as the public code does. The final prompts are a Gaussian-weighted mean over the ends
    of epochs; its centre and width are given as shares of the epochs (15 and 1 of 20 as published).
    """

    name: ClassVar[str] = "promptsrc"
    rows: ClassVar[tuple[Row, ...]] = (Row("PromptSRC", "#4B2D78", (4, 1, 0)),)
    per_replica: ClassVar[tuple[str, ...] | None] = ("text_weight", "image_weight", "kl_weight")
    frozen_images: ClassVar[bool] = True
    published_for: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "few_shot": {"epochs": 50, "average_centre": 0.6, "average_width": 0.6},
        "transfer": {
            "text_depth": 3,
            "vision_depth": 3,
            "average_centre": 0.3,
            "average_width": 0.5,
        },
    }
    text_weight: float = 25.0
    image_weight: float = 10.0
    kl_weight: float = 1.0
    average_centre: float = 0.75
    average_width: float = 0.05
    anchor_templates: tuple[str, ...] = IMAGENET_TEMPLATES[:60]

    def __post_init__(self) -> None:
        if self.average_width == 0:
            raise ValueError("average_width is 0: no epoch would weigh anything; give a share.")
        super().__post_init__()

    def schedule(self) -> Schedule:
        return Schedule(epochs=20, lr=0.0025, batch_size=4)

    def averaging(self, epochs: int) -> Tensor:
        return gaussian_weights(epochs, self.average_centre * epochs, self.average_width * epochs)

    def weights(self) -> dict[str, float]:
        return {
            "ce": 1.0,
            "text": self.text_weight,
            "image": self.image_weight,
            "kl": self.kl_weight,
        }

    def losses(
        self, outputs: BatchOutputs, context: Context, prepared: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        texts, images = (
            F.normalize(outputs.prototypes, dim=-1),
            F.normalize(outputs.image_features, dim=-1),
        )
        frozen_texts = F.normalize(context.frozen_prototypes, dim=-1)
        # there, as the method asks for `frozen_images`
        frozen_images = F.normalize(outputs.frozen_image_features, dim=-1)  # ty: ignore[invalid-argument-type]
        teacher = F.log_softmax(context.logit_scale * frozen_images @ frozen_texts.mT, dim=-1)
        student = F.log_softmax(outputs.logits, dim=-1)
        divergence = F.kl_div(student, teacher, reduction="none", log_target=True)
        return {
            "ce": cross_entropy(outputs),
            "text": (texts - frozen_texts).abs().mean((-2, -1)),
            "image": (images - frozen_images).abs().mean((-2, -1)),
            "kl": divergence.mean((-2, -1)),
        }
