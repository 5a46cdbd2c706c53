"""Finished runs of the tiny CLIP on a folder of noisy images, for what is done with them later."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tiny_clip import tiny_clip

from cptlab.lab.runs.finished import Result, load_run
from cptlab.lab.runs.queue import run
from cptlab.methods import CoOp, Method
from cptlab.methods.schedule import Schedule
from cptlab.training.spec import RunSpec

NAMES = ("ant", "bee", "cat", "wild dog")
BACKBONE = tiny_clip(torch.float32)
"""What tests put behind every run."""


def noisy_folder(root: Path) -> Path:
    """Images of several sizes and modes, 25 of each of four classes."""
    chance = np.random.default_rng(0)
    for c, name in enumerate(NAMES):
        folder = root / name.replace(" ", "_")
        folder.mkdir(parents=True)
        for i in range(25):
            noise = chance.integers(0, 256, (16 + i, 20, 3)) * 0.4 + 50 * c
            picture = Image.fromarray(noise.astype(np.uint8)).convert(("RGB", "L")[i % 2])
            picture.save(folder / f"{i}.png")
    return root


def trained(images: Path, store: Path, method: Method | None = None) -> Result:
    """A run that learned all classes of a folder, read from where it is stored."""
    schedule = Schedule(epochs=2, lr=0.02, batch_size=8)
    method = method or CoOp()
    spec = RunSpec(str(images), method, 0.5, 1, schedule, backbone="tiny", protocol="few_shot")
    (result,) = run([spec], store, progress=False)
    return load_run(result.folder)
