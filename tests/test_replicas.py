"""Runs that train side by side end with the numbers that each would have had alone."""

import dataclasses
import json
import sys

import pytest
import torch
from tiny_clip import tiny_clip
from tiny_world import tiny_dataset

from cptlab.data import Task, draw_long_tailed
from cptlab.lab.runs import inputs
from cptlab.lab.runs import queue as runs
from cptlab.lab.runs.passes import passes, shared_part
from cptlab.lab.runs.queue import execute, run
from cptlab.lab.runs.results import load_result
from cptlab.methods import (
    CPT,
    DPC,
    IVLP,
    METHODS,
    TCP,
    Candle,
    CLIPLoRA,
    CoCoOp,
    CoOp,
    CoPrompt,
    DeKg,
    GlobalETF,
    KgCoOp,
    LinearProbe,
    MaPLe,
    NPTStyle,
    PromptSRC,
    TipAdapter,
    ZeroShot,
)
from cptlab.methods.schedule import Schedule
from cptlab.training.loop import Trained, train
from cptlab.training.spec import RunSpec

DEPTH = {"text_depth": 2, "vision_depth": 2}
SCHEDULE = Schedule(epochs=4, lr=0.02, batch_size=8)

# Replicas of one pass; each differs from the first in the seed or in one thing of its own.
PASSES = {
    "linear_probe": [
        (LinearProbe(), 1),
        (LinearProbe(), 2),
        (LinearProbe(class_adaptive=True), 1),
    ],
    "tip_adapter": [
        (TipAdapter(fine_tune=True), 1),
        (TipAdapter(fine_tune=True), 2),
        (TipAdapter(fine_tune=True, alpha=3.0), 1),
        (TipAdapter(fine_tune=True, beta=4.0), 1),
    ],
    "coop": [(CoOp(), 1), (CoOp(), 2), (CoOp(), 3)],
    "ivlp": [(IVLP(**DEPTH), 1), (IVLP(**DEPTH), 2)],
    "global_etf": [
        (GlobalETF(**DEPTH), 1),
        (GlobalETF(**DEPTH), 2),
        (GlobalETF(**DEPTH, lambda_etf=0.7), 1),
        (GlobalETF(**DEPTH, cluster_size=2), 1),
    ],
    "cpt": [
        (CPT(**DEPTH), 1),
        (CPT(**DEPTH), 2),
        (CPT(**DEPTH, lambda_tetf=0.0), 1),
        (CPT(**DEPTH, lambda_cc=0.9), 1),
        (CPT(**DEPTH, lambda_rs=0.0), 1),
        (CPT(**DEPTH, cluster_size=3), 1),
        (CPT(**DEPTH, n_clusters=3), 1),
        (CPT(**DEPTH, n_clusters=3, cluster_seed=4), 3),
        (CPT(**DEPTH, n_clusters=4, cluster_method="euclidean"), 1),
    ],
    "cocoop": [(CoCoOp(), 1), (CoCoOp(), 2)],
    "maple": [(MaPLe(depth=2), 1), (MaPLe(depth=2), 2)],
    "promptsrc": [
        (PromptSRC(**DEPTH), 1),
        (PromptSRC(**DEPTH), 2),
        (PromptSRC(**DEPTH, text_weight=9.0), 1),
        (PromptSRC(**DEPTH, image_weight=1.0), 1),
        (PromptSRC(**DEPTH, kl_weight=30.0), 1),
    ],
    "coprompt": [
        (CoPrompt(depth=2), 1),
        (CoPrompt(depth=2), 2),
        (CoPrompt(depth=2, weight=8.0), 1),
    ],
    "npt_style": [
        (NPTStyle(depth=2), 1),
        (NPTStyle(depth=2), 2),
        (NPTStyle(depth=2, lambda_lmc=0.0), 1),
        (NPTStyle(depth=2, lambda_mmi=5.0), 1),
    ],
    "clip_lora": [(CLIPLoRA(), 1), (CLIPLoRA(), 2), (CLIPLoRA(), 3)],
    "kgcoop": [(KgCoOp(), 1), (KgCoOp(), 2), (KgCoOp(weight=90.0), 1)],
    "tcp": [(TCP(block=2), 1), (TCP(block=2), 2), (TCP(block=2, weight=90.0), 1)],
    "candle": [(Candle(), 1), (Candle(), 2), (Candle(), 3)],
    "dekg": [
        (DeKg(block=2), 1),
        (DeKg(block=2), 2),
        (DeKg(block=2, weight_kg=1.0), 1),
        (DeKg(block=2, weight_kd=90.0), 1),
    ],
}


@pytest.fixture(scope="module")
def backbone():
    return tiny_clip(torch.float32)


