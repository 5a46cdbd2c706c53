"""Where the paper's data sets are on this machine: never part of a run's specification."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "CPTLAB_DATA"
HOW = f"Set {VARIABLE} or give --data-root DIR"


def data_root() -> Path:
    """The folder that holds the paper's data sets, from the environment variable CPTLAB_DATA.

    Raises FileNotFoundError, saying what to set, if it is not set or names no folder.
    """
    value = os.environ.get(VARIABLE)
    check = "`cptlab doctor --data-root DIR` then says what is there and what is missing."
    if not value:
        raise FileNotFoundError(
            f"The paper's data sets are read from a folder, but none is named. {HOW}; {check}"
        )
    root = Path(value).expanduser().resolve()
    if not root.is_dir():
        raise FileNotFoundError(
            f"There is no data root {root}. Make that folder, or name another. {HOW}; {check}"
        )
    return root


def set_data_root(folder: Path) -> None:
    """Name the data root for this process and those that it starts."""
    os.environ[VARIABLE] = str(folder.expanduser().resolve())
