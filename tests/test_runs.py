"""Runs: done means a valid result file, failures stay alone, nothing finished is ever lost."""

import json
import math
import re
from importlib import metadata

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_clip import tiny_clip
from tiny_world import tiny_dataset

from cptlab import clip
from cptlab.data import Task
from cptlab.lab.runs import inputs, one_pass, results
from cptlab.lab.runs import queue as runs
from cptlab.lab.runs.queue import RunsFailed, execute, run
from cptlab.lab.runs.results import load_result, look, missing, remarks, table
from cptlab.methods import CPT, CoOp, CoPrompt, ZeroShot
from cptlab.methods.schedule import Schedule
from cptlab.training.evaluation import scores
from cptlab.training.spec import RunSpec

SCHEDULE = Schedule(epochs=2, lr=0.02, batch_size=16)


def tiny_spec(seed: int = 1, method=None, **changes) -> RunSpec:
    return RunSpec("tiny", method or CoOp(), 0.25, seed, SCHEDULE, backbone="tiny", **changes)


def tiny_task(protocol: str) -> Task:
    base, new = tiny_dataset(7).halves()
    return Task("base", {"base": base, "new": new})


@pytest.fixture(scope="module")
def backbone():
    return tiny_clip(torch.float32)


@pytest.fixture
def tiny(monkeypatch, backbone):
    """Runs on the tiny CLIP and data set; gives a counter of executed runs."""
    monkeypatch.setattr(inputs, "backbone_of", lambda spec: backbone)
    monkeypatch.setattr(inputs, "task_of", lambda spec: tiny_task(spec.protocol))
    executed = []
    original = runs.execute

    def counted(specs, store, progress=False):
        executed.extend(spec.run_id for spec in specs)
        return original(specs, store, progress)

    monkeypatch.setattr(runs, "execute", counted)
    return executed


def test_a_result_stands_alone(tiny, tmp_path, backbone):
    spec = tiny_spec(curve=True)
    assert execute([spec], tmp_path) == {}
    folder = tmp_path / spec.run_id
    files = ["predictions.npz", "prompts.safetensors", "result.json"]
    assert sorted(path.name for path in folder.iterdir()) == files
    values = json.loads((folder / "result.json").read_text())
    assert values["spec"] == spec.as_dict()
    assert values["run_id"] == spec.run_id
    assert values["trained_parameters"] == 4 * backbone.text_width
    assert values["subset"]["samples"] == 16 + 10 + 6 + 4  # 16 * .25^(k/3): 16, 10.08, 6.35, 4
    assert values["seconds"] > 0
    assert values["environment"]["threads"] == 1
    assert values["environment"]["versions"]["torch"] == metadata.version("torch")

    classes = pd.DataFrame(values["classes"])
    assert classes["role"].tolist() == ["base"] * 4 + ["new"] * 3
    assert classes["n_k"].tolist()[:4] == [16, 10, 6, 4]
    by_role = classes.groupby("role")["accuracy"].mean()  # all classes have 4 test images
    metrics = values["metrics"]
    assert metrics["base"] == pytest.approx(by_role["base"])
    assert metrics["new"] == pytest.approx(by_role["new"])
    assert metrics["macro"] == pytest.approx(by_role["base"])
    base = classes["accuracy"].to_numpy()
    thirds = [base[:2].mean(), base[2], base[3]]
    assert [metrics[name] for name in ("head", "medium", "tail")] == pytest.approx(thirds)
    assert [row["epoch"] for row in values["log"]] == [1, 2]
    assert values["log"][-1]["H"] == pytest.approx(metrics["H"])


def test_a_protocol_gets_its_own_task(tiny, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        inputs,
        "task_of",
        lambda spec: asked.append(spec.protocol) or tiny_task(spec.protocol),
    )
    execute([tiny_spec(protocol="tuning")], tmp_path)
    assert asked == ["tuning"]


def test_the_learned_prompts_come_back(tiny, tmp_path):
    spec = tiny_spec(method=CPT(text_depth=2, vision_depth=2, n_clusters=2))
    (result,) = run([spec], tmp_path, progress=False)
    base, new = tiny_dataset(7).halves()
    (again,), _ = scores(result.model(), {"base": base, "new": new})
    assert again["base"] == result.metrics["base"]
    assert again["new"] == result.metrics["new"]
    assert sorted(set(result.details["clusters"])) == [0, 1]


