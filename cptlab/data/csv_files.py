"""Rows of a user's CSV file: its columns are known ones, and every cell that must be is filled."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from cptlab.checks import read_text


def csv_rows(
    path: Path, needed: Sequence[str], optional: Sequence[str], may_be_empty: Sequence[str] = ()
) -> list[tuple[int, dict[str, str]]]:
    """Number of the line, and cells by column, of every row; spaces around cells are taken off.

    Raises ValueError for a file that is no CSV in UTF-8, other columns, or a row without one value
    for each column.
    """
    try:
        reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
        columns = [name.strip() for name in next(reader, [])]
        lines = [(reader.line_num, line) for line in reader if line]
    except csv.Error as error:
        raise ValueError(f"{path} is no CSV file ({error}). Save it as one.") from error
    known = set(needed) | set(optional)
    if not set(needed) <= set(columns) <= known or len(set(columns)) < len(columns):
        raise ValueError(
            f"{path} has the columns {', '.join(columns) or '(none)'}; it takes "
            f"{' and '.join(needed)} and, if you like, {' and '.join(optional)}, separated by "
            "commas and named in the first line."
        )
    rows = []
    for number, line in lines:
        cells = dict(zip(columns, map(str.strip, line), strict=False))
        filled = all(value or column in may_be_empty for column, value in cells.items())
        if len(line) != len(columns) or not filled:
            raise ValueError(f"{path}, line {number}: it takes one value for each column.")
        rows.append((number, cells))
    return rows
