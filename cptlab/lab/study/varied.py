"""What the studies of CPT itself vary, and the long-tail classics that are added to methods."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from cptlab.lab.study.claims.readings import LossName
from cptlab.lab.study.claims.variants import (
    ALGORITHMS,
    BY_LOSSES,
    DEFAULT_WEIGHTS,
    SIZES,
    WEIGHTS,
    CPTVariant,
    with_weights,
)
from cptlab.methods.parts.balance import Balance

CLASSICS: dict[str, Balance | None] = {
    "as it is": None,
    "balanced softmax": Balance(logits="balanced_softmax"),
    "class-balanced weights": Balance(class_weights=True),
    "class-balanced sampling": Balance(sampling="class_balanced"),
}
"""What can be done about a long tail with any method; balanced softmax is logit adjustment by 1."""


@dataclass(frozen=True)
class Varied:
    """What the studies of CPT vary, one thing at a time.

    weights: of each loss, with its default among them, ascending. losses: combinations of L_TETF,
    L_CC and L_RS, in this order, that are on. algorithms, sizes: clustering algorithms and classes
    per cluster. balances: names of `CLASSICS`, the first of them without any.
    """

    weights: tuple[tuple[LossName, tuple[float, ...]], ...] = tuple(WEIGHTS.items())
    losses: tuple[tuple[bool, ...], ...] = tuple(BY_LOSSES)
    algorithms: tuple[str, ...] = tuple(ALGORITHMS)
    sizes: tuple[int, ...] = tuple(SIZES)
    balances: tuple[str, ...] = tuple(CLASSICS)

    def sweeps(self) -> dict[LossName, dict[float, CPTVariant]]:
        """Loss -> its weight -> CPT with that weight (Fig. 3)."""
        return {
            loss: {weight: with_weights({loss: weight}) for weight in weights}
            for loss, weights in self.weights
        }

    def pair(self) -> tuple[LossName, LossName] | None:
        """The two losses whose weights are varied together: the first and the last of them."""
        losses = [loss for loss, _ in self.weights]
        return (losses[0], losses[-1]) if len(losses) > 1 else None

    def heat_map(self) -> dict[tuple[float, float], CPTVariant]:
        """Two weights -> CPT with both: the smallest, the default and the largest of each."""
        pair, weights = self.pair(), dict(self.weights)
        if pair is None:
            return {}
        first, last = (
            sorted({weights[loss][0], DEFAULT_WEIGHTS[loss], weights[loss][-1]}) for loss in pair
        )
        return {(a, b): with_weights({pair[0]: a, pair[1]: b}) for a, b in product(first, last)}

    def by_algorithm(self) -> dict[str, CPTVariant]:
        """Clustering algorithm -> CPT with it (Table 5)."""
        return {name: ALGORITHMS[name] for name in self.algorithms}

    def by_size(self) -> dict[int, CPTVariant]:
        """Classes per cluster -> CPT with that size (Fig. 5)."""
        return {
            size: SIZES.get(size, CPTVariant(settings=(("cluster_size", size),)))
            for size in self.sizes
        }
