"""A session of the explorer on the tiny CLIP and data set: three runs, trained in a second."""

import dataclasses

import pytest
import torch
from tiny_clip import tiny_clip
from tiny_world import tiny_dataset

from cptlab import world
from cptlab.explore import begin
from cptlab.profiles import SMOKE, Depths, Part
from cptlab.schedule import Schedule

PART = Part(("tiny",), (0.25,), (1,))
PROFILE = dataclasses.replace(
    SMOKE,
    comparison=PART,
    details=PART,
    transfer=PART,
    few_shot=PART,
    similarity_dataset="tiny",
    curve_dataset="tiny",
    curve_imbalances=(0.25,),
    schedule=Schedule(epochs=3, lr=0.02, batch_size=8),
    backbone="tiny",
    depths=Depths(text_depth=2, vision_depth=2, depth=2, block=1),
)
BACKBONE = tiny_clip(torch.float32)


@pytest.fixture(scope="module")
def tiny():
    """The tiny world in place of the one that specifications name."""
    base, new = tiny_dataset(10).halves()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world, "backbone_of", lambda spec: BACKBONE)
        patch.setattr(world, "roles_of", lambda spec: {"base": base, "new": new})
        yield


@pytest.fixture(scope="module")
def store(tiny, tmp_path_factory):
    """A store with the runs that the profile smoke trains by itself; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("store")
    begin(PROFILE, folder)
    return folder
