"""A small study on the tiny CLIP and data set, for processes that are killed while they do it."""

from pathlib import Path

import torch
from tiny_clip import tiny_clip
from tiny_world import tiny_dataset

from cptlab.data import Task
from cptlab.lab.runs import inputs
from cptlab.lab.runs import queue as runs
from cptlab.methods import CPT, DPC, NPTStyle, PromptSRC
from cptlab.methods.schedule import Schedule
from cptlab.training.spec import RunSpec

DEEP = {"text_depth": 2, "vision_depth": 2}
METHODS = (CPT(**DEEP), PromptSRC(**DEEP), NPTStyle(depth=2), DPC(on="coop", hard_negatives=2))
SPECS = [
    RunSpec("tiny", method, 0.25, seed, Schedule(8, 0.02, 8), backbone="tiny", curve=seed > 2)
    for method in METHODS
    for seed in (1, 2, 3)
]
EXECUTED = "executed.txt"
"""In the store: the runs of every pass that was executed, a line each."""
BACKBONE = tiny_clip(torch.float32)


def work(store: Path) -> None:
    """Do what is missing of the study, in this process."""
    torch.set_num_threads(1)
    base, new = tiny_dataset(8).halves()
    inputs.backbone_of = lambda spec: BACKBONE
    inputs.task_of = lambda spec: Task("base", {"base": base, "new": new})
    plain = runs.execute

    def counted(specs, *rest):
        with (store / EXECUTED).open("a") as log:  # one short line is written in one piece
            log.write(" ".join(spec.run_id for spec in specs) + "\n")
        return plain(specs, *rest)

    runs.execute = counted
    runs.run(SPECS, store, progress=False)
