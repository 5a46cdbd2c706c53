"""The results of paired comparisons as sentences, for the end of a notebook."""

from collections.abc import Iterable

import pandas as pd

from cptlab.checks import counted
from cptlab.lab.study.claims import spread_ratio
from cptlab.lab.study.claims.statistics import log_ratio, paired
from cptlab.lab.study.summary import LEVEL, NUMBERS, TOO_FEW, corrected

TESTED = (*NUMBERS, "p", "adjusted", "family")


def findings(
    gaps: pd.DataFrame,
    reference: str,
    unit: str = "points",
    digits: int = 2,
    over: str = "data set",
) -> str:
    """A Markdown list: methods above and below a reference, by how much, and those not separable.

    A method is above the reference if its whole interval is above zero. Which of these differences
    hold among all of their table is said as well (`summary.corrected`).

    Args:
        gaps: differences to the reference, what `summary.corrected` returns, or some of its rows:
            "method" and the numbers. Each combination of its other columns ("metric", "tau") is an
            item.
        reference: name of what was subtracted.
        unit: of the differences; may be empty.
        digits: decimals of the differences.
        over: what intervals are over, beside seeds.
    """
    keys = [name for name in gaps if name not in ("method", *TESTED)]
    keys.sort(key=lambda name: name != "metric")
    items = []
    for key, rows in gaps[gaps["n"] > 0].groupby(keys, sort=False):
        title = ", ".join(map(_as_text, keys, key))
        rows = rows.sort_values("mean", key=abs, ascending=False, ignore_index=True)
        items.append(
            f"- **{title}, against {reference}:** {_sentences(rows, unit, digits, over)}\n"
        )
    return "".join(items)


def spreads(frame: pd.DataFrame, pairs: Iterable[tuple[str, str]], quantity: str) -> pd.DataFrame:
    """The spread of methods over seeds as a multiple of another's: a row for each pair.

    Args:
        frame: runs as for `cptlab.lab.study.claims.spread_ratio`, of one imbalance ratio.
        pairs: labels of a method and of its baseline.
        quantity: a column of the frame.

    Returns:
        Columns "method", "against", "ratio" of standard deviations, "lower" and "upper" (95 %;
        empty with too few seeds), "seeds", "p" of a ratio of one, and `summary.corrected` of it.
    """
    rows = []
    for label, baseline in pairs:
        found = spread_ratio(frame, label, baseline, quantity)
        cells = paired(frame, [label, baseline], quantity).cells
        _, interval = log_ratio(cells[label], cells[baseline])
        bounds = {"lower": found.lower, "upper": found.upper, "seeds": cells[label].shape[1]}
        p = float("nan") if interval is None else interval.p
        rows.append({"method": label, "against": baseline, "ratio": found.value, **bounds, "p": p})
    columns = ["method", "against", "ratio", "lower", "upper", "seeds", "p"]
    return corrected(pd.DataFrame(rows, columns=columns))


def spread_findings(table: pd.DataFrame, quantity: str) -> str:
    """A Markdown list of what `spreads` returns for a quantity."""
    items = []
    for row in table.to_dict("records"):
        text = f"{row['ratio']:.2f} times the standard deviation of {quantity}"
        if pd.isna(row["lower"]):
            text += f". With {row['seeds']} seeds there is no interval, hence no verdict."
        else:
            bounds = f"{row['lower']:.2f} to {row['upper']:.2f}"
            text += f" (95 % interval {bounds}), over {row['seeds']} seeds. The interval "
            inside = row["lower"] <= 1 <= row["upper"]
            text += "includes one: not separable." if inside else "excludes one."
        items.append(f"- **{row['method']}, against {row['against']}:** {text}\n")
    return "".join(items)


