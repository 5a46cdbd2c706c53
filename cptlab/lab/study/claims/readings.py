"""The open readings of CPT's losses, equations (9) to (11)."""

from dataclasses import dataclass
from typing import Literal

LossName = Literal["TETF", "CC", "RS"]


@dataclass(frozen=True)
class Reading:
    """One way to read equations (9) to (11).

    tetf: pairs of a cluster in L_TETF: "sum" as printed, or "pair mean". rs: L_RS on "normalised"
    or "raw" features. cc: the class means of L_CC "balanced" over the training set, or of the
    classes "per batch".
    """

    tetf: Literal["sum", "pair mean"]
    rs: Literal["normalised", "raw"] = "normalised"
    cc: Literal["balanced", "per batch"] = "balanced"

    @property
    def name(self) -> str:
        """As in the brackets of the full CPT's label."""
        return ", ".join(self.terms())

    def terms(self, without: tuple[LossName, ...] = ()) -> list[str]:
        """What a label has to state about the losses that are on."""
        terms: list[str] = [] if "TETF" in without else [self.tetf]
        if self.rs == "raw" and "RS" not in without:
            terms.append("raw RS")
        if self.cc == "per batch" and "CC" not in without:
            terms.append("per-batch CC")
        return terms


READINGS = tuple(
    reading
    for tetf in ("sum", "pair mean")
    for reading in (Reading(tetf), Reading(tetf, rs="raw"), Reading(tetf, cc="per batch"))
)
"""Both readings of L_TETF, each with at most one other loss not at its default reading."""
