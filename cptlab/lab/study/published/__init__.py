"""Numbers that the paper prints, as data, and what can be computed from them alone.

Source: arXiv:2605.11939v1, Tables 1 to 5 and the running text. A file per table in long form:
table, tau (imbalance ratio of the block), method, column (data set or metric), value (accuracy,
its harmonic mean H or a standard deviation, in percentage points, two decimals in print).

Table 1 names its rows by number; which losses a row has on (`components`) is inferred from the
text, and the column `inferred` says so. `statements` holds numbers of text and captions: section
or caption, a short name of ours, value, unit and, where a table prints the same number, its cell.
No table prints base and new accuracy, so no harmonic mean can be recomputed.
"""

from importlib.resources import files

import pandas as pd

from cptlab.lab.study.published.arithmetic import (
    averages,
    mean_ranks,
    message,
    proportional_rows,
    ranks,
    repeated,
    row_ratios,
    shared_values,
)

__all__ = [
    "averages",
    "mean_ranks",
    "message",
    "proportional_rows",
    "published",
    "ranks",
    "repeated",
    "row_ratios",
    "shared_values",
]


def published(table: int | str) -> pd.DataFrame:
    """One table as printed: a number from 1 to 5, or "statements".

    Returns:
        Long frame with the columns of the module's docstring, rows in the order of print.

    Raises:
        ValueError: for a table that is not there; names those that are.
    """
    file_of = {"statements": "statements.csv"} | {str(n): f"table{n}.csv" for n in range(1, 6)}
    if str(table) not in file_of:
        raise ValueError(f"No published table {table!r}; choose from {', '.join(file_of)}.")
    path = files(__name__) / file_of[str(table)]
    with path.open(encoding="utf-8") as lines:
        return pd.read_csv(lines, dtype={"tau": float, "value": float})
