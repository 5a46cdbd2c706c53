"""Low-rank updates of attention (LoRA, Hu et al. 2022), batched over replicas.

Beside W x, the query, key and value projection of a block gives s B A drop(x), where A makes r
numbers of w and B makes w of these r. W stays frozen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from cptlab.clip.attention import Update

SPREAD = -0x61C8864F
"""An odd number near 2^32 over the golden ratio: neighbours end up far apart."""


@dataclass(frozen=True)
class Dropout:
    """Which entries of x are dropped, by random numbers of a training step.

    An entry's fate hangs on these numbers and on where it stands, and on nothing else: replicas
    drop the same side by side as alone, a resumed run as an undisturbed one, a GPU as a CPU.

    rate: chance of being dropped. seeds (R,): numbers in [0, 1). place: of the block among those
    of both towers, so that no two drop alike.
    """

    rate: float
    seeds: Tensor
    place: int

    def keeps(self, projection: int, rows: Tensor, width: int) -> Tensor:
        """Bool (R, ..., width) for rows (...), int32 numbers of tokens: True where x stays."""
        # torch.rand gives multiples of 2^-24
        seeds = (self.seeds * 2**24).to(torch.int32)
        keys = _mixed(seeds * SPREAD + (3 * self.place + projection))
        entries = rows.unsqueeze(-1) * width + torch.arange(
            width, dtype=torch.int32, device=rows.device
        )
        drawn = _mixed(entries * SPREAD ^ keys.view(-1, *[1] * entries.ndim))
        return drawn >= int(self.rate * (2**32 - 1)) - 2**31


@dataclass(frozen=True)
class LowRank:
    """Updates of the three projections of one block, in the order query, key, value.

    down: A, (R, 3, r, w). up: B, (R, 3, w, r). scale: s. dropout: in training; None for none.
    """

    down: Tensor
    up: Tensor
    scale: float = 1.0
    dropout: Dropout | None = None

    def __call__(self, rows: Tensor, projection: int, x: Tensor) -> Tensor:
        """What is added to a projection of x (R or 1, ..., w): (R, ..., w).

        rows: number of every token, which dropout needs; they may have dimensions that are 1 in x.
        """
        scale = self.scale
        if self.dropout is not None:
            keeps = self.dropout.keeps(projection, rows, x.shape[-1])
            x, scale = x * keeps, scale / (1 - self.dropout.rate)
        x = x if x.ndim > 2 else x.unsqueeze(0)
        flat = x.flatten(1, -2)
        added = flat @ self.down[:, projection].mT @ self.up[:, projection].mT * scale
        return added.unflatten(1, x.shape[1:-1])


Updates = Mapping[int, LowRank]
"""Block -> what is added to its projections."""


def update_of(updates: Updates, block: int, rows: Tensor) -> Update | None:
    """What the projections of a block add for tokens of these numbers; None for nothing."""
    return partial(updates[block], rows) if block in updates else None


def check_updates(
    updates: Updates, width: int, layers: int, tower: str, tokens: Sequence[Tensor] = ()
) -> None:
    """Raise ValueError unless updates fit a tower, "text" or "vision", of so many layers.

    tokens: layers of context that come with them, each (R, n, w).
    """
    if updates and any(layer.ndim > 3 for layer in tokens):
        raise ValueError(
            f"The {tower} tower gets low-rank updates and context tokens of every image's own: it "
            "takes one of them, or tokens that all images share."
        )
    for block, update in updates.items():
        if block not in range(layers):
            raise ValueError(
                f"A low-rank update is given for {tower} block {block}, but the {tower} tower has "
                f"blocks 0 to {layers - 1}."
            )
        down, up = update.down.shape, update.up.shape
        if len(down) != 4 or down[1::2] != (3, width) or up != (down[0], 3, width, down[2]):
            raise ValueError(
                f"The low-rank update of {tower} block {block} has the shapes {tuple(down)} and "
                f"{tuple(up)}; expected (replicas, 3, r, {width}) and (replicas, 3, {width}, r)."
            )


def _mixed(x: Tensor) -> Tensor:
    """A hash of int32 numbers, every bit of which hangs on all bits (lowbias32, C. Wellons)."""
    x = x ^ (x >> 16 & 0xFFFF)
    x = x * 0x7FEB352D
    x = x ^ (x >> 15 & 0x1FFFF)
    x = x * -0x7B935975
    return x ^ (x >> 16 & 0xFFFF)
