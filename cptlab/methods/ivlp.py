"""IVLP, independent vision-language prompting (Khattak et al. 2023): deep, in both towers."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from cptlab.methods.base import PHOTO, DeepPrompts, Setting, Step, cross_entropy


@dataclass(frozen=True)
class IVLP(DeepPrompts):
    """Separate text and visual tokens at every prompted layer; plain cross-entropy."""

    name: ClassVar[str] = "ivlp"
    per_replica: ClassVar[tuple[str, ...]] = ()
    anchor_templates: ClassVar[tuple[str, ...]] = PHOTO

    def weights(self) -> dict[str, float]:
        return {"ce": 1.0}

    def prepare(self, setting: Setting) -> dict[str, Tensor]:
        return {}

    def losses(
        self, step: Step, setting: Setting, prepared: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        return {"ce": cross_entropy(step)}
