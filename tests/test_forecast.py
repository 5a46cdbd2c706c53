"""Forecasts: steps by hand, published class numbers without any data, what hours rest on."""

import dataclasses

import pytest

from cptlab.lab.bench import NAMES, committed_rows
from cptlab.lab.bench.forecast import (
    BENCH_BATCH,
    FORWARD,
    StepTimes,
    as_text,
    forecast,
    step_times,
)
from cptlab.lab.study.lineup import methods
from cptlab.lab.study.profiles import DEMO, PAPER
from cptlab.methods import CPT, DPC, CoCoOp, CoOp, PromptSRC, ZeroShot

GPU = StepTimes(image=0.04, start=0.01, slope=0.0001, machine="Some GPU, bf16, torch 2.13.0")
CPU = dataclasses.replace(GPU, machine="x86_64, torch threads: 2, fp32, torch 2.13.0+cpu")


def test_steps_by_hand_for_eurosat():
    """Five of ten classes; 16, 7, 3, 1, 1 images at tau 0.06 (16 * .06^(k/4), rounded down)."""
    spec = PAPER.spec("eurosat", CPT(), 0.06, 1)
    assert forecast(spec, GPU).steps == 12 * ((16 + 7 + 3 + 1 + 1) // 4)
    balanced = PAPER.spec("eurosat", CPT(), 1.0, 1)
    assert forecast(balanced, GPU).steps == 12 * (5 * 16 // 4)
    assert forecast(balanced, GPU).tested == 8100
    assert forecast(PAPER.spec("eurosat", ZeroShot(), 1.0, 1), GPU).steps == 0


def test_transfer_learns_all_classes_and_tests_everything():
    method = methods(PAPER, protocol="transfer")["CPT (sum)"]
    work = forecast(PAPER.spec("imagenet", method, 1.0, 1, "transfer"), GPU)
    assert work.steps == 8 * 1000 * 16 // 4
    targets = 2465 + 3669 + 8041 + 2463 + 30_300 + 3333 + 19_850 + 1692 + 8100 + 3783
    assert work.tested == 50_000 + targets + 10_000 + 50_889 + 7500 + 30_000


def test_seconds_are_those_of_both_sides():
    work = forecast(PAPER.spec("eurosat", CPT(), 1.0, 1), GPU)
    text, image = 0.01 + 0.0001 * 5, 0.04 / BENCH_BATCH
    tested = 8100 * image * FORWARD
    assert work.seconds == pytest.approx(work.steps * (text + 4 * image) + tested)
    # CoOp's image tower is frozen; CoCoOp encodes the texts for every image
    coop = forecast(PAPER.spec("eurosat", CoOp(), 1.0, 1), GPU)
    assert coop.seconds == pytest.approx(coop.steps * (text + 32 * image * FORWARD) + tested)
    plain = dataclasses.replace(CoOp().schedule(), batch_size=4)
    conditioned = dataclasses.replace(PAPER.spec("eurosat", CoCoOp(), 1.0, 1), schedule=plain)
    work = forecast(conditioned, GPU)
    tested = 8100 * (image + text) * FORWARD
    assert work.seconds == pytest.approx(work.steps * (4 * text + 4 * image * FORWARD) + tested)


def test_two_stages_hard_negatives_and_a_frozen_twin():
    """DPC on 24 classes of DTD: as many steps again, whose images bring 8 others each."""
    text, image = 0.01 + 0.0001 * 24, 0.04 / BENCH_BATCH
    spec = PAPER.spec("dtd", DPC(), 1.0, 1)
    tested = forecast(spec, GPU).tested * image * FORWARD
    stage = 20 * (24 * 16 // 4)
    work = forecast(spec, GPU)
    assert work.steps == 2 * stage
    assert work.seconds == pytest.approx(2 * stage * text + stage * (4 + 24) * image + tested)
    # PromptSRC's frozen tower sees every image as well
    spec = PAPER.spec("dtd", PromptSRC(), 1.0, 1)
    seconds = stage * (text + 4 * image * (1 + FORWARD)) + tested
    assert forecast(spec, GPU).seconds == pytest.approx(seconds)


def test_the_text_sums_up_by_protocol_and_names_the_machine():
    spec = PAPER.spec("eurosat", CPT(), 1.0, 1)
    table = as_text([spec, PAPER.spec("imagenet", CPT(), 1.0, 1, "transfer")], GPU)
    assert [line.split()[0] for line in table.splitlines()[2:5]] == [
        "base_to_new",
        "transfer",
        "all",
    ]
    assert table.endswith("(Some GPU, bf16, torch 2.13.0).")


@pytest.mark.parametrize("device", NAMES)
def test_the_committed_benchmarks_give_times(device):
    times = step_times(committed_rows(device))
    assert times.image > 0 and times.slope > 0
    assert ("torch threads" in times.machine) == (device == "cpu")


def test_the_embedded_world_counts_images_and_not_a_benchmark():
    spec = DEMO.spec("activities", methods(DEMO)["CPT (sum)"], 0.06, 1)
    assert forecast(spec, GPU) == forecast(spec, CPU)
    followed = dataclasses.replace(spec, curve=True)
    assert forecast(followed, GPU).seconds > forecast(spec, GPU).seconds > 2
