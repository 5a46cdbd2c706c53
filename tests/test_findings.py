"""Differences in sentences, each checked against numbers worked out by hand."""

import pandas as pd
import pytest

from cptlab.lab.study.findings import findings, spread_findings, spread_message
from cptlab.lab.study.findings import spreads as spread_table
from cptlab.lab.study.summary import compared, corrected
from cptlab.lab.study.tables import differences

NAN = float("nan")


def gaps(*rows: tuple, metric: str = "H", tau: float = 0.06, family: int = 0) -> pd.DataFrame:
    columns = ["method", "mean", "lower", "upper", "n", "adjusted"]
    table = pd.DataFrame(rows, columns=columns).assign(metric=metric, tau=tau, family=family)
    return table.assign(datasets=1, least=table["mean"] - 1, most=table["mean"] + 1, p=NAN)


UP, MORE = ("DeKg", 2.0, 1.5, 2.5, 5, 0.01), ("PromptSRC", 3.0, 0.25, 5.75, 5, 0.06)
DOWN, LEVEL = ("CoOp", -4.0, -5.0, -3.0, 5, 0.05), ("MaPLe", -0.5, -1.0, 0.0, 5, 0.2)
AMONG = "among the 12 comparisons of this table (Benjamini-Hochberg, 5 %)."


def test_every_side_is_counted_and_the_furthest_comes_first():
    assert findings(gaps(UP, DOWN, LEVEL, MORE), "IVLP") == (
        "- **H, tau = 0.06, against IVLP:** the interval excludes zero for 3 of 4 methods "
        "(5 seeds). 2 above: PromptSRC, +3.00 points (95 % interval 0.25 to 5.75), then DeKg. "
        "1 below: CoOp, -4.00 points (95 % interval -5.00 to -3.00). Not separable: MaPLe.\n"
    )


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((UP, DOWN, LEVEL), f"All hold {AMONG}"),
        ((UP, DOWN, MORE), f"All but PromptSRC hold {AMONG}"),
        ((MORE, LEVEL), f"It does not hold {AMONG}"),
        ((UP, LEVEL), f"It holds {AMONG}"),
        ((MORE, MORE, LEVEL), f"None holds {AMONG}"),
        ((UP,), f"The interval excludes zero. It holds {AMONG}"),
    ],
)
def test_what_holds_among_all_comparisons_of_the_table(rows, said):
    assert said in findings(gaps(*rows, family=12), "IVLP")


def test_where_nothing_excludes_zero_nothing_holds():
    assert "comparisons" not in findings(gaps(LEVEL, family=12), "IVLP")
    assert "comparisons" not in findings(gaps(UP, family=1), "IVLP")


def test_where_nothing_excludes_zero_the_largest_difference_is_told():
    other = ("CoCoOp", 0.25, -2.0, 2.5, 4, 0.9)
    assert findings(gaps(other, LEVEL), "IVLP", digits=1) == (
        "- **H, tau = 0.06, against IVLP:** the interval excludes zero for none of 2 methods "
        "(4 to 5 seeds). The largest difference is that of MaPLe, -0.5 points (95 % interval "
        "-1.0 to 0.0). Not separable: MaPLe and CoCoOp.\n"
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (UP, "DeKg, +2.00 (95 % interval 1.50 to 2.50), over 5 seeds. The interval excludes zero."),
        (
            LEVEL,
            "MaPLe, -0.50 (95 % interval -1.00 to 0.00), over 5 seeds. The interval includes zero: "
            "not separable.",
        ),
        (
            ("CPT", 1.0, NAN, NAN, 1, NAN),
            "CPT, +1.00. With 1 seed there is no interval, hence no verdict.",
        ),
    ],
)
def test_a_single_method(row, said):
    text = findings(gaps(row), "IVLP", unit="")
    assert text == f"- **H, tau = 0.06, against IVLP:** {said}\n"


def test_few_runs_have_no_interval():
    few = [("CoOp", -2.0, NAN, NAN, 2, NAN), ("MaPLe", 1.0, NAN, NAN, 2, NAN)]
    assert findings(gaps(*few), "IVLP") == (
        "- **H, tau = 0.06, against IVLP:** the largest of 2 differences is that of CoOp, -2.00 "
        "points (range -3.00 to -1.00). With 2 seeds there is no interval, hence no verdict.\n"
    )
    assert findings(gaps(UP, *few), "IVLP").endswith(
        "1 above: DeKg, +2.00 points (95 % interval 1.50 to 2.50). "
        "Too few runs for an interval: CoOp and MaPLe.\n"
    )


