"""Attention among images, prototypes and texts (Candle), one module per replica."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from cptlab.methods.parts.bottleneck import Learned, linear, linear_start


def fusion_start(d: int, generator: Generator) -> dict[str, Tensor]:
    """Start as in `torch.nn.MultiheadAttention`, of a layer norm before it and its share, .1."""
    limit = (6 / (d + 3 * d)) ** 0.5  # Xavier's, of the three projections as one matrix
    return {
        "fusion_norm_weight": torch.ones(d),
        "fusion_norm_bias": torch.zeros(d),
        "fusion_in_weight": (2 * torch.rand(3 * d, d, generator=generator) - 1) * limit,
        "fusion_in_bias": torch.zeros(3 * d),
        **linear_start("fusion_out", d, d, generator, bias=False),
        "fusion_out_bias": torch.zeros(d),
        "fusion_ratio": torch.full((1,), 0.1),
    }


def fused(tokens: Tensor, learned: Learned, heads: int) -> Tensor:
    """n + ratio attention(n) of normalised tokens n: (R, L, d) -> (R, L, d), all attend to all."""
    x = _normed(tokens, learned)
    q, k, v = _projected(x, learned, heads)
    return _mixed(x, F.scaled_dot_product_attention(q, k, v), learned)


def fused_alone(
    images: Tensor, classes: Tensor, learned: Learned, heads: int
) -> tuple[Tensor, Tensor]:
    """`fused` for images that each are alone with all classes.

    What the tokens of classes give each other is computed once, and the image enters as one more
    key: a softmax over M + 1 scores is the mean of the softmax over M and the last value, weighted
    by a sigmoid of the last score less the log of the others' sum.

    Args:
        images: (R, B, d). classes: (R, M, d).

    Returns:
        Images (R, B, d), and the classes as each image has them (R, B, M, d).
    """
    x, y = _normed(images, learned), _normed(classes, learned)
    q, k, v = _projected(x, learned, heads)  # (R, heads, B, e)
    q_y, k_y, v_y = _projected(y, learned, heads)  # (R, heads, M, e)
    scale = q.shape[-1] ** -0.5
    own = (scale * (q * k).sum(-1), scale * k @ q_y.mT)  # (R, heads, B) and (R, heads, B, M)
    image = _with_one_more(scale * q @ k_y.mT, v_y, own[0], v)
    of_classes = _with_one_more(scale * q_y @ k_y.mT, v_y, own[1], v)
    return _mixed(x, image, learned), _mixed(y.unsqueeze(1), of_classes, learned)


def _with_one_more(scores: Tensor, values: Tensor, score: Tensor, value: Tensor) -> Tensor:
    """Attention over M keys and one more.

    Args:
        scores: (R, heads, N, M). values: (R, heads, M, e). score: of the key of each of B images,
            (R, heads, B, N), or (R, heads, B) where image b is query b. value: (R, heads, B, e).
    """
    others, total = scores.softmax(-1) @ values, scores.logsumexp(-1)
    if score.ndim > total.ndim:
        others, total, value = others.unsqueeze(2), total.unsqueeze(2), value.unsqueeze(3)
    share = torch.sigmoid(score - total).unsqueeze(-1)
    return others + share * (value - others)


def _normed(x: Tensor, learned: Learned) -> Tensor:
    weight, bias = (learned[f"fusion_norm_{part}"].unsqueeze(1) for part in ("weight", "bias"))
    return F.layer_norm(x, x.shape[-1:]) * weight + bias


def _projected(x: Tensor, learned: Learned, heads: int) -> list[Tensor]:
    """Queries, keys and values (R, heads, L, d / heads)."""
    parts = linear(x, learned, "fusion_in").chunk(3, -1)
    return [part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in parts]


def _mixed(x: Tensor, attended: Tensor, learned: Learned) -> Tensor:
    """x (R or 1, ..., d) and what its queries got, (R, heads, ..., e)."""
    out = linear(attended.movedim(1, -2).flatten(-2), learned, "fusion_out")
    return x + learned["fusion_ratio"].view(-1, *[1] * (out.ndim - 1)) * out
