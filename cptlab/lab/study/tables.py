"""Means over seeds with Student's intervals, as a tidy frame and as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import sem, t

from cptlab.lab.study.beside import BESIDE, on_the_same_classes
from cptlab.lab.study.parts import Parts
from cptlab.lab.study.summary import PARTS

CONFIDENCE = 0.95
FEWEST_SEEDS = 3  # with two the interval would reach nine standard deviations to either side


def mean_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean and Student's 95 % interval of (n,) values: (mean, lower, upper).

    Three to five seeds are too few for a bootstrap: the percentile interval of three values covers
    their mean in about 73 % of cases, and its bounds never lie outside them. With fewer than three
    values the bounds are NaN.
    """
    values = np.sort(np.asarray(values, dtype=float))  # the same sum whatever the order of rows
    n = len(values)
    mean = float(values.mean()) if n else float("nan")
    if n < FEWEST_SEEDS:
        return mean, float("nan"), float("nan")
    half = float(t.isf((1 - CONFIDENCE) / 2, n - 1) * sem(values))
    return mean, mean - half, mean + half


def method_table(
    frame: pd.DataFrame, values: Sequence[str], by: Sequence[str] = ("method", "tau")
) -> pd.DataFrame:
    """Mean, 95 % interval over seeds and number of seeds of each value in each group.

    Args:
        frame: one row per group and seed, with the columns `by`, `values` and "seed".
        values: columns to summarise; missing numbers are left out and lower n.
        by: columns that define a group.

    Returns:
        Tidy frame with the columns `by`, "metric", "mean", "lower", "upper" and "n"; groups in
        order of appearance.

    Raises:
        ValueError: on missing columns or several rows for one seed in a group.
    """
    by = list(by)
    check_one_row_per_seed(frame, by, values)
    rows = []
    # group: a tuple with a value for each column, though pandas says Hashable
    for group, members in frame.groupby(by, sort=False):
        for metric in values:
            numbers = members[metric].dropna().to_numpy()
            mean, lower, upper = mean_interval(numbers)
            summary = {"mean": mean, "lower": lower, "upper": upper, "n": len(numbers)}
            names = dict(zip(by, group, strict=True))  # ty: ignore[invalid-argument-type]
            rows.append(names | {"metric": metric} | summary)
    return pd.DataFrame(rows, columns=[*by, "metric", "mean", "lower", "upper", "n"])


def differences(frame: pd.DataFrame, reference: str, values: Sequence[str]) -> pd.DataFrame:
    """Each run minus the reference method's run of the same data set, tau and seed.

    Methods share seeds, hence training images, so this is the fair comparison.

    Args:
        frame: one row per run with the columns "method", "seed", `values` and, if they vary,
            "dataset", "tau" and `PARTS`, which are subtracted as well.
        reference: label in "method".
        values: columns to subtract.

    Returns:
        The rows of the other methods with such a run, `values` replaced by differences.

    Raises:
        ValueError: on missing columns, several rows for one run, or a reference without runs.
    """
    keys = [name for name in ("dataset", "tau", "seed") if name in frame.columns]
    check_one_row_per_seed(frame, ["method", *keys[:-1]], values)
    partner = frame[frame["method"] == reference].set_index(keys)[list(values)]
    if partner.empty:
        present = ", ".join(dict.fromkeys(frame["method"]))
        raise ValueError(f"There are no runs of {reference!r}; there are {present}.")
    others = frame[frame["method"] != reference].join(partner.add_suffix(" of partner"), on=keys)
    for name in values:
        others[name] -= others.pop(f"{name} of partner")
    if PARTS in frame:
        theirs = frame[frame["method"] == reference].set_index(keys)[PARTS]
        pairs = zip(others[PARTS], others.join(theirs.rename("theirs"), on=keys)["theirs"])
        others[PARTS] = [_minus(own, partner) for own, partner in pairs]
    return others.dropna(subset=list(values), how="all").reset_index(drop=True)


def _minus(own: Parts, partner: Parts | float) -> Parts:
    """Parts of a difference; none for a run without a partner."""
    if not isinstance(partner, Mapping):
        return {}
    return {name: own[name] - partner[name] for name in own.keys() & partner.keys()}


def for_every_seed(frame: pd.DataFrame, method: str) -> pd.DataFrame:
    """Repeat the one run of a method without randomness (zero-shot) for every seed of the others,
    where it is known (`beside.BESIDE`) with its numbers on the head and tail classes of each.

    Where it has runs of several seeds nothing is repeated: in a class order that is drawn by seed
    even zero-shot has another tail in each.

    Args:
        frame: one row per run with the columns "method", "seed" and, if they vary, "dataset" and
            "tau"; runs are repeated within these.
        method: label in "method"; a frame without it comes back as it is.
    """
    keys = [name for name in ("dataset", "tau") if name in frame.columns]
    alone = frame["method"] == method
    own = frame.loc[alone, [*keys, "seed"]].drop_duplicates()
    if len(own) > (len(own[keys].drop_duplicates()) if keys else 1):
        return frame
    seeds = frame.loc[~alone, [*keys, "seed"]].drop_duplicates()
    once = frame[alone].drop(columns="seed")
    once = once.drop_duplicates(keys) if keys else once.head(1)
    repeated = once.merge(seeds, on=keys) if keys else once.merge(seeds, how="cross")
    if BESIDE in frame:
        repeated = on_the_same_classes(repeated, frame[~alone], keys)
    return pd.concat([repeated, frame[~alone]], ignore_index=True)[frame.columns]


