"""Measurements: what the shared prefix and passes of replicas save, what each method costs."""

from cptlab.lab.bench.cost import (
    FIGURE,
    cost_markdown,
    costs,
    for_figure,
    measured_backbones,
    other_costs,
    store_costs,
    stored_costs,
    with_run_times,
)
from cptlab.lab.bench.run import CLASSES, committed_rows, measured, run
from cptlab.lab.bench.table import NAMES, Row, draw, markdown, read_rows, table, write, write_rows

__all__ = [
    "CLASSES",
    "FIGURE",
    "NAMES",
    "Row",
    "committed_rows",
    "cost_markdown",
    "costs",
    "draw",
    "for_figure",
    "markdown",
    "measured",
    "measured_backbones",
    "other_costs",
    "read_rows",
    "run",
    "store_costs",
    "stored_costs",
    "table",
    "with_run_times",
    "write",
    "write_rows",
]
