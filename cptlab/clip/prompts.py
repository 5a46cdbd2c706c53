"""Learnable tokens of both towers: their shape, start values and files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from cptlab.clip.backbone import Backbone
from cptlab.clip.sentences import CONTEXT_INIT, starts_from_words

INIT_STD = 0.02  # of every token that does not start from a word
PARTS = ("text", "vision", "extra")


@dataclass(frozen=True)
class PromptShape:
    """Number of learnable tokens per layer and number of prompted layers, per tower.

    Depth counts the input layer: 1 is shallow, J means the input and blocks 1 to J - 1. Zero tokens
    or depth 0 mean no prompts in that tower.

    Raises:
        ValueError: for negative numbers.
    """

    text_tokens: int = 4
    text_depth: int = 9
    vision_tokens: int = 4
    vision_depth: int = 9

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 0:
                raise ValueError(f"{name} is {value}: give 0 (none) or a positive number.")

    def __bool__(self) -> bool:
        """Whether there are any tokens."""
        return bool(self.text_tokens * self.text_depth or self.vision_tokens * self.vision_depth)

    def check(self, backbone: Backbone) -> None:
        """Raise ValueError if the backbone has fewer layers, or room for fewer text tokens."""
        if self.text_tokens > backbone.context_length - 4:  # start, a name, full stop, end
            raise ValueError(
                f"{self.text_tokens} text tokens leave no room for a class name: {backbone.name} "
                f"reads {backbone.context_length} tokens."
            )
        for tower, depth, layers in (
            ("text", self.text_depth, backbone.text_layers),
            ("vision", self.vision_depth, backbone.vision_layers),
        ):
            if depth > layers:
                raise ValueError(
                    f"{tower}_depth is {depth}, but the {tower} tower of {backbone.name} has "
                    f"{layers} layers: choose {tower}_depth of at most {layers}."
                )


class Prompts(nn.Module):
    """Learnable tokens: ``text[i]`` is (R, n, text width), ``vision[i]`` (R, m, vision width).

    R replicas are R independent sets of prompts that are trained side by side. ``extra`` holds what
    else a method learns by name, each (R, ...); what does not require a gradient is kept as it is.
    """

    def __init__(
        self,
        text: Sequence[Tensor],
        vision: Sequence[Tensor],
        extra: Mapping[str, Tensor] = MappingProxyType({}),
    ):
        super().__init__()
        self.text = nn.ParameterList(text)
        self.vision = nn.ParameterList(vision)
        self.extra = nn.ParameterDict({k: _parameter(v) for k, v in extra.items()})

    @property
    def replicas(self) -> int:
        """R; 1 if there is nothing."""
        return next((len(p) for p in self.parameters()), 1)

    def replica(self, r: int) -> "Prompts":
        """A copy of one replica's prompts, as the only one."""

        def one(tensor: nn.Parameter) -> nn.Parameter:
            return nn.Parameter(tensor[r : r + 1].detach().clone(), tensor.requires_grad)

        text, vision = ([one(t) for t in tower] for tower in (self.text, self.vision))
        return Prompts(text, vision, {name: one(t) for name, t in self.extra.items()})

    def learned(self) -> list[nn.Parameter]:
        """The parameters that training changes."""
        return [p for p in self.parameters() if p.requires_grad]

    def count(self) -> int:
        """Number of trained parameters of one replica."""
        return sum(p[0].numel() for p in self.learned())


