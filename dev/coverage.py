"""How often the study's interval covers what it says: `python -m dev.coverage` (a minute).

Normal values with the standard deviations of units, seeds and rest that paired differences of the
study of 2026-11-26 had (docs/plan.md), and classes with eight test images each.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np

from cptlab.lab.study.intervals import crossed, linear_harmonic, linear_mean, log_spread_ratio

Draw = Callable[[np.random.Generator], tuple[np.ndarray, float]]
"""A table of cells, and the true value of its mean."""


def sets_by_seeds(
    n: int, seeds: int, units: float, seed: float, rest: float, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Differences on n data sets; standard deviations of data sets, of seeds, and of the rest."""
    shape = (n, seeds)
    values = units * rng.standard_normal((n, 1)) + seed * rng.standard_normal((1, seeds))
    return values + rest * rng.standard_normal(shape), 0.0


def spread(
    seeds: int, shared: float, rng: np.random.Generator, n: int = 6
) -> tuple[np.ndarray, float]:
    """Two methods, one 1.5 times as wide; `shared`: part of a seed's effect on all data sets."""
    width = np.exp(0.3 * rng.standard_normal((n, 1)))

    def method(deviation: float) -> np.ndarray:
        common, own = rng.standard_normal((1, seeds)), rng.standard_normal((n, seeds))
        return deviation * width * (np.sqrt(shared) * common + np.sqrt(1 - shared) * own)

    return log_spread_ratio(method(1.5), method(1.0)), float(np.log(1.5))


def classes(
    seeds: int, tail: bool, rng: np.random.Generator, n: int = 40
) -> tuple[np.ndarray, float]:
    """A gain on one data set: 40 base and 39 new classes, their gains and those of seeds random.

    The difference of H, or that of the last third of the base classes in each seed's own order.
    """

    def accuracies(count: int, level: float, common: np.ndarray) -> np.ndarray:
        chance = level + 15 * rng.standard_normal((count, 1)) + common
        chance = np.clip(chance + 6 * rng.standard_normal((count, seeds)), 0, 100)
        return 100 * rng.binomial(8, chance / 100) / 8

    common = 2 * rng.standard_normal((1, seeds))
    base, new = accuracies(n, 60, common), accuracies(n - 1, 50, common)
    if tail:
        last = np.stack([rng.permutation(n) < n // 3 for _ in range(seeds)], axis=1)
        return linear_mean(base, last), _mean(60)
    b, w = _mean(60), _mean(50)
    return linear_harmonic(base, new), 2 * b * w / (b + w)


@cache
def _mean(level: float) -> float:
    """Mean of the clipped chances of `classes`."""
    chance = level + np.sqrt(15**2 + 2**2 + 6**2) * np.random.default_rng(0).standard_normal(10**6)
    return float(np.clip(chance, 0, 100).mean())


CASES: dict[str, Draw] = {
    "H, CPT (pair mean) - IVLP: 6 sets, 5 seeds; 0, 0, .75": partial(
        sets_by_seeds, 6, 5, 0, 0, 0.75
    ),
    "H, PromptSRC - IVLP: .2, 0, .9": partial(sets_by_seeds, 6, 5, 0.2, 0, 0.9),
    "H, DeKg - IVLP: .8, .5, 1.5": partial(sets_by_seeds, 6, 5, 0.8, 0.5, 1.5),
    "H, CoOp - zero-shot: 3.2, 0, 1": partial(sets_by_seeds, 6, 5, 3.2, 0, 1.0),
    "H, CoCoOp - zero-shot: 2.4, 4.2, 2.5": partial(sets_by_seeds, 6, 5, 2.4, 4.2, 2.5),
    "new, MaPLe - IVLP: 0, .9, 2.4": partial(sets_by_seeds, 6, 5, 0, 0.9, 2.4),
    "tail, Global-ETF (sum) - IVLP: 4, .4, 3.4": partial(sets_by_seeds, 6, 5, 4.0, 0.4, 3.4),
    "tail, CPT (sum) - IVLP: 3.3, 2.4, 3": partial(sets_by_seeds, 6, 5, 3.3, 2.4, 3.0),
    "the same with 3 seeds": partial(sets_by_seeds, 6, 3, 3.3, 2.4, 3.0),
    "the same with 10 seeds": partial(sets_by_seeds, 6, 10, 3.3, 2.4, 3.0),
    "the same on 3 sets": partial(sets_by_seeds, 3, 5, 3.3, 2.4, 3.0),
    "spread of H, 10 seeds, seeds as good as independent": partial(spread, 10, 0.1),
    "spread of H, 10 seeds, seeds largely shared": partial(spread, 10, 0.8),
    "one set, H: 79 classes, 5 seeds": partial(classes, 5, False),
    "one set, tail of 40 classes in the order of each seed": partial(classes, 5, True),
}


def coverage(draw: Draw, draws: int, seed: int = 0) -> tuple[float, float]:
    """Part of the intervals that hold the true value, and their median half width."""
    rng, held, widths = np.random.default_rng(seed), 0, []
    for _ in range(draws):
        cells, true = draw(rng)
        found = crossed(cells)
        held += found.lower <= true <= found.upper
        widths.append((found.upper - found.lower) / 2)
    return held / draws, float(np.median(widths))


def table(draws: int = 10_000) -> str:
    """The coverage of every case as Markdown."""
    lines = [
        "| case (deviations of units, seeds, rest) | coverage | half width |",
        "| --- | ---: | ---: |",
    ]
    for name, draw in CASES.items():
        part, width = coverage(draw, draws)
        lines.append(f"| {name} | {part:.3f} | {width:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
