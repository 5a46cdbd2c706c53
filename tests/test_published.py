"""The paper's printed numbers, checked by hand against the print, and arithmetic on them."""

import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from cptlab.lab.figures import published_averages
from cptlab.lab.figures.style import VERMILLION
from cptlab.lab.study.published import (
    averages,
    mean_ranks,
    proportional_rows,
    published,
    ranks,
    repeated,
    row_ratios,
    shared_values,
)

RESULTS = (2, 3, 4)


@pytest.fixture(scope="module")
def results() -> pd.DataFrame:
    return pd.concat(map(published, RESULTS), ignore_index=True)


def cell(table: int, tau: float, method: str, column: str) -> float:
    frame = published(table)
    chosen = frame[(frame["tau"] == tau) & (frame["method"] == method)]
    (value,) = chosen.loc[chosen["column"] == column, "value"]
    return value


def block(rows: dict[str, list[float]], columns: str = "abcdefghijk") -> pd.DataFrame:
    """A long frame of one block, written by hand."""
    return pd.DataFrame(
        {"table": 9, "tau": 1.0, "method": method, "column": column, "value": value}
        for method, values in rows.items()
        for column, value in zip(columns, values, strict=False)
    )


@pytest.mark.parametrize(
    ("table", "tau", "method", "column", "value"),
    [
        (1, 0.25, "(1)", "Base-to-New", 70.35),
        (1, 0.25, "(3)", "Cross-Dataset", 66.03),
        (1, 0.06, "(4)", "Domain Gen.", 58.64),
        (1, 0.06, "(5)", "Base-to-New", 72.47),
        (2, 1, "MaPLe", "OxfordPets", 96.28),
        (2, 1, "DPC", "StanfordCars", 78.46),
        (2, 0.25, "CoPrompt", "Food101", 89.35),
        (2, 0.06, "MaPLe", "FGVCAircraft", 21.89),
        (2, 0.06, "CPT", "EuroSAT", 58.03),
        (2, 0.06, "CPT", "UCF101", 75.69),
        (3, 1, "DeKg", "ImageNet", 72.33),
        (3, 0.25, "DPC", "EuroSAT", 45.50),
        (3, 0.06, "NPT", "SUN397", 66.07),
        (3, 0.06, "CPT", "DTD", 45.42),
        (4, 1, "CoCoOp", "ImageNet-V2", 64.07),
        (4, 0.25, "DeKg", "ImageNet-A", 50.51),
        (4, 0.06, "CPT", "ImageNet-Sketch", 49.02),
        (4, 0.06, "MaPLe", "ImageNet-R", 74.47),
        (5, 0.25, "Spectral (cosine)", "H", 71.72),
        (5, 0.06, "Euclidean K-means", "H", 71.52),
        (5, 0.06, "K-medoids (cosine)", "Std", 1.32),
    ],
)
def test_numbers_are_those_of_the_print(table, tau, method, column, value):
    assert cell(table, tau, method, column) == value


@pytest.mark.parametrize(
    ("table", "taus", "methods", "columns"),
    [
        (1, [0.25, 0.06], 5, 3),
        (2, [1, 0.25, 0.06], 6, 12),
        (3, [1, 0.25, 0.06], 6, 12),
        (4, [1, 0.25, 0.06], 7, 6),
        (5, [0.25, 0.06], 4, 2),
    ],
)
def test_blocks_are_complete(table, taus, methods, columns):
    frame = published(str(table))
    assert frame["table"].eq(table).all()
    assert not frame.isna().any().any()
    assert not frame.duplicated(["tau", "method", "column"]).any()
    assert list(dict.fromkeys(frame["tau"])) == taus
    for _, rows in frame.groupby("tau"):
        assert (rows["method"].nunique(), rows["column"].nunique()) == (methods, columns)
        assert len(rows) == methods * columns
    assert (frame["value"] * 100).round(6).mod(1).eq(0).all()  # two decimals in print
    others = frame[frame["column"] != "Std"]
    assert others["value"].between(20, 97).all()


