"""MaPLe, multi-modal prompt learning (Khattak et al. 2023): visual tokens projected from text."""

from dataclasses import dataclass
from typing import ClassVar

from cptlab.methods.base import Row
from cptlab.methods.families import CoupledPrompts


@dataclass(frozen=True)
class MaPLe(CoupledPrompts):
    """Deep text tokens; at each layer a linear layer of its own makes the visual tokens of them.

    Gradients reach the text tokens through both towers. Plain cross-entropy.
    """

    name: ClassVar[str] = "maple"
    rows: ClassVar[tuple[Row, ...]] = (Row("MaPLe", "#3C5A78", "*"),)
