"""The image tower with learnable visual tokens, equal to the plain one when there are none.

The tokens join behind the patches, after the positions are added and before ``ln_pre``; each deeper
layer of tokens replaces them (deep visual prompt tuning, Jia et al. 2022; so in IVLP and MaPLe).
"""

from collections.abc import Sequence
from types import MappingProxyType

import torch
from torch import Tensor

from cptlab.clip.attention import attend, concatenate, finish, key_value, query
from cptlab.clip.backbone import Backbone
from cptlab.clip.low_rank import Updates, check_updates, update_of
from cptlab.clip.prompts import check_tokens


class ImageTower:
    """Prompted image features of a frozen backbone.

    Exact savings: tokens that the next layer discards give keys and values only, once per replica
    and not per image; the last block computes the class token's row alone.
    """

    def __init__(self, backbone: Backbone):
        self.backbone = backbone

    def __call__(
        self,
        images: Tensor,
        tokens: Sequence[Tensor] = (),
        updates: Updates = MappingProxyType({}),
    ) -> Tensor:
        """Encode images.

        Args:
            images: (R or 1, B, 3, H, W), normalised with the backbone's mean and std.
            tokens: visual tokens of layers 0, 1, ..., each (R, m, vision width); empty for none.
            updates: block -> low-rank updates of its projections, for R replicas.

        Returns:
            Features (R, B, d), not normalised.

        Raises:
            ValueError: for images, tokens or updates that do not fit the backbone or each other.
        """
        model = self.backbone
        size = model.image_size
        if images.ndim < 5 or images.shape[-3:] != (3, size, size):
            raise ValueError(
                f"Images have shape {tuple(images.shape)}, but {model.name} needs "
                f"(replicas or 1, batch, 3, {size}, {size}): resize them or add the replica axis."
            )
        check_tokens(tokens, model.vision_width, model.vision_layers, "vision")
        check_updates(updates, model.vision_width, model.vision_layers, "vision")
        if tokens and images.shape[:-4] not in (tokens[0].shape[:-2], (1,)):
            raise ValueError(
                f"Images come for {tuple(images.shape[:-4])} replicas and visual tokens for "
                f"{tuple(tokens[0].shape[:-2])}: give one batch per replica, or one for all."
            )

        x = model.ln_pre(self._embed(images))
        # (R, 1, m, w): the same tokens for every image of the batch; the first layer passes ln_pre.
        # Under autocast a layer that makes tokens gives them in a lower precision than x.
        tokens = [t.unsqueeze(-3).to(x.dtype) for t in tokens]
        tokens[:1] = [model.ln_pre(t) for t in tokens[:1]]
        own = x.shape[-2]  # class token and patches
        numbers = _numbers(x.shape[-3], own + sum(t.shape[-2] for t in tokens[:1]), x.device)

        for i, block in enumerate(model.vision_blocks):
            last = i == model.vision_layers - 1
            tokens_flow_on = i == len(tokens) - 1 and not last
            if tokens_flow_on:
                x = concatenate(x, tokens[i])
            normed = block.ln_1(x)
            given = numbers[:, : x.shape[-2]]
            k, v = key_value(block, normed, update_of(updates, i, given))
            if i < len(tokens) and not tokens_flow_on:
                update = update_of(updates, i, numbers[:, own:])
                token_k, token_v = key_value(block, block.ln_1(tokens[i]), update)
                k, v = concatenate(k, token_k), concatenate(v, token_v)
            rows = slice(0, 1) if last else slice(None)
            q = query(block, normed[..., rows, :], update_of(updates, i, given[:, rows]))
            attended = attend(block, q, k, v)
            x = finish(block, x[..., rows, :], attended)

        return model.ln_post(x[..., 0, :]) @ model.vision_projection

    def _embed(self, images: Tensor) -> Tensor:
        """Class token and patches with their positions, (..., B, 1 + patches, vision width)."""
        model = self.backbone
        patches = model.conv1(images.flatten(0, -4)).flatten(-2).transpose(-2, -1)
        patches = patches.unflatten(0, images.shape[:-3]).to(model.class_embedding.dtype)
        return concatenate(model.class_embedding[None], patches) + model.vision_positions


def _numbers(images: int, tokens: int, device: torch.device) -> Tensor:
    """Number of every token among those of all images, int32 (images, tokens)."""
    numbers = torch.arange(images * tokens, dtype=torch.int32, device=device)
    return numbers.view(images, tokens)