def test_losses_of_the_ablation_are_marked_as_inferred():
    ablation = published(1)
    assert ablation["inferred"].all()
    parts = dict(zip(ablation["method"], ablation["components"], strict=True))
    assert parts == {
        "(1)": "none",
        "(2)": "TETF",
        "(3)": "TETF + CC",
        "(4)": "TETF + RS",
        "(5)": "TETF + CC + RS",
    }


def test_statements_are_complete_and_short():
    stated = published("statements")
    assert not stated[["section", "statement", "value", "unit"]].isna().any().any()
    assert not stated.duplicated(["section", "statement", "value"]).any()
    assert stated["statement"].str.len().max() < 70
    places = stated[["table", "tau", "method", "column"]].notna().sum(axis=1)
    assert set(places) == {0, 4}  # a whole cell or none
    values = stated.groupby(["section", "statement"])["value"].agg(list)
    assert values["4.5", "default weight of TETF"] == [0.25]
    assert values["4.5", "default weight of CC"] == [0.15]
    assert values["4.5", "default weight of RS"] == [0.10]
    assert values["4.5", "change of H over the sweeps of the weights, upper bound"] == [3]
    assert values["6.1", "epochs, base-to-new"] == [12]
    assert values["7.1", "classes per cluster, swept"] == [4, 8, 16, 32, 64]
    assert values["4.1", "imbalance ratio"] == [1, 0.25, 0.06]
    assert values["6.1", "imbalance ratio"] == [1, 0.25, 0.6]  # sic


@pytest.mark.parametrize("table", [0, 6, "6", "tables", ""])
def test_an_unknown_table_is_an_error_that_lists_what_exists(table):
    with pytest.raises(ValueError, match=r"choose from statements, 1, 2, 3, 4, 5\."):
        published(table)


def test_printed_averages_leave_out_the_source_and_follow_from_their_columns(results):
    checks = averages(results)
    counted = checks.groupby("table")["columns"].unique().map(list).to_dict()
    assert counted == {2: [11], 3: [10], 4: [4]}
    assert len(checks) == 3 * (6 + 6 + 7)
    assert checks["within_rounding"].all()
    odd = checks[~checks["rounds_to_printed"]].set_index(["table", "tau", "method"])
    assert list(odd.index) == [(3, 1.0, "CPT"), (3, 0.25, "CPT")]
    assert odd["recomputed"].tolist() == pytest.approx([67.77, 66.766])
    assert odd["difference"].tolist() == pytest.approx([0.01, -0.006])


def test_the_average_of_base_to_new_is_the_mean_of_h():
    by_hand = 73.47 + 96.02 + 96.28 + 73.47 + 82.56 + 91.38 + 36.50 + 79.75 + 68.16 + 82.35 + 80.77
    checks = averages(published(2)).set_index(["tau", "method"])
    assert checks.loc[(1, "MaPLe"), "recomputed"] == pytest.approx(by_hand / 11)
    assert checks.loc[(1, "MaPLe"), "printed"] == 78.25


def test_rounding_allows_a_whole_unit_and_no_more():
    rows = {
        "close": [10.00, 10.01, 10.01],  # mean of the first two 10.005
        "edge": [10.00, 10.00, 10.01],
        "off": [10.00, 10.00, 10.02],
    }
    checks = averages(block(rows, ["a", "b", "Avg"])).set_index("method")
    assert checks["rounds_to_printed"].tolist() == [True, False, False]
    assert checks["within_rounding"].tolist() == [True, True, False]
    assert checks["difference"].tolist() == pytest.approx([0.005, 0.01, 0.02])


def test_tables_without_averages_are_refused():
    with pytest.raises(
        ValueError, match=r"Table 5 prints no average of 'Cosine K-means' at tau = 0\.25"
    ):
        averages(published(5))


def test_ranks_share_the_better_place_and_know_that_a_low_deviation_is_good():
    frame = block({"x": [50.0, 0.5], "y": [60.0, 0.7], "z": [60.0, 0.2]}, ["H", "Std"])
    wide = ranks(frame).pivot(index="method", columns="column", values="rank")
    assert wide["H"].to_dict() == {"x": 3, "y": 1, "z": 1}
    assert wide["Std"].to_dict() == {"x": 2, "y": 3, "z": 1}
    assert "rank" not in frame