def init_prompts(
    backbone: Backbone,
    shape: PromptShape,
    generators: Sequence[torch.Generator],
    context_init: str | None = CONTEXT_INIT,
    extra: Callable[[Backbone, torch.Generator], dict[str, Tensor]] | None = None,
) -> Prompts:
    """Start values: first text layer from words, other tokens N(0, 0.02^2), float32.

    Args:
        generators: one per replica, so that each replica starts as it would alone.
        context_init: words whose first ``text_tokens`` token embeddings start the first text layer,
            if there are as many words; otherwise, or with None, it is random too (as in CoOp).
        extra: start of what else one replica learns, drawn after its tokens.

    Raises:
        ValueError: if the shape does not fit the backbone, or no generator is given.
    """
    shape.check(backbone)
    if not generators:
        raise ValueError("No generator given: pass one torch.Generator per replica.")

    def draw(count: int, depth: int, width: int) -> list[Tensor]:
        """Layers of (R, count, width); replica r uses generator r alone."""
        if count == 0:
            return []
        draws = [
            torch.randn(depth, count, width, generator=g, device=g.device).to(backbone.device)
            for g in generators
        ]
        return [torch.stack(layer) * INIT_STD for layer in zip(*draws, strict=True)]

    text = draw(shape.text_tokens, shape.text_depth, backbone.text_width)
    vision = draw(shape.vision_tokens, shape.vision_depth, backbone.vision_width)
    if text and starts_from_words(shape.text_tokens, context_init):
        ids = torch.tensor(backbone.tokenizer.encode(context_init)[: shape.text_tokens])
        embeddings = backbone.token_embedding[ids.to(backbone.device)].float()
        text[0] = embeddings.repeat(len(generators), 1, 1)
    others = [extra(backbone, g) if extra else {} for g in generators]
    return Prompts(text, vision, stacked(others, backbone.device))


def kept(tensor: Tensor) -> nn.Parameter:
    """A value of `extra` that is stored with what is learned and does not change."""
    return nn.Parameter(tensor, requires_grad=False)


def stacked(
    replicas: Sequence[Mapping[str, Tensor]], device: torch.device
) -> dict[str, nn.Parameter]:
    """Start values of each replica by name as (R, ...); learned unless they are `kept`."""
    return {
        name: nn.Parameter(
            torch.stack([values[name] for values in replicas]).to(device),
            first.is_floating_point()
            and (first.requires_grad or not isinstance(first, nn.Parameter)),
        )
        for name, first in replicas[0].items()
    }


def _parameter(value: Tensor) -> Tensor:
    """Whole numbers, such as labels, cannot be learned."""
    return value if value.is_floating_point() else kept(value)


def check_tokens(tokens: Sequence[Tensor], width: int, layers: int, tower: str) -> None:
    """Raise ValueError unless the token layers are alike (R, n, width) and no more than ``layers``.

    ``tower`` is "text" or "vision", for the message.
    """
    if len(tokens) > layers:
        raise ValueError(
            f"{len(tokens)} layers of {tower} tokens, but the {tower} tower has {layers} layers."
        )
    for i, layer in enumerate(tokens):
        if layer.ndim < 3 or layer.shape[-1] != width or layer.shape != tokens[0].shape:
            raise ValueError(
                f"The {tower} tokens of layer {i} have shape {tuple(layer.shape)}; expected "
                f"(replicas, tokens, {width}), the same in every layer."
            )


def save_prompts(prompts: Prompts, path: str | Path) -> None:
    """Write the learned tokens, and nothing else, as safetensors.

    Raises:
        OSError: if the disk is full or takes no file (`save_file` would raise something else).
    """
    state = {k: v.detach().contiguous() for k, v in prompts.state_dict().items()}
    Path(path).write_bytes(save(state))


def load_prompts(path: str | Path) -> Prompts:
    """Read what ``save_prompts`` wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file cannot be read or holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No prompts at {path}: check the path, or train them first.")
    try:
        state = load_file(path)
        towers = {tower: _layers(state, tower) for tower in ("text", "vision")}
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"{path} holds no prompts ({error}): save them again.") from error
    extra = {k.partition(".")[2]: v for k, v in state.items() if k.startswith("extra.")}
    return Prompts(**towers, extra=extra)


def _layers(state: dict[str, Tensor], tower: str) -> list[Tensor]:
    """Layers 0, 1, ... of a tower out of a state dict; KeyError for foreign or missing keys."""
    if foreign := [key for key in state if key.split(".")[0] not in PARTS]:
        raise KeyError(f"unknown entry {foreign[0]}")
    return [state[f"{tower}.{i}"] for i in range(sum(k.startswith(f"{tower}.") for k in state))]
