"""Stored results that say something else, as an edit or another version would have written them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cptlab.lab.runs import stored


def edited(file: Path, change: Callable[[dict[str, Any]], object], checked: bool = True) -> None:
    """Change the values of a result file, with the checksum that they then have, or with none."""
    values = json.loads(file.read_text(encoding="utf-8"))
    values.pop("checksum", None)
    change(values)
    if not checked:
        values.pop("files", None)
    file.write_text(stored.text_of(values), encoding="utf-8")
