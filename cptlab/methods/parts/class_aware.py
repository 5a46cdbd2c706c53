"""Tokens of every class's own, made from its frozen text, that enter the text tower at one block.

From TCP (Yao et al. 2024), on which DeKg's stronger variant builds.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Generator, Tensor

from cptlab.clip import Backbone, with_placeholders
from cptlab.methods.parts.bottleneck import Learned, bottleneck, bottleneck_start, quick_gelu

SENTENCES: Mapping[str, Mapping[str, object]] = {
    "dtd": {"anchor_templates": ("a photo of a {}, a type of texture.",)},
    "fgvc_aircraft": {"anchor_templates": ("a photo of an aircraft {}.",)},
    "food101": {"anchor_templates": ("a photo of a {}, a type of food.",)},
    "stanford_cars": {"template": "{}, a type of car"},
    "ucf101": {"template": "a photo of a person doing {}."},
}
"""Data set -> the sentences of both releases, where they are not those that its own gives."""


def meta_net_start(backbone: Backbone, n_tokens: int, generator: Generator) -> dict[str, Tensor]:
    """Start of the network from a frozen prototype to n tokens, with a middle of d / 4."""
    d = backbone.embed_dim
    return bottleneck_start(
        "meta_net", (d, max(1, d // 4), n_tokens * backbone.text_width), generator
    )


def class_aware_tokens(learned: Learned, frozen: Tensor, n_tokens: int) -> Tensor:
    """Tokens (R, K, n, w) from frozen prototypes (K, d)."""
    anchors = F.normalize(frozen, dim=-1).unsqueeze(0)
    return bottleneck(anchors, learned, "meta_net", quick_gelu).unflatten(-1, (n_tokens, -1))


def sentence(template: str | None, own: str, n_tokens: int) -> str:
    """The sentence around a class name: a given one, or what follows it in the data set's own.

    n placeholders precede the name where no words do; context takes their place.
    """
    template = "{}" + own.partition("{}")[2] if template is None else template
    return with_placeholders(template, n_tokens) if template.startswith("{}") else template


def check_template(template: str | None, n_tokens: int) -> None:
    """Raise ValueError for a sentence in which n context tokens have no place."""
    before, *after = ("{}" if template is None else template).split("{}")
    if len(after) != 1 or 0 < len(before.split()) < n_tokens:
        raise ValueError(
            f"template is {template!r}: give a sentence with one {{}} for the class name and, "
            f"before it, no words or at least {n_tokens}, as many as the context tokens that "
            "replace them."
        )


def check_block(block: int, backbone: Backbone) -> None:
    """Raise ValueError for a block that the text tower does not have."""
    if not 0 <= block < backbone.text_layers:
        raise ValueError(
            f"block is {block}, but the text tower of {backbone.name} has blocks 0 to "
            f"{backbone.text_layers - 1}: choose one of them."
        )
