"""What the functions of a method are given: of the run before training, and of a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from torch import Tensor

Use = Literal["training", "base", "named", "new"]
"""What tokens are used for: a training step, or tests on trained classes, some or all in any order,
or on other lists of classes. "named" are others whose names training knew
(`Method.knows_new_names`)."""
Tower = Literal["text", "vision"]


class Tokens(NamedTuple):
    """Tokens as the towers take them: text layers (R, n, w), vision layers (R, m, vision width)."""

    text: Sequence[Tensor]
    vision: Sequence[Tensor]


@dataclass(frozen=True)
class Context:
    """What is known before training starts, the same for every step.

    class_names: K training classes. frozen_prototypes (K, d): text features of the frozen backbone
    for the method's anchor templates, not normalised. class_counts (R, K): images of each class
    that an epoch draws, up to a factor: the training samples, or ones where a run's balance draws
    all classes alike. encode: frozen text features (N, d) of any N sentences, not normalised.
    logit_scale: the multiplier of cosines. new_prototypes (K', d): the same for the classes that
    base to new tests beside the trained ones, for methods with `knows_new_names`.
    """

    class_names: tuple[str, ...]
    frozen_prototypes: Tensor
    class_counts: Tensor
    encode: Callable[[Sequence[str]], Tensor]
    logit_scale: float = 100.0
    new_prototypes: Tensor | None = None


class Support(NamedTuple):
    """Training images of one replica as the frozen image tower sees them, before training.

    features (N, V, d), raw, of V views of each of N images (one where a run takes no crops);
    labels (N,).
    """

    features: Tensor
    labels: Tensor


@dataclass(frozen=True)
class BatchOutputs:
    """What one optimisation step computed, for R replicas with batches of B images.

    image_features (R, B, d) and prototypes (R, K, d) are raw (not normalised), prototypes that
    depend on the image (R, B, K, d); logits (R, B, K) are scaled cosines (`adapt_logits`); labels
    (R, B); uniform (R,) is a random number in [0, 1) of this step. frozen_image_features (R, B, d),
    raw, are there for methods that ask for `frozen_images`. logit_offsets and class_weights (R, K)
    come from the run's `Balance`, if it has one. extra: `Prompts.extra`, each (R, ...).
    """

    image_features: Tensor
    prototypes: Tensor
    logits: Tensor
    labels: Tensor
    uniform: Tensor
    frozen_image_features: Tensor | None = None
    logit_offsets: Tensor | None = None
    class_weights: Tensor | None = None
    extra: Mapping[str, Tensor] = field(default_factory=dict)
