"""The verdicts on the confirmatory claims: estimates, p values corrected by Holm, one rule.

All other comparisons of the study are exploratory. A frame of runs has a row per run with the
columns "dataset", "method" (label), "tau", "seed", the metrics and, if some runs are not of base to
new, "protocol".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cptlab.lab.study.claims.claim import verdict
from cptlab.lab.study.claims.estimands import (
    BALANCED,
    CONFIRMATORY,
    MOST_MISSING,
    TAU,
    Cells,
    Family,
    Planned,
)
from cptlab.lab.study.claims.statistics import MissingRuns, Paired, log_ratio, paired

LEVEL = 0.05
"""Of a family, for p values after Holm's correction."""


@dataclass(frozen=True)
class Found:
    """An estimate with bounds and two-sided p value (NaN with fewer than five cells).

    counts: of cells, data sets and seeds. left_out: what could not be compared, and why. others:
    how many methods CPT was compared with. best: the one of several that is highest.
    """

    value: float = np.nan
    bounds: tuple[float, float] = (np.nan, np.nan)
    p: float = np.nan
    counts: tuple[int, int, int] = (0, 0, 0)
    left_out: str = ""
    others: int = 1
    best: str = ""


def confirmatory(
    frame: pd.DataFrame, families: Sequence[Family], cells: Cells | None = None
) -> pd.DataFrame:
    """Test the eight claims in each family.

    Returns:
        A row per family and claim: "family", "number", "claim", "source", "estimand", "rule",
        "estimate", "lower", "upper", "unit", "p", "p_holm" (among the eight; claims that were not
        run count), "verdict", "cells", "datasets", "seeds", "note" (why a verdict is not what the
        interval says) and "missing" (the runs that a claim lacks).

    Raises:
        ValueError: on missing columns, or several rows for one run.
    """
    keys = ("dataset", "method", "tau", "seed")
    if lacking := [name for name in keys if name not in frame]:
        raise ValueError(f"The frame lacks the columns {lacking}; it has {list(frame.columns)}.")
    if "protocol" in frame:
        frame = frame[frame["protocol"].fillna("base_to_new") == "base_to_new"]
    cells = cells or Cells()
    tables = [_family(frame, family, cells) for family in families]
    return pd.concat(tables, ignore_index=True)


def holm(p: Sequence[float], size: int | None = None) -> np.ndarray:
    """p values corrected by Holm's step-down method; NaN stay, and count in the family's size."""
    values = np.asarray(p, dtype=float)
    order = np.argsort(values)[: np.isfinite(values).sum()]  # NaN are sorted last
    size = len(values) if size is None else size
    corrected = np.full(len(values), np.nan)
    steps = values[order] * (size - np.arange(len(order)))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected


def _family(frame: pd.DataFrame, family: Family, cells: Cells) -> pd.DataFrame:
    rows, found = [], []
    for number, claim in enumerate(CONFIRMATORY, start=1):
        try:
            one = _test(frame, claim, family, cells)
        except MissingRuns as lacking:
            one = Found(left_out=str(lacking))
        found.append(one)
        rows.append(
            {
                "family": family.name,
                "number": number,
                "claim": claim.name,
                "source": claim.source,
                "estimand": claim.estimand(family, one.others, one.best),
                "rule": f"{claim.direction} {claim.threshold:g}",
                "estimate": one.value,
                **dict(zip(("lower", "upper"), one.bounds, strict=True)),
                "unit": claim.unit,
                "p": one.p,
                **dict(zip(("cells", "datasets", "seeds"), one.counts, strict=True)),
                "missing": one.left_out,
            }
        )
    corrected = holm([one.p for one in found])
    judged = [
        _judged(claim, one, p) for claim, one, p in zip(CONFIRMATORY, found, corrected, strict=True)
    ]
    table = pd.DataFrame(rows).assign(p_holm=corrected)
    table[["verdict", "note"]] = judged
    order = [*rows[0]]
    order[order.index("cells") : order.index("cells")] = ["p_holm", "verdict"]
    return table[[*order[:-1], "note", "missing"]]


def _judged(claim: Planned, found: Found, p_holm: float) -> tuple[str, str]:
    """The verdict, and why it is not what the interval says where it is not."""
    if not found.counts[0]:
        return "not run", ""
    side = verdict(*found.bounds, claim.direction, claim.threshold)
    if np.isnan(found.p):
        return side, "no interval"
    if side != "undecided" and p_holm >= LEVEL:
        return "undecided", f"excludes {claim.threshold:g}, but not after Holm's correction"
    if side == "supported" and found.left_out:
        return "undecided", "ahead of those that can be compared, but some cannot"
    return side, ""


# ------------------------------------------------------------------------------------- estimates


