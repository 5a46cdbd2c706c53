"""Comparisons on several backbones: backbones are the units, with means over data sets."""

import dataclasses
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cptlab.lab.figures import backbone_panels
from cptlab.lab.study import backbones, paired, planned
from cptlab.lab.study.intervals import crossed, mean_squares
from cptlab.lab.study.profiles import FULL, SMOKE

WEIGHTS = ("seed0", "seed1", "seed2")
ADDED = {"Zero-shot": 0.0, "IVLP": 1.0, "DeKg": 4.0}


@pytest.fixture
def table(rng) -> pd.DataFrame:
    """Two data sets, three seeds; on the third backbone DeKg is two points better still."""
    rows = [
        (name, method, dataset, 0.06, seed, 50 + added + 2 * (name == "seed2") * (method == "DeKg"))
        for name in WEIGHTS
        for method, added in ADDED.items()
        for dataset in ("food", "travel")
        for seed in (11, 12, 13)
    ]
    frame = pd.DataFrame(rows, columns=["backbone", "method", "dataset", "tau", "seed", "H"])
    frame["H"] += rng.normal(size=len(frame))
    return frame.assign(new=frame["H"], tail=frame["H"])


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_the_units_of_an_interval_are_backbones(table):
    means = backbones.over_data_sets(table)
    assert sorted(set(means["dataset"])) == sorted(WEIGHTS)
    assert len(means) == len(table) / 2
    gaps = backbones.gaps(means).query("metric == 'H' and method == 'DeKg'").set_index("reference")
    by = table.groupby(["method", "backbone", "seed"])["H"].mean()
    cells = (by["DeKg"] - by["IVLP"]).unstack()
    found = crossed(cells.to_numpy())
    row = gaps.loc["IVLP"]
    assert (row["mean"], row["lower"], row["upper"], row["p"]) == pytest.approx(
        (found.mean, found.lower, found.upper, found.p)
    )
    assert (row["n"], row["datasets"]) == (9, 3)
    said = paired.sentences(gaps.reset_index().drop(columns="panel"), over="backbone")
    assert "3 backbones and 3 seeds" in said and "data set" not in said


def test_each_backbone_and_both_spreads(table):
    means = backbones.over_data_sets(table)
    each = backbones.by_backbone(means).set_index(["reference", "metric", "method"])
    by = table.groupby(["method", "backbone", "seed"])["tail"].mean()
    cells = (by["IVLP"] - by["Zero-shot"]).unstack()
    row = each.loc[("Zero-shot", "tail", "IVLP")]
    np.testing.assert_allclose([row[name] for name in WEIGHTS], cells.mean(axis=1))
    of_backbones, _, rest = mean_squares(cells.to_numpy())
    assert row["over backbones"] == pytest.approx(np.sqrt(max(of_backbones - rest, 0) / 3))
    assert row["over seeds"] == pytest.approx(np.sqrt(cells.var(axis=1).mean()))


def test_the_finding_says_how_far_backbones_lie_apart(table):
    rng = np.random.default_rng(2)
    study, levels = backbones.runs(FULL), {"Zero-shot": 0.0, "IVLP": 1.0, "PromptSRC": 1.1}
    results, rows = {}, []
    for spec, label in study.items():
        method = label.partition(", seed")[0]
        better = 3.0 * (spec.pretrained == "seed2") * (method == "DeKg")
        level = 50 + levels.get(method, 5.0) + better + rng.normal(0, 0.1)
        names = {"run_id": spec.run_id, "method": label, "dataset": spec.dataset}
        rows.append(names | {"tau": spec.tau, "seed": spec.seed})
        rows[-1] |= dict.fromkeys(("H", "new", "tail"), level)
        results.setdefault(label, []).append(SimpleNamespace(spec=spec))
    frame = pd.DataFrame(rows)
    first, second = backbones.sentences(FULL, frame, results)
    points = first.partition("in points: ")[2]
    assert re.match(r"above: DeKg \+6\.0 \(1\.\d to 10\.\d\), CPT \(pair mean\) \+5\.0", points)
    assert re.search(r"; below: Zero-shot -1\.0 \(-1\.\d to -0?\d\.\d\)\. ", second)
    for text in (first, second):
        assert text.startswith("On 3 EmojiCLIPs of different pretraining seeds, H minus that of ")
        assert re.search(r"estimated as 0\.\d to 1\.7, from so few", text)
        assert text.endswith("; `backbones`.)")
    assert backbones.sentences(FULL, frame.iloc[1:], results) == []  # one run is missing


def test_backbones_spread_less_than_their_means_by_the_share_of_seeds():
    rng, found = np.random.default_rng(1), []
    for _ in range(400):
        cells = rng.normal(0, 1, (3, 1)) + rng.normal(0, 0.5, (1, 3)) + rng.normal(0, 1, (3, 3))
        found.append([value**2 for value in backbones._spreads(cells).values()])
    np.testing.assert_allclose(np.mean(found, axis=0), [1, 1.25], rtol=0.15)
    assert np.isnan(list(backbones._spreads(np.ones((3, 1))).values())).all()


def test_only_seeds_count_that_all_methods_have_everywhere(table):
    lost = (table["backbone"] == "seed1") & (table["method"] == "DeKg")
    one = lost & (table["dataset"] == "food") & (table["seed"] == 12)
    whole, means = backbones.over_data_sets(table), backbones.over_data_sets(table[~one])
    pd.testing.assert_frame_equal(means, whole[whole["seed"] != 12].reset_index(drop=True))
    bare = table.assign(tail=table["tail"].mask(one))
    assert set(backbones.over_data_sets(bare)["seed"]) == {11, 13}
    with pytest.raises(ValueError, match="No seed has all methods on all data sets and backbones"):
        backbones.over_data_sets(table[~lost])


def test_the_figure_has_every_backbone_below_the_mean(table):
    means = backbones.over_data_sets(table)
    gaps, each = backbones.gaps(means), backbones.by_backbone(means)
    axes = backbone_panels(gaps, each, fig := Figure())
    assert [ax.get_title() for ax in axes] == ["H", "new", "tail"] * 2
    row = each.set_index(["reference", "metric", "method"]).loc[("IVLP", "H", "DeKg")]
    marks = [line for line in axes[3].lines if line.get_marker() in list("x+1")]
    drawn = {line.get_xdata()[0] for line in marks}
    assert {row[name] for name in WEIGHTS} <= drawn
    assert {text.get_text() for text in fig.legends[0].get_texts()} >= set(WEIGHTS)
    fig.canvas.draw()
    with pytest.raises(ValueError, match="at least two methods"):
        backbone_panels(gaps.head(0), each.head(0), Figure())


def test_other_weights_run_what_the_packaged_ones_do():
    assert backbones.runs(SMOKE) == {}
    assert planned.backbones(dataclasses.replace(FULL, backbone="ViT-B-32")) == {}
    assert planned.backbones(dataclasses.replace(FULL, pretrained="mine.safetensors")) == {}
    runs = backbones.runs(FULL)
    assert len(runs) == 3 * 5 * 6 * 3  # weights, methods, data sets, seeds
    own = {spec for spec in runs if spec.pretrained is None}
    assert own <= set(planned.main(FULL))  # so that they are run once
    others = {dataclasses.replace(spec, pretrained=None, curve=False) for spec in runs}
    assert others == {dataclasses.replace(spec, curve=False) for spec in own}
    mine = dataclasses.replace(FULL, methods=("coop",))
    assert {name.partition(", ")[0] for name in backbones.runs(mine).values()} == {
        "Zero-shot",
        "CoOp",
    }