def spread_message(table: pd.DataFrame, quantity: str) -> str:
    """Which spreads over seeds differ, in one sentence; corrected for the number of pairs.

    table: what `spreads` returns for a quantity.
    """
    if table.empty:
        return f"No pair of methods to compare in the spread of {quantity} over seeds"
    if table["adjusted"].isna().all():
        return f"{TOO_FEW.capitalize()} how much {quantity} varies over seeds"
    kept = table[table["adjusted"] <= LEVEL]
    if kept.empty:
        bounds = f"from {table['lower'].min():.1f} to {table['upper'].max():.1f}"
        return (
            f"No spread of {quantity} over seeds is separable from another in "
            f"{counted(len(table), 'pair')} of methods; their ratios' intervals reach {bounds}"
        )
    told = [
        f"{row['method']} varies {row['ratio']:.1f} times as much as {row['against']}"
        for row in kept.to_dict("records")
    ]
    others = len(table) - len(kept)
    rest = f"; {others} of {len(table)} pairs are not separable" if others else ""
    return f"Over seeds, {quantity} of {', of '.join(told)}{rest}"


def _sentences(rows: pd.DataFrame, unit: str, digits: int, over: str) -> str:
    """The sentences of one item; the largest difference first."""
    first, count = _difference(rows.iloc[0], unit, digits), len(rows)
    runs = _runs(rows, over)
    above, below = rows[rows["lower"] > 0], rows[rows["upper"] < 0]
    bare = rows[rows["lower"].isna()]
    level = rows.drop(index=[*above.index, *below.index, *bare.index])
    if len(bare) == count:
        lead = "" if count == 1 else f"the largest of {count} differences is that of "
        return f"{lead}{first}. With {runs} there is no interval, hence no verdict."
    decided = rows.drop(index=[*level.index, *bare.index])
    if count == 1:
        where = "includes zero: not separable" if len(level) else "excludes zero"
        return " ".join([f"{first}, over {runs}. The interval {where}.", *_holding(decided)])
    number = len(decided) or "none"
    parts = [f"the interval excludes zero for {number} of {count} methods ({runs})."]
    for side, place in ((above, "above"), (below, "below")):
        if len(side):
            others = f", then {_listed(side['method'][1:])}" if len(side) > 1 else ""
            parts.append(f"{len(side)} {place}: {_difference(side.iloc[0], unit, digits)}{others}.")
    parts += _holding(decided)
    if decided.empty:
        parts.append(f"The largest difference is that of {first}.")
    if len(level):
        parts.append(f"Not separable: {_listed(level['method'])}.")
    if len(bare):
        parts.append(f"Too few runs for an interval: {_listed(bare['method'])}.")
    return " ".join(parts)


def _holding(decided: pd.DataFrame) -> list[str]:
    """A sentence on which of the differences whose interval excludes zero hold in their family."""
    family = 0 if decided.empty else int(decided["family"].max())
    if family < 2:
        return []
    among = f"among the {family} comparisons of this table (Benjamini-Hochberg, 5 %)"
    holding = decided[decided["adjusted"] <= LEVEL]
    if len(holding) == len(decided):
        return [f"{'It holds' if len(decided) == 1 else 'All hold'} {among}."]
    if holding.empty:
        return [f"{'It does not hold' if len(decided) == 1 else 'None holds'} {among}."]
    lost = decided.drop(index=holding.index)["method"]
    return [f"All but {_listed(lost)} hold {among}."]


def _difference(row: pd.Series, unit: str, digits: int) -> str:
    text = f"{row['method']}, {row['mean']:+.{digits}f} {unit}".rstrip()
    if pd.isna(row["lower"]) and row["n"] == 1:
        return text
    name, low, high = "95 % interval", row["lower"], row["upper"]
    if pd.isna(low):
        name, low, high = "range", row["least"], row["most"]
    return f"{text} ({name} {low:.{digits}f} to {high:.{digits}f})"


def _runs(rows: pd.DataFrame, over: str) -> str:
    """How many there are: "6 data sets and 3 to 5 seeds", or "5 seeds" on a single data set."""
    seeds = _counted(rows["n"] // rows["datasets"], "seed")
    several = rows["datasets"].max() > 1
    return f"{_counted(rows['datasets'], over)} and {seeds}" if several else seeds


def _counted(numbers: pd.Series, name: str) -> str:
    fewest, most = int(numbers.min()), int(numbers.max())
    span = f"{most}" if fewest == most else f"{fewest} to {most}"
    return f"{span} {name}{'s' * (most > 1)}"


def _as_text(column: str, value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if column == "metric" else f"{column} = {text}"


def _listed(names: pd.Series) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else str(last)
