"""IVLP, independent vision-language prompting (Khattak et al. 2023): deep, in both towers."""

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from cptlab.clip import PromptShape
from cptlab.methods.base import PHOTO, Setting, Step, cross_entropy


@dataclass(frozen=True)
class IVLP:
    """Separate text and visual tokens at every prompted layer; plain cross-entropy."""

    name: ClassVar[str] = "ivlp"
    anchor_templates: ClassVar[tuple[str, ...]] = PHOTO
    text_tokens: int = 4
    text_depth: int = 9
    vision_tokens: int = 4
    vision_depth: int = 9

    def prompt_shape(self) -> PromptShape:
        return PromptShape(self.text_tokens, self.text_depth, self.vision_tokens, self.vision_depth)

    def weights(self) -> dict[str, float]:
        return {"ce": 1.0}

    def prepare(self, setting: Setting) -> dict[str, Any]:
        return {}

    def losses(self, step: Step, setting: Setting, prepared: dict[str, Any]) -> dict[str, Tensor]:
        return {"ce": cross_entropy(step)}
