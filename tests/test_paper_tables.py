"""The paper's tables with our numbers: right numbers in right places, and nothing left out."""

import pandas as pd
import pytest

from cptlab.lab.study import paper_tables
from cptlab.lab.study.published import published
from cptlab.lab.workspace import CHECKOUT

METRICS = {2: "H", 3: "targets", 4: "domains"}
COLUMNS = ["method", "tau", "metric", "mean", "lower", "upper", "n"]


def committed(name: str) -> pd.DataFrame:
    return pd.read_csv(CHECKOUT / f"figures/{name}.csv")


def table_2(*rows: tuple[str, float]) -> pd.DataFrame:
    """Made-up H of methods at tau = 0.06, with an interval of one point to each side."""
    lines = [(name, 0.06, "H", mean, mean - 1, mean + 1, 3) for name, mean in rows]
    table = pd.DataFrame(lines, columns=COLUMNS)
    return table.assign(least=table["mean"], most=table["mean"])


@pytest.mark.parametrize("number", METRICS)
def test_methods_have_their_printed_and_measured_average(number):
    printed = published(number).query("column == 'Avg'")
    ours = dict.fromkeys(
        (label, line.tau)
        for line in printed.itertuples()
        for label in paper_tables.SAME_METHOD.get(line.method, (line.method,))
    )
    lines = [
        (label, tau, metric, mean, mean - 1, mean + 1, 30)
        for place, (label, tau) in enumerate(ours)
        for metric, mean in ((METRICS[number], 40.0 + place / 10), ("base", 99.0))
    ]
    made = pd.DataFrame(lines, columns=COLUMNS)
    made = made.assign(least=made["mean"], most=made["mean"])
    measured = made[made["metric"] == METRICS[number]]
    shown = paper_tables.methods(number, made, METRICS[number]).data
    for line in printed.itertuples():
        for label in paper_tables.SAME_METHOD.get(line.method, (line.method,)):
            assert shown.loc[label, (f"τ = {line.tau:g}", "published")] == f"{line.value:.2f}"
    for line in measured.itertuples():
        text = shown.loc[line.method, (f"τ = {line.tau:g}", "measured")]
        assert text.split(" ")[0] == f"{line.mean:.1f}"
    assert set(shown.index) == set(measured["method"])


def test_readings_stand_beside_the_same_print_and_ratios_decrease():
    made = table_2(("IVLP", 50.0), ("CPT (sum)", 40.0), ("CPT (pair mean)", 60.0))
    shown = paper_tables.methods(2, made, "H").data
    printed = published(2).query("column == 'Avg'").set_index(["method", "tau"])["value"]
    one = f"{printed['CPT', 0.06]:.2f}"
    assert [*shown.columns] == [
        ("τ = 1", "published"),
        ("τ = 0.25", "published"),
        ("τ = 0.06", "published"),
        ("τ = 0.06", "measured"),
    ]
    assert list(shown.index) == ["IVLP", "CPT (sum)", "CPT (pair mean)"]  # not those without runs
    assert shown.loc["CPT (sum)"].tolist()[2:] == [one, "40.0 [39.0, 41.0]"]
    assert shown.loc["CPT (pair mean)"].tolist()[2:] == [one, "60.0 [59.0, 61.0]"]
    assert shown.loc["IVLP"].tolist() == ["–", "–", "–", "50.0 [49.0, 51.0]"]


def test_methods_that_were_not_published_have_nothing_beside_them():
    style = paper_tables.methods(2, table_2(("Zero-shot", 50.0), ("CoOp", 40.0)), "H")
    assert style.caption == paper_tables.NOTHING
    assert [*style.data.columns] == [("τ = 0.06", "measured")]
    assert list(style.data.index) == ["Zero-shot", "CoOp"]


def test_combinations_of_losses_have_both_readings():
    measured = committed("tab1_levels")
    shown = paper_tables.losses(measured).data
    for line in published(1).itertuples():
        block = f"{paper_tables.QUANTITIES[line.column]}, τ = {line.tau:g}"
        assert shown.loc[line.components, (block, "published", "")] == f"{line.value:.2f}"
    for line in measured.itertuples():
        text = shown.loc[line.losses, (line.metric, "measured", line.reading)]
        bracket = "(" if pd.isna(line.lower) else "["  # a range of few runs, or an interval
        assert text.startswith(f"{line.mean:.1f}\n{bracket}")
    assert list(shown.index) == list(dict.fromkeys(measured["losses"]))


def test_clustering_algorithms_have_their_spread():
    measured = committed("tab5_algorithms")
    shown = paper_tables.algorithms(measured).data
    for line in published(5).itertuples():
        block = f"{line.column}, τ = {line.tau:g}"
        assert shown.loc[line.method, (block, "published", "")] == f"{line.value:.2f}"
    for line in measured.itertuples():
        spread = shown.loc[line.algorithm, (f"Std, τ = {line.tau:g}", "measured", line.method)]
        assert spread == f"{line.std:.2f}"
    single = paper_tables.algorithms(measured.assign(std=float("nan"))).data
    assert not [block for block, side, _ in single if block[:3] == "Std" and side == "measured"]


def test_names_are_escaped():
    page = paper_tables.methods(2, table_2(("<script>alert('&')</script>", 50.0)), "H").to_html()
    assert "<script>" not in page and "&lt;script&gt;" in page
