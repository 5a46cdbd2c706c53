"""What notebooks compare: references that take part, paired differences, panels for any study."""

import dataclasses
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from cptlab.lab import figures
from cptlab.lab.study import classics, comparison, few_shot
from cptlab.lab.study.paired import by_tau, paired, sentences, store, taking_part
from cptlab.lab.study.profiles import SMOKE
from cptlab.lab.study.summary import corrected


def runs(levels, taus=(1.0, 0.06), seeds=(1, 2, 3), **more):
    """A run per method, tau and seed: H is the method's level plus the seed; zero-shot has one."""
    return pd.DataFrame(
        {"dataset": "food", "method": method, "tau": tau, "seed": seed}
        | {"H": level + seed, "tail": level + 2 * seed}
        | more
        for method, level in levels.items()
        for tau in taus
        for seed in (seeds[:1] if method == "Zero-shot" else seeds)
    )


@pytest.fixture
def fig():
    figure = plt.figure(figsize=(8, 1))
    yield figure
    plt.close(figure)


def test_references_take_part_or_are_left_out():
    assert taking_part(["CoOp", "Zero-shot", "IVLP"]) == ["IVLP", "Zero-shot"]
    assert taking_part(["CoOp", "Zero-shot"]) == ["Zero-shot"]
    assert taking_part(["CoOp", "CPT (sum)"]) == []
    assert taking_part(["Zero-shot"]) == []  # nothing to compare it with


def test_differences_are_those_of_the_same_seed():
    frame = runs({"CoOp": 10, "IVLP": 7, "CPT (sum)": 12}, seeds=range(5))
    table = corrected(paired(frame, ["H"], ["IVLP"]))
    assert table[["method", "tau", "mean", "lower", "upper", "n"]].values.tolist() == [
        ["CoOp", 1.0, 3, 3, 3, 5],
        ["CoOp", 0.06, 3, 3, 3, 5],
        ["CPT (sum)", 1.0, 5, 5, 5, 5],
        ["CPT (sum)", 0.06, 5, 5, 5, 5],
    ]
    assert by_tau(table).startswith("**tau = 1, minus IVLP**\n\n| method | H |\n")
    assert "against IVLP:** the interval excludes zero for 2 of 2 methods" in sentences(table)


def test_nothing_is_compared_without_a_reference():
    table = paired(runs({"CoOp": 10}), ["H"], [])
    assert table.empty and {"method", "metric", "mean", "reference"} <= {*table}
    assert by_tau(table) == sentences(table) == ""


def test_zero_shot_is_compared_with_every_seed_and_only_as_a_reference():
    gaps = comparison.gaps(runs({"Zero-shot": 5, "CoOp": 10, "IVLP": 7}), ["H", "tail"])
    assert set(gaps["reference"]) == {"IVLP", "Zero-shot"}
    assert "Zero-shot" not in set(gaps["method"])
    row = gaps.query("reference == 'Zero-shot' and method == 'CoOp' and metric == 'H' and tau == 1")
    assert row[["mean", "n"]].values.tolist() == [[10 + 2 - 6, 3]]
    assert list(comparison.by_reference(gaps)) == ["ivlp", "zero_shot"]
    text = comparison.main_findings(gaps)
    assert "H, tau = 1, against IVLP" in text and "tail, tau = 0.06" in text
    assert "tail, tau = 1" not in text


def test_data_set_by_data_set():
    both = pd.concat(
        runs({"CoOp": level}, taus=(0.06,), dataset=name)
        for name, level in (("food", 10), ("/some/where/birds", 20))
    )
    each = comparison.by_dataset(both)
    assert each["mean"].tolist() == [12, 22] and each["std"].tolist() == [1, 1]
    assert list(comparison.wide(each).columns) == [
        ("birds", "mean"),
        ("birds", "std"),
        ("food", "mean"),
        ("food", "std"),
    ]
    more = comparison.by_dataset(runs({"Zero-shot": 5, "CoOp": 10}, taus=(1, 0.25), dataset="food"))
    rows = [(1, "Zero-shot"), (1, "CoOp"), (0.25, "Zero-shot"), (0.25, "CoOp")]
    assert list(comparison.wide(more).index) == rows


def few_shot_runs(methods):
    table = pd.concat(
        runs({method: level}, taus=(1.0,), shots=shots).assign(all=level + shots)
        for method, level in methods.items()
        for shots in ((1,) if method == "Zero-shot" else (1, 4))
    )
    return table[["dataset", "method", "shots", "seed", "all"]]


