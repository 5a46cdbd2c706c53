"""The benchmark: what it counts, what it compares, and what it leaves out. Never how fast."""

import importlib
import json

import pytest
import torch
from naive_image import plain_forward
from tiny_clip import largest_error, random_tokens, tiny_clip

from cptlab.clip import imagenet_names, untrained
from cptlab.lab import bench
from cptlab.lab.bench import measure, passes, towers
from cptlab.lab.bench.measure import alternating, peak_memory
from cptlab.lab.bench.passes import pass_rows
from cptlab.lab.bench.plain_image import plain_image_features
from cptlab.lab.bench.towers import tower_rows

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def rows():
    return list(tower_rows(tiny_clip(torch.float32), classes=(4, 9), rounds=1))


def test_peak_memory_is_what_lives_at_once():
    def work():
        first = torch.ones(2**20)  # 4 MiB
        second = first + 1  # 8 MiB together
        del first
        return second + 1  # 8 MiB again

    gib, result = peak_memory(work, CPU)
    assert gib * 2**10 == pytest.approx(8, rel=0.01)
    assert result[0] == 3


def test_variants_alternate_and_the_median_counts(monkeypatch):
    calls = []
    durations = iter([9.0, 0.1, 1.0, 5.0, 3.0, 4.0])
    monkeypatch.setattr(measure, "seconds", lambda work, device: work() or next(durations))
    work = {name: lambda name=name: calls.append(name) for name in ("slow", "quick")}
    took = alternating(work, rounds=3, device=CPU)
    assert calls == ["slow", "quick"] * 3
    assert took == {"slow": 3.0, "quick": 4.0}


def test_a_row_per_side_and_number_of_classes(rows):
    assert [(row["side"], row["classes"]) for row in rows] == [
        ("image", 0),
        ("text", 4),
        ("step", 4),
        ("text", 9),
        ("step", 9),
    ]
    for row in rows:
        for what, unit in (("time", "seconds"), ("memory", "gib")):
            for name in ("naive", "truncated"):
                if f"ratio_{what}_{name}" in row:
                    ratio = row[f"{unit}_{name}"] / row[f"{unit}_ours"]
                    assert row[f"ratio_{what}_{name}"] == pytest.approx(ratio)
        assert row["error_output"] < 1e-5
        assert row["error_gradients"] < 1e-4
        assert row["left_out"] == ""
    # 77 positions against some nine: memory is counted, not timed, so this holds on any machine.
    assert rows[3]["ratio_memory_naive"] > 5


def test_errors_would_be_seen(monkeypatch):
    def wrong(backbone, images, tokens):
        return 1.1 * plain_image_features(backbone, images, tokens)

    monkeypatch.setattr(towers, "plain_image_features", wrong)
    (image,) = tower_rows(tiny_clip(torch.float32), classes=(), rounds=1)
    assert image["error_output"] == pytest.approx(0.1 / 1.1, rel=1e-3)
    assert image["error_gradients"] == pytest.approx(0.1 / 1.1, rel=1e-3)


def test_what_does_not_fit_is_left_out_and_named(monkeypatch, rows):
    needed = {row["classes"]: row["gib_naive"] for row in rows if row["side"] == "step"}
    free = (needed[4] + needed[9]) / 2 / towers.MEMORY_MARGIN
    monkeypatch.setattr(towers, "free_memory", lambda device: free)
    small, large = list(tower_rows(tiny_clip(torch.float32), classes=(4, 9), rounds=1))[2::2]
    assert small["left_out"] == ""
    assert large["left_out"] == "naive"
    assert large["seconds_naive"] is None and "ratio_time_naive" not in large
    assert large["ratio_time_truncated"] > 0 and large["error_output"] < 1e-5


