"""For tests of the explorer: a store of three runs on the tiny CLIP and data set, trained in a
second, a session on it.
"""

import pytest
from tiny_explorer import BACKBONE, PROFILE
from tiny_world import tiny_dataset

from cptlab.data import Task
from cptlab.lab.explore import begin
from cptlab.lab.runs import inputs


@pytest.fixture(scope="module")
def tiny():
    """The tiny world in place of the one that specifications name."""
    base, new = tiny_dataset(10).halves()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "backbone_of", lambda spec: BACKBONE)
        patch.setattr(inputs, "task_of", lambda spec: Task("base", {"base": base, "new": new}))
        yield


@pytest.fixture(scope="module")
def store(tiny, tmp_path_factory):
    """A store with the runs that the profile smoke trains by itself; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("store")
    begin(PROFILE, folder)
    return folder


@pytest.fixture
def session(store, tmp_path):
    """A session on a store of its own, so that it may train."""
    for path in store.glob("*-*"):
        (tmp_path / path.name).symlink_to(path)
    return begin(PROFILE, tmp_path, "on")
