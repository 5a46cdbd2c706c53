"""CoOp (Zhou et al. 2022), the paper's "standard prompt tuning": context tokens for the text."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from cptlab.clip import PromptShape
from cptlab.methods.base import Method
from cptlab.schedule import Schedule


@dataclass(frozen=True)
class CoOp(Method):
    """Context tokens shared by all classes, started from "a photo of a"; plain cross-entropy.

    The schedule is that of its transfer experiments and of ImageNet, 50 epochs; few-shot learning
    on smaller data sets had 200.
    """

    name: ClassVar[str] = "coop"
    elsewhere: ClassVar[Mapping[str, Mapping[str, float]]] = {"few_shot": {"epochs": 200}}
    text_tokens: int = 4

    def schedule(self) -> Schedule:
        return Schedule(epochs=50, lr=0.002, batch_size=32)

    def prompt_shape(self) -> PromptShape:
        return PromptShape(self.text_tokens, text_depth=1, vision_tokens=0, vision_depth=0)
