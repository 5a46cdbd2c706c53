"""Every method in every protocol, alone and as others write it: the engine knows none by name."""

import dataclasses

import pytest
import torch
from tiny_clip import tiny_clip
from tiny_world import tiny_dataset

from cptlab.data import Task
from cptlab.lab.runs import inputs
from cptlab.lab.runs.queue import run
from cptlab.lab.runs.results import load_result
from cptlab.lab.study.profile import Depths
from cptlab.methods import DPC, METHODS, LinearProbe, Method, TipAdapter
from cptlab.methods.schedule import Schedule
from cptlab.training.spec import RunSpec

SHALLOW = dataclasses.asdict(Depths(2, 2, 2, 1)) | {"hard_negatives": 3}
SCHEDULE = Schedule(epochs=2, lr=0.02, batch_size=8)


def made(method: type[Method], **options) -> Method:
    own = {f.name for f in dataclasses.fields(method)}
    return method(**{k: v for k, v in SHALLOW.items() if k in own}, **options)


MORE = [made(LinearProbe, class_adaptive=True), made(TipAdapter, fine_tune=True)]
ALL = [*map(made, METHODS.values()), *MORE, made(DPC, on="coop")]


def tiny_task(protocol: str) -> Task:
    whole = tiny_dataset(8)
    base, new = whole.halves()
    tests = {
        "base_to_new": {"base": base, "new": new},
        "few_shot": {"all": whole},
        "transfer": {"source": base, "target other": whole, "domain shifted": base},
    }[protocol]
    return Task(next(iter(tests)), tests)


@pytest.fixture(scope="module")
def backbone():
    return tiny_clip(torch.float32)


@pytest.fixture
def tiny(monkeypatch, backbone):
    monkeypatch.setattr(inputs, "backbone_of", lambda spec: backbone)
    monkeypatch.setattr(inputs, "task_of", lambda spec: tiny_task(spec.protocol))


@pytest.mark.parametrize("method", ALL, ids=repr)
def test_every_method_runs_in_every_protocol(tiny, tmp_path, method):
    specs = [
        RunSpec("tiny", method, 0.25, seed, SCHEDULE, protocol=protocol, backbone="tiny", curve=c)
        for protocol, c in (("base_to_new", True), ("few_shot", False), ("transfer", False))
        for seed in (1, 2)
    ]
    for result in run(specs, tmp_path, progress=False):
        roles = tiny_task(result.spec.protocol).tests
        assert set(roles) <= set(result.metrics)
        # The stored prompts give the same predictions again.
        model = load_result(tmp_path, result.spec).model()
        for role, dataset in roles.items():
            guesses = model.predict(dataset, dataset.test)
            names = [dataset.class_names[sample.label] for sample in dataset.test]
            hits = 100 * sum(map(str.__eq__, guesses, names)) / len(names)
            assert hits == pytest.approx(result.metrics[role], abs=1e-9)
