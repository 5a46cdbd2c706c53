"""The one interval of the study: for means over units and seeds, both random and crossed.

Units are data sets or, for statements on a single one, its classes. All units share what a seed
decides (start values, batches), so neither cells nor seeds are independent; Student's interval over
seeds says nothing of other data sets, and the other way round. docs/plan.md has the rule,
docs/intervals.md its coverage.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

CONFIDENCE = 0.95
FEWEST = 5
"""Cells (units times seeds) for an interval; with fewer there is the range of the cells."""


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval.

    lower, upper: the interval's bounds; with fewer than `FEWEST` cells NaN. least, most: of the
    cells. error: standard error of the mean, freedom: its degrees of freedom (both NaN without
    interval). units, seeds: their numbers.
    """

    mean: float
    lower: float
    upper: float
    least: float
    most: float
    error: float
    freedom: float
    units: int
    seeds: int

    @property
    def p(self) -> float:
        """Two-sided p value of a mean of zero, by Student's t; NaN without interval.

        Without any error it is 0, or 1 where the mean is zero too.
        """
        if np.isnan(self.error):
            return float("nan")
        if self.error == 0:
            return 0.0 if self.mean else 1.0
        return float(2 * t.sf(abs(self.mean) / self.error, self.freedom))

    def bounds(self, among: int = 1) -> tuple[float, float]:
        """The interval with the error divided by the number of comparisons it is one of
        (Bonferroni).
        """
        if np.isnan(self.error):
            return float("nan"), float("nan")
        half = float(t.isf((1 - CONFIDENCE) / 2 / among, self.freedom)) * self.error
        return self.mean - half, self.mean + half


def crossed(cells: np.ndarray) -> Interval:
    """Mean over units and seeds, both drawn from more of their kind.

    With mean squares A of n units, B of s seeds and E of what they leave, the variance of the mean
    is taken as max(A + B - E, A, B) / (n s), the unbiased estimate held from below by that of
    either factor alone. Its degrees of freedom are Satterthwaite's over A and what seeds add, at
    least min(n, s) - 1, at most (n - 1)(s - 1). With a single unit, or a single seed, it is
    Student's interval over the other factor.

    Args:
        cells: (n units, s seeds), complete: one value of every unit and seed.

    Raises:
        ValueError: for an empty table, or one with a missing value.
    """
    cells = np.asarray(cells, dtype=float)
    if cells.ndim != 2 or not cells.size or not np.isfinite(cells).all():
        raise ValueError(
            f"An interval needs a value of every unit and seed, got an array {cells.shape} with "
            f"{int((~np.isfinite(cells)).sum())} missing values."
        )
    n, s = cells.shape
    least, most = float(cells.min()), float(cells.max())
    mean = float(np.clip(cells.mean(), least, most))  # of equal cells it may differ by rounding
    if n * s < FEWEST:
        nan = float("nan")
        return Interval(mean, nan, nan, least, most, nan, nan, n, s)
    variance, freedom = _variance(cells)
    error = float(np.sqrt(variance / cells.size))
    half = float(t.isf((1 - CONFIDENCE) / 2, freedom)) * error
    return Interval(mean, mean - half, mean + half, least, most, error, freedom, n, s)


def of_runs(cells: np.ndarray, parts: np.ndarray | None = None, counted: bool = False) -> Interval:
    """`crossed` over data sets and seeds, or, on a single data set, over its parts and seeds.

    Args:
        cells: (data sets, s seeds), a value of every run.
        parts: (p, s), what the values of a single data set are means of, if known.
        counted: parts are runs of their own (data sets that were tested) for `FEWEST`.
    """
    found = crossed(cells)
    if parts is None or len(cells) > 1:
        return found
    if (parts if counted else cells).size < FEWEST:
        return found
    over_parts = crossed(parts)
    half = (over_parts.upper - over_parts.lower) / 2  # around the runs' own mean
    return dataclasses.replace(
        over_parts,
        mean=found.mean,
        lower=found.mean - half,
        upper=found.mean + half,
        least=found.least,
        most=found.most,
    )


