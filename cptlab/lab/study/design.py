"""A design: the data sets, imbalance ratios and seeds that one part of a study combines."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Design:
    """Data sets, imbalance ratios and seeds of one part of a study.

    seeds_at_larger_tau: seeds at all ratios but the smallest, if fewer (these runs have more images
    and take longest).
    """

    datasets: tuple[str, ...]
    taus: tuple[float, ...]
    seeds: tuple[int, ...]
    seeds_at_larger_tau: tuple[int, ...] | None = None

    def seeds_at(self, tau: float) -> tuple[int, ...]:
        """Seeds of the runs at an imbalance ratio."""
        if tau > self.smallest_tau and self.seeds_at_larger_tau is not None:
            return self.seeds_at_larger_tau
        return self.seeds

    @property
    def names(self) -> str:
        """The data sets as text; of a path the last part."""
        return ", ".join(Path(name).stem for name in self.datasets)

    def at(self, *taus: float) -> Design:
        """The same at those of its imbalance ratios that are given."""
        kept = tuple(tau for tau in self.taus if tau in taus)
        seeds = self.seeds_at(min(kept, default=self.smallest_tau))
        return dataclasses.replace(self, taus=kept, seeds=seeds)

    def with_taus(self, *taus: float) -> Design:
        """The same at other imbalance ratios, with as many seeds as it would have at them."""
        return dataclasses.replace(self, taus=taus, seeds=self.seeds_at(min(taus)))

    def on(self, *datasets: str) -> Design:
        """The same on other data sets."""
        return dataclasses.replace(self, datasets=datasets)

    def with_seeds(self, *seeds: int) -> Design:
        """The same with these seeds at every imbalance ratio."""
        return dataclasses.replace(self, seeds=seeds, seeds_at_larger_tau=None)

    def first_seeds(self, n: int) -> Design:
        """The same with its first n seeds at every imbalance ratio."""
        return self.with_seeds(*self.seeds[:n])

    @property
    def smallest_tau(self) -> float:
        return min(self.taus)
