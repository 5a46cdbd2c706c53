"""Context tokens on their way into a text tower: what goes into which block, and how."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from cptlab.clip.attention import concatenate
from cptlab.clip.backbone import Backbone
from cptlab.clip.prompts import check_tokens


def context_by_block(
    backbone: Backbone,
    n_tokens: int,
    n_classes: int,
    tokens: Sequence[Tensor],
    class_tokens: Mapping[int, Tensor],
) -> dict[int, Tensor]:
    """The context that each block receives.

    Args:
        n_tokens: n, the number of positions that context takes.
        n_classes: K
        tokens: for blocks 0, 1, ..., each (..., n, text width), shared by all classes.
        class_tokens: block -> (..., K, n, text width), one set per class. Where a block has both
            kinds, these win.

    Returns:
        Block -> (..., 1 or K, n, text width); block 0 means the input.

    Raises:
        ValueError: for tokens that do not fit the backbone, the tower or each other.
    """
    check_tokens(tokens, backbone.text_width, backbone.text_layers, "text")
    if tokens and tokens[0].shape[-2] != n_tokens:
        raise ValueError(
            f"This text tower was built for {n_tokens} context tokens and got "
            f"{tokens[0].shape[-2]}: build it with n_tokens={tokens[0].shape[-2]}."
        )
    expected = (n_classes, n_tokens, backbone.text_width)
    for block, layer in class_tokens.items():
        if block not in range(backbone.text_layers):
            raise ValueError(
                f"Class tokens are given for text block {block}, but {backbone.name} has blocks 0 "
                f"to {backbone.text_layers - 1}."
            )
        if layer.shape[-3:] != expected:
            raise ValueError(
                f"The class tokens of text block {block} have shape {tuple(layer.shape)}; this "
                f"text tower needs (replicas, {n_classes} classes, {n_tokens} tokens, width "
                f"{backbone.text_width})."
            )
    context = {i: layer.unsqueeze(-3) for i, layer in enumerate(tokens)} | dict(class_tokens)
    replicas = [layer.shape[:-3] for layer in context.values()]
    try:
        torch.broadcast_shapes(*replicas)
    except RuntimeError as error:
        sizes = ", ".join(str(tuple(shape)) for shape in dict.fromkeys(replicas))
        raise ValueError(
            f"Context tokens come for different numbers of replicas, {sizes}: give the same "
            "number everywhere, or 1."
        ) from error
    return context


def replace_context(x: Tensor, context: Tensor) -> Tensor:
    """Put context (..., n, w) in positions 1 to n of x (..., L, w); leading dimensions broadcast.

    The result has the dtype of x: under autocast, a layer that makes context gives a lower one.
    """
    rest = x[..., 1 + context.shape[-2] :, :]
    return concatenate(concatenate(x[..., :1, :], context.to(x.dtype)), rest)
