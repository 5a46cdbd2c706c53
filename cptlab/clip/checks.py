"""Which open_clip models the towers reproduce exactly."""

from typing import Any

import torch
from torch import Tensor, nn

from cptlab.clip.guard import open_clip


def reason_to_refuse(model: nn.Module, tokenizer: Any) -> str | None:
    """Why the towers cannot serve this model exactly, as half a sentence; None if they can."""
    if type(model) is not open_clip.CLIP:
        return f"{type(model).__name__} has another text tower than CLIP's own"
    visual, mask = model.visual, model.attn_mask
    if type(visual) is not open_clip.transformer.VisionTransformer:
        return f"its image tower is a {type(visual).__name__}, no plain vision transformer"
    if mask is None or not mask.equal(torch.full_like(mask, -torch.inf).triu(1)):
        return "its text tower is not causal"
    if not isinstance(tokenizer, open_clip.SimpleTokenizer) or tokenizer.reduction_fn is not None:
        return "its tokenizer is not CLIP's own"
    if model.token_embedding.num_embeddings != tokenizer.vocab_size:
        return "its vocabulary is not that of its tokenizer"
    # "argmax" reads at the largest id, which is the end token of CLIP's own vocabulary
    end_ids = {"argmax": tokenizer.vocab_size - 1, "eos": model.text_eos_id}
    if end_ids.get(model.text_pool_type) != tokenizer.eot_token_id:
        return "its text feature is not read at the end token"
    if not isinstance(model.text_projection, Tensor):
        return "its text projection is not a plain matrix"
    if model.logit_bias is not None:
        return "it has a logit bias, as models with a sigmoid loss do"
    if visual.attn_pool is not None or visual.pool_type != "tok" or visual.output_tokens:
        return "its image feature is not read at the class token alone"
    if not isinstance(visual.patch_dropout, nn.Identity):
        return "it drops patches at random"
    if visual.image_size[0] != visual.image_size[1]:
        return "its images are not square"
    blocks = [*model.transformer.resblocks, *visual.transformer.resblocks]
    if any(type(b) is not open_clip.transformer.ResidualAttentionBlock for b in blocks):
        return "its transformer blocks are not the standard ones"
    return None