def specs_of(name: str, **schedule) -> list[RunSpec]:
    changed = dataclasses.replace(SCHEDULE, **schedule)
    return [RunSpec("tiny", m, 0.25, s, changed, backbone="tiny") for m, s in PASSES[name]]


def trained(specs: list[RunSpec], backbone, seen: list | None = None) -> Trained:
    base = tiny_dataset().halves()[0]
    subsets = [draw_long_tailed(base, spec.tau, spec.seed) for spec in specs]

    def after(state):
        seen.append(state)
        return [{"count": float(len(seen))} for _ in specs]

    return train(specs, backbone, base, subsets, None if seen is None else after)


@pytest.mark.parametrize("name", PASSES)
def test_a_full_training_in_one_pass_equals_the_runs_alone(name, backbone):
    specs = specs_of(name)
    together = trained(specs, backbone)
    ends = [p.detach() for p in together.model.prompts.parameters()]
    for r, spec in enumerate(specs):
        alone = trained([spec], backbone)
        replica = together.model.prompts.replica(r)
        for actual, expected in zip(
            replica.parameters(), alone.model.prompts.parameters(), strict=True
        ):
            torch.testing.assert_close(actual, expected, rtol=2e-4, atol=2e-5)
        for row, expected in zip(together.logs[r], alone.logs[0], strict=True):
            assert row == pytest.approx(expected, rel=2e-4, abs=1e-5)
        for key, value in alone.prepared.items():
            torch.testing.assert_close(together.prepared[key][r], value[0])
    # The comparison means something: no two replicas came out alike.
    for r in range(len(specs)):
        for other in range(r):
            assert any((end[r] - end[other]).abs().max() > 1e-4 for end in ends)


def test_every_declared_hyper_parameter_is_compared():
    for name, runs_of_pass in PASSES.items():
        first = runs_of_pass[0][0]
        varied = {
            f.name
            for method, _ in runs_of_pass
            for f in dataclasses.fields(method)
            if getattr(method, f.name) != getattr(first, f.name)
        }
        assert varied == set(METHODS[name].per_replica)
    assert set(METHODS) == {*PASSES, ZeroShot.name, DPC.name}
    assert ZeroShot.per_replica == ()
    assert DPC.per_replica is None  # its batches differ in size


def test_a_diverging_replica_leaves_the_others_alone(backbone):
    specs = specs_of("global_etf")
    wild = dataclasses.replace(specs[1].method, lambda_etf=1e30)
    specs[1] = dataclasses.replace(specs[1], method=wild)
    together = trained(specs, backbone, seen=[])
    assert [error is None for error in together.errors] == [True, False, True, True]
    assert specs[1].run_id in str(together.errors[1])
    assert len(together.logs[1]) < len(together.logs[0]) == SCHEDULE.epochs
    alone = trained(specs[:1], backbone)
    for actual, expected in zip(
        together.model.prompts.replica(0).parameters(),
        alone.model.prompts.parameters(),
        strict=True,
    ):
        torch.testing.assert_close(actual, expected, rtol=2e-4, atol=2e-5)


def test_a_pass_ends_when_nothing_is_left_to_train(backbone):
    seen = []
    together = trained(specs_of("coop", lr=1e30), backbone, seen)
    assert all(together.errors)
    assert len(seen) == 2  # the warm-up epoch and the one that broke them


# ---------------------------------------------------------------------------------------- grouping


def test_what_may_share_a_pass():
    cpt = RunSpec("food", CPT(), 0.25, 1)
    partners = [
        dataclasses.replace(cpt, seed=2),
        dataclasses.replace(cpt, method=CPT(lambda_rs=0.0)),
        dataclasses.replace(cpt, method=CPT(n_clusters=4, cluster_method="euclidean")),
    ]
    strangers = [
        dataclasses.replace(cpt, dataset="travel"),
        dataclasses.replace(cpt, tau=1.0),
        dataclasses.replace(cpt, method=CPT(etf_reduction="pair_mean")),
        dataclasses.replace(cpt, method=CPT(text_depth=3)),
        dataclasses.replace(cpt, method=IVLP()),
        dataclasses.replace(cpt, schedule=Schedule(lr=0.01)),
        dataclasses.replace(cpt, curve=True),
        dataclasses.replace(cpt, threads=2),
        dataclasses.replace(cpt, precision="bf16"),
    ]
    assert len({shared_part(spec) for spec in [cpt, *partners]}) == 1
    assert len({shared_part(spec) for spec in [cpt, *strangers]}) == len(strangers) + 1