def test_mean_ranks_by_hand_leave_out_average_and_source():
    rows = {"x": [50.0, 1.0, 7.0, 90.0], "y": [60.0, 2.0, 7.0, 10.0], "z": [60.0, 3.0, 5.0, 20.0]}
    frame = block(rows, ["a", "b", "c", "Avg"])
    told = mean_ranks(frame).set_index("method")
    assert told["mean_rank"].to_dict() == pytest.approx(
        {"x": (3 + 3 + 1.5) / 3, "y": (1.5 + 2 + 1.5) / 3, "z": (1.5 + 1 + 3) / 3}
    )
    assert told["firsts"].to_dict() == {"x": 1, "y": 2, "z": 2}  # ties count for each
    source = frame.assign(table=3).replace({"column": {"a": "ImageNet"}})
    assert mean_ranks(source)["columns"].eq(2).all()


def test_mean_ranks_of_the_print_add_up(results):
    told = mean_ranks(results)
    counted = told.groupby("table")["columns"].unique().map(list).to_dict()
    assert counted == {2: [11], 3: [10], 4: [4]}
    methods = told.groupby(["table", "tau"])["mean_rank"].agg(["mean", "size"])
    assert methods["mean"].tolist() == pytest.approx(((methods["size"] + 1) / 2).tolist())


def test_the_ranks_of_the_clusterings():
    wide = ranks(published(5)).pivot(index=["tau", "column"], columns="method", values="rank")
    for tau in (0.25, 0.06):
        assert wide.loc[(tau, "H")].loc[["Spectral (cosine)", "K-medoids (cosine)"]].tolist() == [
            4,
            3,
        ]
        assert wide.loc[(tau, "Std")].loc[["Spectral (cosine)", "K-medoids (cosine)"]].tolist() == [
            3,
            4,
        ]
        assert wide.loc[tau, "Cosine K-means"].eq(1).all()


def test_four_methods_share_one_value_on_imagenet_a(results):
    most = shared_values(results).iloc[0]
    assert (most["table"], most["tau"], most["column"]) == (4, 0.06, "ImageNet-A")
    assert (most["value"], most["methods"]) == (48.56, 4)
    assert most["names"] == "CoPrompt, DeKg, DPC, CPT"
    assert shared_values(results, at_least=5).empty


def test_shared_values_stay_within_a_block():
    first, second = block({"x": [50.0], "y": [50.0]}), block({"x": [50.0], "y": [51.0]})
    shared = shared_values(pd.concat([first, second.assign(tau=0.25)]))
    assert shared["tau"].tolist() == [1.0]


REFERENCE = [72.1, 95.3, 91.0, 60.2, 70.4, 85.9, 22.3, 66.6, 45.1, 50.7, 68.8]
OTHER = [73.9, 93.1, 92.2, 64.8, 69.9, 88.0, 25.6, 66.1, 49.3, 47.2, 70.0]


def test_a_multiple_is_found_and_another_row_is_not():
    multiple = [round(1.02 * value, 2) for value in REFERENCE]
    multiple[3] += 1.0  # one column changed afterwards
    frame = block({"first": REFERENCE, "other": OTHER, "multiple": multiple})
    pairs = row_ratios(frame).set_index(["method", "reference"])
    assert len(pairs) == 3
    found = pairs.loc[("multiple", "first")]
    assert found["constant"] == pytest.approx(1.02, abs=2e-4)
    assert (found["reproduced"], found["columns"]) == (10, 11)
    chosen = proportional_rows(frame)
    assert chosen[["method", "reference"]].values.tolist() == [["multiple", "first"]]
    assert chosen["median_spread"].item() == pytest.approx(pairs["spread"].median())
    assert proportional_rows(frame, share=1.0).empty
    assert proportional_rows(frame[frame["method"] != "multiple"]).empty
    assert len(proportional_rows(frame, tolerance=100)) == 3


