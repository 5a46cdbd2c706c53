"""Notebooks 11, 12 and 15 with chosen methods: who is shown, and against whom."""

import dataclasses
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from cptlab.lab import bench, figures
from cptlab.lab.figures.collapse import MEASURES, SHOWN
from cptlab.lab.study import costs, geometry, lineup
from cptlab.lab.study.captions import captions
from cptlab.lab.study.claims import CLAIMS, overview
from cptlab.lab.study.outcomes import training_logs
from cptlab.lab.study.profiles import FULL, PAPER, SMOKE


def logs(methods, measures=tuple(MEASURES)):
    """Two epochs of two seeds; a measure is the method's place plus the seed."""
    return pd.DataFrame(
        {"method": method, "tau": 0.06, "dataset": "food", "seed": seed, "progress": progress}
        | dict.fromkeys(MEASURES, float("nan"))
        | dict.fromkeys(measures, place + seed)
        for place, method in enumerate(methods)
        for seed in (1, 2, 3)
        for progress in (50.0, 100.0)
    )


def last(methods):
    return geometry.tidy(logs(methods), MEASURES).query("progress == 100")


def chosen(*methods):
    return dataclasses.replace(SMOKE, methods=methods)


def test_measures_without_numbers_are_left_out():
    assert list(geometry.tidy(logs(["CoOp"], ("nc1", "nc4")), MEASURES)["measure"].unique()) == [
        "nc1",
        "nc4",
    ]


def test_measures_that_older_runs_lack_are_shown_where_all_runs_have_them():
    def shown(frame):
        return list(geometry.tidy(frame, MEASURES)["measure"].unique())

    new = logs(["CoOp", "IVLP"], ("nc1", "nc1_unbiased", "nc3", "nc3_papyan"))
    old = new.drop(columns=["nc1_unbiased", "nc3_papyan"])
    assert shown(new) == ["nc1_unbiased", "nc3", "nc3_papyan"]
    assert shown(old) == shown(pd.concat([new, old.assign(seed=4)])) == ["nc1", "nc3"]
    assert "across imbalance ratios" in geometry.about_nc1(shown(new))
    assert "not imbalance" in geometry.about_nc1(shown(old))


def test_no_run_that_was_followed_is_an_error():
    with pytest.raises(ValueError, match="choose a method that learns"):
        training_logs({"Zero-shot": []})
    trained_nothing = SimpleNamespace(spec=SimpleNamespace(curve=True), log=pd.DataFrame())
    with pytest.raises(ValueError, match="No run followed its training"):
        training_logs({"Tip-Adapter": [trained_nothing]})


def test_groups_of_the_figures_of_collapse():
    labels = list(lineup.methods(SMOKE, lineup.learned(SMOKE)))
    first, others = geometry.groups(SMOKE, labels).values()
    assert "IVLP" in first and "CPT (sum)" in first
    assert others == ["IVLP", "MaPLe", "DPC (CoOp)"]
    many = [f"method {i}" for i in range(20)]
    split = geometry.groups(chosen("coop"), many)
    assert split == {"": many[:10], "_rivals": many[10:]}
    assert geometry.groups(chosen("coop"), many[:2]) == {"": many[:2]}
    assert "CPT and its controls" in captions(SMOKE)["collapse_by_imbalance"]
    assert "chosen methods" in captions(chosen("coop"))["collapse_by_imbalance"]


@pytest.mark.parametrize(("methods", "reference"), [("CI", "IVLP"), ("CM", "CoOp")])
def test_collapse_is_compared_with_ivlp_or_the_first(methods, reference):
    names = {"C": "CoOp", "I": "IVLP", "M": "MaPLe"}
    labels = [names[letter] for letter in methods]
    gaps = geometry.gaps(last(labels), MEASURES)
    (other,) = set(labels) - {reference}
    sign = 1 if labels.index(other) > labels.index(reference) else -1
    assert set(gaps["reference"]) == {reference} and set(gaps["method"]) == {other}
    assert (gaps["mean"] == sign).all() and len(gaps) == len(MEASURES) - 1  # one NC1 of two


def test_one_method_has_nothing_to_be_compared_with():
    assert geometry.gaps(last(["CoOp"]), MEASURES).empty


@pytest.mark.parametrize(
    ("measures", "shown"), [(("nc1",), ("nc1",)), (tuple(MEASURES)[1:], SHOWN)]
)
def test_a_panel_for_each_measure_that_tells_most(measures, shown):
    fig = plt.figure()
    table = geometry.along(geometry.tidy(logs(["CoOp", "IVLP"], measures), MEASURES))
    axes = figures.collapse_panels(table, fig)
    assert [ax.get_title() for ax in axes] == [MEASURES[name][0] for name in shown]
    assert {text.get_text() for text in axes[0].texts} == {"CoOp", "IVLP"}
    (legend,) = fig.legends
    assert [text.get_text() for text in legend.get_texts()] == ["range of fewer than 5 runs"]
    plt.close(fig)


