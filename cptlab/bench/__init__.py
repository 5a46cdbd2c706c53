"""What the shared prefix and passes of replicas save: measured side by side, in one run."""

from cptlab.bench.run import CLASSES, committed_rows, measured, run
from cptlab.bench.table import Row, draw, markdown, read_rows, table, write, write_rows

__all__ = [
    "CLASSES",
    "Row",
    "committed_rows",
    "draw",
    "markdown",
    "measured",
    "read_rows",
    "run",
    "table",
    "write",
    "write_rows",
]
