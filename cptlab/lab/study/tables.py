"""What is summarised besides values themselves: differences, gains of classes, ranks."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cptlab.lab.study.beside import BESIDE, on_the_same_classes
from cptlab.lab.study.intervals import linear_mean, of_runs
from cptlab.lab.study.parts import Parts
from cptlab.lab.study.summary import NUMBERS, PARTS, check_one_row_per_run, numbers, summarise


def differences(frame: pd.DataFrame, reference: str, values: Sequence[str]) -> pd.DataFrame:
    """Each run minus the reference method's run of the same data set, tau and seed.

    Methods share seeds, hence training images, so this is the fair comparison.

    Args:
        frame: one row per run with the columns "dataset", "method", "seed", `values` and, if they
            are known, "tau" and `PARTS`, which are subtracted as well.
        reference: label in "method".
        values: columns to subtract.

    Returns:
        The rows of the other methods with such a run, `values` replaced by differences.

    Raises:
        ValueError: on missing columns, several rows for one run, or a reference without runs.
    """
    by = [name for name in ("tau",) if name in frame.columns]
    check_one_row_per_run(frame, ["method", *by], values)
    keys = ["dataset", *by, "seed"]
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


def class_gains(classes: pd.DataFrame, reference: str = "Zero-shot") -> pd.DataFrame:
    """Gain in accuracy of each class over a reference, grouped by its number of training images.

    Numbers of images are grouped up to powers of two, as few classes share a number in a long tail.

    Args:
        classes: a row per class and run: columns "method", "dataset", "seed", "name", "n_k" and
            "accuracy".
        reference: label in "method".

    Returns:
        The rows of the other methods with "gain" in points, "n_k" as the group ("1", "2", "3 to 4",
        ...) and "largest", the largest number of images in it.

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
    largest = 2 ** np.ceil(np.log2(others["n_k"])).astype(int)
    groups = [str(n) if n <= 2 else f"{n // 2 + 1} to {n}" for n in largest]
    gains = others["accuracy"] - others["before"]
    return others.assign(gain=gains, largest=largest, n_k=groups)


def gain_table(classes: pd.DataFrame, reference: str = "Zero-shot") -> pd.DataFrame:
    """Gain in class accuracy over a reference, by the number of training images of the class.

    Gains, not accuracies, because classes differ in how easy they are. The mean is over classes; a
    data set counts by what its classes add to it. Arguments and errors as in `class_gains`.

    Returns:
        Tidy frame with the columns "method", "n_k" ("1", "2", "3 to 4", ...), "metric" ("gain"),
        the numbers of `summary.summarise` in points, and "classes", their number in a seed.
    """
    return gains_compared(classes, reference).drop(columns="p")


def gains_compared(classes: pd.DataFrame, reference: str = "Zero-shot") -> pd.DataFrame:
    """`gain_table`, and "p" as in `summary.compared`. Arguments and errors as there."""
    others = class_gains(classes, reference)
    rows = []
    groups = others.groupby(["method", "largest"], sort=False)
    for (method, largest), gains in groups:  # ty: ignore[not-iterable] a tuple, as in summarise
        n_k = gains["n_k"].iloc[0]
        named = {"largest": largest, "method": method, "n_k": n_k, "metric": "gain"}
        rows.append(named | _gain(gains))
    columns = ["largest", "method", "n_k", "metric", *NUMBERS, "p", "classes"]
    table = pd.DataFrame(rows, columns=columns).sort_values("largest", kind="stable")
    return table.drop(columns="largest").reset_index(drop=True)


def _gain(gains: pd.DataFrame) -> dict[str, float]:
    """The mean gain of some classes with its interval, and how many they are in a seed."""
    wide = gains.pivot(index=["dataset", "name"], columns="seed", values="gain")
    wide = wide.loc[:, wide.groupby("dataset").count().gt(0).all()]  # seeds that all of them have
    counted = wide.notna().to_numpy()
    parts = linear_mean(wide.fillna(0).to_numpy(), counted)
    by_dataset = wide.groupby("dataset", sort=False)
    cells = runs = by_dataset.mean().to_numpy()
    if len(runs) > 1:  # the mean over all classes, and what those of each data set add to it
        means = parts.mean(0)
        added = pd.DataFrame(parts - means).groupby(by_dataset.ngroup().to_numpy()).sum()
        cells = means + added.to_numpy() * len(runs) / len(parts)
    found = of_runs(cells, parts)
    return numbers(found, runs) | {"p": found.p, "classes": int(counted.sum(0).max())}


def rankings(frame: pd.DataFrame, metric: str, unit: str = "dataset") -> pd.DataFrame:
    """`rank_table` at each imbalance ratio, with the column "tau", of the methods that have a
    number for every data set and seed that some method has there.

    unit: as for `rank_table`. Without the ratios at which no two methods have. Raises ValueError,
    as `rank_table`, if none is left.
    """
    parts = []
    for tau, rows in frame.groupby("tau", sort=False):
        cells = len(rows[["dataset", "seed"]].drop_duplicates())
        whole = rows[rows.groupby("method")[metric].transform("count") == cells]
        if whole["method"].nunique() > 1 or len(whole) == len(rows):
            parts.append(rank_table(whole, metric, unit).assign(tau=tau))
    if not parts:
        smallest = frame[frame["tau"] == frame["tau"].min()]
        parts = [rank_table(smallest, metric, unit)]  # which says what is missing
    return pd.concat(parts)


def rank_table(frame: pd.DataFrame, metric: str, unit: str = "dataset") -> pd.DataFrame:
    """Mean rank of each method with its interval; 1 is best, ties share their mean rank.

    Methods are ranked within one data set and seed. Bounds are clipped to the possible ranks.

    Args:
        frame: columns "dataset", "method", "seed" and `metric`; one imbalance ratio.
        metric: column to rank by, the highest value first.
        unit: column of what intervals are over, beside seeds; a unit that several data sets share
            has the mean of its ranks on them.

    Returns:
        `summary.summarise` of "rank", by "method".

    Raises:
        ValueError: on missing columns, several rows for one run, or a method without a number
            for some data set and seed, as ranks among fewer methods do not compare.
    """
    check_one_row_per_run(frame, ["method"], [metric])
    wide = frame.pivot(index=["dataset", "seed"], columns="method", values=metric)
    if wide.isna().any(axis=None):
        gaps = ", ".join(wide.columns[wide.isna().any()])
        raise ValueError(
            f"Some data sets and seeds have no {metric} of: {gaps}. Leave these methods out, or "
            "repeat the row of a method that ran with one seed only (`for_every_seed`)."
        )
    order = list(dict.fromkeys(frame["method"]))
    ranks = wide[order].rank(axis=1, ascending=False, method="average")
    long = ranks.melt(value_name="rank", ignore_index=False).reset_index()
    if unit != "dataset":
        owners = frame.drop_duplicates("dataset").set_index("dataset")[unit]
        keys = [long["dataset"].map(owners), "seed", "method"]
        long = long.groupby(keys, sort=False)["rank"].mean().reset_index()
    table = summarise(long, ["rank"], ["method"])
    table[["lower", "upper"]] = table[["lower", "upper"]].clip(1, len(order))
    return table
