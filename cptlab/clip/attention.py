"""The pieces of one pre-norm transformer block, so that both towers can choose rows and keys.

A tower may need queries for a few rows only, or keys that several sequences share. open_clip's
block offers neither, so its sub-modules are called one by one here. All functions broadcast over
leading dimensions; ``w`` is the width, ``L`` a number of tokens.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from cptlab.clip.guard import open_clip

Block = open_clip.transformer.ResidualAttentionBlock
Update = Callable[[int, Tensor], Tensor]
"""What is added to a projection (0 query, 1 key, 2 value) of given tokens."""


def query(block: Block, normed: Tensor, update: Update | None = None) -> Tensor:
    """Queries (..., L, w) of tokens (..., L, w) that have passed the block's ``ln_1``."""
    width = normed.shape[-1]
    q = F.linear(normed, block.attn.in_proj_weight[:width], block.attn.in_proj_bias[:width])
    return q if update is None else q + update(0, normed)


def key_value(block: Block, normed: Tensor, update: Update | None = None) -> tuple[Tensor, Tensor]:
    """Keys and values, each (..., L, w), of tokens (..., L, w) that have passed ``ln_1``."""
    width = normed.shape[-1]
    keys, values = F.linear(
        normed, block.attn.in_proj_weight[width:], block.attn.in_proj_bias[width:]
    ).chunk(2, dim=-1)
    if update is None:
        return keys, values
    return keys + update(1, normed), values + update(2, normed)


def concatenate(first: Tensor, second: Tensor) -> Tensor:
    """Join (..., M, w) and (..., L, w) to (..., M + L, w); leading dimensions broadcast."""
    lead = torch.broadcast_shapes(first.shape[:-2], second.shape[:-2])
    return torch.cat([first.expand(*lead, -1, -1), second.expand(*lead, -1, -1)], dim=-2)


def attend(block: Block, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Multi-head attention of queries (..., Q, w) over keys and values (..., L, w).

    Args:
        q: its leading dimensions broadcast to those of ``k``.
        mask: bool (Q, L), or (..., Q, L) with leading dimensions that broadcast to those of ``k``;
            True where a query may look. None allows everything.

    Returns:
        (..., Q, w), heads merged, before the output projection.
    """
    lead, heads = k.shape[:-2], block.attn.num_heads

    def split(x: Tensor) -> Tensor:  # four dimensions: the shape that the fused kernels take
        return x.reshape(-1, x.shape[-2], heads, x.shape[-1] // heads).transpose(1, 2)

    q = q.expand(*lead, -1, -1)
    if mask is not None and mask.ndim > 2:
        mask = mask.expand(*lead, -1, -1).flatten(0, -3).unsqueeze(1)  # the same for every head
    out = F.scaled_dot_product_attention(split(q), split(k), split(v), attn_mask=mask)
    return out.transpose(1, 2).reshape(q.shape)


def finish(block: Block, x: Tensor, attended: Tensor) -> Tensor:
    """The rest of the block: output projection, residual and MLP on (..., L, w)."""
    x = x + block.ls_1(block.attn.out_proj(attended))
    return x + block.ls_2(block.mlp(block.ln_2(x)))
