"""Zero-shot CLIP (Radford et al. 2021): no learnable tokens, no training."""

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from cptlab.clip import PromptShape
from cptlab.methods.base import NO_PROMPTS, PHOTO, Setting, Step


@dataclass(frozen=True)
class ZeroShot:
    """Class names in the template "a photo of a {}." against image features, both frozen."""

    name: ClassVar[str] = "zero_shot"
    anchor_templates: ClassVar[tuple[str, ...]] = PHOTO

    def prompt_shape(self) -> PromptShape:
        return NO_PROMPTS

    def weights(self) -> dict[str, float]:
        return {}

    def prepare(self, setting: Setting) -> dict[str, Any]:
        return {}

    def losses(self, step: Step, setting: Setting, prepared: dict[str, Any]) -> dict[str, Tensor]:
        return {}
