"""Candle (Shi et al., KDD 2024): prototypes of images and texts that attend to each other.

Made for long tails; the paper's reference for generalisation from them.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from cptlab.clip import Backbone, Prompts, PromptShape, kept
from cptlab.methods.base import (
    NO_PROMPTS,
    BatchOutputs,
    Context,
    Method,
    Row,
    Support,
    Use,
)
from cptlab.methods.parts.bottleneck import Learned
from cptlab.methods.parts.fusion import fused, fused_alone, fusion_start
from cptlab.methods.schedule import Schedule

LARGEST = 2**24
"""Numbers that the classes of all images compared at once may hold, to save memory."""


@dataclass(frozen=True)
class Candle(Method):
    """Both towers stay frozen; linear maps and one layer of attention behind them are learned.

    Every class has a frozen text and a visual prototype, the mean feature of its training images.
    Images and visual prototypes go through one linear map, texts through another (both start as
    the identity), and then all attend to all (`parts.fusion`). L is the sum of three
    cross-entropies of images and of visual prototypes, each with the label of its class: cosines
    with mapped texts ("ce"), and, after the attention, with texts ("ce_texts") and with visual
    prototypes ("ce_visual", times visual_scale). All have log((n_c + 1) / sum) added to the logits
    (compensating logit-adjusted loss): the prototype is one more sample of its class. Tests add the
    last two logits, without that.

    knows_new_names: as published, TRAINING READS THE NAMES of the classes that base to new tests
    later. They stand beside the trained ones in attention and loss, with n_c = 0, and a learned
    "virtual" prototype each that starts from the class's text. No other method here knows these
    names, so its accuracy on new classes is not one of unseen names. In few-shot learning and
    transfer it has no such names and is the same as without them, so that the study has the row
    "Candle" alone there. False: it knows the trained classes alone. A list of names that are not
    all trained, in that case and in transfer (where the release trains a model for every target,
    with its names), has mapped texts in place of learned prototypes.

    The settings are those of the release's example; which of its configurations belong to which
    data set is not said.

    Unlike the release:
    - A test image attends to the classes and itself. There all images of a test batch attend to
      each other, so that a prediction depends on the others, which come sorted by class.
    - Base classes are told apart from each other, and not from the new ones too.
    - Texts of new classes stay as they are. There they share memory with the virtual prototypes
      and move with them.
    - No attention weight is dropped in training (there with a chance of .1).
    """

    name: ClassVar[str] = "candle"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("Candle (knows new names)", "#1000FF", (5, 1, 18)),
        Row("Candle", "#5A1E4B", (6, 1, 30), options={"knows_new_names": False}),
    )
    support_views: ClassVar[int] = 1
    support_as_tested: ClassVar[bool] = True
    knows_new_names: bool = True
    visual_scale: float = 1.0
    heads: int = 8

    def __post_init__(self) -> None:
        scale = self.visual_scale
        if isinstance(scale, int | float) and not 0 <= scale < math.inf:
            raise ValueError(f"visual_scale is {scale}: give a number of at least 0, such as 1.")
        super().__post_init__()

    @property
    def anchor_templates(self) -> tuple[str, ...] | None:
        return None

    def schedule(self) -> Schedule:
        return Schedule(epochs=50, lr=0.0003, batch_size=128)

    def class_logits(self) -> bool:
        """Its own adjustment takes the place of a run's `Balance`."""
        return False

    def prompt_shape(self) -> PromptShape:
        return NO_PROMPTS

    def learns(self) -> bool:
        return True

    def prompt_template(self, n_tokens: int, own: str) -> str:
        return own

    def check(self, backbone: Backbone, n_classes: int) -> None:
        super().check(backbone, n_classes)
        if self.heads < 1 or backbone.embed_dim % self.heads:
            raise ValueError(
                f"heads is {self.heads}, but features of {backbone.name} have "
                f"{backbone.embed_dim} numbers: choose a divisor of that."
            )

    def extra(self, backbone: Backbone, generator: Generator) -> dict[str, Tensor]:
        d = backbone.embed_dim
        maps = {"project_images": torch.eye(d), "project_texts": torch.eye(d)}
        return maps | fusion_start(d, generator)

    def start(self, context: Context, support: Support) -> dict[str, Tensor]:
        members = F.one_hot(support.labels, len(context.class_names)).T.to(support.features.dtype)
        means = members @ support.features.mean(1) / members.sum(-1, keepdim=True)
        texts, new = context.frozen_prototypes, context.new_prototypes
        if new is None:
            return {"visual": kept(means), "texts": kept(texts)}
        return {"visual": kept(means), "texts": kept(torch.cat([texts, new])), "virtual": new}

    # ------------------------------------------------------------------ logits
    def adapt_images(self, prompts: Prompts, features: Tensor) -> Tensor:
        return features @ prompts.extra["project_images"]

    def adapt_texts(self, prompts: Prompts, features: Tensor) -> Tensor:
        return features @ prompts.extra["project_texts"]

    def own_logits(
        self,
        prompts: Prompts,
        image_features: Tensor,
        prototypes: Tensor,
        logit_scale: float,
        use: Use,
    ) -> Tensor | None:
        if use == "training":  # only the accuracy is told by them
            return None
        extra, n_trained = prompts.extra, prompts.extra["visual"].shape[-2]
        visual, texts = _classes(extra)
        if use == "new":
            visual = torch.cat([visual[:, :n_trained], prototypes], 1)
            texts = torch.cat([texts[:, :n_trained], prototypes], 1)
        asked = slice(0, n_trained) if use == "base" else slice(n_trained, None)
        classes = torch.cat([visual, texts], 1)
        at_once = max(1, LARGEST // classes.numel())
        logits = []
        for part in image_features.split(at_once, -2):
            images, each = fused_alone(part, classes, extra, self.heads)
            visual, texts = F.normalize(each, dim=-1).chunk(2, -2)  # (R, B, K, d)
            both = (self.visual_scale * visual + texts)[..., asked, :]
            unit = F.normalize(images, dim=-1).unsqueeze(-1)
            logits.append(logit_scale * (both @ unit).squeeze(-1))
        return torch.cat(logits, -2)

    # ------------------------------------------------------------------ losses
    def weights(self) -> dict[str, float]:
        return {"ce": 1.0, "ce_texts": 1.0, "ce_visual": 1.0}

    def losses(
        self, outputs: BatchOutputs, context: Context, prepared: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        visual, texts = _classes(outputs.extra)
        n_classes = visual.shape[-2]
        own = torch.arange(n_classes, device=visual.device).expand(len(visual), -1)
        labels = torch.cat([outputs.labels, own], 1)
        counts = F.pad(context.class_counts, (0, n_classes - context.class_counts.shape[-1])) + 1.0
        offsets = (counts / counts.sum(-1, keepdim=True)).log().unsqueeze(-2)

        def loss(samples: Tensor, classes: Tensor, scale: float) -> Tensor:
            cosines = F.normalize(samples, dim=-1) @ F.normalize(classes, dim=-1).mT
            adjusted = scale * context.logit_scale * cosines + offsets
            return F.cross_entropy(adjusted.mT, labels, reduction="none").mean(-1)

        samples = torch.cat([outputs.image_features, visual], 1)
        mixed = fused(torch.cat([samples, texts], 1), outputs.extra, self.heads)
        mixed, mixed_texts = mixed[:, :-n_classes], mixed[:, -n_classes:]
        return {
            "ce": loss(samples, texts, 1.0),
            "ce_texts": loss(mixed, mixed_texts, 1.0),
            "ce_visual": loss(mixed, mixed[:, -n_classes:], self.visual_scale),
        }


def _classes(learned: Learned) -> tuple[Tensor, Tensor]:
    """Mapped visual prototypes, virtual ones included, and texts, (R, K, d) each."""
    visual = learned["visual"]
    if "virtual" in learned:
        visual = torch.cat([visual, learned["virtual"]], 1)
    return visual @ learned["project_images"], learned["texts"] @ learned["project_texts"]