def test_rerunning_does_only_what_is_missing(tiny, tmp_path):
    first = run([tiny_spec(1), tiny_spec(2), tiny_spec(1)], tmp_path, progress=False)
    assert len(tiny) == 2
    assert first[0].metrics == first[2].metrics
    stamps = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    run([tiny_spec(s) for s in (1, 2, 3)], tmp_path, progress=False)
    assert tiny[2:] == [tiny_spec(3).run_id]
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    assert missing([tiny_spec(s) for s in (1, 4, 4)], tmp_path) == [tiny_spec(4)]


def test_results_come_in_the_order_asked_for(tiny, tmp_path):
    specs = [tiny_spec(2), tiny_spec(1, ZeroShot()), tiny_spec(1)]
    results = run(specs, tmp_path, progress=False)
    assert [result.spec for result in results] == specs
    frame = table(results)
    assert frame["method"].tolist() == ["coop", "zero_shot", "coop"]
    assert frame["seed"].tolist() == [2, 1, 1]
    assert frame["run_id"].tolist() == [spec.run_id for spec in specs]
    assert frame["H"].tolist() == [result.metrics["H"] for result in results]


DAMAGE = {
    "cut": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "binary": lambda text: "\udcff\udcfe",
    "no object": lambda text: "[1, 2]",
    "null": lambda text: "null",
    "other format": lambda text: text.replace('"format": 2', '"format": 1'),
    "other run": lambda text: text.replace('"seed": 1', '"seed": 2'),
    "other program": lambda text: text.replace('"n_max"', '"max_n"'),
    "empty metrics": lambda text: re.sub(r'"metrics": {[^}]*}', '"metrics": {}', text),
    "null metrics": lambda text: re.sub(r'"metrics": {[^}]*}', '"metrics": null', text),
    "no parameters": lambda text: text.replace('"trained_parameters"', '"parameters"'),
    "too deep": lambda text: "[" * 100_000,
    "no metrics": lambda text: text.replace('"metrics"', '"numbers"'),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_result_counts_as_missing(damage, tiny, tmp_path):
    spec = tiny_spec(method=ZeroShot())
    execute([spec], tmp_path)
    path = tmp_path / spec.run_id / "result.json"
    assert missing([spec], tmp_path) == []
    whole = path.read_text()
    path.write_bytes(DAMAGE[damage](whole).encode(errors="surrogateescape"))
    assert path.read_bytes() != whole.encode()
    assert missing([spec], tmp_path) == [spec]
    run([spec], tmp_path, progress=False)
    assert json.loads(path.read_text())["metrics"] == json.loads(whole)["metrics"]


def test_a_result_without_its_prompts_counts_as_missing(tiny, tmp_path):
    execute([tiny_spec()], tmp_path)
    (tmp_path / tiny_spec().run_id / "prompts.safetensors").unlink()
    assert missing([tiny_spec()], tmp_path) == [tiny_spec()]


@pytest.mark.parametrize("stage", ["save_prompts", "environment"])
def test_a_run_that_dies_while_storing_leaves_no_result(stage, tiny, tmp_path, monkeypatch):
    def die(*args):
        raise OSError("No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(clip if stage == "save_prompts" else results, stage, die)
        with pytest.raises(RunsFailed, match="OSError: No space left on device"):
            run([tiny_spec()], tmp_path, progress=False)
    assert not list(tmp_path.rglob("result.json"))
    assert load_result(tmp_path, tiny_spec()) is None
    assert run([tiny_spec()], tmp_path, progress=False)[0].metrics["H"] >= 0


def test_a_failing_run_is_named_and_takes_no_other_down(tiny, tmp_path):
    bad = tiny_spec(2, CPT(text_depth=2, vision_depth=2, n_clusters=99))
    diverging = RunSpec("tiny", CoOp(), 0.5, 1, Schedule(2, 1e30, 16), backbone="tiny")
    specs = [tiny_spec(1), bad, diverging, tiny_spec(3)]
    with pytest.raises(RunsFailed) as caught:
        run(specs, tmp_path, progress=False)
    message = str(caught.value)
    assert message.startswith("2 of 4 runs failed (2 finished and are stored in")
    assert f"{bad.run_id}: ValueError: Cannot make 99 clusters of 4 classes" in message
    assert f"{diverging.run_id}: TrainingDiverged: Run ...: the loss" in message
    assert tiny_spec(1).run_id not in message
    assert missing(specs, tmp_path) == [bad, diverging]
    with pytest.raises(RunsFailed, match="2 of 2 runs failed"):
        run(specs, tmp_path, progress=False)


def test_one_cause_is_told_once(tiny, tmp_path):
    bad = [tiny_spec(s, CPT(text_depth=2, vision_depth=2, n_clusters=99)) for s in (1, 2)]
    with pytest.raises(RunsFailed) as caught:
        run(bad, tmp_path, progress=False)
    assert str(caught.value).count("Cannot make 99 clusters") == 1
    assert all(spec.run_id in str(caught.value) for spec in bad)


def test_interruption_keeps_what_is_finished(tiny, tmp_path, monkeypatch):
    specs = [tiny_spec(seed) for seed in (1, 2, 3, 4)]
    counted = runs.execute

    def interrupted(specs, store, progress=False):
        if len(tiny) == 2:
            raise KeyboardInterrupt
        return counted(specs, store, progress)

    with monkeypatch.context() as patched:
        patched.setattr(runs, "execute", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(specs, tmp_path, progress=False, replicas=2)
    assert missing(specs, tmp_path) == specs[2:]
    results = run(specs, tmp_path, progress=False)
    assert len(tiny) == 4
    assert all(result.metrics["H"] >= 0 for result in results)


def test_serial_and_parallel_runs_agree(tmp_path):
    """On the packaged CLIP, because workers are processes of their own."""
    method = CPT(text_depth=2, vision_depth=2)
    specs = [RunSpec("activities", method, 0.5, s, SCHEDULE, n_max=2, threads=1) for s in (1, 2)]
    together = run(specs, tmp_path / "parallel", jobs=2, progress=False)
    alone = run(specs[:1], tmp_path / "serial", jobs=1, progress=False)
    assert alone[0].metrics == together[0].metrics
    assert alone[0].details["log"] == together[0].details["log"]
    assert alone[0].classes.equals(together[0].classes)
    assert together[0].details["log"] != together[1].details["log"]
    assert all(math.isfinite(value) for value in together[0].metrics.values())


def test_results_of_other_weights_count_as_missing(tiny, tmp_path, monkeypatch):
    spec = tiny_spec()
    run([spec], tmp_path, progress=False)
    assert missing([spec], tmp_path) == []
    monkeypatch.setattr(clip, "weights_id", lambda name, pretrained: "retrained")
    assert missing([spec], tmp_path) == [spec]


def test_weights_are_known_by_their_content(tmp_path):
    file = tmp_path / "weights.safetensors"
    file.write_bytes(b"one")
    first = clip.weights_id("EmojiCLIP", str(file))
    file.write_bytes(b"other")
    assert clip.weights_id("EmojiCLIP", str(file)) != first
    assert len({first, clip.weights_id("EmojiCLIP"), clip.weights_id("ViT-B-16", "openai")}) == 3


def test_descriptions_that_changed_make_a_result_stale(tiny, tmp_path):
    path = tmp_path / "descriptions.json"
    path.write_text(
        json.dumps({name: [f"{name}, a thing."] for name in tiny_dataset().class_names})
    )
    spec = tiny_spec(1, CoPrompt(depth=2, descriptions=str(path)))
    execute([spec], tmp_path)
    assert missing([spec], tmp_path) == []
    path.write_text(path.read_text().replace("a thing", "a beast"))
    assert missing([spec], tmp_path) == [spec]
    assert "belong to data that have changed" in remarks(look([spec], tmp_path))[0]


def test_a_result_that_goes_while_it_is_read_is_named(tiny, tmp_path):
    spec = tiny_spec()
    with pytest.raises(RuntimeError, match=f"The results of {spec.run_id} in .* are gone: start"):
        results.require_result(tmp_path, spec)
    (tmp_path / spec.run_id).mkdir()
    (tmp_path / spec.run_id / "result.json").write_text("{}")
    with pytest.raises(RuntimeError, match="are damaged or incomplete: start again"):
        results.require_result(tmp_path, spec)


def test_predictions_that_are_no_numbers_fail_the_run(tiny, tmp_path, monkeypatch):
    """Prompts can be finite and so large that a tower makes nothing of them."""
    plain = one_pass.predict_both_ways

    def broken(model, tests):
        own, joint = plain(model, tests)
        own["new"][0].log_probabilities[0] = np.nan
        return own, joint

    monkeypatch.setattr(one_pass, "predict_both_ways", broken)
    specs = [tiny_spec(1), tiny_spec(2)]
    errors = execute(specs, tmp_path)
    assert list(errors) == specs[:1]
    assert "the predictions of its test images are not" in str(errors[specs[0]])
    assert load_result(tmp_path, specs[0]) is None
    assert load_result(tmp_path, specs[1]) is not None
