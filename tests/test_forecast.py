"""Forecasts: steps as real runs take them, seconds out of given measurements, what is a guess."""

import dataclasses
import json
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from edited_files import edited
from tiny_clip import tiny_clip
from tiny_world import tiny_dataset

from cptlab.clip import PromptShape
from cptlab.data import Task, draw_long_tailed
from cptlab.lab.bench import NAMES, committed_rows, evidence, speed
from cptlab.lab.bench import forecast as module
from cptlab.lab.bench.evidence import form_of, measured_ratios
from cptlab.lab.bench.forecast import (
    BEGIN,
    FORWARD,
    as_text,
    factors,
    forecast,
    pass_seconds,
    reading,
    step_seconds,
    summary,
)
from cptlab.lab.bench.speed import FEW, MANY, REPLICAS, StepTimes, from_steps, step_times, times_of
from cptlab.lab.bench.work import images_of_a_step, work_of
from cptlab.lab.runs.one_pass import execute
from cptlab.lab.study.lineup import methods
from cptlab.lab.study.profiles import DEMO, FULL, PAPER
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
    Method,
    NPTStyle,
    PromptSRC,
    TipAdapter,
    ZeroShot,
)
from cptlab.methods.schedule import Schedule
from cptlab.training import batches
from cptlab.training.loop import train
from cptlab.training.spec import RunSpec

GPU = StepTimes(image=0.01, start=0.01, slope=0.0001, machine="Some GPU, bf16, torch 2.13.0")
CPU = StepTimes(image=0.002, start=0.001, slope=0.0003, machine="this machine", fixed=0.01)
DEEP = {"text_depth": 2, "vision_depth": 2}


@dataclass(frozen=True)
class ImagesOnly(Method):
    """Prompts images alone."""

    name: ClassVar[str] = "images_only"

    def prompt_shape(self):
        return PromptShape(text_tokens=0, text_depth=0, vision_tokens=2, vision_depth=1)


@pytest.fixture(autouse=True)
def given_times(monkeypatch):
    """Nothing is timed here; forecasts rest on numbers of these tests."""
    monkeypatch.setattr(speed, "this_machine", lambda: CPU)
    monkeypatch.setattr(module, "reading", lambda task: 0.0)
    speed.times_of.cache_clear()
    yield
    speed.times_of.cache_clear()


def seconds_of(spec, times, **more):
    return pass_seconds(spec, work_of(spec), 1, times, **more)


# ------------------------------------------------------------------------------------------ steps


@pytest.mark.parametrize(
    "method",
    [
        ZeroShot(),
        LinearProbe(),
        TipAdapter(),
        TipAdapter(fine_tune=True),
        CoOp(),
        CoCoOp(),
        IVLP(**DEEP),
        MaPLe(depth=2),
        PromptSRC(**DEEP),
        CoPrompt(depth=2),
        NPTStyle(depth=2),
        KgCoOp(),
        TCP(block=1),
        Candle(),
        DeKg(block=1),
        DPC(on="coop", tokens_per_layer=4, hard_negatives=3),
        DPC(on="maple", depth=2, hard_negatives=3),
        CLIPLoRA(),
        GlobalETF(**DEEP),
        CPT(**DEEP, cluster_size=2),
        ImagesOnly(),
    ],
    ids=lambda method: f"{method.name}-{getattr(method, 'on', '')}",
)
@pytest.mark.parametrize("tau", [1.0, 0.1])
def test_steps_are_those_that_a_run_takes(method, tau, monkeypatch):
    """As many batches are drawn in training as the forecast says, in both stages."""
    base, drawn = tiny_dataset().halves()[0], []
    plan = Schedule(epochs=2, batch_size=8, warmup_lr=0.02, match_balanced_steps=True)
    spec = RunSpec("tiny", method, tau, 1, plan, backbone="tiny")
    plain = batches.batches
    monkeypatch.setattr(
        batches, "batches", lambda *args: drawn.append(len(plain(*args))) or plain(*args)
    )
    subset = draw_long_tailed(base, tau, 1)
    logs = train([spec], tiny_clip(torch.float32), base, [subset]).logs
    work = work_of(spec, lambda spec: Task("base", {"base": base}))
    assert work.steps == sum(drawn)
    assert work.samples == len(subset.samples)
    if method.weights():
        assert len(logs[0]) == work.epochs and work.steps > 0


