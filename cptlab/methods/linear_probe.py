"""Linear probe from zero-shot weights, and CLAP (Silva-Rodriguez et al., CVPR 2024)."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from cptlab.clip import Prompts, PromptShape, kept
from cptlab.methods.base import (
    NO_PROMPTS,
    BatchOutputs,
    Context,
    Method,
    Row,
    Support,
    Use,
    cross_entropy,
)
from cptlab.methods.schedule import Schedule

WEIGHTS, MULTIPLIERS = "class_weights", "multipliers"


@dataclass(frozen=True)
class LinearProbe(Method):
    """Class weights w_k that start from the frozen texts t_k, with logits s cos(f, w_k) (ZS-LP).

    class_adaptive: CLAP. To the cross-entropy comes a penalty,

        mean over classes of  m_k |w_k - t_k|^2   (neither is normalised),

    where the multiplier m_k is the zero-shot probability of class k, averaged over the training
    views of class k: what zero-shot knows well is held fast.

    The frozen tower sees 20 random crops of each training image once, before training; a step draws
    its batch from all of them, so that no tower runs in it, and an epoch has as many steps as the
    images alone would make. Where a run takes no crops, there is one view of each image.

    All published runs have 300 epochs of batches of 256, whatever the data set and the shots.

    Trained classes have their weights in any order and number (on ImageNet-A and -R those of their
    200 classes, as in the release). Any other list of names, and so new classes, has none: these
    are told by their frozen texts in the data set's own sentence. (The release knows no new ones.)

    Also unlike the release: it averages eight sentences on ImageNet, leaves underscores in names,
    and makes the frozen texts in half precision.
    """

    name: ClassVar[str] = "linear_probe"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("Linear probe", "#3E41D8", (3, 1, 90)),
        Row("CLAP", "#8485F7", (3, 1, 270), options={"class_adaptive": True}),
    )
    per_replica: ClassVar[tuple[str, ...] | None] = ("class_adaptive",)
    support_views: ClassVar[int] = 20
    learns_from_support: ClassVar[bool] = True
    class_adaptive: bool = False

    @property
    def anchor_templates(self) -> tuple[str, ...] | None:
        return None

    def schedule(self) -> Schedule:
        return Schedule(epochs=300, lr=0.1, batch_size=256, weight_decay=0.0)

    def prompt_shape(self) -> PromptShape:
        return NO_PROMPTS

    def prompt_template(self, n_tokens: int, own: str) -> str:
        return own

    def learns(self) -> bool:
        return True

    def start(self, context: Context, support: Support) -> dict[str, Tensor]:
        images = F.normalize(support.features, dim=-1)
        texts = F.normalize(context.frozen_prototypes, dim=-1)
        chances = (context.logit_scale * images @ texts.mT).softmax(-1).mean(1)  # (N, K)
        members = F.one_hot(support.labels, len(texts)).to(chances.dtype)
        multipliers = (members * chances).sum(0) / members.sum(0)
        return {WEIGHTS: context.frozen_prototypes.clone(), MULTIPLIERS: kept(multipliers)}

    def classifier(self, prompts: Prompts, use: Use) -> Tensor | None:
        return None if use == "new" else prompts.extra[WEIGHTS]

    def weights(self) -> dict[str, float]:
        return {"ce": 1.0, "penalty": float(self.class_adaptive)}

    def losses(
        self, outputs: BatchOutputs, context: Context, prepared: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        moved = (outputs.prototypes - context.frozen_prototypes).square().sum(-1)
        penalty = (outputs.extra[MULTIPLIERS] * moved).mean(-1)
        return {"ce": cross_entropy(outputs), "penalty": penalty}
