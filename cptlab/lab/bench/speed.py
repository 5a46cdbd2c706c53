"""How long the parts of a training step take: EmojiCLIP's on this machine, others' as stored."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median

import numpy as np
import torch
from tqdm.auto import tqdm

from cptlab.clip.loading import EMOJI_NAME
from cptlab.data import draw_long_tailed, open_dataset
from cptlab.lab.bench.methods import Timed, start
from cptlab.lab.bench.passes import noise
from cptlab.lab.bench.run import committed_rows, machine
from cptlab.lab.bench.table import Row, table
from cptlab.lab.runs import inputs
from cptlab.lab.runs.provenance import processor
from cptlab.lab.study import lineup
from cptlab.lab.study.profiles import FULL
from cptlab.training.model import PromptedCLIP

BENCH_BATCH = 4
"""Images of the stored benchmark's image side."""
FEW, MANY, REPLICAS, ROUNDS = 10, 100, 5, 5
"""Classes and replicas of the steps that are timed here, and how often each is."""
DAY = 24 * 3600


@dataclass(frozen=True)
class StepTimes:
    """Seconds of the parts of a training step, forward and backward, on one machine.

    image: one image through the image tower. start, slope: the text tower takes start + slope K
    for K classes. fixed: what a step takes once, however many runs share it. machine: in words.
    """

    image: float
    start: float
    slope: float
    machine: str
    fixed: float = 0.0


@cache
def times_of(backbone: str, device: str) -> StepTimes:
    """Those of a backbone: measured here if that is quick (`is_timed`), else the stored ones."""
    return this_machine() if is_timed(backbone, device) else step_times(committed_rows(device))


def is_timed(backbone: str, device: str) -> bool:
    """Whether steps on a backbone are quick enough to be timed before a forecast."""
    return backbone == EMOJI_NAME and device == "cpu"


def step_times(rows: Sequence[Row]) -> StepTimes:
    """The image side of a benchmark, and a line fitted to its text sides."""
    towers = table(rows, "towers")
    image = towers[towers["side"] == "image"]["seconds_ours"].iloc[0] / BENCH_BATCH
    text = towers[towers["side"] == "text"]
    slope, start = np.polyfit(text["classes"], text["seconds_ours"], 1)
    return StepTimes(float(image), float(start), float(slope), str(rows[0]["machine"]))


def this_machine() -> StepTimes:
    """Times of EmojiCLIP on one core of this machine, measured in some two seconds once a day.

    They are kept in the user's folder of caches (`~/.cache/cptlab`).
    """
    where = f"{processor()}, {machine('cpu', 'fp32', 1)}"
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    kept = Path(root, "cptlab", "step_times.json")
    with suppress(OSError, ValueError, TypeError):  # none is there, or of something else
        times = StepTimes(**json.loads(kept.read_text(encoding="utf-8")))
        if times.machine == where and time.time() - kept.stat().st_mtime < DAY:
            return times
    times = dataclasses.replace(from_steps(_timed_steps()), machine=where)
    with suppress(OSError):  # without a home, it is measured again the next time
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(dataclasses.asdict(times)), encoding="utf-8")
        partial.replace(kept)
    return times


def from_steps(seconds: Mapping[tuple[str, int, int], float]) -> StepTimes:
    """The parts out of the seconds of whole steps by (method, classes, replicas).

    CoOp's with few and with many classes gives the slope, with several replicas what they share;
    IVLP's also learns through the image tower.
    """
    alone = seconds["CoOp", FEW, 1]
    slope = max(0.0, (seconds["CoOp", MANY, 1] - alone) / (MANY - FEW))
    run = min(alone, max(0.0, (seconds["CoOp", FEW, REPLICAS] - alone) / (REPLICAS - 1)))
    batch = FULL.spec("activities", lineup.methods(FULL)["IVLP"], 1.0, 1).schedule.batch_size
    image = max(0.0, (seconds["IVLP", FEW, 1] - alone) / batch)
    return StepTimes(image, max(0.0, run - slope * FEW), slope, "", fixed=alone - run)


def _timed_steps() -> dict[tuple[str, int, int], float]:
    """Median seconds of steps by (method, classes, replicas), of the processor: others may use
    this machine meanwhile."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        kinds = [("CoOp", FEW, 1), ("CoOp", MANY, 1), ("CoOp", FEW, REPLICAS), ("IVLP", FEW, 1)]
        steps = {kind: _steps(*kind) for kind in kinds}
        for step in steps.values():
            step()
        took: dict[tuple[str, int, int], list[float]] = {kind: [] for kind in kinds}
        for _ in tqdm(range(ROUNDS), "timing a training step", leave=False):
            for kind, step in steps.items():
                begun = time.process_time()
                step()
                took[kind].append(time.process_time() - begun)
    finally:
        torch.set_num_threads(threads)
    return {kind: median(values) for kind, values in took.items()}


def _steps(label: str, n_classes: int, replicas: int) -> Timed:
    plain = FULL.spec("activities", lineup.methods(FULL)[label], 1.0, 1)
    specs = [dataclasses.replace(plain, seed=seed) for seed in range(1, replicas + 1)]
    names = open_dataset("objects").class_names[:n_classes]  # as long as such names are
    data = noise(n_classes, per_class=-(-plain.schedule.batch_size // n_classes))
    data, backbone = dataclasses.replace(data, class_names=names), inputs.backbone_of(plain)
    subsets = [draw_long_tailed(data, 1.0, spec.seed) for spec in specs]
    model = PromptedCLIP(backbone, start(specs, backbone), plain.method, names, data.template)
    return Timed(specs, model, data, subsets)
