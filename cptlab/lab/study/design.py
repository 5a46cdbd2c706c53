"""A design: the data sets, imbalance ratios and seeds that one part of a study combines."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Design:
    """Data sets, imbalance ratios and seeds of one part of a study."""

    datasets: tuple[str, ...]
    taus: tuple[float, ...]
    seeds: tuple[int, ...]

    @property
    def names(self) -> str:
        """The data sets as text; of a path the last part."""
        return ", ".join(Path(name).stem for name in self.datasets)

    def at(self, *taus: float) -> Design:
        """The same at those of its imbalance ratios that are given."""
        return dataclasses.replace(self, taus=tuple(tau for tau in self.taus if tau in taus))

    def with_taus(self, *taus: float) -> Design:
        """The same at other imbalance ratios."""
        return dataclasses.replace(self, taus=taus)

    def on(self, *datasets: str) -> Design:
        """The same on other data sets."""
        return dataclasses.replace(self, datasets=datasets)

    def with_seeds(self, *seeds: int) -> Design:
        """The same with these seeds."""
        return dataclasses.replace(self, seeds=seeds)

    def first_seeds(self, n: int) -> Design:
        """The same with its first n seeds."""
        return self.with_seeds(*self.seeds[:n])

    @property
    def smallest_tau(self) -> float:
        return min(self.taus)
