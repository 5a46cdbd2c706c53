"""CoOp (Zhou et al. 2022), the paper's "standard prompt tuning": context tokens for the text."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from cptlab.clip import CONTEXT_INIT, PromptShape
from cptlab.methods.base import Method, Row
from cptlab.methods.schedule import Schedule


@dataclass(frozen=True)
class CoOp(Method):
    """Context tokens shared by all classes, started from words; plain cross-entropy.

    The defaults are those of its base-to-new runs; for few-shot learning it was published with 16
    tokens that start at random (as any number does that is larger than that of the words).
    context_init: the words; None: random.

    It had 50 epochs on ImageNet and in transfer, and 200 on smaller data sets. Profiles with a
    schedule of their own scale the 50.
    """

    name: ClassVar[str] = "coop"
    rows: ClassVar[tuple[Row, ...]] = (Row("CoOp", "#C88300", "p"),)
    published_for: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "base_to_new": {"epochs": 200},
        "few_shot": {"epochs": 200},
        "imagenet": {"epochs": 50},
    }
    text_tokens: int = 4
    context_init: str | None = CONTEXT_INIT

    def schedule(self) -> Schedule:
        return Schedule(epochs=50, lr=0.002, batch_size=32)

    def prompt_shape(self) -> PromptShape:
        return PromptShape(self.text_tokens, text_depth=1, vision_tokens=0, vision_depth=0)
