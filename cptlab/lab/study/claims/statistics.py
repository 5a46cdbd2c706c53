"""Paired comparisons of methods with the study's interval, for few seeds and few data sets.

Runs are paired by data set and seed. Means or spreads over the seeds of a data set are compared,
averaged over data sets with equal weight; intervals are those of `cptlab.lab.study.intervals`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cptlab.lab.study.intervals import Interval, log_spread_ratio, of_runs
from cptlab.lab.study.parts import tested
from cptlab.lab.study.summary import PARTS, stacked_parts

ROUNDING = 1e-9  # differences of accuracies in percent are equal below this
FEWEST_FOR_SPREAD = 4
"""Seeds for the interval of a spread."""


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


@dataclass(frozen=True)
class Paired:
    """Values of methods by label on the same runs.

    cells: (data sets, s seeds). parts: (p, s), what the values of a single data set are means of;
    none where there are several data sets, or no parts are known. counted: parts are data sets.
    """

    cells: Mapping[str, np.ndarray]
    parts: Mapping[str, np.ndarray]
    counted: bool
    datasets: tuple[str, ...]

    def interval(self, combine: Callable[..., np.ndarray], *labels: str) -> Interval:
        """The interval of a combination, linear or nearly so, of the values of some methods."""
        cells = combine(*(self.cells[label] for label in labels))
        parts = None
        if all(label in self.parts for label in labels):
            parts = combine(*(self.parts[label] for label in labels))
        return of_runs(cells, parts, self.counted)

    def estimate(self, value: float, bounds: Sequence[float], effect: float) -> Estimate:
        pairs = next(iter(self.cells.values())).size
        return Estimate(float(value), *map(float, bounds), float(effect), pairs, self.datasets)


def paired_difference(frame: pd.DataFrame, a: str, b: str, quantity: str) -> Estimate:
    """Mean difference a - b over pairs of runs.

    Args:
        frame: one row per run with the columns "dataset", "method", "seed" and `quantity`, and
            `summary.PARTS` if intervals on a single data set are to hold for other classes.
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
    bound the error is divided by their number (Bonferroni).
    """
    runs = paired(frame, [label, *baselines], quantity)
    gaps = [runs.interval(np.subtract, label, other) for other in baselines]
    nearest = baselines[int(np.argmin([gap.mean for gap in gaps]))]
    lower = min(gap.bounds()[0] for gap in gaps)
    upper = min(gap.bounds(len(baselines))[1] for gap in gaps)
    single = runs.cells[label] - runs.cells[nearest]
    spread = single.std(ddof=1) if single.size > 1 else 0.0
    effect = single.mean() / spread if spread > ROUNDING else np.nan
    return runs.estimate(single.mean(), (lower, upper), effect)


def spread_ratio(frame: pd.DataFrame, a: str, b: str, quantity: str, power: int = 1) -> Estimate:
    """Ratio of the spreads over seeds, a to b: standard deviations, or variances with power 2.

    The geometric mean over data sets. Arguments and errors as in `paired_difference`; every data
    set needs two seeds.
    """
    return steadiest_of(frame, a, [b], quantity, power)


def steadiest_of(
    frame: pd.DataFrame, label: str, baselines: Sequence[str], quantity: str, power: int = 1
) -> Estimate:
    """`spread_ratio` of a method to its steadiest baseline: below 1 the method is the steadiest.

    The interval combines those of the single ratios as in `first_of`, with the sides exchanged; it
    takes `FEWEST_FOR_SPREAD` seeds, and a spread of every method on every data set.
    """
    runs = paired(frame, [label, *baselines], quantity)
    if next(iter(runs.cells.values())).shape[1] < 2:
        raise MissingRuns(f"A spread needs two seeds; there is one on {', '.join(runs.datasets)}.")
    found = [log_ratio(runs.cells[label], runs.cells[other]) for other in baselines]
    value = max(ratio for ratio, _ in found)
    intervals = [interval for _, interval in found if interval is not None]
    bounds = (np.nan, np.nan)
    if len(intervals) == len(baselines):
        bounds = (
            max(interval.bounds(len(baselines))[0] for interval in intervals),
            max(interval.bounds()[1] for interval in intervals),
        )
    lower, upper = np.exp(power * np.array(bounds))
    return runs.estimate(np.exp(power * value), (lower, upper), power * value)


def log_ratio(first: np.ndarray, second: np.ndarray) -> tuple[float, Interval | None]:
    """The logarithm of a ratio of spreads, mean over data sets, and its interval if it has one."""
    spreads = [_spread(values) for values in (first, second)]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.mean(np.log(spreads[0]) - np.log(spreads[1])))
    if not np.isfinite(ratio) or first.shape[1] < FEWEST_FOR_SPREAD:
        return ratio, None
    try:
        interval = of_runs(log_spread_ratio(first, second))
    except ValueError:  # all seeds but one have the same value
        return ratio, None
    return interval.mean, interval


def _spread(values: np.ndarray) -> np.ndarray:
    """Standard deviations over seeds (n,); equal values may differ from their mean by rounding."""
    return np.where(np.ptp(values, axis=1) == 0, 0.0, values.std(axis=1, ddof=1))


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


def _change(
    frame: pd.DataFrame,
    default: str,
    settings: Sequence[str],
    quantity: str,
    combine: Callable[[list[float]], float],
) -> Estimate:
    runs = paired(frame, [default, *settings], quantity)
    level = runs.cells[default].mean()
    values, nearest, farthest = [], [], []
    for setting in settings:
        factor = runs.cells[setting].mean() / level

        def change(own: np.ndarray, usual: np.ndarray, factor: float = factor) -> np.ndarray:
            # the ratio of means, linear in both
            return 100 * (factor - 1) + 100 * (own - factor * usual) / level

        interval = runs.interval(change, setting, default)
        low, high = interval.bounds()
        values.append(abs(interval.mean))
        farthest.append(max(abs(low), abs(high)))
        low, high = interval.bounds(len(settings))
        nearest.append(float(np.maximum(np.maximum(low, -high), 0)))
    return runs.estimate(combine(values), (combine(nearest), combine(farthest)), np.nan)


def paired(frame: pd.DataFrame, labels: Sequence[str], quantity: str) -> Paired:
    """The runs that all labels have. Errors as in `paired_difference`."""
    wide = complete_pairs(frame, labels, quantity)
    cells = {label: wide[label].unstack("seed").to_numpy(dtype=float) for label in labels}
    datasets = tuple(map(str, wide.index.unique("dataset")))
    parts = {}
    if len(datasets) == 1 and PARTS in frame:
        keys = frame.set_index(["dataset", "seed"]).index
        used = frame[keys.isin(wide.index)]
        found = {name: stacked_parts(used[used["method"] == name], quantity) for name in labels}
        parts = {name: values for name, values in found.items() if values is not None}
    return Paired(cells, parts, tested(quantity), datasets)


def complete_pairs(frame: pd.DataFrame, labels: Sequence[str], quantity: str) -> pd.DataFrame:
    """A row per data set and seed with runs of all labels, sorted; a column per label.

    Seeds and data sets that lack a label are left out, and seeds that only some of the data sets
    have: studies of details have fewer of both than the comparison of methods. Errors as in
    `paired_difference`.
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
    common = wide.groupby(level="seed").size() == wide.index.unique("dataset").size
    wide = wide[wide.index.get_level_values("seed").isin(common.index[common])]
    if wide.empty:
        raise MissingRuns(
            f"The data sets with runs of all of {'; '.join(labels)} have no seed in common."
        )
    return wide