def test_few_shot_is_over_data_sets():
    specs = {"CoOp": [SimpleNamespace(spec=SimpleNamespace(n_max=shots)) for shots in (1, 1, 4, 4)]}
    table = pd.DataFrame({"method": "CoOp", "seed": 1, "all": [10.0, 20.0, 30.0, 50.0]})
    runs = few_shot.with_shots(specs, table.assign(dataset=["food", "travel"] * 2))
    summary = few_shot.by_shots(runs)
    assert summary[["shots", "mean", "datasets"]].values.tolist() == [[1, 15, 2], [4, 40, 2]]


def test_few_shot_compares_zero_shot_with_every_number():
    frame = few_shot_runs({"Zero-shot": 50, "CoOp": 60, "IVLP": 55})
    gaps = few_shot.gaps(frame)
    assert list(gaps["reference"].unique()) == ["Zero-shot", "IVLP"]
    four = gaps.query("shots == 4 and method == 'CoOp'").set_index("reference")["mean"]
    assert four.to_dict() == {"Zero-shot": 64 - 51, "IVLP": 5}
    assert list(few_shot.gaps(few_shot_runs({"Zero-shot": 50, "CoOp": 60}))["reference"]) == [
        "Zero-shot",
        "Zero-shot",
    ]
    header, _, *rows = few_shot.as_markdown(few_shot.by_shots(frame)).splitlines()
    assert header == "| method | 1 shot | 4 shots |"
    assert rows[-1] == "| Zero-shot | 51.0 | 51.0 |"


def test_few_shot_shows_the_ends():
    gaps = pd.DataFrame({"shots": [1, 2, 4], "mean": [0, 1, 2]})
    assert few_shot.at_the_ends(gaps)["mean"].tolist() == [0, 2]


def classic_runs(methods):
    table = pd.concat(
        runs({f"{method}{added}": level}, taus=(0.25, 0.06), seeds=range(5))
        for method, level in methods.items()
        for added, level in (("", level), (" + balanced softmax", level + 1))
    )
    for name in classics.METRICS:
        table[name] = table["H"]
    return classics.with_classics(table)


def test_classics_are_parts_of_labels():
    table = classics.with_classics(pd.DataFrame({"method": ["A + B", "A + B + balanced softmax"]}))
    assert table["prompts"].tolist() == ["A + B", "A + B"]
    assert table["classic"].tolist() == ["as it is", "balanced softmax"]


def test_classics_are_compared_within_methods_and_methods_within_classics():
    table = classic_runs({"CoOp": 1, "IVLP": 3, "CPT (pair mean)": 7})
    added, rivals = classics.added(table), classics.rivals(SMOKE, table)
    assert set(added["method"]) == {"balanced softmax"} and (added["mean"] == 1).all()
    assert set(rivals["method"]) == {"CPT (pair mean)"} and (rivals["mean"] == 4).all()
    chosen = dataclasses.replace(SMOKE, methods=("coop", "ivlp", "CPT (pair mean)"))
    assert set(classics.rivals(chosen, table)["method"]) == {"CoOp", "CPT (pair mean)"}
    text = classics.sentences(added, rivals)
    assert "tau = 0.06, prompts = CoOp, against no classic" in text and "tau = 0.25" not in text
    assert "CPT (pair mean) + balanced softmax" in text
    alone = classic_runs({"CoOp": 1})
    assert classics.rivals(SMOKE, alone).empty
    assert "IVLP" not in classics.sentences(classics.added(alone), classics.rivals(SMOKE, alone))


def test_tables_and_texts_are_stored(tmp_path):
    store(tmp_path / "new", "a.csv", pd.DataFrame({"x": [1 / 3]}))
    store(tmp_path / "new", "b.md", "text")
    assert (tmp_path / "new/a.csv").read_text() == "x\n0.3333\n"
    assert (tmp_path / "new/b.md").read_text() == "text"


@pytest.mark.parametrize("count", [1, 3, 20])
def test_panels_of_classics_for_any_number_of_methods(count, fig):
    table = classic_runs({f"method {i}": i for i in range(count)})
    axes = figures.classics_grid(table[table["tau"] == 0.06], ["H", "tail"], fig)
    assert len(axes) == 2 * count
    assert [ax.get_title("left") for ax in axes[::2]] == [f"method {i}" for i in range(count)]
    assert fig.get_figheight() == pytest.approx(1.3 * count)


@pytest.mark.parametrize("taus", [(0.06,), (1.0, 0.5, 0.25, 0.1, 0.06)])
def test_panels_of_ranks_for_any_number_of_ratios(taus, fig):
    table = runs({"Zero-shot": 5, "CoOp": 10}, taus=taus, dataset="food")
    axes = figures.rank_panels(comparison.ranks(table, "H"), fig)
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["Zero-shot", "CoOp"]
    assert [ax.get_title() for ax in axes] == [f"τ = {tau:g}" for tau in taus]
    assert axes[0].get_xlabel() == "mean rank, 1 = best\n(1 data set, 3 rankings)"
