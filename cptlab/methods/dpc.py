"""DPC, dual-prompt collaboration (CVPR 2025): a second prompt, tuned on hard negatives."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from cptlab.clip import Backbone, Prompts, PromptShape
from cptlab.methods.base import BatchOutputs, Context, Method, Row, Tokens, Use
from cptlab.methods.parts.coupling import coupled, coupling_start
from cptlab.methods.schedule import Schedule

FIRST = "first_"
"""Prefix of the names under which the prompts of the first stage are kept."""


@dataclass(frozen=True)
class DPCFirstStage(Method):
    """The prompts P of the first stage, CoOp's or MaPLe's, with plain cross-entropy."""

    name: ClassVar[str] = "dpc_first_stage"
    per_replica: ClassVar[tuple[str, ...] | None] = None
    on: Literal["coop", "maple"] = "maple"
    tokens_per_layer: int = 2
    depth: int = 9

    def prompt_shape(self) -> PromptShape:
        depth = self.depth if self.on == "maple" else 1
        return PromptShape(self.tokens_per_layer, depth, vision_tokens=0, vision_depth=0)

    def extra(self, backbone: Backbone, generator: Generator) -> dict[str, Tensor]:
        return coupling_start(backbone, self.depth, generator) if self.on == "maple" else {}

    def tokens(self, prompts: Prompts, use: Use) -> Tokens:
        vision = coupled(prompts.text, prompts.extra) if self.on == "maple" else []
        return Tokens(list(prompts.text), vision)


@dataclass(frozen=True)
class DPC(DPCFirstStage):
    """Two stages: train prompts P, freeze them, and tune a copy P' on batches of hard negatives.

    Trained and stored is the mix T = w P' + (1 - w) P, as in the public code; a step uses P', the
    base classes are tested with T, new ones with w_new P' + (1 - w_new) P. P' therefore moves
    1 / w^2 times as fast as the rate says. P stays apart and fixed, as the equations have it (in
    the release it shares memory with T).

    For every image of a batch, one training image joins from each of the `hard_negatives`
    classes that P ranks first for it. The loss is symmetric InfoNCE over the pairs of image and
    class text. Both stages have the same schedule (the release trains MaPLe's first stage at a rate
    of .005, in batches of 8 or 32) and, in transfer too, the same depth; runs train one at a time,
    because their batches differ in size. tokens_per_layer is 4 on CoOp and 2 on MaPLe in the
    paper's tables.
    """

    name: ClassVar[str] = "dpc"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("DPC (CoOp)", "#B38A57", (3, 1, 180), options={"on": "coop", "tokens_per_layer": 4}),
        Row("DPC (MaPLe)", "#587A90", (8, 1, 0), options={"on": "maple"}),
    )
    published_for: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "transfer": {"epochs": 10},
        "eurosat": {"hard_negatives": 2},
    }
    weight_base: float = 0.2
    weight_new: float = 0.0
    hard_negatives: int = 8

    def __post_init__(self) -> None:
        if self.weight_base == 0:
            raise ValueError("weight_base is 0: nothing of the second prompt would be learned.")
        super().__post_init__()

    def schedule(self) -> Schedule:
        return Schedule(epochs=20, lr=0.0035 if self.on == "maple" else 0.002, batch_size=4)

    def first_stage(self) -> DPCFirstStage:
        return DPCFirstStage(self.on, self.tokens_per_layer, self.depth)

    def second_stage(self, prompts: Prompts) -> Prompts:
        """T starts at P; the frozen copy of P lies beside it."""
        tokens = {f"text_{i}": layer for i, layer in enumerate(prompts.text)}
        first = {
            FIRST + name: torch.nn.Parameter(value.detach().clone(), requires_grad=False)
            for name, value in {**tokens, **prompts.extra}.items()
        }
        text = [layer.detach().clone() for layer in prompts.text]
        extra = {name: value.detach().clone() for name, value in prompts.extra.items()}
        return Prompts(text, [], extra | first)

    def tokens(self, prompts: Prompts, use: Use) -> Tokens:
        share = {"training": 1.0, "base": self.weight_base, "new": self.weight_new}[use]
        factor = share / self.weight_base  # P + share (P' - P), and T - P is w (P' - P)

        def mixed(name: str, value: Tensor) -> Tensor:
            first = prompts.extra[FIRST + name]
            return first + factor * (value - first)

        text = [mixed(f"text_{i}", layer) for i, layer in enumerate(prompts.text)]
        if self.on == "coop":
            return Tokens(text, [])
        projections = {k: v for k, v in prompts.extra.items() if not k.startswith(FIRST)}
        return Tokens(text, coupled(text, {k: mixed(k, v) for k, v in projections.items()}))

    def weights(self) -> dict[str, float]:
        return {"image_to_text": 0.5, "text_to_image": 0.5}

    def losses(
        self, outputs: BatchOutputs, context: Context, prepared: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        labels = outputs.labels.unsqueeze(-2)
        chosen = labels.expand(*outputs.labels.shape, outputs.labels.shape[-1])
        pairs = outputs.logits.gather(-1, chosen)  # [i, j]: image i with the text of pair j
        by_text = pairs
        if outputs.logit_offsets is not None:
            by_text = pairs + outputs.logit_offsets.gather(-1, outputs.labels).unsqueeze(-2)
        return {
            "image_to_text": _info_nce(by_text, outputs),
            "text_to_image": _info_nce(pairs.mT, outputs),
        }


def _info_nce(pairs: Tensor, outputs: BatchOutputs) -> Tensor:
    """Cross-entropy of the diagonal (..., L, L), mean over rows, which weigh what the run's balance
    gives their class: (...,)."""
    rows = -F.log_softmax(pairs, dim=-1).diagonal(dim1=-2, dim2=-1)
    if outputs.class_weights is not None:
        rows = rows * outputs.class_weights.gather(-1, outputs.labels)
    return rows.mean(-1)
