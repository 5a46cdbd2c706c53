"""What the shared prefix and passes of replicas save: measured side by side, in one run."""

from cptlab.bench.run import CLASSES, run
from cptlab.bench.table import Row, read_rows, table, write

__all__ = ["CLASSES", "Row", "read_rows", "run", "table", "write"]
