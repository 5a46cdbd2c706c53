"""The image tower as in public code: every token in every layer, open_clip's own blocks."""

from collections.abc import Sequence

import torch
from torch import Tensor

from cptlab.clip import Backbone


def plain_image_features(backbone: Backbone, images: Tensor, tokens: Sequence[Tensor]) -> Tensor:
    """Raw features (1, B, d) of images (1, B, 3, H, W) for one replica's tokens (1, m, width)."""
    visual = backbone.model.visual
    patches = visual.conv1(images[0]).flatten(2).mT
    batch = len(patches)
    x = torch.cat([visual.class_embedding.expand(batch, 1, -1), patches], 1)
    x = x + visual.positional_embedding
    own = x.shape[1]
    x = visual.ln_pre(torch.cat([x, tokens[0].expand(batch, -1, -1)], 1))
    for i, block in enumerate(backbone.vision_blocks):
        if 0 < i < len(tokens):
            x = torch.cat([x[:, :own], tokens[i].expand(batch, -1, -1)], 1)
        x = block(x)
    return (visual.ln_post(x[:, 0]) @ visual.proj)[None]
