"""What a claim is, and the one rule that gives every claim its verdict."""

from dataclasses import dataclass
from typing import Literal

from cptlab.lab.study.claims.comparisons import Comparison

Direction = Literal[">", "<"]
Verdict = Literal["supported", "contradicted", "undecided", "not run"]
VERDICTS: tuple[Verdict, ...] = ("supported", "contradicted", "undecided", "not run")


@dataclass(frozen=True)
class Claim:
    """One statement of the paper as a test.

    name: short, for tables. source: section, figure or table. text: the statement in our words.
    quantity: a metric of a run. direction, threshold: the claimed result of the comparison is above
    (">") or below ("<") the threshold. taus, protocol: the runs that are compared, on all data sets
    that the compared methods share.
    """

    name: str
    source: str
    text: str
    quantity: str
    comparison: Comparison
    direction: Direction
    threshold: float
    taus: tuple[float, ...]
    protocol: Literal["base_to_new", "transfer"] = "base_to_new"


def verdict(lower: float, upper: float, direction: Direction, threshold: float) -> Verdict:
    """The verdict that follows from an interval.

    Supported if the whole interval is on the claimed side of the threshold, contradicted if all of
    it is on the other side; else undecided, also if a bound equals the threshold or there is no
    interval (NaN).
    """
    if lower > threshold:
        return "supported" if direction == ">" else "contradicted"
    if upper < threshold:
        return "supported" if direction == "<" else "contradicted"
    return "undecided"
