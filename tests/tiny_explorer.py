"""The profile smoke on the tiny CLIP and data set, for the explorer."""

import dataclasses

import torch
from tiny_clip import tiny_clip

from cptlab.lab.study.design import Design
from cptlab.lab.study.profile import Depths
from cptlab.lab.study.profiles import SMOKE
from cptlab.methods.schedule import Schedule

DESIGN = Design(("tiny",), (0.25,), (1,))
PROFILE = dataclasses.replace(
    SMOKE,
    comparison=DESIGN,
    details=DESIGN,
    transfer=DESIGN,
    few_shot=DESIGN,
    similarity_dataset="tiny",
    curve_dataset="tiny",
    curve_taus=(0.25,),
    schedule=Schedule(epochs=3, lr=0.02, batch_size=8),
    backbone="tiny",
    depths=Depths(text_depth=2, vision_depth=2, depth=2, block=1),
)
BACKBONE = tiny_clip(torch.float32)