def gain_table(classes: pd.DataFrame, reference: str = "Zero-shot") -> pd.DataFrame:
    """Gain in class accuracy over a reference, by the number of training images of the class.

    A class counts once, with its mean over seeds, and the interval is over classes. Gains, not
    accuracies, because classes differ in how easy they are. Numbers of images are grouped up to
    powers of two, as few classes share a number in a long tail.

    Args:
        classes: a row per class and run: columns "method", "dataset", "name", "n_k" and "accuracy".
        reference: label in "method".

    Returns:
        Tidy frame with the columns "method", "n_k" ("1", "2", "3 to 4", ...), "metric" ("gain"),
        "mean", "lower", "upper" in points, and "n", the number of classes.

    Raises:
        ValueError: for classes without training images, or a reference without runs.
    """
    if not (classes["n_k"] >= 1).all():
        raise ValueError("Some classes have no training images (n_k); leave them out.")
    if reference not in set(classes["method"]):
        raise ValueError(f"There are no runs of {reference!r} to compare with.")
    names = ["dataset", "name"]
    before = classes[classes["method"] == reference].groupby(names)["accuracy"].mean()
    others = classes[classes["method"] != reference].join(before.rename("before"), on=names)
    others["gain"] = others["accuracy"] - others["before"]
    others["most"] = 2 ** np.ceil(np.log2(others["n_k"])).astype(int)
    by_class = others.groupby(["method", "most", *names], sort=False)["gain"].mean()
    rows = []
    for (method, most), gains in by_class.groupby(["method", "most"], sort=False):
        n_k = str(most) if most <= 2 else f"{most // 2 + 1} to {most}"
        rows.append((most, method, n_k, "gain", *mean_interval(gains.to_numpy()), len(gains)))
    columns = ["most", "method", "n_k", "metric", "mean", "lower", "upper", "n"]
    table = pd.DataFrame(rows, columns=columns).sort_values("most", kind="stable")
    return table.drop(columns="most").reset_index(drop=True)


def rank_table(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Mean rank of each method with its interval; 1 is best, ties share their mean rank.

    Methods are ranked within one data set and seed. A data set's ranks are averaged over seeds and
    the interval is over data sets, as seeds of one data set are not independent data sets. With a
    single data set it is over seeds. Bounds are clipped to the possible ranks.

    Args:
        frame: columns "dataset", "method", "seed" and `metric`; one imbalance ratio.
        metric: column to rank by, the highest value first.

    Returns:
        Tidy frame with the columns "method", "metric" ("rank"), "mean", "lower", "upper", "n" (data
        sets, or seeds, behind the interval), "datasets" and "rankings".

    Raises:
        ValueError: on missing columns, several rows for one seed, or a method without a number
            for some data set and seed, as ranks among fewer methods do not compare.
    """
    check_one_row_per_seed(frame, ["dataset", "method"], [metric])
    wide = frame.pivot(index=["dataset", "seed"], columns="method", values=metric)
    if wide.isna().any(axis=None):
        gaps = ", ".join(wide.columns[wide.isna().any()])
        raise ValueError(
            f"Some data sets and seeds have no {metric} of: {gaps}. Leave these methods out, or "
            "repeat the row of a method that ran with one seed only (`for_every_seed`)."
        )
    order = list(dict.fromkeys(frame["method"]))
    ranks = wide[order].rank(axis=1, ascending=False, method="average")
    by_dataset = ranks.groupby("dataset").mean()
    units = by_dataset if len(by_dataset) > 1 else ranks
    rows = [(method, "rank", *mean_interval(units[method].to_numpy())) for method in units]
    table = pd.DataFrame(rows, columns=["method", "metric", "mean", "lower", "upper"])
    table[["lower", "upper"]] = table[["lower", "upper"]].clip(1, len(order))
    return table.assign(n=len(units), datasets=len(by_dataset), rankings=len(ranks))


def to_markdown(table: pd.DataFrame) -> str:
    """A `method_table` frame as Markdown: a row per group, a column per metric.

    A cell reads "71.2 [69.8, 72.6]"; without an interval "71.2 (n = 2)".
    """
    by = list(table.columns[: list(table.columns).index("metric")])
    metrics = list(dict.fromkeys(table["metric"]))
    lines = [[*by, *metrics], ["---"] * len(by) + ["---:"] * len(metrics)]
    for group, members in table.groupby(by, sort=False):
        cells = dict(zip(members["metric"], members.itertuples(), strict=True))
        names = map(str, group)  # ty: ignore[invalid-argument-type] a tuple, as above
        lines.append([*names, *(cell(cells.get(metric)) for metric in metrics)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def check_one_row_per_seed(
    frame: pd.DataFrame, by: Sequence[str], values: Sequence[str] = ()
) -> None:
    """Raise ValueError if columns are missing or a seed occurs twice in a group.

    Several rows per seed (one per data set, for example) would count as more seeds and make
    intervals too narrow.
    """
    missing = [name for name in [*by, *values, "seed"] if name not in frame.columns]
    if missing:
        raise ValueError(f"The frame lacks the columns {missing}; it has {list(frame.columns)}.")
    if frame.duplicated([*by, "seed"]).any():
        raise ValueError(
            f"Some seeds have several rows within {list(by)}; average over what else varies (data "
            "sets, for example) or add it to the grouping."
        )


def cell(row: Any) -> str:
    """A row of a `method_table` as text: "71.2 [69.8, 72.6]"; without interval "71.2 (n = 2)"."""
    if row is None or row.n == 0:
        return "–"
    if np.isnan(row.lower):
        return f"{row.mean:z.1f} (n = {row.n})"
    return f"{row.mean:z.1f} [{row.lower:z.1f}, {row.upper:z.1f}]"
