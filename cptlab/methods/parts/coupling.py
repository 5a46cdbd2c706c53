"""Visual tokens that are projected from the text tokens (MaPLe, Khattak et al. 2023)."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Generator, Tensor

from cptlab.clip import Backbone
from cptlab.methods.parts.bottleneck import Learned, linear, linear_start


def coupling_start(backbone: Backbone, depth: int, generator: Generator) -> dict[str, Tensor]:
    """One linear layer, text width to vision width, for each prompted layer.

    As in the public code, the deeper layers start as copies of one draw.

    Raises:
        ValueError: if the image tower has fewer layers than are to be prompted.
    """
    if depth > backbone.vision_layers:
        raise ValueError(
            f"depth is {depth}, but the vision tower of {backbone.name} has "
            f"{backbone.vision_layers} layers: choose depth of at most {backbone.vision_layers}."
        )
    sizes = backbone.text_width, backbone.vision_width
    start = linear_start("projection_0", *sizes, generator) if depth else {}
    deeper = linear_start("projection", *sizes, generator)
    for layer in range(1, depth):
        start |= {key.replace("_", f"_{layer}_"): value.clone() for key, value in deeper.items()}
    return start


def coupled(text: Iterable[Tensor], learned: Learned) -> list[Tensor]:
    """Visual tokens (R, n, vision width) of every layer that has text tokens (R, n, w)."""
    return [linear(layer, learned, f"projection_{i}") for i, layer in enumerate(text)]
