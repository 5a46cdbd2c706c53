"""What figures of methods side by side say, in words, from tables of differences; no torch.

A difference is told where it holds among all of its table: `summary.corrected`, 5 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from cptlab.checks import counted
from cptlab.lab.study.summary import LEVEL

MOST = 3
"""Methods that are told by name; of more, their number and the furthest."""


def holds(table: pd.DataFrame) -> pd.Series:
    """Which differences are separable from zero; none of those without an interval."""
    return table["adjusted"].astype(float) <= LEVEL


def against(gaps: pd.DataFrame, metric: str, quantity: str) -> str:
    """What methods do to a metric at the smallest imbalance ratio, beside each reference.

    gaps: a corrected table of `paired.paired`. quantity: the metric in words, "tail accuracy".
    """
    rows = gaps[(gaps["metric"] == metric) & (gaps["tau"] == gaps["tau"].min())]
    if rows.empty:
        return f"No method to compare in {quantity}"
    told = [beside(own, quantity, name) for name, own in _by_reference(rows)]
    return f"At τ = {rows['tau'].iloc[0]:g}, {'; '.join(told)}"


def beside(rows: pd.DataFrame, quantity: str, reference: str) -> str:
    """Who is separably above and below a reference, as a clause.

    rows: one for each method, with "method", "mean" (a difference) and "adjusted".
    """
    count, (up, down) = len(rows), _sides(rows)
    if not rows["adjusted"].notna().any():
        return f"too few runs to tell methods apart from {reference} in {quantity}"
    if count == 1:
        return _alone(rows.iloc[0], quantity, reference)
    if up.empty and down.empty:
        return f"no method differs separably from {reference} in {quantity}"
    above, highest = _some(up, count, "the highest")
    below, lowest = _some(down, count, "the lowest")
    if len(up):
        below, lowest = f"{len(down)} of {count}" if len(down) else "none", ""
    has = "has" if len(up) < 2 else "have"
    higher = f"{above or 'no method'} {has} a separably higher {quantity} than {reference}{highest}"
    return f"{higher}, {below} a lower one{lowest}"


def _alone(row: pd.Series, quantity: str, reference: str) -> str:
    """`beside` for a single method."""
    if row["adjusted"] > LEVEL:
        return f"{row['method']} does not differ separably from {reference} in {quantity}"
    side = "higher" if row["mean"] > 0 else "lower"
    return (
        f"{row['method']} has a separably {side} {quantity} than {reference} ({row['mean']:+.1f})"
    )


def tail(gaps: pd.DataFrame) -> str:
    """What methods do to the tail, and to the head, beside the first reference.

    gaps: as for `against`, with the metrics "head" and "tail".
    """
    rows = gaps[gaps["tau"] == gaps["tau"].min()]
    told = against(rows, "tail", "tail accuracy")
    head = rows[rows["metric"] == "head"]
    if not head["adjusted"].notna().any():
        return told
    up, down = (f"{len(side)} of {len(head)}" if len(side) else "none" for side in _sides(head))
    return f"{told}; in the head, {up} a higher and {down} a lower one"


def counts(gaps: pd.DataFrame, names: Mapping[str, str], reference: str) -> str:
    """For each metric, how many methods are separably above and below a reference.

    gaps: a corrected table of one reference and imbalance ratio. names: metric -> words.
    """
    if not gaps["adjusted"].notna().any():
        return f"Too few runs to tell methods apart from {reference}"
    told = []
    for metric, name in names.items():
        up, down = map(len, _sides(gaps[gaps["metric"] == metric]))
        told.append(f"{name} {up} and {down}")
    count = gaps["method"].nunique()
    at = f"At τ = {gaps['tau'].iloc[0]:g}, of {counted(count, 'method')}"
    return f"{at}, separably above and below {reference}: {', '.join(told)}"


def ranks(table: pd.DataFrame) -> str:
    """Who has the best mean rank at the smallest imbalance ratio, and whose interval meets its own.

    table: of `tables.rank_table`, with "tau".
    """
    rows = table[table["tau"] == table["tau"].min()].sort_values("mean", kind="stable")
    first, others = rows.iloc[0], rows.iloc[1:]
    at = f"At τ = {first['tau']:g}"
    if rows["lower"].isna().any():
        return f"{at}, too few rankings to tell the mean ranks of methods apart"
    near = list(others.loc[others["lower"] <= first["upper"], "method"])
    told = f"{at}, {first['method']} has the best mean rank ({first['mean']:.1f})"
    if not near:
        return f"{told}, and its interval meets no other"
    who = _joined(near) if len(near) <= MOST else f"{len(near)} of {len(others)} others"
    return f"{told}; its interval meets {'that' if len(near) == 1 else 'those'} of {who}"


def cost(gaps: pd.DataFrame, seconds: str) -> str:
    """`against` for H, and what it costs.

    gaps: differences in H to one reference at one imbalance ratio, with the column `seconds`.
    """
    told = against(gaps, "H", "H")
    paid = gaps[gaps[seconds] > 0].sort_values(seconds)
    first, last = paid.iloc[0], paid.iloc[-1]
    ends = [f"{_seconds(row[seconds])} ({row['method']})" for row in (first, last)]
    span = ends[0] if len(paid) == 1 else " to ".join(ends)
    return f"{told}; training a run takes {span}"


def shots(gaps: pd.DataFrame) -> str:
    """What methods do to accuracy with the most images, beside the first reference.

    gaps: of `few_shot.gaps`.
    """
    if gaps.empty:
        return "No method to compare in accuracy"
    reference, rows = _by_reference(gaps[gaps["shots"] == gaps["shots"].max()])[0]
    images = counted(rows["shots"].iloc[0], "image")
    return f"With {images} of every class, {beside(rows, 'accuracy', reference)}"


def classics(added: pd.DataFrame) -> str:
    """What long-tail classics do to tail accuracy at the smallest imbalance ratio.

    added: of `classics.added`.
    """
    rows = added[(added["metric"] == "tail") & (added["tau"] == added["tau"].min())]
    if rows.empty:
        return "No method with and without a classic"
    named = rows.assign(method=rows["prompts"] + " + " + rows["method"])
    told = beside(named, "tail accuracy", "the same method alone")
    return f"With a long-tail classic, at τ = {rows['tau'].iloc[0]:g}, {told}"


def _by_reference(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(str(name), own) for name, own in rows.groupby("reference", sort=False)]


def _sides(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows that are separably above and below, the furthest first."""
    kept = rows[holds(rows)]
    up, down = kept[kept["mean"] > 0], kept[kept["mean"] < 0]
    return up.sort_values("mean", ascending=False), down.sort_values("mean")


def _some(rows: pd.DataFrame, count: int, superlative: str) -> tuple[str, str]:
    """Few methods by name, of more their number, and then which is the first of them."""
    means = zip(rows["method"], rows["mean"], strict=True)
    named = [f"{method} ({mean:+.1f})" for method, mean in means]
    if len(named) <= MOST:
        return _joined(named), ""
    first = rows.iloc[0]
    return f"{len(rows)} of {count}", f", {first['method']} {superlative} ({first['mean']:+.1f})"


def _joined(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 10 else f"{value:,.0f} s"