def test_constant_spread_and_count_by_hand():
    frame = block({"low": [10.0, 20.0, 40.0], "high": [11.0, 22.0, 48.0]})  # 1.1, 1.1, 1.2
    pair = row_ratios(frame).iloc[0]
    assert (pair["method"], pair["reference"]) == ("high", "low")
    assert pair["constant"] == pytest.approx(1.1)
    assert pair["spread"] == pytest.approx(0.1 / 3**0.5)
    assert (pair["reproduced"], pair["columns"]) == (2, 3)  # 48 against 44
    assert row_ratios(frame, tolerance=4.0)["reproduced"].item() == 3


def test_the_average_is_no_column_of_a_ratio(results):
    assert set(row_ratios(results)["columns"]) == {11, 5}


def test_two_columns_are_too_few_for_ratios():
    with pytest.raises(ValueError, match=r"Table 5 at tau = 0\.25 has 2 column"):
        row_ratios(published(5))


def test_proportional_rows_of_the_print(results):
    """Constants and counts that were worked out apart from this code."""
    found = proportional_rows(results).set_index(["table", "tau", "method", "reference"])
    expected = {
        (2, 0.06, "NPT", "CoPrompt"): (1.0101, 11),
        (2, 0.06, "CPT", "NPT"): (1.0098, 11),
        (2, 0.06, "CPT", "CoPrompt"): (1.0200, 11),
        (2, 0.25, "NPT", "CoPrompt"): (1.0101, 10),
        (3, 1.0, "CPT", "NPT"): (1.0099, 11),
        (3, 0.25, "CPT", "NPT"): (1.0103, 9),
        (3, 0.06, "CPT", "NPT"): (1.0099, 11),
        (3, 0.06, "NPT", "CoPrompt"): (1.0102, 9),
    }
    assert set(found.index) == set(expected)
    for place, (constant, reproduced) in expected.items():
        assert found.loc[place, "constant"] == pytest.approx(constant, abs=5.1e-5)
        assert found.loc[place, "reproduced"] == reproduced
    assert found["spread"].iloc[:5].max() < 3e-4
    assert found["median_spread"].iloc[0] == pytest.approx(0.0115, abs=1e-4)
    assert len(row_ratios(results)) == 6 * 15 + 3 * 21


def test_numbers_in_two_places():
    tables = pd.concat([published(number) for number in range(1, 6)], ignore_index=True)
    twice = repeated(tables, published("statements"))
    assert len(twice) == 6 + 18 + 2 + 5  # Table 1, Tables 3 and 4, Table 5, text
    differing = twice[twice["difference"].abs() > 0.001]
    assert differing["other"].unique().tolist() == ["Table 4"]
    shown = differing.set_index(["tau", "method"])["difference"].round(2).to_dict()
    assert shown == {
        (0.25, "DeKg"): -0.33,
        (0.25, "DPC"): -0.50,
        (0.06, "MaPLe"): 1.00,
        (0.06, "NPT"): 0.20,
        (0.06, "DeKg"): 0.22,
        (0.06, "DPC"): -0.96,
    }
    peak = twice[twice["other"] == "section 7.1"].iloc[0]
    assert (peak["table"], peak["tau"], peak["column"], peak["value"]) == (2, 1, "ImageNet", 73.92)


def test_the_image_shows_the_printed_averages():
    printed = published(4)
    printed = printed[printed["column"] == "Avg"]
    ax = Figure().subplots()
    assert published_averages(printed, ax=ax, title="Table 4") is ax
    assert [line.get_label() for line in ax.lines] == ["τ = 1", "τ = 0.25", "τ = 0.06"]
    hardest = ax.lines[2]
    assert to_hex(hardest.get_color()) == VERMILLION.lower()
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    assert names == ["CoCoOp", "MaPLe", "NPT", "CoPrompt", "DeKg", "DPC", "CPT"]
    assert list(hardest.get_xdata()) == [57.32, 58.12, 58.28, 58.43, 58.68, 58.90, 59.12]
    assert "as published" in ax.get_xlabel()
    assert ax.get_ylim() == (6.5, -0.5)  # the first row of print on top


def test_a_image_of_too_many_ratios_is_refused():
    frame = pd.DataFrame({"method": "x", "tau": [1, 0.5, 0.25, 0.06], "value": 50.0})
    with pytest.raises(ValueError, match="At most 3 imbalance ratios"):
        published_averages(frame, ax=Figure().subplots(), title="")
