"""What figures of methods side by side say, in words, from tables of differences; no torch.

A difference is told where it holds among all of its table: `summary.corrected`, 5 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cptlab.checks import counted, shown
from cptlab.lab.study.summary import LEVEL, TOO_FEW

MOST = 3
"""Methods that are told by name; of more, the furthest and the number of the others."""


def holds(table: pd.DataFrame) -> pd.Series:
    """Which differences are separable from zero; none of those without an interval, and none that
    were planned: their verdict is that of a claim.
    """
    return (table["adjusted"].astype(float) <= LEVEL) & ~_planned(table)


def _planned(table: pd.DataFrame) -> pd.Series:
    none = pd.Series(False, index=table.index)
    return table["planned"].astype(bool) if "planned" in table else none


def beside(rows: pd.DataFrame) -> str:
    """Which methods are higher and lower than a reference, and how many are not separable from it.

    rows: one for each method, with "method", "mean" (a difference) and "adjusted".
    """
    rows, claimed = rows[~_planned(rows)], rows.loc[_planned(rows), "method"]
    few, (up, down) = int(rows["adjusted"].isna().sum()), _sides(rows)
    neither = len(rows) - few - len(up) - len(down)
    if few == len(rows):
        return f"{TOO_FEW} methods apart"
    if up.empty and down.empty:
        only = rows["method"].iloc[0]
        told = [f"{only} is not separable" if len(rows) == 1 else "no method is separable"]
    else:
        sides = {"higher": up, "lower": down}
        told = [
            f"{side} {_some(own)}" if len(own) else f"none {side}"
            for side, own in sides.items()
            if len(own) or len(rows) > 1
        ]
        told += [f"{neither} not separable"] * bool(neither)
    told += [f"{few} with too few runs"] * bool(few)
    return "; ".join([*told, *(f"{name} is judged as a claim" for name in claimed)])


def against(gaps: pd.DataFrame, metric: str, quantity: str) -> str:
    """What methods do to a metric at the smallest imbalance ratio, a sentence for each reference;
    references with the same verdict share one.

    gaps: a corrected table of `paired.paired`. quantity: the metric in words, "tail accuracy".
    """
    rows = gaps[(gaps["metric"] == metric) & (gaps["tau"] == gaps["tau"].min())]
    if rows.empty:
        return f"No method to compare in {quantity}"
    said: dict[str, list[str]] = {}
    for name, own in _by_reference(rows):
        said.setdefault(beside(own), []).append(name)
    (first, verdict), *others = ((_joined(names), verdict) for verdict, names in said.items())
    told = [f"{quantity} against {first} at τ = {rows['tau'].iloc[0]:g}: {verdict}"]
    return sentences([*told, *(f"against {names}: {verdict}" for names, verdict in others)])


def tail(gaps: pd.DataFrame) -> str:
    """What methods do to the tail, and to the head, beside the first reference.

    gaps: as for `against`, with the metrics "head" and "tail".
    """
    rows = gaps[gaps["tau"] == gaps["tau"].min()]
    told, head = against(rows, "tail", "tail accuracy"), rows[rows["metric"] == "head"]
    known = head["adjusted"].notna().any()
    return sentences([told, f"head accuracy: {beside(head)}"]) if known else told


def counts(gaps: pd.DataFrame, names: Mapping[str, str], reference: str) -> str:
    """For each metric, how many methods are higher and lower than a reference, and how far.

    gaps: a corrected table of one reference and imbalance ratio. names: metric -> words.
    """
    at = f"against {reference} at τ = {gaps['tau'].iloc[0]:g}"
    if not gaps["adjusted"].notna().any():
        return sentences([f"{at}: {TOO_FEW} methods apart"])
    told = [f"{counted(gaps['method'].nunique(), 'method')} {at}"]
    for metric, name in names.items():
        sides = zip(("higher", "lower"), _sides(gaps[gaps["metric"] == metric]), strict=True)
        found = [f"{len(own)} {side} ({_furthest(own)})" for side, own in sides if len(own)]
        told.append(f"{name}: {' and '.join(found) or 'none separable'}")
    return sentences(told)


def ranks(table: pd.DataFrame, quantity: str, runs: pd.DataFrame) -> str:
    """Who has the best mean rank at the smallest imbalance ratio, and whose intervals overlap.

    table: of `tables.rankings`. quantity: what is ranked, in words. runs: behind it; methods of
    which some are missing are named.
    """
    rows = table[table["tau"] == table["tau"].min()].sort_values("mean", kind="stable")
    there = runs.loc[runs["tau"] == rows["tau"].iloc[0], "method"]
    lacking = [name for name in dict.fromkeys(there) if name not in set(rows["method"])]
    missing = [f"not ranked, as runs are missing: {', '.join(lacking)}"] if lacking else []
    first, others = rows.iloc[0], rows.iloc[1:]
    at = f"mean rank by {quantity} at τ = {first['tau']:g}"
    if rows["lower"].isna().any():
        return sentences([f"{at}: {TOO_FEW} methods apart", *missing])
    near = list(others.loc[others["lower"] <= first["upper"], "method"])
    who = _joined(near) if len(near) <= MOST else f"{len(near)} of {len(others)} others"
    whose = f"{'that' if len(near) == 1 else 'those'} of {who}" if near else "no other"
    told = f"best {at}: {first['method']} ({first['mean']:.1f})"
    return sentences([f"{told}; its interval overlaps with {whose}", *missing])


def cost(gaps: pd.DataFrame, seconds: str) -> str:
    """`against` for H, and what it costs.

    gaps: differences in H to one reference at one imbalance ratio, with the column `seconds`.
    """
    paid = gaps[gaps[seconds] > 0].sort_values(seconds)
    first, last = paid.iloc[0], paid.iloc[-1]
    ends = [f"{_seconds(row[seconds])} ({row['method']})" for row in (first, last)]
    span = ends[0] if len(paid) == 1 else " to ".join(ends)
    return sentences([against(gaps, "H", "H"), f"training a run takes {span}"])


def shots(gaps: pd.DataFrame) -> str:
    """What methods do to accuracy with the most images, beside the first reference.

    gaps: of `few_shot.gaps`.
    """
    if gaps.empty:
        return "No method to compare in accuracy"
    reference, rows = _by_reference(gaps[gaps["shots"] == gaps["shots"].max()])[0]
    images = counted(rows["shots"].iloc[0], "image")
    return f"Accuracy against {reference} with {images} of every class: {beside(rows)}"


def classics(added: pd.DataFrame, dataset: str) -> str:
    """What long-tail classics do to tail accuracy at the smallest imbalance ratio.

    added: of `classics.added`. dataset: of its runs.
    """
    rows = added[(added["metric"] == "tail") & (added["tau"] == added["tau"].min())]
    if rows.empty:
        return "No method with and without a classic"
    named = rows.assign(method=rows["prompts"] + " + " + rows["method"])
    compared = f"against the same method without a classic at τ = {rows['tau'].iloc[0]:g}"
    return f"Tail accuracy {on(dataset)} {compared}: {beside(named)}"


def on(dataset: str) -> str:
    """The only data set that a figure rests on, for its title."""
    return f"on {shown(Path(dataset).stem)}"


def sentences(texts: Iterable[str]) -> str:
    """Texts as sentences, the last one without its full stop."""
    return ". ".join(text[:1].upper() + text[1:] for text in texts)


def difference(row: Any, seeds: int = 0) -> str:
    """ "IVLP +0.7 (0.3 to 1.0)", with the number of seeds if it has fewer."""
    fewer = f" [{row.n // row.datasets} seeds]" if row.n // row.datasets < seeds else ""
    return f"{row.method} {interval_text(row)}{fewer}"


def interval_text(row: Any) -> str:
    """ "+0.7 (0.3 to 1.0)"."""
    if np.isnan(row.lower):
        return f"{row.mean:+.1f} (no interval)"
    return f"{row.mean:+.1f} ({row.lower:z.1f} to {row.upper:z.1f})"


def _by_reference(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(str(name), own) for name, own in rows.groupby("reference", sort=False)]


def _sides(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows that are separably above and below, the furthest first."""
    kept = rows[holds(rows)]
    up, down = kept[kept["mean"] > 0], kept[kept["mean"] < 0]
    return up.sort_values("mean", ascending=False), down.sort_values("mean")


def _some(rows: pd.DataFrame) -> str:
    """Few methods by name and difference, of more the first and the number of the others."""
    means = zip(rows["method"], rows["mean"], strict=True)
    named = [f"{method} ({mean:+.1f})" for method, mean in means]
    return _joined(named if len(named) <= MOST else [named[0], f"{len(named) - 1} more"])


def _furthest(rows: pd.DataFrame) -> str:
    """A difference, or how far some go: "up to +3.4"."""
    first = rows["mean"].iloc[0]
    return f"{'' if len(rows) == 1 else 'up to ' if first > 0 else 'down to '}{first:+.1f}"


def _joined(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 10 else f"{value:,.0f} s"