def mean_squares(cells: np.ndarray) -> tuple[float, float, float]:
    """Of n units, of s seeds and of what they leave, in a table (n, s) of two or more of each."""
    n, s = cells.shape
    of_units, of_seeds = cells.mean(1) - cells.mean(), cells.mean(0) - cells.mean()
    rest = cells - cells.mean() - of_units[:, None] - of_seeds
    a = s * np.square(of_units).sum() / (n - 1)
    b = n * np.square(of_seeds).sum() / (s - 1)
    return a, b, np.square(rest).sum() / ((n - 1) * (s - 1))


def _variance(cells: np.ndarray) -> tuple[float, float]:
    """Variance of the mean times the number of cells, and its degrees of freedom."""
    n, s = cells.shape
    if min(n, s) == 1:
        return float(cells.var(ddof=1)), cells.size - 1
    a, b, e = mean_squares(cells)
    variance = max(a + b - e, a, b)
    if variance <= 1e-18 * max(1.0, np.square(cells).max()):  # equal but for rounding
        return 0.0, (n - 1) * (s - 1)
    parts = a**2 / (n - 1) + max(b - e, 0.0) ** 2 / (s - 1)
    freedom = variance**2 / parts if parts > 0 else np.inf
    return variance, float(np.clip(freedom, min(n, s) - 1, (n - 1) * (s - 1)))


def log_spread_ratio(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Values for `crossed`, of the logarithm of a ratio of standard deviations over seeds.

    Jackknife values: s times the logarithm of all seeds minus (s - 1) times that without one.

    Args:
        first, second: (n units, s seeds), the methods whose spreads are compared.

    Returns:
        (n, s), whose mean over seeds is the logarithm of the ratio (less its bias) in every unit.

    Raises:
        ValueError: for fewer than four seeds, or a unit without any spread.
    """
    s = first.shape[1]
    if s < 4:
        raise ValueError(f"A spread needs four seeds or more, got {s}.")

    def log_ratio(kept: np.ndarray) -> np.ndarray:
        spreads = [values[:, kept].std(1, ddof=1) for values in (first, second)]
        if min(spread.min() for spread in spreads) <= 0:
            raise ValueError("A method has the same value with all seeds: it has no spread.")
        return np.log(spreads[0]) - np.log(spreads[1])

    every = np.arange(s)
    without = [log_ratio(every != seed) for seed in every]
    return s * log_ratio(every >= 0)[:, None] - (s - 1) * np.stack(without, axis=1)


def linear_harmonic(base: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Values for `crossed` over classes, of the harmonic mean of two accuracies.

    H is linearised at each seed's accuracies: what a class adds to H above the mean class.

    Args:
        base, new: (classes, s seeds) accuracies of classes in percent.

    Returns:
        (base classes + new classes, s), whose mean over classes is H of each seed.
    """
    b, w = base.mean(0), new.mean(0)
    total = np.where(b + w > 0, b + w, 1.0)
    h, db, dw = 2 * b * w / total, 2 * (w / total) ** 2, 2 * (b / total) ** 2
    n = len(base) + len(new)
    parts = (
        db * (base - b) * n / len(base),
        dw * (new - w) * n / len(new),
    )
    return h + np.concatenate(parts)


def linear_mean(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Values for `crossed` over classes, of the mean over some classes, others in every seed.

    Args:
        values: (classes, s seeds), for instance accuracies.
        counted: (classes, s), true for the classes of a seed's mean: its tail.

    Returns:
        (classes, s), whose mean over classes is the mean over the counted ones of each seed.

    Raises:
        ValueError: for a seed without any.
    """
    counts = counted.sum(0)
    if (counts == 0).any():
        raise ValueError("A seed has no class to average over.")
    means = (values * counted).sum(0) / counts
    return means + counted * (values - means) * len(values) / counts
