"""CLIP-LoRA (Zanella and Ben Ayed, CVPR 2024 workshops): low-rank updates of both towers."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor

from cptlab.clip import Backbone, Dropout, LowRank, Prompts, PromptShape
from cptlab.methods.base import NO_PROMPTS, Method, Row, Tower
from cptlab.methods.schedule import Schedule

TOWERS: tuple[Tower, ...] = ("text", "vision")


@dataclass(frozen=True)
class CLIPLoRA(Method):
    """Low-rank updates of the query, key and value projections of every block; cross-entropy.

    A projection W gives W x + alpha / sqrt(rank) B A x, with A (rank, width) and B (width, rank)
    learned and W frozen (LoRA, Hu et al. 2022, eq. 3; they divide by the rank, the public code by
    its square root). A starts uniform in +-1 / sqrt(width), B at zero, so that training starts from
    the frozen CLIP.

    In training steps an entry of x is dropped with the chance `dropout`, on the way to A alone,
    anew for each projection, image, class and token. The classes' sentences then have prefixes of
    their own in the text tower; in tests, and without dropout, they share one.

    where: the towers that are updated. blocks: their numbers, from 0, in each of these towers;
    empty for all of them, as published.

    It was published for few-shot learning alone: 500 steps for every shot, whatever the number of
    classes. Here shots are the images of the most frequent class, as many as it has, so that a long
    tail has as many steps. All sentences are "a photo of a {}.", as in the public code's runs.

    What differs from the public code: it computes in half precision and scales the gradient; its
    rate ends at 1e-6, here at 0; the last batch of an epoch may be smaller there and is left out
    here, and the last epoch is cut short there and rounded here; logits are scaled by 100 there, by
    the backbone's own factor here (the same in OpenAI's CLIP). Without dropout, its gradients
    through updated projections are those of the frozen weights; here they are the true ones.
    """

    name: ClassVar[str] = "clip_lora"
    rows: ClassVar[tuple[Row, ...]] = (Row("CLIP-LoRA", "#1E00A5", (7, 1, 0)),)
    rank: int = 2
    alpha: float = 1.0
    dropout: float = 0.25
    where: Literal["both", "text", "vision"] = "both"
    blocks: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.rank, int) and self.rank < 1:
            raise ValueError(f"rank is {self.rank}: give 1 or more, such as 2.")
        if isinstance(self.blocks, tuple) and len(set(self.blocks)) < len(self.blocks):
            raise ValueError(f"blocks is {self.blocks}: name each once.")
        if isinstance(self.dropout, int | float) and not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}: give a chance of at least 0, below 1.")
        super().__post_init__()

    def schedule(self) -> Schedule:
        return Schedule(
            lr=2e-4,
            batch_size=32,
            weight_decay=0.01,
            optimiser="adamw",
            annealing="steps",
            steps_per_shot=500,
        )

    def prompt_shape(self) -> PromptShape:
        return NO_PROMPTS

    def learns(self) -> bool:
        return True

    def adapted_towers(self) -> tuple[Tower, ...]:
        return TOWERS if self.where == "both" else (self.where,)

    def check(self, backbone: Backbone, n_classes: int) -> None:
        super().check(backbone, n_classes)
        for tower in self.adapted_towers():
            width, layers = _size(backbone, tower)
            if self.rank > width:
                raise ValueError(
                    f"rank is {self.rank}, but the {tower} tower of {backbone.name} is {width} "
                    f"wide: choose a rank of at most {width}, such as 2."
                )
            if strange := [block for block in self.blocks if block not in range(layers)]:
                raise ValueError(
                    f"blocks has {strange[0]}, but the {tower} tower of {backbone.name} has blocks "
                    f"0 to {layers - 1}: choose from these, or where='text' or 'vision'."
                )

    def extra(self, backbone: Backbone, generator: Generator) -> dict[str, Tensor]:
        start = {}
        for tower in self.adapted_towers():
            width, layers = _size(backbone, tower)
            shape = (len(self.blocks) or layers, 3, self.rank, width)
            drawn = torch.rand(shape, generator=generator, device=generator.device)
            start[f"{tower}_down"] = (2 * drawn - 1) / width**0.5
            start[f"{tower}_up"] = torch.zeros(*shape[:2], width, self.rank)
        return start

    def low_rank(
        self, prompts: Prompts, tower: Tower, uniform: Tensor | None = None
    ) -> dict[int, LowRank]:
        if tower not in self.adapted_towers():
            return {}
        down, up = (prompts.extra[f"{tower}_{part}"].unbind(1) for part in ("down", "up"))
        scale = self.alpha / self.rank**0.5
        drops = uniform is not None and self.dropout > 0
        updates = {}
        for i, block in enumerate(self.blocks or range(len(down))):
            place = 2 * block + TOWERS.index(tower)
            dropout = Dropout(self.dropout, uniform, place) if drops else None
            updates[block] = LowRank(down[i], up[i], scale, dropout)
        return updates


def _size(backbone: Backbone, tower: Tower) -> tuple[int, int]:
    """Width and number of blocks of a tower."""
    if tower == "text":
        return backbone.text_width, backbone.text_layers
    return backbone.vision_width, backbone.vision_layers
