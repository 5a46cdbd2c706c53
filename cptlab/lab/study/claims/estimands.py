"""The eight confirmatory claims of docs/plan.md as data: what is compared, and on which cells."""

from dataclasses import dataclass
from typing import Literal

from cptlab.emoji.catalog import CATEGORIES

TAU, BALANCED = 0.06, 1.0
MOST_MISSING = 1
"""Cells that a method may lack before there is no verdict on it."""


@dataclass(frozen=True)
class Cells:
    """The cells of the plan: every data set with every seed.

    spread_seeds: where spreads are compared.
    """

    datasets: tuple[str, ...] = tuple(CATEGORIES)
    seeds: tuple[int, ...] = (11, 12, 13, 14, 15)
    spread_seeds: tuple[int, ...] = tuple(range(11, 21))


@dataclass(frozen=True)
class Family:
    """Labels of the methods that eight claims compare; their p values are corrected together.

    plain: prompts without CPT's losses. without_tetf, one_cluster: CPT but for L_TETF, or with all
    classes in one cluster. rivals: all other prompt-tuning methods.
    """

    name: str
    cpt: str
    plain: str
    without_tetf: str
    one_cluster: str
    global_etf: str
    rivals: tuple[str, ...]


@dataclass(frozen=True)
class Planned:
    """A claim of the plan. control: the field of `Family` that CPT is compared with."""

    name: str
    source: str
    quantity: str
    control: str
    kind: Literal["difference", "interaction", "first", "spread"] = "difference"

    @property
    def direction(self) -> Literal[">", "<"]:
        return "<" if self.kind == "spread" else ">"

    @property
    def threshold(self) -> float:
        return 1.0 if self.kind == "spread" else 0.0

    @property
    def unit(self) -> str:
        return "ratio" if self.kind == "spread" else "points"

    def others(self, family: Family) -> tuple[str, ...]:
        """Labels that CPT is compared with, one by one."""
        control = getattr(family, self.control)
        return (control,) if isinstance(control, str) else control

    def estimand(self, family: Family, compared: int | None = None, best: str = "") -> str:
        """What is estimated, in words.

        compared: how many others have runs, of several. best: the highest of them, if it is known.
        """
        names = self.others(family)
        run = "" if compared in (None, len(names)) else f"{compared} that were run of "
        known = f"{best}, " if best else ""
        other = names[0] if len(names) == 1 else f"{known}the best of {run}{len(names)} others"
        if self.kind == "spread":
            return f"standard deviation of {self.quantity} over seeds, {family.cpt} / {other}"
        text = f"{self.quantity}, {family.cpt} - {other}"
        if self.kind == "interaction":
            return f"{text}, at tau = {TAU:g} minus at tau = {BALANCED:g}"
        return text


CONFIRMATORY = (
    Planned("CPT improves on plain prompts", "Sec. 4.2, Table 2", "H", "plain"),
    Planned("It does so because data are imbalanced", "Abstract", "H", "plain", "interaction"),
    Planned("Tail classes gain", "Abstract, Sec. 4.2", "tail", "plain"),
    Planned("New classes gain", "Sec. 4.2", "new", "plain"),
    Planned(
        "CPT is first among prompt-tuning methods", "Sec. 4.2, Table 2", "H", "rivals", "first"
    ),
    Planned("The separation loss contributes", "Sec. 4.5, Table 1", "H", "without_tetf"),
    Planned("Clusters matter: one frame over all classes is worse", "Sec. 3.2", "H", "one_cluster"),
    Planned(
        "CPT is steadier than the global frame", "Sec. 4.5, Fig. 4", "H", "global_etf", "spread"
    ),
)
"""In the order of the plan, which numbers them from 1."""
