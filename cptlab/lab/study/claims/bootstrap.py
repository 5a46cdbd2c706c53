"""A hierarchical bootstrap over data sets and seeds, with intervals for small numbers of both.

Seeds are resampled within a data set, all methods of a seed together. For means over three or more
data sets these are resampled first, so that the interval holds for other data sets too. With one or
two data sets it holds for these alone, and so it always does for spreads: a few seeds estimate a
spread too poorly to say more.

Intervals are expanded percentile intervals (Hesterberg, "What teachers should know about the
bootstrap", The American Statistician 69, 2015): percentiles at the level that turns the normal
bootstrap interval into Student's. Plain percentile and BCa intervals cover a mean of 3, 5, 10
normal values in about 73, 83 and 92 % of cases instead of 95 %, the expanded ones in 73, 93 and
95 %; BCa would also have to estimate bias and skewness from these few values. With three pairs no
resample lies outside the range of the three, so such verdicts are weak. The ratio of two spreads is
covered in 64 % of cases with three seeds (so there is no interval below `FEWEST_FOR_SPREAD`) and in
97 to 99 % with five, on one data set or several.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import norm, t

CONFIDENCE = 0.95
RESAMPLES = 9999
FEWEST = 3  # pairs for an interval; data sets to resample them
FEWEST_FOR_SPREAD = 3  # degrees of freedom: four seeds on one data set, three on each of two

Summary = Callable[[np.ndarray], np.ndarray]
"""Over the seeds of a data set: (..., n, m) -> (..., m)."""


def mean(values: np.ndarray) -> np.ndarray:
    return values.mean(axis=-2)


def variance(values: np.ndarray) -> np.ndarray:
    # Equal values may differ from their own mean by rounding; they have no variance.
    constant = np.ptp(values, axis=-2) == 0
    return np.where(constant, 0.0, values.var(axis=-2, ddof=1))


def over_datasets(blocks: Sequence[np.ndarray], summary: Summary) -> np.ndarray:
    """(m,) mean over data sets of the summary over seeds."""
    return np.mean([summary(block) for block in blocks], axis=0)


def _resampled(blocks: Sequence[np.ndarray], summary: Summary, datasets: bool) -> np.ndarray:
    """(RESAMPLES, m) bootstrap draws of `over_datasets`; `datasets` resamples these too."""
    rng = np.random.default_rng(0)
    n_blocks, total = len(blocks), np.zeros((RESAMPLES, blocks[0].shape[1]))
    chosen = np.tile(np.arange(n_blocks), (RESAMPLES, 1))
    if datasets:
        chosen = rng.integers(n_blocks, size=chosen.shape)
    for slot in chosen.T:
        summaries = np.empty_like(total)
        for number, block in enumerate(blocks):
            here = np.flatnonzero(slot == number)
            resampled = block[rng.integers(len(block), size=(len(here), len(block)))]
            summaries[here] = summary(resampled)
        total = total + summaries
    return total / n_blocks


def intervals(
    blocks: Sequence[np.ndarray],
    summary: Summary,
    statistic: Summary,
    lower_among: int = 1,
    upper_among: int = 1,
) -> np.ndarray:
    """95 % bounds (2, k) of a statistic (..., m) -> (..., k) of summaries averaged over data sets.

    Args:
        blocks: (n seeds, m values) for each data set.
        summary: `mean` or `variance`, over the seeds of a data set.
        lower_among, upper_among: the tail's error is divided by this number.

    Returns:
        NaN with fewer than three pairs of data set and seed, or too few seeds for a spread.
    """
    pairs, n_blocks = sum(map(len, blocks)), len(blocks)
    spread = summary is variance
    datasets = n_blocks >= FEWEST and not spread
    draws = statistic(_resampled(blocks, summary, datasets))
    units, freedom = (n_blocks, n_blocks - 1) if datasets else (pairs, pairs - n_blocks)
    if pairs < FEWEST or freedom < (FEWEST_FOR_SPREAD if spread else 1):
        return np.full((2, draws.shape[1]), np.nan)

    def tail(among: int) -> float:
        student = t.isf((1 - CONFIDENCE) / 2 / among, freedom)
        return float(norm.sf(np.sqrt(units / freedom) * student))

    bounds = []
    for column in draws.T:
        defined = column[~np.isnan(column)]
        if not len(defined):
            bounds.append((np.nan, np.nan))
            continue
        # draws themselves, not interpolated between two of them: some may be infinite
        low = np.quantile(defined, tail(lower_among), method="lower")
        high = np.quantile(defined, 1 - tail(upper_among), method="higher")
        bounds.append((low, high))
    return np.array(bounds).T