def _test(frame: pd.DataFrame, claim: Planned, family: Family, cells: Cells) -> Found:
    """Raises MissingRuns where more cells are missing than the plan allows."""
    cpt, others = family.cpt, claim.others(family)
    if claim.kind == "first":
        return _first(frame, claim, cpt, others, cells)
    (other,) = others
    if claim.kind == "spread":
        runs = _runs(frame, claim.quantity, [(cpt, TAU), (other, TAU)], cells.spread_seeds, cells)
        ratio, interval = log_ratio(*runs.cells.values())
        if interval is None:
            return Found(float(np.exp(ratio)), counts=_counts(runs))
        lower, upper = map(float, np.exp(interval.bounds()))
        return Found(float(np.exp(ratio)), (lower, upper), interval.p, _counts(runs))
    pairs = [(cpt, TAU), (other, TAU)]
    if claim.kind == "interaction":
        pairs += [(cpt, BALANCED), (other, BALANCED)]
    runs = _runs(frame, claim.quantity, pairs, cells.seeds, cells)
    interval = runs.interval(_gap, *runs.cells)
    return Found(interval.mean, interval.bounds(), interval.p, _counts(runs))


def _gap(*cells: np.ndarray) -> np.ndarray:
    """A difference, or the first minus the second difference."""
    first, second, *at_one = cells
    return first - second - (_gap(*at_one) if at_one else 0.0)


def _first(
    frame: pd.DataFrame, claim: Planned, cpt: str, others: Sequence[str], cells: Cells
) -> Found:
    """The smallest difference to others, each on the cells that both have.

    To be first is to be ahead of all, so that the lower bound is the smallest and the p value the
    largest (intersection-union test, no correction). Not to be first, one is enough who is ahead:
    the upper bound and the p value on that side are corrected for their number (Bonferroni).
    """
    names, gaps, lacking, counts = [], [], [], []
    for other in others:
        terms = [(cpt, TAU), (other, TAU)]
        try:
            runs = _runs(frame, claim.quantity, terms, cells.seeds, cells)
        except MissingRuns as missing:
            lacking.append(str(missing))
            continue
        names.append(other)
        gaps.append(runs.interval(_gap, *runs.cells))
        counts.append(_counts(runs))
    if not gaps:
        raise MissingRuns(" ".join(dict.fromkeys(lacking)))
    # "not above zero" of each
    p = np.array([gap.p / 2 if gap.mean > 0 else 1 - gap.p / 2 for gap in gaps])
    p_first, p_behind = p.max(), np.min(1 - p) * len(p)
    lowers, uppers = [gap.bounds()[0] for gap in gaps], [gap.bounds(len(gaps))[1] for gap in gaps]
    means = [gap.mean for gap in gaps]
    return Found(
        min(means),
        (float(np.min(lowers)), float(np.min(uppers))),
        float(np.minimum(1.0, 2 * np.minimum(p_first, p_behind))),
        max(counts),
        " ".join(lacking),
        len(gaps),
        names[int(np.argmin(means))],
    )


def _runs(
    frame: pd.DataFrame,
    quantity: str,
    terms: Sequence[tuple[str, float]],
    seeds: Sequence[int],
    cells: Cells,
) -> Paired:
    """The runs of methods at imbalance ratios on the same cells, in the order of the terms."""
    found, lacking = [], []
    for name, tau in terms:
        here = frame["method"].eq(name) & np.isclose(frame["tau"].astype(float), tau)
        here &= frame["seed"].isin(seeds) & frame["dataset"].isin(cells.datasets)
        rows = frame[here]
        if quantity in rows:
            rows = rows.dropna(subset=[quantity])
        has = set(zip(rows["dataset"], rows["seed"], strict=True))
        planned = [(dataset, seed) for dataset in cells.datasets for seed in seeds]
        missing = [cell for cell in planned if cell not in has]
        if len(missing) > MOST_MISSING:
            lacking.append(f"{name} at tau = {tau:g}: {_told(missing, len(planned))}.")
        found.append(rows.assign(method=f"{name}, tau = {tau:g}"))
    if lacking:
        raise MissingRuns(" ".join(lacking))
    names = [f"{name}, tau = {tau:g}" for name, tau in terms]
    return paired(pd.concat(found), names, quantity)


def _told(missing: Sequence[tuple[str, int]], planned: int) -> str:
    if len(missing) == planned:
        return f"none of {planned} runs"
    first = ", ".join(f"{dataset} {seed}" for dataset, seed in missing[:3])
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    return f"{len(missing)} of {planned} runs are missing ({first}{more})"


def _counts(runs: Paired) -> tuple[int, int, int]:
    """Cells, data sets, seeds."""
    values = next(iter(runs.cells.values()))
    datasets, seeds = values.shape
    return values.size, datasets, seeds
