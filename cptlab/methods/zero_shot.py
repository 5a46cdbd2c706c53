"""Zero-shot CLIP (Radford et al. 2021): no learnable tokens, no training."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from cptlab.clip import PromptShape
from cptlab.methods.base import NO_PROMPTS, BatchOutputs, Context, Method, Row


@dataclass(frozen=True)
class ZeroShot(Method):
    """Class names in the data set's own template against image features, both frozen."""

    name: ClassVar[str] = "zero_shot"
    rows: ClassVar[tuple[Row, ...]] = (Row("Zero-shot", "#000000", "X"),)

    def prompt_shape(self) -> PromptShape:
        return NO_PROMPTS

    def prompt_template(self, n_tokens: int, own: str) -> str:
        return own

    def weights(self) -> dict[str, float]:
        return {}

    def losses(
        self, outputs: BatchOutputs, context: Context, prepared: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        return {}
