"""The frozen CLIP behind everything.

open_clip builds, loads and tokenises; nothing outside this package sees it. ``Backbone`` gives
the towers one uniform view of its models; ``wrap`` refuses those that they could not reproduce.
"""

import difflib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cptlab.clip.checks import reason_to_refuse
from cptlab.clip.guard import open_clip
from cptlab.clip.weights import load_compact

EMOJI_NAME = "EmojiCLIP"
EMOJI_CONFIG = Path(__file__).parents[1] / "emoji" / "EmojiCLIP.json"
EMOJI_WEIGHTS = EMOJI_CONFIG.with_suffix(".safetensors")


@dataclass(frozen=True)
class Backbone:
    """A frozen open_clip CLIP with its tokenizer; make one with ``load`` or ``wrap``.

    ``w`` is the text width, ``vw`` the vision width, ``d`` the dimension of the joint space, ``L``
    the context length, ``V`` the vocabulary, ``N`` the number of patches.
    """

    name: str
    model: nn.Module
    tokenizer: Any

    @property
    def device(self) -> torch.device:
        return self.text_positions.device

    @property
    def embed_dim(self) -> int:
        """d"""
        return self.text_projection.shape[1]

    @property
    def logit_scale(self) -> float:
        """The multiplier of cosines (the model stores its logarithm)."""
        return self.model.logit_scale.detach().double().exp().item()

    @property
    def context_length(self) -> int:
        """L, start and end tokens included."""
        return self.model.context_length

    @property
    def text_blocks(self) -> nn.ModuleList:
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
    def vision_blocks(self) -> nn.ModuleList:
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
                raise ValueError(
                    f'"{sentence}" has {length} tokens and {self.name} reads at most '
                    f"{self.context_length}: shorten this class name or description."
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


def weights_id(name: str, pretrained: str | None = None) -> str:
    """Identity of a backbone's weights: a hash of their file, or "name/tag" for downloaded ones."""
    path = EMOJI_WEIGHTS if name == EMOJI_NAME and pretrained is None else Path(pretrained or "")
    if not path.is_file():
        return f"{name}/{pretrained}"
    return _file_hash(path, path.stat().st_mtime_ns)


@lru_cache
def _file_hash(path: Path, changed: int) -> str:
    """`changed` is there so that a file that was replaced is read again."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def wrap(model: nn.Module, tokenizer: Any, name: str) -> Backbone:
    """Freeze a CLIP, put it in evaluation mode and check that the towers can serve it exactly.

    Raises:
        ValueError: with the reason, for any architecture but a plain CLIP with a vision
            transformer.
    """
    if reason := reason_to_refuse(model, tokenizer):
        raise ValueError(
            f"{name} cannot be used: {reason}. Choose a plain CLIP with a vision transformer, "
            f"such as {EMOJI_NAME} or ViT-B-16-quickgelu."
        )
    model.eval().requires_grad_(False)
    return Backbone(name, model, tokenizer)


def load(
    name: str = EMOJI_NAME, pretrained: str | None = None, device: str | torch.device = "cpu"
) -> Backbone:
    """Load a pretrained CLIP, float32 and frozen. Never returns random weights.

    Args:
        name: "EmojiCLIP" (packaged with the project), or one of open_clip's model names.
        pretrained: open_clip's tag for the weights, or the path of a checkpoint. For EmojiCLIP
            the path of another compact weight file; None means the packaged one.

    Raises:
        FileNotFoundError: if EmojiCLIP's weight file is missing.
        ValueError: for unknown names or tags, unusable weights or an unsupported architecture.
    """
    if name == EMOJI_NAME:
        model = _emoji_clip(Path(pretrained) if pretrained else EMOJI_WEIGHTS)
    else:
        _check_name(name, pretrained)
        model = _open_clip_model(name, pretrained)
    return wrap(model.to(device), open_clip.get_tokenizer(name), name)


def _emoji_clip(path: Path) -> nn.Module:
    if EMOJI_NAME not in open_clip.list_models():
        open_clip.add_model_config(EMOJI_CONFIG)
    state = load_compact(path)
    # Start values are drawn before weights replace them: spare the caller's random state.
    with torch.random.fork_rng(devices=[]):
        model = open_clip.CLIP(**open_clip.get_model_config(EMOJI_NAME))
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"{path} does not hold weights of {EMOJI_NAME}: {error}") from error
    return model


def _open_clip_model(name: str, pretrained: str | None) -> nn.Module:
    try:
        with torch.random.fork_rng(devices=[]):
            return open_clip.create_model(name, pretrained=pretrained, require_pretrained=True)
    except Exception as error:  # network, file, pickle or shapes: for the user it is one thing
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f'The weights "{pretrained}" of {name} could not be loaded: {reason}'
        ) from error


def _check_name(name: str, pretrained: str | None) -> None:
    """Raise ValueError unless open_clip knows the name and the weights go with it."""
    names = [EMOJI_NAME, *open_clip.list_models()]
    if name not in names:
        close = ", ".join(difflib.get_close_matches(name, names, cutoff=0.5)) or EMOJI_NAME
        raise ValueError(f'There is no model "{name}". Did you mean: {close}?')
    tag = open_clip.get_pretrained_cfg(name, pretrained or "")
    if not tag and not (pretrained and Path(pretrained).is_file()):
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(name)) or "none"
        raise ValueError(
            f'{name} needs weights, and "{pretrained}" is neither a file nor one of its tags: '
            f"{tags}."
        )
    quick = open_clip.get_model_config(name).get("quick_gelu", False)
    if tag and tag.get("quick_gelu", False) != quick:
        right = name.removesuffix("-quickgelu") if quick else f"{name}-quickgelu"
        raise ValueError(
            f'The weights "{pretrained}" were trained with {"GELU" if quick else "QuickGELU"}, '
            f'and {name} computes another activation: use the model name "{right}".'
        )