@pytest.mark.parametrize(
    ("count", "replicas", "sizes"),
    [(5, 8, [5]), (9, 8, [5, 4]), (8, 4, [4, 4]), (7, 3, [3, 3, 1]), (3, 1, [1, 1, 1])],
)
def test_large_groups_are_cut_evenly(count, replicas, sizes):
    specs = [RunSpec("food", CoOp(), 0.25, seed) for seed in range(count)]
    other = RunSpec("travel", CoOp())
    cut = passes([specs[0], other, *specs[1:]], replicas)
    assert [len(group) for group in cut] == [*sizes, 1]
    assert [spec for group in cut[:-1] for spec in group] == specs
    assert cut[-1] == [other]


# -------------------------------------------------------------------------------------- run store


@pytest.fixture
def tiny(monkeypatch, backbone):
    """Runs on the tiny CLIP and data set."""
    monkeypatch.setattr(inputs, "backbone_of", lambda spec: backbone)
    roles = dict(zip(("base", "new"), tiny_dataset().halves(), strict=True))
    monkeypatch.setattr(inputs, "task_of", lambda spec: Task("base", roles))


def test_results_are_stored_one_by_one_and_say_how_they_were_run(tiny, tmp_path):
    specs = [dataclasses.replace(spec, curve=True) for spec in specs_of("cpt")[:3]]
    results = run(specs, tmp_path / "together", progress=False)
    seconds = {result.details["pass"]["seconds"] for result in results}
    assert len(seconds) == 1
    for spec, result in zip(specs, results, strict=True):
        assert result.details["pass"]["replicas"] == 3
        assert result.details["seconds"] == pytest.approx(seconds.copy().pop() / 3, abs=0.01)
        execute([spec], tmp_path / "alone")
        alone = load_result(tmp_path / "alone", spec)
        assert alone.details["pass"]["replicas"] == 1
        assert result.metrics == alone.metrics
        assert result.classes.equals(alone.classes)
        assert result.details["clusters"] == alone.details["clusters"]
        assert result.details["subset"] == alone.details["subset"]
        assert result.details["trained_parameters"] == alone.details["trained_parameters"]
        assert result.log["H"].tolist() == alone.log["H"].tolist()
        for measure in ("nc1", "nc2_prototypes_within", "nc3", "effective_rank", "drift_degrees"):
            expected = pytest.approx(alone.log[measure].tolist(), rel=1e-3, abs=1e-5)
            assert result.log[measure].tolist() == expected


def test_replicas_that_learn_nothing_share_their_numbers(tiny, tmp_path):
    specs = [RunSpec("tiny", ZeroShot(), 0.25, s, SCHEDULE, backbone="tiny") for s in (1, 2)]
    first, second = run(specs, tmp_path, progress=False)
    assert first.details["pass"]["replicas"] == 2
    assert first.metrics == second.metrics
    assert first.details["subset"] != second.details["subset"]


def test_jobs_get_a_fair_share(tiny, tmp_path, monkeypatch):
    sizes = []
    original = runs.execute
    monkeypatch.setattr(
        runs, "execute", lambda specs, *rest: sizes.append(len(specs)) or original(specs, *rest)
    )
    module = sys.modules["cptlab.lab.runs.engines.processes"]
    monkeypatch.setattr(module, "worker_processes", _serial)
    seeds = [dataclasses.replace(specs_of("coop")[0], seed=s) for s in range(6)]
    run(seeds, tmp_path, jobs=2, progress=False)
    assert sizes == [3, 3]


def _serial(*args, **kwargs):
    from joblib import parallel_config

    return parallel_config("sequential")


def test_a_pass_that_fails_as_a_whole_is_done_run_by_run(tiny, tmp_path):
    good, *_ = specs_of("cpt")
    bad = dataclasses.replace(good, method=CPT(**DEPTH, n_clusters=99))
    with pytest.raises(runs.RunsFailed, match="1 of 2 runs failed") as caught:
        run([good, bad], tmp_path, progress=False)
    assert f"{bad.run_id}: ValueError: Cannot make 99 clusters" in str(caught.value)
    stored = json.loads((tmp_path / good.run_id / "result.json").read_text())
    assert stored["pass"]["replicas"] == 1


def test_strangers_are_refused_before_anything_is_stored(tiny, tmp_path):
    """They would be stored under each other's names."""
    first = specs_of("coop")[0]
    for other in (dataclasses.replace(first, tau=1.0), specs_of("cpt")[0]):
        with pytest.raises(ValueError, match="A pass holds one or more runs that differ in seed"):
            execute([first, other], tmp_path)
    with pytest.raises(ValueError, match="A pass holds one or more"):
        execute([], tmp_path)
    with pytest.raises(ValueError, match="replicas must be at least 1"):
        run([first], tmp_path, replicas=0)
    assert not list(tmp_path.iterdir())
