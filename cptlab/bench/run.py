"""The whole benchmark."""

from __future__ import annotations

import platform
from collections.abc import Sequence

import torch

from cptlab.bench.passes import pass_rows
from cptlab.bench.table import Row
from cptlab.bench.towers import tower_rows
from cptlab.clip import Precision, untrained

CLASSES = (50, 100, 200, 500, 1000)


def run(
    backbone: str,
    classes: Sequence[int],
    device: str = "cpu",
    precision: Precision = "fp32",
    rounds: int = 3,
    replicas: int = 5,
) -> list[Row]:
    """All rows: `towers` on an untrained backbone, then `passes` for 1, 2, 4, ... and `replicas`.

    On the CPU the passes are runs of the embedded world, on a GPU they train the same backbone.

    Raises ValueError for an unknown backbone or device.
    """
    model = untrained(backbone, device, precision)
    rows = tower_rows(model, classes, rounds)
    counts = [2**i for i in range(replicas.bit_length()) if 2**i < replicas] + [replicas]
    if replicas > 1:
        rows += pass_rows(counts, rounds, None if device == "cpu" else model)
    return [row | {"machine": machine(device, precision)} for row in rows]


def machine(device: str, precision: str) -> str:
    """Where rows were measured, in words."""
    where = torch.cuda.get_device_name() if device == "cuda" else platform.machine()
    threads = "" if device == "cuda" else f", {torch.get_num_threads()} threads"
    return f"{where}{threads}, {precision}, torch {torch.__version__}"
