"""Arithmetic on printed tables: what follows from the numbers, without an interpretation.

Frames are long: table, tau, method, column, value. A block is one imbalance ratio of one table.
"""

from itertools import combinations

import pandas as pd

AVERAGE, SOURCE = "Avg", "ImageNet"
TRANSFER_TABLES = [3, 4]
"""Tables whose average leaves out the source, the data set that the models are trained on."""

HALF_UNIT = 0.005
"""Largest rounding error of one printed number with two decimals."""

SLACK = 1e-9  # binary fractions: 67.78 - 67.77 is a little more than 0.01

LOWER_IS_BETTER = ["Std"]
ALL_LOSSES, ABLATED = "(5)", {"Base-to-New": 2, "Cross-Dataset": 3, "Domain Gen.": 4}
"""Table 1: the row of the full method, and the table whose average a column repeats."""


def averages(frame: pd.DataFrame) -> pd.DataFrame:
    """Printed averages beside the arithmetic means of the printed columns.

    A mean of numbers that are off by at most half a unit of the last decimal is off by as much,
    and the printed average was rounded too; so a difference up to a whole unit (0.01) is possible
    by rounding alone.

    Args:
        frame: rows of tables with a column "Avg" (2, 3 and 4), complete blocks.

    Returns:
        One row per table, tau and method: columns (how many are averaged), printed, recomputed,
        difference (printed - recomputed), rounds_to_printed (at most half a unit off),
        within_rounding (at most a unit off).

    Raises:
        ValueError: if a row has no printed average.
    """
    keys = ["table", "tau", "method"]
    printed = frame[frame["column"] == AVERAGE].set_index(keys)["value"]
    means = _averaged(frame).groupby(keys, sort=False)["value"]
    checks = means.agg(columns="size", recomputed="mean")
    checks.insert(1, "printed", printed)
    if checks["printed"].isna().any():
        table, tau, method = checks.index[checks["printed"].isna()][0]
        raise ValueError(
            f"Table {table} prints no average of {method!r} at tau = {tau:g}; pass tables with a "
            f"column {AVERAGE!r}."
        )
    checks["difference"] = checks["printed"] - checks["recomputed"]
    off = checks["difference"].abs()
    checks["rounds_to_printed"] = off <= HALF_UNIT + SLACK
    checks["within_rounding"] = off <= 2 * HALF_UNIT + SLACK
    return checks.reset_index()


