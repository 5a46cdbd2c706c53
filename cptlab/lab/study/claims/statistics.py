"""Paired comparisons of methods with bootstrap intervals, for few seeds and few data sets.

Runs are paired by data set and seed. Means or variances over the seeds of a data set are compared,
averaged over data sets with equal weight; intervals are those of
`cptlab.lab.study.claims.bootstrap`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cptlab.lab.study.claims.bootstrap import intervals, mean, over_datasets, variance

ROUNDING = 1e-9  # differences of accuracies in percent are equal below this


class MissingRuns(ValueError):
    """A comparison lacks runs; the message says which."""


@dataclass(frozen=True)
class Estimate:
    """The result of a comparison. Bounds are NaN if there are too few pairs for an interval.

    effect: for differences the mean over the standard deviation of the pairs' differences
    (Cohen's d_z, NaN without spread), for ratios their natural logarithm.
    """

    value: float
    lower: float
    upper: float
    effect: float
    pairs: int
    datasets: tuple[str, ...]


def paired_difference(frame: pd.DataFrame, a: str, b: str, quantity: str) -> Estimate:
    """Mean difference a - b over pairs of runs.

    Args:
        frame: one row per run with the columns "dataset", "method", "seed" and `quantity`.
        a, b: labels in "method".

    Raises:
        MissingRuns: on a label without runs, or no data set and seed that all labels share.
        ValueError: on missing columns or several rows for one run.
    """
    return first_of(frame, a, [b], quantity)


def first_of(frame: pd.DataFrame, label: str, baselines: Sequence[str], quantity: str) -> Estimate:
    """Mean difference of a method to its best baseline; arguments and errors as above.

    The interval combines those of the single differences. To be first is to be ahead of every
    baseline, so the lower bound is the smallest of the lower bounds (intersection-union test, needs
    no correction). With many baselines one of them is easily ahead by chance, so for the upper
    bound the error is divided by their number (Bonferroni). To bootstrap the best baseline's mean
    itself would be biased against the method.
    """
    values = paired_values(frame, [label, *baselines], quantity)
    gaps = [block[:, :1] - block[:, 1:] for block in values.values()]
    means = over_datasets(gaps, mean)
    nearest = int(np.argmin(means))
    bounds = intervals(gaps, mean, lambda draws: draws, upper_among=len(baselines))
    all_gaps = np.concatenate(gaps)[:, nearest]
    spread = all_gaps.std(ddof=1) if len(all_gaps) > 1 else 0.0
    effect = means[nearest] / spread if spread > ROUNDING else np.nan
    return _estimate(means[nearest], bounds.min(axis=1), effect, values)


def spread_ratio(frame: pd.DataFrame, a: str, b: str, quantity: str, power: int = 1) -> Estimate:
    """Ratio of the spreads over seeds, a to b: standard deviations, or variances with power 2.

    Variances (n - 1) are averaged over data sets before the ratio is taken. Arguments and errors
    as in `paired_difference`; every data set needs two seeds.
    """
    return steadiest_of(frame, a, [b], quantity, power)


def steadiest_of(
    frame: pd.DataFrame, label: str, baselines: Sequence[str], quantity: str, power: int = 1
) -> Estimate:
    """`spread_ratio` of a method to its steadiest baseline: below 1 the method is the steadiest.

    The interval combines those of the single ratios as in `first_of`, with the sides exchanged.
    Resamples without any spread (one seed, repeated) have no ratio and are left out.
    """
    values = paired_values(frame, [label, *baselines], quantity)
    single = [dataset for dataset, block in values.items() if len(block) < 2]
    if single:
        raise MissingRuns(f"A spread needs two seeds; there is one on {', '.join(single)}.")
    blocks = list(values.values())

    def ratios(variances: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return (variances[..., :1] / variances[..., 1:]) ** (power / 2)

    found = ratios(over_datasets(blocks, variance))
    bounds = intervals(blocks, variance, ratios, lower_among=len(baselines)).max(axis=1)
    with np.errstate(divide="ignore"):
        return _estimate(found.max(), bounds, float(np.log(found.max())), values)


def largest_change(
    frame: pd.DataFrame, default: str, settings: Sequence[str], quantity: str
) -> Estimate:
    """Largest relative change of the mean, in percent of the default's, over the settings.

    Changes count without their sign. The interval is that of the largest: the largest of the single
    upper bounds, and the largest lower bound with the error divided by the number of settings
    (as in `first_of`). The effect is NaN. Arguments and errors as in `paired_difference`.
    """
    return _change(frame, default, settings, quantity, np.max)


def average_change(
    frame: pd.DataFrame, default: str, settings: Sequence[str], quantity: str
) -> Estimate:
    """As `largest_change`, averaged over the settings: value and bounds are means of the single."""
    return _change(frame, default, settings, quantity, np.mean)


def paired_values(
    frame: pd.DataFrame, labels: Sequence[str], quantity: str
) -> dict[str, np.ndarray]:
    """Values (n seeds, labels) of the complete pairs by data set; both sorted.

    Errors as in `paired_difference`.
    """
    wide = complete_pairs(frame, labels, quantity)
    return {str(d): block.to_numpy(dtype=float) for d, block in wide.groupby(level="dataset")}


def complete_pairs(frame: pd.DataFrame, labels: Sequence[str], quantity: str) -> pd.DataFrame:
    """A row per data set and seed with runs of all labels, sorted; a column per label.

    Seeds and data sets that lack a label are left out: studies of details have fewer of both than
    the comparison of methods. Errors as in `paired_difference`.
    """
    lacking = [name for name in ("dataset", "method", "seed") if name not in frame.columns]
    if lacking:
        raise ValueError(f"The frame lacks the columns {lacking}; it has {list(frame.columns)}.")
    if quantity not in frame.columns:
        raise MissingRuns(f"No run has the quantity {quantity!r}.")
    rows = frame[frame["method"].isin(labels)].dropna(subset=[quantity])
    absent = [label for label in labels if label not in set(rows["method"])]
    if absent:
        raise MissingRuns(f"No runs with {quantity} of {'; '.join(absent)}.")
    twice = rows.duplicated(["dataset", "seed", "method"])
    if twice.any():
        first = rows[twice].iloc[0]
        raise ValueError(
            f"Several rows for {first['method']!r} on {first['dataset']}, seed {first['seed']}; "
            "choose one imbalance ratio and protocol, and one row per run."
        )
    wide = rows.pivot(index=["dataset", "seed"], columns="method", values=quantity)
    wide = wide[list(labels)].dropna()  # pivot has sorted data sets and seeds
    if wide.empty:
        raise MissingRuns(
            f"No data set and seed have runs with {quantity} of all of {'; '.join(labels)}."
        )
    return wide


def _change(
    frame: pd.DataFrame,
    default: str,
    settings: Sequence[str],
    quantity: str,
    combine: Callable[[np.ndarray], float],
) -> Estimate:
    values = paired_values(frame, [default, *settings], quantity)
    blocks = list(values.values())

    def changes(means: np.ndarray) -> np.ndarray:
        return 100 * (means[..., 1:] / means[..., :1] - 1)

    found = np.abs(changes(over_datasets(blocks, mean)))
    low, high = intervals(blocks, mean, changes)
    farthest = np.maximum(np.abs(low), np.abs(high))
    among = len(settings)
    low, high = intervals(blocks, mean, changes, lower_among=among, upper_among=among)
    nearest = np.maximum(np.maximum(low, -high), 0)
    return _estimate(combine(found), (combine(nearest), combine(farthest)), np.nan, values)


def _estimate(
    value: float, bounds: Sequence[float], effect: float, values: dict[str, np.ndarray]
) -> Estimate:
    lower, upper = map(float, bounds)
    pairs = sum(map(len, values.values()))
    return Estimate(float(value), lower, upper, float(effect), pairs, tuple(values))
