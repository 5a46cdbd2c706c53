"""Which open_clip models the towers reproduce exactly, and which text tower may share work."""

from typing import Any

import torch
from torch import Tensor, nn

from cptlab.clip.attention import Block
from cptlab.clip.guard import open_clip


def reason_against_name(config: dict[str, Any]) -> str | None:
    """The same from open_clip's configuration of a model, so that no weights are fetched in vain.

    It knows the kinds of towers only; `reason_to_refuse` looks at the model itself.
    """
    vision, text = config["vision_cfg"], config["text_cfg"]
    if isinstance(vision.get("layers"), list):
        return "its image tower is a ResNet"
    if "timm_model_name" in vision:
        return f"its image tower is timm's {vision['timm_model_name']}"
    if "hf_model_name" in text:
        return f"its text tower is Hugging Face's {text['hf_model_name']}"
    return None


def reason_to_refuse(model: nn.Module, tokenizer: object) -> str | None:
    """Why no tower can serve this model exactly, as half a sentence; None if one can."""
    if type(model) is not open_clip.CLIP:
        return f"{type(model).__name__} has another text tower than CLIP's own"
    visual = model.visual
    if type(visual) is not open_clip.transformer.VisionTransformer:
        return f"its image tower is a {type(visual).__name__}, no plain vision transformer"
    if not isinstance(tokenizer, open_clip.SimpleTokenizer) or tokenizer.reduction_fn is not None:
        return "its tokenizer is not CLIP's own"
    if model.token_embedding.num_embeddings != tokenizer.vocab_size:
        return "its vocabulary is not that of its tokenizer"
    if model.text_pool_type == "none":
        return "it gives one text feature per token, not one per sentence"
    if model.text_pool_type == "eos" and model.text_eos_id != tokenizer.eot_token_id:
        return f"it looks for end token {model.text_eos_id}, which its tokenizer does not write"
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
    if any(type(b) is not Block for b in blocks):
        return "its transformer blocks are not the standard ones"
    return None


def reason_against_sharing(
    model: open_clip.CLIP, tokenizer: open_clip.SimpleTokenizer
) -> str | None:
    """Why this model's sentences cannot share a prefix or lose their padding, as half a sentence.

    None if they can. With a reason, a model that ``reason_to_refuse`` lets pass is left to
    ``PlainTextTower``.
    """
    mask = model.attn_mask
    if not isinstance(mask, Tensor) or not mask.equal(torch.full_like(mask, -torch.inf).triu(1)):
        return "its text tower is not causal"
    # "argmax" reads at the largest id, which is the end token of CLIP's own vocabulary
    end_ids = {"argmax": tokenizer.vocab_size - 1, "eos": model.text_eos_id}
    if end_ids.get(model.text_pool_type) != tokenizer.eot_token_id:
        return "its text feature is not read at the end token"
    return None
