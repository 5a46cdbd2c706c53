"""What methods cost: whose step is timed, what rows and the figure say. Never how fast."""

import dataclasses
import importlib
import re
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from tiny_clip import tiny_clip
from tiny_world import tiny_dataset

from cptlab.data import draw_long_tailed
from cptlab.lab import bench
from cptlab.lab.bench import cost, methods
from cptlab.lab.bench.methods import Timed, in_memory, method_rows, parameters_at, start
from cptlab.lab.cli.main import commands
from cptlab.lab.study import lineup
from cptlab.lab.study.profiles import FULL, PAPER
from cptlab.lab.workspace import CHECKOUT
from cptlab.methods import (
    CPT,
    DPC,
    IVLP,
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
from cptlab.training.loop import train
from cptlab.training.model import PromptedCLIP
from cptlab.training.spec import RunSpec

DEEP = {"text_depth": 2, "vision_depth": 2}
METHODS = {
    "Zero-shot": ZeroShot(),
    "CoOp": CoOp(),
    "IVLP": IVLP(**DEEP),
    "DPC (CoOp)": DPC(on="coop", tokens_per_layer=4, hard_negatives=3),
}
STEP = ("seconds_step", "seconds_step_min", "seconds_step_max", "gib_step", "epochs", "batch")


@pytest.fixture(scope="module")
def backbone():
    return tiny_clip(torch.float32)


@pytest.fixture(scope="module")
def base():
    return tiny_dataset().halves()[0]


def spec_of(method, batch_size=8, epochs=1):
    plan = Schedule(epochs=epochs, batch_size=batch_size, warmup_lr=0.02)
    return RunSpec("tiny", method, 0.25, 1, plan, backbone="tiny")


def rows_of(backbone, base, monkeypatch, seconds=None):
    specs = {label: spec_of(method) for label, method in METHODS.items()}
    if seconds:
        monkeypatch.setattr(
            methods, "timed", lambda work, rounds, device: {k: seconds[k] for k in work}
        )
    return method_rows(specs, backbone, base, draw_long_tailed(base, 0.25, 1), rounds=2)


# ------------------------------------------------------------------------------------------ steps


@pytest.mark.parametrize(
    "method",
    [
        LinearProbe(class_adaptive=True),
        TipAdapter(fine_tune=True),
        CoOp(),
        CoCoOp(),
        IVLP(**DEEP),
        MaPLe(depth=2),
        PromptSRC(**DEEP, average_width=100.0),
        CoPrompt(depth=2),
        NPTStyle(depth=2),
        KgCoOp(),
        TCP(block=1),
        Candle(),
        DeKg(block=1),
        CLIPLoRA(),
        GlobalETF(**DEEP),
        CPT(**DEEP, cluster_size=2),
    ],
    ids=lambda method: method.name,
)
def test_what_is_timed_are_the_steps_of_training(backbone, base, method):
    """An epoch of them ends with the prompts of `train`, to the bit."""
    spec, subset = spec_of(method), draw_long_tailed(base, 0.25, 1)
    trained = train([spec], backbone, base, [subset])
    model = PromptedCLIP(backbone, start([spec], backbone), method, base.class_names, base.template)
    steps = Timed([spec], model, base, [subset])
    sizes = [steps() for _ in range(len(subset.samples) // 8)]
    assert len(sizes) > 2 and set(sizes) == {8}
    expected = dict(trained.model.prompts.named_parameters())
    for name, parameter in model.prompts.named_parameters():
        assert torch.equal(parameter, expected[name]), name


def test_the_second_stage_of_dpc_is_timed_on_its_own_batches(backbone, base):
    """From the second stage's start: the first stage's prompts, frozen, lie beside the others."""
    spec, subset = spec_of(METHODS["DPC (CoOp)"]), draw_long_tailed(base, 0.25, 1)
    model = PromptedCLIP(backbone, start([spec], backbone), spec.method, base.class_names)
    before = model.prompts.extra["first_text_0"].clone()
    assert torch.equal(before, model.prompts.text[0])
    assert Timed([spec], model, base, [subset])() >= 8
    assert torch.equal(model.prompts.extra["first_text_0"], before)
    assert not torch.equal(model.prompts.text[0], before)


def test_no_batch_of_too_few_images(backbone, base):
    spec, subset = spec_of(CoOp(), batch_size=200), draw_long_tailed(base, 0.25, 1)
    model = PromptedCLIP(backbone, start([spec], backbone), spec.method, base.class_names)
    with pytest.raises(ValueError, match="training images make no batch of 200: give more"):
        Timed([spec], model, base, [subset])


def test_evaluation_reads_no_images_and_remembers_no_features(backbone, base, monkeypatch):
    """Features of a frozen image tower are kept between calls; here each call computes them."""
    reads, encoded = [], []
    counted = dataclasses.replace(
        base, read=lambda keys, size: reads.append(len(keys)) or base.read(keys, size)
    )
    held = in_memory(counted, backbone.image_size)
    assert reads == [len(base.test)]
    spec = spec_of(CoOp())
    model = PromptedCLIP(backbone, start([spec], backbone), spec.method, base.class_names)
    module = importlib.import_module("cptlab.training.model")
    plain = module._encode
    monkeypatch.setattr(
        module, "_encode", lambda *args: encoded.append(type(args[1]).__name__) or plain(*args)
    )
    expected = model.classify(base, base.test)
    for _ in range(2):
        encoded.clear()
        assert torch.equal(methods._classify(model, held), expected)
        assert encoded.count("ImageTower") == 1
    assert reads == [len(base.test)]


# ------------------------------------------------------------------------------------------- rows


def test_rows_follow_the_schema(backbone, base, monkeypatch):
    rows = rows_of(backbone, base, monkeypatch)
    assert [row["method"] for row in rows] == list(METHODS)
    assert len({tuple(row) for row in rows}) == 1
    by_label = {row["method"]: row for row in rows}
    for row in rows:
        assert (row["part"], row["backbone"], row["rounds"]) == ("methods", "tiny", 2)
        assert (row["classes"], row["tested"]) == (5, 20)
        for what in ("step", "evaluation"):
            low, middle, high = (row[f"seconds_{what}{end}"] for end in ("_min", "", "_max"))
            assert low <= middle <= high
        assert row["seconds_evaluation_min"] > 0
    assert all(by_label["Zero-shot"][name] == 0 for name in STEP)
    assert all(by_label["CoOp"][name] > 0 for name in STEP)
    assert [row["trained_parameters"] for row in rows] == [0, 80, 2 * 4 * (20 + 24), 80]
    assert by_label["CoOp"]["batch"] == 8 <= by_label["DPC (CoOp)"]["batch"]
    # Memory is counted and not timed: no visual tokens, nothing to keep of the image tower.
    assert by_label["CoOp"]["gib_step"] < by_label["IVLP"]["gib_step"]


def test_ratios_are_those_of_medians_to_ivlp(backbone, base, monkeypatch):
    seconds = {
        "Zero-shot": [1.0, 1.0, 1.0],
        "CoOp": [9.0, 1.0, 2.0],
        "IVLP": [4.0, 5.0, 0.1],
        "DPC (CoOp)": [6.0, 6.0, 7.0],
    }
    coop, ivlp = rows_of(backbone, base, monkeypatch, seconds)[1:3]
    for what in ("step", "evaluation"):
        assert coop[f"ratio_seconds_{what}"] == 2 / 4
        assert ivlp[f"ratio_seconds_{what}"] == 1
        ends = [coop[f"seconds_{what}{end}"] for end in ("_min", "", "_max")]
        assert ends == [1.0, 2.0, 9.0]
    assert coop["ratio_gib_step"] == coop["gib_step"] / ivlp["gib_step"]


def test_ratios_need_their_reference(backbone, base):
    with pytest.raises(ValueError, match="ratios to IVLP, which is not among"):
        method_rows({"CoOp": spec_of(CoOp())}, backbone, base, None, 1)


def test_parameters_at_vit_b_16_are_counted_by_label():
    """On shapes alone; their numbers are in test_methods_compared.py."""
    counts = parameters_at(lineup.methods(PAPER))
    assert (counts["Zero-shot"], counts["CPT (sum)"], counts["DeKg"]) == (0, 46_080, 331_904)
    page = (CHECKOUT / "docs/methods.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| ([^|]+) \|.*\| ([\d,]+) \|$", page, re.MULTILINE)
    assert len(told) > 12
    for labels, count in told:
        for label in labels.split(", "):
            assert counts.get(label, counts.get(f"{label} (sum)")) == int(count.replace(",", ""))


def test_what_is_measured_on_which_backbone(backbone, monkeypatch):
    """EmojiCLIP: the study's runs. Others: methods as published, on noise, in equal batches."""
    asked = []
    threads = torch.get_num_threads()
    monkeypatch.setattr(cost, "method_rows", lambda *args: asked.append(args) or [{"rounds": 2}])
    monkeypatch.setattr(cost, "untrained", lambda *identity: backbone)
    try:
        emoji, other = bench.costs("EmojiCLIP", rounds=2), bench.costs("ViT-B-16", 9, rounds=1)
    finally:
        torch.set_num_threads(threads)
    (specs, clip, learned, subset, rounds), (published, tiny, noise, drawn, _) = asked
    full = lineup.methods(FULL)
    assert specs == {k: FULL.spec("activities", m, 0.06, 1) for k, m in full.items()}
    assert (clip.name, learned.name, rounds, tiny) == ("EmojiCLIP", "activities", 2, backbone)
    assert len(subset.samples) < len(learned.class_names) * 16
    assert {k: spec.method for k, spec in published.items()} == lineup.methods(PAPER)
    assert {spec.schedule.batch_size for spec in published.values()} == {4}
    assert published["DeKg"].schedule.optimiser == "adam"
    assert (len(noise.class_names), len(drawn.samples), len(noise.test)) == (9, 9, 9)
    assert "torch threads: 1, fp32" in emoji[0]["machine"] and "fp32" in other[0]["machine"]


@pytest.mark.parametrize(("device", "precision"), [("cuda", "fp32"), ("cpu", "bf16")])
def test_the_studys_runs_are_measured_as_they_are(device, precision):
    with pytest.raises(ValueError, match=f"cpu in fp32, not {device} in {precision}: leave both"):
        bench.costs("EmojiCLIP", device=device, precision=precision)


def test_rows_of_one_backbone_replace_their_like(tmp_path):
    first = [{"backbone": "A", "method": "CoOp"}, {"backbone": "A", "method": "IVLP"}]
    other, again = [{"backbone": "B", "method": "IVLP"}], [{"backbone": "A", "method": "MaPLe"}]
    for rows in (first, other, again):
        path = bench.store_costs(rows, tmp_path)
    assert bench.read_rows(path) == other + again
    assert [file.name for file in tmp_path.iterdir()] == ["cost.json"]


def test_every_method_of_the_tables_has_stored_costs():
    assert "EmojiCLIP" in bench.measured_backbones()
    for name in bench.measured_backbones():
        costs = bench.stored_costs(name)
        every = lineup.methods(FULL)
        assert list(costs["method"]) == [label for label in every if label in set(costs["method"])]
        assert len(costs) == len(every) or name != "EmojiCLIP"
        assert costs["parameters_vit_b_16"].notna().all()
        reference = costs.set_index("method").loc["IVLP"]
        assert (reference.filter(like="ratio") == 1).all()


def test_a_backbone_that_was_not_measured():
    with pytest.raises(
        ValueError, match=r"not known: run `cptlab bench --methods --backbone ViT-L"
    ):
        bench.stored_costs("ViT-L-14")


def test_a_run_takes_its_steps_and_those_of_a_first_stage():
    ends = {"": 0.2, "_min": 0.1, "_max": 0.4}
    rows = pd.DataFrame(
        {"method": name, **{f"seconds_step{end}": scale * s for end, s in ends.items()}}
        for name, scale in (("CoOp", 1), ("DPC (CoOp)", 3), ("IVLP", 10))
    )

    def result(method, samples):
        return SimpleNamespace(
            spec=spec_of(method, batch_size=8, epochs=2),
            classes=pd.DataFrame({"n_k": [samples - 1, 1, float("nan")]}),
        )

    runs = {
        "CoOp": [result(CoOp(), 25), result(CoOp(), 40)],  # 2 epochs of 3 and of 5 steps
        "DPC (CoOp)": [result(METHODS["DPC (CoOp)"], 8)],
        "Unmeasured": [result(CoOp(), 8)],
    }
    timed = bench.with_run_times(rows, runs).set_index("method")
    assert list(timed.index) == ["CoOp", "DPC (CoOp)"]
    for end, seconds in ends.items():
        found = timed[f"seconds_run{end}"].to_list()
        assert found == pytest.approx([8 * seconds, 2 * (1 + 3) * seconds])


def test_the_table_has_a_row_for_each_method():
    row = {
        "method": "CoOp",
        "trained_parameters": 1_234,
        "parameters_vit_b_16": 2_048,
        "tested": 20,
        "epochs": 25,
        "gib_step": 0.5,
        "ratio_gib_step": 0.2,
        "H": "51.0 [50.2, 51.8]",
    }
    for what, scale in (("step", 1.0), ("evaluation", 4.0)):
        ends = {"": 0.02, "_min": 0.01, "_max": 0.0301}
        row |= {f"seconds_{what}{end}": scale * value for end, value in ends.items()}
        row[f"ratio_seconds_{what}"] = 0.125
    header, line, cells = bench.cost_markdown(pd.DataFrame([row])).splitlines()
    assert header.count("|") == line.count("|") == cells.count("|")
    assert cells == (
        "| CoOp | 1,234 | 2,048 | 20.0 (10.0-30.1) | 512.0 | 4.0 (2.0-6.0) "
        "| 0.12 | 0.20 | 0.12 | 25 | 51.0 [50.2, 51.8] |"
    )


def test_the_command_measures_methods_and_stores_them(tmp_path, monkeypatch):
    asked = []
    rows = [{"part": "methods", "backbone": "EmojiCLIP", "method": "IVLP", "ratio_gib_step": 1.0}]
    monkeypatch.setattr(bench, "costs", lambda *args: asked.append(args) or rows)
    arguments = ["bench", "--methods", "--classes", "7", "--rounds", "2", "--out", str(tmp_path)]
    done = CliRunner().invoke(commands, arguments)
    assert done.exit_code == 0, done.output
    assert asked == [("ViT-B-16-quickgelu", 7, "cpu", "fp32", 2)]
    assert bench.read_rows(tmp_path / "figures/cost.json") == rows
    assert "IVLP" in done.output and "cost.json" in done.output
