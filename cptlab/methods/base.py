"""What a method is: a frozen dataclass of hyper-parameters with three short functions.

`prompt_shape()` says which learnable tokens it has, `prepare(setting)` computes once what stays
fixed (clusters, anchors), and `losses(step, setting, prepared)` returns its named loss terms, each
(R,). `weights()` gives the factor of each term; summing and logging belong to the training loop.

Replicas of one pass call `losses` once, together. They may differ in the hyper-parameters that
`per_replica` names: those that only `weights` and `prepare` read, which each replica has its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch.nn.functional as F
from torch import Tensor

from cptlab.clip import PromptShape

PHOTO = ("a photo of a {}.",)
"""The sentence of frozen prototypes; only a method that uses them makes it an option."""
NO_PROMPTS = PromptShape(text_tokens=0, text_depth=0, vision_tokens=0, vision_depth=0)


@dataclass(frozen=True)
class DeepPrompts:
    """Hyper-parameters of the methods that prompt both towers independently (IVLP and its kin)."""

    text_tokens: int = 4
    text_depth: int = 9
    vision_tokens: int = 4
    vision_depth: int = 9

    def prompt_shape(self) -> PromptShape:
        return PromptShape(self.text_tokens, self.text_depth, self.vision_tokens, self.vision_depth)


@dataclass(frozen=True)
class Setting:
    """What is known before training starts, the same for every step.

    class_names: K training classes. frozen_prototypes (K, d): text features of the frozen backbone
    for the method's anchor templates, not normalised. class_counts (R, K): training samples.
    """

    class_names: tuple[str, ...]
    frozen_prototypes: Tensor
    class_counts: Tensor


@dataclass(frozen=True)
class Step:
    """What one optimisation step computed, for R replicas with batches of B pictures.

    image_features (R, B, d) and prototypes (R, K, d) are raw (not normalised); logits (R, B, K) are
    scaled cosines; labels (R, B).
    """

    image_features: Tensor
    prototypes: Tensor
    logits: Tensor
    labels: Tensor


class Method(Protocol):
    """Interface of a method; every class in this package is a frozen dataclass that has it."""

    name: ClassVar[str]
    per_replica: ClassVar[tuple[str, ...]]
    anchor_templates: tuple[str, ...]

    def prompt_shape(self) -> PromptShape: ...

    def weights(self) -> dict[str, float]: ...

    def prepare(self, setting: Setting) -> dict[str, Tensor]: ...

    def losses(
        self, step: Step, setting: Setting, prepared: dict[str, Tensor]
    ) -> dict[str, Tensor]: ...


def cross_entropy(step: Step) -> Tensor:
    """Image-to-class cross-entropy over all K training classes, mean over the batch: (R,)."""
    per_image = F.cross_entropy(step.logits.flatten(0, 1), step.labels.flatten(), reduction="none")
    return per_image.view(step.labels.shape).mean(-1)