def test_claims_are_against_the_chosen_methods_but_not_against_cpt_itself():
    def compared(profile):
        return {
            variant
            for claim in lineup.claims(profile)
            for variant in claim.comparison.variants
            if isinstance(variant, str)
        }

    some = compared(chosen("maple", "CPT (pair mean)"))
    assert "MaPLe" in some and "CPT (pair mean)" not in some
    assert lineup.claims(chosen("CPT (sum)")) == CLAIMS


def test_verdicts_are_counted_by_reading_and_by_agreement():
    verdicts = {
        "a": ("supported", "contradicted"),
        "b": ("supported", "undecided"),
        "c": ("not run", "contradicted"),
        "d": ("undecided", "not run"),
        "e": ("supported", "supported"),
    }
    ledger = pd.DataFrame(
        {"claim": claim, "tau": 0.06, "reading": reading, "verdict": verdict, "missing": ""}
        for claim, both in verdicts.items()
        for reading, verdict in zip(("sum", "pair mean"), both, strict=True)
    )
    ledger.loc[0, "missing"] = "Left out: food."
    counts = overview.by_reading(ledger)
    assert counts.loc["sum", "supported"] == 3 and counts.loc["pair mean", "not run"] == 1
    assert overview.by_agreement(ledger).iloc[:, 0].tolist() == [1, 2, 1, 1]
    assert overview.left_out(ledger)["claim"].tolist() == ["a"]


def accuracies(methods):
    return pd.DataFrame(
        {"method": method, "tau": tau, "seed": seed, "dataset": dataset}
        | dict.fromkeys(costs.WORTH, level + seed + extra)
        for method, level in methods.items()
        for tau in (1.0, 0.06)
        for seed in ((1,) if method == "Zero-shot" else (1, 2, 3))
        for dataset, extra in (("food", 0.0), ("travel", 4.0))
    )


def test_accuracies_beside_costs_are_means_over_data_sets():
    summary = costs.accuracies(accuracies({"Zero-shot": 40, "CoOp": 50}), 0.06)
    assert summary["mean"].tolist() == [43, 43, 54, 54]
    assert costs.cells(summary).loc["Zero-shot", "H"] == "43.0 (41.0 to 45.0)"
    assert costs.unmeasured(summary, ["Zero-shot", "CoOp"]) == ""
    assert costs.unmeasured(summary, ["Zero-shot"]).endswith("left out below: CoOp.")


def test_tuning_is_worth_what_a_method_gains_over_itself_as_published():
    frame = accuracies(
        {"CoOp": 50, "CoOp (as published)": 47, "MaPLe": 52, "IVLP (as published)": 1}
    )
    worth = costs.worth_of_tuning(frame)
    assert set(worth["method"]) == {"CoOp"} and set(worth["metric"]) == set(costs.WORTH)
    assert worth["mean"].tolist() == [3] * len(worth)
    assert set(worth["family"]) == {len(worth)}
    with pytest.raises(ValueError, match="No method has runs both as tuned and as published"):
        costs.worth_of_tuning(accuracies({"CoOp": 50, "IVLP (as published)": 1}))


def test_methods_as_published_are_run_beside_tuned_ones_alone():
    published = costs.as_published(FULL)
    assert "CoOp (as published)" in published.values() and "CoOp" not in published.values()
    assert {spec.tau for spec in published} == {0.06}
    assert costs.as_published(SMOKE) == costs.as_published(PAPER) == {}


def test_costs_are_drawn_for_methods_that_have_them():
    measured = pd.DataFrame(
        {"method": ["Zero-shot", "CoOp"], "parameters_vit_b_16": [0, 2048]}
        | {f"seconds_run{end}": [0.0, 3.0] for end in ("", "_min", "_max")}
    )
    table = accuracies({"Zero-shot": 40, "CoOp": 50, "Mine": 60})
    shown = bench.for_figure(measured, costs.gains(table, 0.06))
    assert list(shown["method"]) == ["CoOp"] and shown["family"].tolist() == [16]
    assert shown["mean"].tolist() == [11]  # zero-shot has the seed 1 only
    fig = plt.figure()
    ax = figures.gain_by_cost(shown, fig, cost=bench.FIGURE[0])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["none", "3"]
    plt.close(fig)


def test_costs_on_other_backbones_have_a_title_each():
    others = bench.other_costs("EmojiCLIP")
    assert all("methods as published" in title for title in others)
    assert len(others) == len(bench.measured_backbones()) - 1
