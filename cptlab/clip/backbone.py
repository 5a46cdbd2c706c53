"""The frozen CLIP behind everything.

open_clip builds, loads and tokenises; nothing outside this package sees it. ``Backbone`` gives
the towers one uniform view of its models; ``wrap`` refuses those that they could not reproduce.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, nn

from cptlab.clip.attention import Block
from cptlab.clip.checks import reason_to_refuse
from cptlab.clip.guard import open_clip

Precision = Literal["fp32", "bf16"]
CHOOSE = "Choose a plain CLIP with a vision transformer, such as EmojiCLIP or ViT-B-16-quickgelu."


@dataclass(frozen=True)
class Backbone:
    """A frozen open_clip CLIP with its tokenizer; made by ``load`` or ``wrap``.

    ``w`` is the text width, ``vw`` the vision width, ``d`` the dimension of the joint space, ``L``
    the context length, ``V`` the vocabulary, ``N`` the number of patches. ``precision`` "bf16" says
    that the weights of linear layers are stored in it, for use under autocast.
    """

    name: str
    model: open_clip.CLIP
    tokenizer: open_clip.SimpleTokenizer
    precision: Precision = "fp32"

    def autocast(self) -> torch.autocast:
        """Context in which the towers compute in this backbone's precision."""
        # The frozen weights are stored in low precision, so there is no cast to remember.
        enabled = self.precision == "bf16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled, cache_enabled=False)

    @property
    def device(self) -> torch.device:
        return self.text_positions.device

    @property
    def embed_dim(self) -> int:
        """d"""
        return self.text_projection.shape[1]

    @cached_property
    def logit_scale(self) -> float:
        """The multiplier of cosines (the model stores its logarithm); read from the device once."""
        return self.model.logit_scale.detach().double().exp().item()

    @property
    def context_length(self) -> int:
        """L, start and end tokens included."""
        return self.model.context_length

    @property
    def text_blocks(self) -> Sequence[Block]:
        return self.model.transformer.resblocks

    @property
    def text_layers(self) -> int:
        return len(self.text_blocks)

    @property
    def text_width(self) -> int:
        return self.text_positions.shape[1]

    @property
    def token_embedding(self) -> Tensor:
        """(V, w)"""
        return self.model.token_embedding.weight

    @property
    def text_positions(self) -> Tensor:
        """(L, w)"""
        return self.model.positional_embedding

    @property
    def ln_final(self) -> nn.Module:
        return self.model.ln_final

    @property
    def text_projection(self) -> Tensor:
        """(w, d)"""
        return self.model.text_projection

    @property
    def vision_blocks(self) -> Sequence[Block]:
        return self.model.visual.transformer.resblocks

    @property
    def vision_layers(self) -> int:
        return len(self.vision_blocks)

    @property
    def vision_width(self) -> int:
        return self.class_embedding.shape[0]

    @property
    def image_size(self) -> int:
        """Side of the square input image in pixels."""
        return self.model.visual.image_size[0]

    @property
    def mean(self) -> tuple[float, ...]:
        """Channel means of the input normalisation, for pixels in 0 to 1."""
        return tuple(getattr(self.model.visual, "image_mean", open_clip.OPENAI_DATASET_MEAN))

    @property
    def std(self) -> tuple[float, ...]:
        """Channel standard deviations of the input normalisation."""
        return tuple(getattr(self.model.visual, "image_std", open_clip.OPENAI_DATASET_STD))

    @property
    def conv1(self) -> nn.Conv2d:
        return self.model.visual.conv1

    @property
    def class_embedding(self) -> Tensor:
        """(vw,)"""
        return self.model.visual.class_embedding

    @property
    def vision_positions(self) -> Tensor:
        """(1 + N, vw)"""
        return self.model.visual.positional_embedding

    @property
    def ln_pre(self) -> nn.Module:
        return self.model.visual.ln_pre

    @property
    def ln_post(self) -> nn.Module:
        return self.model.visual.ln_post

    @property
    def vision_projection(self) -> Tensor:
        """(vw, d)"""
        return self.model.visual.proj

    def tokenize(self, sentences: Sequence[str]) -> Tensor:
        """Token ids (K, L), int64, zero behind the end token.

        Raises:
            ValueError: if a sentence does not fit; it is never cut.
        """
        for sentence in sentences:
            length = len(self.tokenizer.encode(sentence)) + 2  # start and end
            if length > self.context_length:
                shown = sentence if len(sentence) < 400 else f"{sentence[:60]} ... {sentence[-60:]}"
                raise ValueError(
                    f'"{shown}" has {length} tokens and {self.name} reads at most '
                    f"{self.context_length}: shorten this class name or description, or "
                    "take fewer context tokens."
                )
        return self.tokenizer(list(sentences), context_length=self.context_length)

    def sentence_lengths(self, token_ids: Tensor) -> Tensor:
        """Lengths (K,) of token ids (K, up to L) up to and with the first end token.

        Raises:
            ValueError: for another shape, or a sentence without end token.
        """
        if token_ids.ndim != 2 or not len(token_ids) or token_ids.shape[1] > self.context_length:
            raise ValueError(
                f"Token ids have shape {tuple(token_ids.shape)}; expected (classes, tokens) with "
                f"at least one class and at most {self.context_length} tokens."
            )
        ends = token_ids == self.tokenizer.eot_token_id
        if not ends.any(1).all():
            missing = int((~ends.any(1)).nonzero()[0])
            raise ValueError(f"Sentence {missing} has no end token: use Backbone.tokenize().")
        return ends.int().argmax(1) + 1


def wrap(model: nn.Module, tokenizer: object, name: str, precision: Precision = "fp32") -> Backbone:
    """Freeze a CLIP, put it in evaluation mode and check that there are towers to serve it exactly.

    With "bf16" the linear layers' weights are cast in place, the others stay as they are.

    Raises:
        ValueError: with the reason, for any architecture but a plain CLIP with a vision
            transformer.
    """
    if reason := reason_to_refuse(model, tokenizer):
        raise ValueError(f"{name} cannot be used: {reason}. {CHOOSE}")
    model.eval().requires_grad_(False)
    if precision == "bf16":
        open_clip.convert_weights_to_lp(model, torch.bfloat16)
    # reason_to_refuse has seen that both are of the types that a backbone takes
    return Backbone(name, model, tokenizer, precision)  # ty: ignore[invalid-argument-type]