def test_several_data_sets_are_counted():
    several = gaps(UP, DOWN).assign(datasets=[5, 1])
    assert "(1 to 5 data sets and 1 to 5 seeds)" in findings(several, "IVLP")


def test_an_item_for_every_metric_and_ratio_and_none_for_missing_numbers():
    missing = ("CoOp", NAN, NAN, NAN, 0, NAN)
    table = pd.concat([gaps(UP, missing), gaps(UP, metric="tail", tau=1.0)])
    heads = [line.split(":**")[0] for line in findings(table, "IVLP").splitlines()]
    assert heads == ["- **H, tau = 0.06, against IVLP", "- **tail, tau = 1, against IVLP"]
    assert "1 method" not in findings(table, "IVLP")
    assert findings(gaps(missing), "IVLP") == ""


def test_from_runs_to_a_sentence():
    """Differences 1 to 5: mean 3, standard error 1 / sqrt(2), Student's quantile 2.776."""
    level = [50.0, 51.0, 52.0, 50.0, 51.0]
    runs = pd.DataFrame(
        {
            "dataset": "food",
            "method": ["IVLP"] * 5 + ["CPT"] * 5,
            "seed": [1, 2, 3, 4, 5] * 2,
            "H": [*level, *(h + i for i, h in enumerate(level, 1))],
        }
    )
    table = corrected(compared(differences(runs, "IVLP", ["H"]), ["H"], by=["method"]))
    assert findings(table, "IVLP") == (
        "- **H, against IVLP:** CPT, +3.00 points (95 % interval 1.04 to 4.96), over 5 seeds. "
        "The interval excludes zero.\n"
    )


def spreads(*blocks: tuple[str, list[float]]) -> pd.DataFrame:
    rows = [(name, seed, h) for name, values in blocks for seed, h in enumerate(values)]
    return pd.DataFrame(rows, columns=["method", "seed", "H"]).assign(dataset="birds")


def test_the_ratio_of_two_spreads():
    wide, narrow = [50.0, 52.0, 54.0], [50.0, 51.0, 52.0]  # standard deviations 2 and 1
    runs = spreads(("CPT", wide), ("IVLP", narrow))
    assert spread_findings(spread_table(runs, [("CPT", "IVLP"), ("IVLP", "CPT")], "H"), "H") == (
        "- **CPT, against IVLP:** 2.00 times the standard deviation of H. With 3 seeds there is no "
        "interval, hence no verdict.\n"
        "- **IVLP, against CPT:** 0.50 times the standard deviation of H. With 3 seeds there is no "
        "interval, hence no verdict.\n"
    )


@pytest.mark.parametrize(
    ("factor", "said"), [(10, "excludes one."), (1, "includes one: not separable.")]
)
def test_the_interval_of_a_ratio_is_held_against_one(factor, said):
    narrow = [0.0, 1.0, 2.0, 3.0, 5.0]  # resamples keep a constant ratio: the interval is a point
    runs = spreads(("CPT", [factor * h for h in narrow]), ("IVLP", narrow))
    assert spread_findings(spread_table(runs, [("CPT", "IVLP")], "H"), "H") == (
        f"- **CPT, against IVLP:** {factor}.00 times the standard deviation of H (95 % interval "
        f"{factor}.00 to {factor}.00), over 5 seeds. The interval {said}\n"
    )


def test_spreads_in_one_sentence():
    narrow = [0.0, 1.0, 2.0, 3.0, 5.0]
    runs = spreads(("CPT", [10 * h for h in narrow]), ("IVLP", narrow), ("CoOp", narrow[::-1]))
    told = {
        "H of CPT varies 10.0 times as much as IVLP": [("CPT", "IVLP")],
        "not separable": [("CPT", "IVLP"), ("CoOp", "IVLP")],
        "No spread of H over seeds is separable from another in 1 pair": [("CoOp", "IVLP")],
        "No pair of methods to compare": [],
    }
    for text, pairs in told.items():
        assert text in spread_message(spread_table(runs, pairs, "H"), "H")
    few = spread_table(runs[runs["seed"] < 3], [("CPT", "IVLP")], "H")
    assert few["adjusted"].isna().all()
    assert spread_message(few, "H") == "Too few runs to tell how much H varies over seeds"
