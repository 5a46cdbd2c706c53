"""IVLP, independent vision-language prompting (Khattak et al. 2023): deep, in both towers."""

from dataclasses import dataclass
from typing import ClassVar

from cptlab.methods.base import Row
from cptlab.methods.families import DeepPrompts


@dataclass(frozen=True)
class IVLP(DeepPrompts):
    """Separate text and visual tokens at every prompted layer; plain cross-entropy.

    With CPT's schedule: the paper uses it as the base of its ablation, nowhere else.
    """

    name: ClassVar[str] = "ivlp"
    rows: ClassVar[tuple[Row, ...]] = (Row("IVLP", "#0F9BD8", "D"),)
