"""CoOp (Zhou et al. 2022), the paper's "standard prompt tuning": context tokens for the text."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from cptlab.clip import PromptShape
from cptlab.methods.base import PHOTO, Setting, Step, cross_entropy


@dataclass(frozen=True)
class CoOp:
    """Context tokens shared by all classes, started from "a photo of a"; plain cross-entropy."""

    name: ClassVar[str] = "coop"
    per_replica: ClassVar[tuple[str, ...]] = ()
    anchor_templates: ClassVar[tuple[str, ...]] = PHOTO
    text_tokens: int = 4

    def prompt_shape(self) -> PromptShape:
        return PromptShape(self.text_tokens, text_depth=1, vision_tokens=0, vision_depth=0)

    def weights(self) -> dict[str, float]:
        return {"ce": 1.0}

    def prepare(self, setting: Setting) -> dict[str, Tensor]:
        return {}

    def losses(
        self, step: Step, setting: Setting, prepared: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        return {"ce": cross_entropy(step)}