def ranks(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with a column rank: 1 for the best method of a column within its block.

    Equal values share the better rank. Higher is better, except for standard deviations.
    """
    lower_is_better = frame["column"].isin(LOWER_IS_BETTER)
    ranked = frame.assign(rank=frame["value"].where(lower_is_better, -frame["value"]))
    ranks = ranked.groupby(["table", "tau", "column"])["rank"].rank(method="min")
    return frame.assign(rank=ranks.astype(int))


def mean_ranks(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean rank of each method over the columns that its table's average takes; 1 is best.

    Equal values share the mean of their places, so that the ranks of a column have one sum.

    Returns:
        One row per table, tau and method: columns (how many), firsts (in how many no method is
        better) and mean_rank.
    """
    inside = _averaged(frame)
    columns = inside.groupby(["table", "tau", "column"])["value"]
    placed = inside.assign(
        rank=columns.rank(ascending=False), first=inside["value"] == columns.transform("max")
    )
    groups = placed.groupby(["table", "tau", "method"], sort=False)
    return groups.agg(
        columns=("rank", "size"), firsts=("first", "sum"), mean_rank=("rank", "mean")
    ).reset_index()


def shared_values(frame: pd.DataFrame, at_least: int = 2) -> pd.DataFrame:
    """Values that stand for several methods in one column of a block.

    Returns:
        table, tau, column, value, methods (how many) and names (joined), most methods first.
    """
    groups = frame.groupby(["table", "tau", "column", "value"], sort=False)["method"]
    shared = groups.agg(methods="size", names=", ".join).reset_index()
    shared = shared[shared["methods"] >= at_least]
    return shared.sort_values("methods", ascending=False, kind="stable", ignore_index=True)


def row_ratios(frame: pd.DataFrame, tolerance: float = 0.05) -> pd.DataFrame:
    """Ratio of every two rows of a block over its columns (without the average).

    Args:
        frame: rows of tables, values above zero, at least three columns a block.
        tolerance: points within which a column counts as reproduced.

    Returns:
        One row per pair, the row that is printed later as `method`, the other as `reference`:
        constant (median over columns of method / reference), spread (standard deviation of these
        ratios, n - 1), reproduced (columns where |method - constant * reference| <= tolerance; the
        median reproduces one of an odd number by itself), columns.

    Raises:
        ValueError: if a block has fewer than three columns.
    """
    pairs, printed = [], frame[frame["column"] != AVERAGE]
    for (table, tau), block in printed.groupby(["table", "tau"], sort=False):
        wide = block.pivot(index="method", columns="column", values="value")
        columns = wide.shape[1]
        if columns < 3:
            raise ValueError(
                f"Table {table} at tau = {tau:g} has {columns} column(s); ratios of rows need "
                "three or more to say anything."
            )
        for reference, method in combinations(dict.fromkeys(block["method"]), 2):
            ratio = wide.loc[method] / wide.loc[reference]
            constant = ratio.median()
            off = (wide.loc[method] - constant * wide.loc[reference]).abs()
            reproduced = int((off <= tolerance + SLACK).sum())
            pair = (table, tau, method, reference, constant, ratio.std(), reproduced, columns)
            pairs.append(pair)
    names = ["table", "tau", "method", "reference", "constant", "spread", "reproduced", "columns"]
    return pd.DataFrame(pairs, columns=names)


def proportional_rows(
    frame: pd.DataFrame, tolerance: float = 0.05, share: float = 0.8
) -> pd.DataFrame:
    """Pairs of rows whose ratio is constant over columns, smallest spread first.

    Args:
        frame: as for `row_ratios`.
        tolerance: points within which a column counts as reproduced.
        share: part of the columns that must be reproduced.

    Returns:
        The chosen rows of `row_ratios`, and median_spread: the median over all pairs of the frame.
    """
    pairs = row_ratios(frame, tolerance)
    pairs["median_spread"] = pairs["spread"].median()
    chosen = pairs[pairs["reproduced"] >= share * pairs["columns"] - SLACK]
    return chosen.sort_values("spread", ignore_index=True)


def repeated(tables: pd.DataFrame, statements: pd.DataFrame) -> pd.DataFrame:
    """Numbers that the paper prints in two places, side by side.

    They are: averages of the full method in Table 1 and in Tables 2 to 4; ImageNet accuracy of
    transfer models in Tables 3 and 4; H of cosine k-means (Table 5) and of CPT on ImageNet
    (Table 2); and statements of the text with a cell in a table.

    Args:
        tables: Tables 1 to 5, concatenated.
        statements: the statements.

    Returns:
        table, tau, method, column (one place), value, other (the other place), other_value,
        difference (value - other_value).
    """
    keys = ["table", "tau", "method", "column"]
    table, method, column = tables["table"], tables["method"], tables["column"]
    ablation = tables[(table == 1) & (method == ALL_LOSSES)]
    ablation = ablation.assign(
        table=ablation["column"].map(ABLATED), method="CPT", column=AVERAGE, other="Table 1 (5)"
    )
    source = tables[(table == 4) & (column == SOURCE)].assign(table=3, other="Table 4")
    clustering = tables[(table == 5) & (method == "Cosine K-means") & (column == "H")]
    clustering = clustering.assign(
        table=2, method="CPT", column=SOURCE, other="Table 5, cosine k-means"
    )
    text = statements.dropna(subset="table").astype({"table": int})
    text = text.assign(other="section " + text["section"])
    others = pd.concat([ablation, source, clustering, text])
    others = others.rename(columns={"value": "other_value"})
    both = tables[[*keys, "value"]].merge(others[[*keys, "other", "other_value"]], on=keys)
    return both.assign(difference=both["value"] - both["other_value"])


def _averaged(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows whose columns a table's average takes."""
    source = frame["table"].isin(TRANSFER_TABLES) & (frame["column"] == SOURCE)
    return frame[(frame["column"] != AVERAGE) & ~source]


def message(printed: pd.DataFrame) -> str:
    """Which method has the highest average most often, and by how much, in one sentence.

    printed: the averages of some tables: columns table, tau, method, value.
    """
    gaps: dict[str, list[float]] = {}
    blocks = printed.groupby(["table", "tau"])
    for _, rows in blocks:
        values = rows.set_index("method")["value"].nlargest(2)
        gaps.setdefault(values.index[0], []).append(values.iloc[0] - values.iloc[-1])
    name = max(gaps, key=lambda method: len(gaps[method]))
    ahead = f"{min(gaps[name]):.2f} to {max(gaps[name]):.2f} points"
    return (
        f"As printed, {name} has the highest average in {len(gaps[name])} of {len(blocks)} blocks, "
        f"by {ahead}; tables print no spread over seeds"
    )
