"""The whole benchmark of towers and passes."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from cptlab.clip import Precision, untrained
from cptlab.lab.bench.passes import pass_rows
from cptlab.lab.bench.table import NAMES, Row, read_rows, write
from cptlab.lab.bench.towers import tower_rows
from cptlab.lab.study.profiles import DEMO
from cptlab.lab.workspace import stored

CLASSES = (50, 100, 200, 500, 1000)
SETTINGS: dict[str, dict[str, Any]] = {
    "smoke": {"backbone": "EmojiCLIP", "classes": (10, 40), "rounds": 1, "replicas": 2},
    "paper": {
        "backbone": "ViT-B-16-quickgelu",
        "classes": (*CLASSES, 21841),
        "device": "cuda",
        "precision": "bf16",
        "replicas": 16,
    },
}
"""What the notebook measures in these profiles; with others it shows the stored measurement."""


def measured(profile: str, folder: Path) -> list[Row]:
    """Rows stored in a folder of figures, or if there are none, those of the profile (`SETTINGS`).

    Draws their figure again.
    """
    setting = SETTINGS.get(profile, {})
    name = NAMES[setting.get("device", "cpu")]
    own = folder / f"{name}.json"
    if own.is_file():
        rows = read_rows(own)
    else:
        rows = list(run(**setting)) if setting else committed_rows()
    write(rows, folder, name)
    return read_rows(own)


def committed_rows(device: str = "cpu") -> list[Row]:
    """The measurement on a device that comes with the repository, or the user's own
    (`cptlab bench`).
    """
    return read_rows(stored(f"{NAMES[device]}.json"))


def run(
    backbone: str,
    classes: Sequence[int],
    device: str = "cpu",
    precision: Precision = "fp32",
    rounds: int = 3,
    replicas: int = 5,
) -> Iterator[Row]:
    """All rows, each as soon as it is measured.

    First `towers` on an untrained backbone, then `passes` for 1, 2, 4, ... and `replicas`: on the
    CPU they are runs of the embedded world, on a GPU they train the same backbone.

    Raises ValueError for an unknown backbone or device.
    """
    model = untrained(backbone, device, precision)
    where = machine(device, precision, torch.get_num_threads())
    yield from (row | {"machine": where} for row in tower_rows(model, classes, rounds))
    counts = [2**i for i in range(replicas.bit_length()) if 2**i < replicas] + [replicas]
    if replicas > 1:
        where = machine(device, "fp32" if device == "cpu" else precision, DEMO.threads)
        passes = pass_rows(counts, rounds, None if device == "cpu" else model)
        yield from (row | {"machine": where} for row in passes)


def machine(device: str, precision: str, threads: int) -> str:
    """The machine of a measurement as text."""
    where = torch.cuda.get_device_name() if device == "cuda" else platform.machine()
    on_cpu = "" if device == "cuda" else f", torch threads: {threads}"
    return f"{where}{on_cpu}, {precision}, torch {torch.__version__}"