def test_the_plain_image_tower_is_plain():
    backbone = tiny_clip()
    images = torch.randn(
        1, 3, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    tokens = random_tokens(1, 2, 4, backbone.vision_width)
    expected = plain_forward(backbone, images[0], [t[0] for t in tokens])
    assert largest_error(plain_image_features(backbone, images, tokens)[0], expected) < 1e-12


def test_passes_train_as_many_runs_as_they_say(monkeypatch):
    trained = []
    original = passes.train
    monkeypatch.setattr(
        passes, "train", lambda specs, *rest: trained.append(specs) or original(specs, *rest)
    )
    small = passes.noise(5, 4)
    monkeypatch.setattr(passes, "noise", lambda n_classes: small)
    rows = list(pass_rows([3], rounds=1, backbone=tiny_clip(torch.float32)))
    assert [(row["method"], row["replicas"]) for row in rows] == [
        ("CoOp", 1),
        ("CoOp", 3),
        ("CPT (pair mean)", 1),
        ("CPT (pair mean)", 3),
    ]
    assert {len(specs) for specs in trained} == {1, 3}
    for row in rows:
        assert row["runs_per_hour"] == pytest.approx(3600 * row["replicas"] / row["seconds"])
        alone = next(r for r in rows if (r["method"], r["replicas"]) == (row["method"], 1))
        ratio = row["runs_per_hour"] / alone["runs_per_hour"]
        assert row["ratio_runs_per_hour"] == pytest.approx(ratio)


def test_rows_and_figure_are_written(rows, tmp_path):
    stored = [row | {"machine": "here"} for row in rows]
    bench.write(stored, tmp_path)
    assert bench.read_rows(tmp_path / "throughput.json") == json.loads(json.dumps(stored))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "throughput.csv",
        "throughput.json",
        "throughput.png",
        "throughput.svg",
    ]
    frame = bench.table(stored, "towers")
    assert len(frame) == len(rows) and "machine" not in frame
    # What has been measured is not measured again, but drawn.
    (tmp_path / "throughput.png").unlink()
    assert bench.measured("smoke", tmp_path) == bench.read_rows(tmp_path / "throughput.json")
    assert (tmp_path / "throughput.png").is_file()


@pytest.mark.parametrize("text", ["", "{", '{"part": "towers"}', "[1, 2]", "[]"])
def test_other_files_are_no_benchmark(text, tmp_path):
    (tmp_path / "throughput.json").write_text(text)
    with pytest.raises(ValueError, match="run `cptlab bench`"):
        bench.read_rows(tmp_path / "throughput.json")


def test_enough_different_names():
    assert imagenet_names(3) == ["tench", "goldfish", "great white shark"]
    many = imagenet_names(2500)
    assert len(many) == 2500 and many[:1000] == imagenet_names(1000)
    assert many[1001] == "tench goldfish"
    assert len(set(many)) > 2490  # ImageNet itself repeats a few names


@pytest.mark.parametrize("name", ["ViT-B-61", "RN50", "ViT-B-16-SigLIP", "coca_ViT-B-32"])
def test_no_benchmark_of_what_the_towers_cannot_serve(name):
    with pytest.raises(ValueError, match=r"no model|cannot be used"):
        untrained(name)


def test_a_gpu_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="sees no GPU"):
        untrained("EmojiCLIP", "cuda")


def test_rows_say_with_how_many_threads_they_were_measured(monkeypatch):
    """Passes set their own number, whatever the towers ran with."""
    run = importlib.import_module("cptlab.lab.bench.run")
    monkeypatch.setattr(run, "untrained", lambda *identity: None)
    monkeypatch.setattr(run.torch, "get_num_threads", lambda: 7)
    monkeypatch.setattr(run, "tower_rows", lambda *rest: [{"part": "towers"}])
    monkeypatch.setattr(run, "pass_rows", lambda *rest: [{"part": "passes"}])
    on_towers, on_passes = bench.run("EmojiCLIP", (4,), replicas=2)
    assert "torch threads: 7" in on_towers["machine"]
    assert "torch threads: 1" in on_passes["machine"]