def test_steps_by_hand_for_eurosat():
    """Five of ten classes; 16, 7, 3, 1, 1 images at tau 0.06 (16 * .06^(k/4), rounded down)."""
    work = work_of(PAPER.spec("eurosat", CPT(), 0.06, 1))
    assert work.steps == 12 * ((16 + 7 + 3 + 1 + 1) // 4)
    balanced = work_of(PAPER.spec("eurosat", CPT(), 1.0, 1))
    assert balanced.steps == 12 * (5 * 16 // 4)
    assert balanced.tested == 8100


def test_transfer_learns_all_classes_and_tests_everything():
    method = methods(PAPER, protocol="transfer")["CPT (sum)"]
    work = work_of(PAPER.spec("imagenet", method, 1.0, 1, "transfer"))
    assert work.steps == 8 * 1000 * 16 // 4
    targets = 2465 + 3669 + 8041 + 2463 + 30_300 + 3333 + 19_850 + 1692 + 8100 + 3783
    assert work.tested == 50_000 + targets + 10_000 + 50_889 + 7500 + 30_000


def test_batches_with_hard_negatives_as_large_as_they_are_on_average():
    """Each of 4 images draws all others of 5 classes: one image joins of every absent class."""
    assert images_of_a_step(CoOp(), 4, 5) == 4
    everything = DPC(hard_negatives=5)
    assert images_of_a_step(everything, 4, 5) == pytest.approx(4 + 5 * 0.8**4)
    # of 1000 classes, 4 images with 8 negatives each rarely share one
    assert images_of_a_step(DPC(), 4, 1000) == pytest.approx(4 + 4 * 8, rel=0.02)


# ---------------------------------------------------------------------------------------- seconds


def test_seconds_are_those_of_both_sides():
    spec = PAPER.spec("eurosat", CPT(), 1.0, 1)
    steps, text, image = work_of(spec).steps, 0.01 + 0.0001 * 5, 0.01
    tested = BEGIN + FORWARD * (8100 * image + text)
    assert seconds_of(spec, GPU) == pytest.approx(steps * (text + 4 * image) + tested)
    # CoOp's image tower is frozen, and every step sees new crops
    coop = PAPER.spec("eurosat", CoOp(), 1.0, 1)
    steps = work_of(coop).steps
    expected = steps * (text + 32 * image * FORWARD) + tested
    assert seconds_of(coop, GPU) == pytest.approx(expected)
    # without crops it sees each image once
    plain = dataclasses.replace(coop, crop=False)
    expected = steps * text + 5 * 16 * image * FORWARD + tested
    assert seconds_of(plain, GPU) == pytest.approx(expected)
    # CoCoOp encodes the texts for every image
    schedule = dataclasses.replace(CoOp().schedule(), batch_size=4)
    spec = dataclasses.replace(PAPER.spec("eurosat", CoCoOp(), 1.0, 1), schedule=schedule)
    tested = BEGIN + FORWARD * 8100 * (image + text)
    expected = work_of(spec).steps * (4 * text + 4 * image * FORWARD) + tested
    assert seconds_of(spec, GPU) == pytest.approx(expected)


def test_two_stages_and_a_frozen_twin():
    """DPC on 24 classes of DTD: as many steps again, on larger batches."""
    spec = PAPER.spec("dtd", DPC(), 1.0, 1)
    work, text, image = work_of(spec), 0.01 + 0.0001 * 24, 0.01
    tested = BEGIN + FORWARD * (work.tested * image + text)
    stage = 20 * (24 * 16 // 4)
    assert work.steps == 2 * stage
    shown = 4 + images_of_a_step(DPC(), 4, 24)
    expected = 2 * stage * text + stage * shown * image + tested
    assert seconds_of(spec, GPU) == pytest.approx(expected)
    # PromptSRC's frozen tower sees every image as well
    spec = PAPER.spec("dtd", PromptSRC(), 1.0, 1)
    expected = stage * (text + 4 * image * (1 + FORWARD)) + tested
    assert seconds_of(spec, GPU) == pytest.approx(expected)


def test_runs_of_a_pass_share_what_a_step_takes_once():
    alone, eight = (step_seconds(CoOp(), 40, 32, CPU, replicas) for replicas in (1, 8))
    assert 8 * alone - eight == pytest.approx(7 * CPU.fixed)


def test_a_followed_run_is_evaluated_after_every_epoch_and_reads_its_images_again():
    spec = DEMO.spec("activities", methods(DEMO)["CPT (sum)"], 0.06, 1)
    followed = dataclasses.replace(spec, curve=True)
    work = work_of(spec)
    once = work.tested * (CPU.image * FORWARD + 0.01) + (CPU.start + 40 * CPU.slope) * FORWARD
    collapse = work.samples * CPU.image * FORWARD
    more = seconds_of(followed, CPU, read=0.01) - seconds_of(spec, CPU, read=0.01)
    assert more == pytest.approx((work.epochs - 1) * once + work.epochs * collapse)


# ------------------------------------------------------------------------------- what was measured


def test_parts_of_a_step_are_found_in_whole_steps():
    steps = {
        (label, n_classes, replicas): step_seconds(
            methods(FULL)[label], n_classes, 32, CPU, replicas
        )
        for label in ("CoOp", "IVLP")
        for n_classes in (FEW, MANY)
        for replicas in (1, REPLICAS)
    }
    found = from_steps(steps)
    for name in ("image", "start", "slope", "fixed"):
        assert getattr(found, name) == pytest.approx(getattr(CPU, name)), name


def test_times_of_this_machine_are_kept(monkeypatch, tmp_path):
    """Also if what was kept is of another machine, or no measurement."""
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    steps = {("CoOp", FEW, 1): 2.0, ("CoOp", MANY, 1): 11.0}
    steps |= {("CoOp", FEW, REPLICAS): 6.0, ("IVLP", FEW, 1): 34.0}
    asked = []
    monkeypatch.setattr(speed, "_timed_steps", lambda: asked.append(1) or steps)
    first = speed.this_machine()
    assert (first.image, first.start, first.slope, first.fixed) == (1.0, 0.0, 0.1, 1.0)
    assert speed.this_machine() == first and len(asked) == 1
    (kept,) = tmp_path.glob("cptlab/*")
    for text in ("[]", "{", json.dumps(dataclasses.asdict(CPU))):
        kept.write_text(text)
        assert speed.this_machine() == first
    assert len(asked) == 4


def test_steps_can_be_timed_here():
    """Each with its classes and replicas, one thread; how long they take is not asked."""
    step = speed._steps("CoOp", 10, 2)
    assert step() == 32
    assert {tuple(p.shape[:1]) for p in step.step.parameters} == {(2,)}


@pytest.mark.parametrize("device", NAMES)
def test_the_committed_benchmarks_give_times(device):
    times = step_times(committed_rows(device))
    assert times.image > 0 and times.slope > 0
    assert ("torch threads" in times.machine) == (device == "cpu")


def test_every_method_of_the_study_that_learns_has_a_measured_step():
    found = factors("EmojiCLIP", "cpu")
    learning = {method.name for method in methods(FULL).values()} - {"zero_shot"}
    assert {name for name, _ in found} == learning
    assert {on for name, on in found if name == "dpc"} == {False, True}
    assert found[form_of(methods(FULL)["IVLP"])] == 1
    assert set(METHODS) >= learning
    assert factors("ViT-B-16-quickgelu", "cuda") == {}


def test_measured_steps_count_beside_the_arithmetic(monkeypatch):
    """CoOp's step took twice what the arithmetic gives beside IVLP's."""
    every = methods(FULL)
    plain = {label: step_seconds(every[label], 40, 32, CPU) for label in ("CoOp", "IVLP")}
    rows = [
        {"method": label, "backbone": "EmojiCLIP", "classes": 40, "batch": 32}
        | {"ratio_seconds_step": factor * plain[label] / plain["IVLP"]}
        for label, factor in (("CoOp", 2.0), ("IVLP", 1.0))
    ]
    monkeypatch.setattr(module, "stored_rows", lambda: rows)
    module._factors.cache_clear()
    spec = DEMO.spec("activities", every["CoOp"], 0.06, 1)
    (took,) = forecast([spec]).runs["seconds"]
    module._factors.cache_clear()
    step = step_seconds(every["CoOp"], 40, 32, CPU)
    assert took - seconds_of(spec, CPU) == pytest.approx(work_of(spec).steps * step)


def test_stored_passes_of_this_machine_come_first(tmp_path):
    spec = FULL.spec("activities", ZeroShot(), 0.06, 1)
    execute([spec], tmp_path)
    path = tmp_path / spec.run_id / "result.json"
    plain = forecast([spec]).seconds
    edited(path, lambda values: values.update({"pass": {"replicas": 1, "seconds": 5 * plain}}))
    other = dataclasses.replace(spec, seed=2)
    assert forecast([other], tmp_path).seconds == pytest.approx(5 * plain)
    # another data set, another machine, a damaged file
    elsewhere = FULL.spec("food", ZeroShot(), 0.06, 1)
    assert measured_ratios(tmp_path, [elsewhere], lambda spec, replicas: 1.0) == {}
    edited(path, lambda values: values["environment"].update(processor="another one"))
    assert forecast([other], tmp_path).seconds == pytest.approx(plain)
    path.write_text("{")
    assert forecast([other], tmp_path).seconds == pytest.approx(plain)


def test_the_median_of_the_latest_passes_counts(tmp_path, monkeypatch):
    spec = FULL.spec("activities", CoOp(), 0.06, 1)
    took = {str(n): float(n) for n in (1, 2, 30)}
    for name in took:
        folder = tmp_path / f"activities-coop-tau0.06-{name}"
        folder.mkdir()
        (folder / "result.json").touch()
    monkeypatch.setattr(
        evidence, "_took", lambda path: (spec, 2, took[path.parent.name.split("-")[-1]])
    )
    found = measured_ratios(tmp_path, [spec], lambda spec, replicas: 1.0 * replicas)
    assert list(found.values()) == [1.0]


def test_reading_is_timed_and_left_to_the_run_if_it_fails():
    base = tiny_dataset().halves()[0]
    sizes = []
    held = dataclasses.replace(
        base, read=lambda keys, size: sizes.append(len(keys)) or base.read(keys, size)
    )
    assert reading(Task("base", {"base": held})) > 0
    assert sizes == [1, 8]

    def broken(keys, size):
        raise OSError("no such image")

    assert reading(Task("base", {"base": dataclasses.replace(base, read=broken)})) == 0


# ------------------------------------------------------------------------------------- what is said


def test_the_summary_is_by_data_set_and_method_and_marks_guesses():
    every = methods(FULL)
    labels = {
        FULL.spec(dataset, method, 0.06, seed): label
        for dataset in ("activities", "food")
        for label, method in (("CoOp", every["CoOp"]), ("Mine", ImagesOnly()))
        for seed in (1, 2)
    }
    found = forecast(list(labels))
    table = summary(found.runs, labels)
    assert list(table.index) == [
        ("activities", "CoOp"),
        ("activities", "Mine"),
        ("food", "CoOp"),
        ("food", "Mine"),
        ("all", ""),
    ]
    assert table["runs"].tolist() == [2, 2, 2, 2, 8]
    assert table["guess"].tolist() == [False, True, False, True, True]
    assert table["steps"].iloc[-1] == table["steps"].iloc[:-1].sum() > 0
    assert table["hours"].iloc[-1] == pytest.approx(found.seconds / 3600)
    text = as_text(found, labels)
    assert "~" in text.splitlines()[3] and "~" not in text.splitlines()[2]
    assert "this machine" in text and "~ is a guess" in text
    measured = [spec for spec, label in labels.items() if label == "CoOp"]
    assert "guess" not in as_text(forecast(measured), labels)


def test_workers_share_the_passes_but_not_the_longest():
    coop = methods(FULL)["CoOp"]
    specs = [FULL.spec("activities", coop, 0.06, seed) for seed in range(1, 5)]
    alone = forecast(specs[:1]).seconds
    assert forecast(specs, jobs=4).seconds == pytest.approx(alone)
    assert forecast(specs, jobs=4).runs["seconds"].sum() == pytest.approx(4 * alone)
    assert forecast(specs, jobs=1).seconds < 4 * alone  # a pass of four
    assert forecast([], jobs=3).seconds == 0


def test_other_backbones_go_by_the_stored_benchmark():
    spec = PAPER.spec("eurosat", CPT(), 1.0, 1)
    found = forecast([spec])
    assert found.seconds == pytest.approx(seconds_of(spec, times_of(spec.backbone, "cuda")))
    assert found.runs["guess"].tolist() == [True]
