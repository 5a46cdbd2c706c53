"""Means with intervals, the tidy table and its Markdown."""

import math

import numpy as np
import pandas as pd
import pytest

from cptlab.lab.study.tables import (
    differences,
    for_every_seed,
    gain_table,
    mean_interval,
    method_table,
    rank_table,
    to_markdown,
)


def test_interval_of_three_values_by_hand():
    # deviations -2, -1, 3: s^2 = 7, standard error sqrt(7/3); Student's 97.5 % point of 2 is 4.3027
    mean, lower, upper = mean_interval(np.array([1.0, 2.0, 6.0]))
    half = 4.302653 * math.sqrt(7 / 3)
    assert (mean, lower, upper) == pytest.approx((3.0, 3 - half, 3 + half), abs=1e-5)


@pytest.mark.parametrize("n", [3, 5])
def test_interval_covers_the_mean_of_few_normal_values(n):
    draws = np.random.default_rng(n).normal(size=(4000, n))
    bounds = np.array([mean_interval(row)[1:] for row in draws])
    covered = ((bounds[:, 0] <= 0) & (bounds[:, 1] >= 0)).mean()
    assert covered == pytest.approx(0.95, abs=0.01)  # its standard error is 0.0034


def test_interval_of_many_values_is_the_normal_one():
    values = np.random.default_rng(1).normal(70, 2, size=400)
    mean, lower, upper = mean_interval(values)
    half = 1.96 * values.std() / math.sqrt(400)
    assert mean == pytest.approx(values.mean())
    assert lower == pytest.approx(mean - half, abs=0.02)
    assert upper == pytest.approx(mean + half, abs=0.02)


def test_interval_ignores_the_order_of_values():
    values = np.random.default_rng(3).normal(size=7)
    assert mean_interval(values) == mean_interval(values[::-1])


@pytest.mark.parametrize("values", [[], [70.0], [70.0, 72.0]])
def test_interval_needs_three_values(values):
    mean, lower, upper = mean_interval(np.array(values))
    assert math.isnan(lower) and math.isnan(upper)
    assert (math.isnan(mean) and not values) or mean == np.mean(values)


def test_interval_of_equal_values_is_a_point():
    assert mean_interval(np.full(5, 71.5)) == (71.5, 71.5, 71.5)


def frame() -> pd.DataFrame:
    rows = [
        {"method": "CoOp", "tau": 0.06, "seed": s, "H": h, "tail": t}
        for s, (h, t) in enumerate([(1.0, 5.0), (2.0, np.nan), (6.0, 7.0)])
    ]
    return pd.DataFrame([*rows, {"method": "CPT (sum)", "tau": 1.0, "seed": 0, "H": 80, "tail": 3}])


def test_method_table_by_hand():
    table = method_table(frame(), ["H", "tail"])
    assert list(table.columns) == ["method", "tau", "metric", "mean", "lower", "upper", "n"]
    assert table.method.tolist() == ["CoOp", "CoOp", "CPT (sum)", "CPT (sum)"]
    assert table.metric.tolist() == ["H", "tail", "H", "tail"]
    assert table.n.tolist() == [3, 2, 1, 1]
    np.testing.assert_array_equal(table["mean"], [3, 6, 80, 3])
    np.testing.assert_allclose(table.lower, [-3.5724, np.nan, np.nan, np.nan], atol=1e-4)
    np.testing.assert_allclose(table.upper, [9.5724, np.nan, np.nan, np.nan], atol=1e-4)


def test_method_table_by_one_column():
    table = method_table(frame(), ["H"], by=["method"])
    assert table.method.tolist() == ["CoOp", "CPT (sum)"]
    assert table["mean"].tolist() == [3, 80]


def test_method_table_refuses_hidden_rows_and_missing_columns():
    with pytest.raises(ValueError, match="several rows"):
        method_table(frame().assign(seed=0), ["H"])
    with pytest.raises(ValueError, match=r"lacks the columns \['base'\]"):
        method_table(frame(), ["base"])


def test_markdown():
    table = method_table(frame(), ["H", "tail"])
    table = table[~((table.method == "CPT (sum)") & (table.metric == "tail"))]
    assert to_markdown(table) == (
        "| method | tau | H | tail |\n"
        "| --- | --- | ---: | ---: |\n"
        "| CoOp | 0.06 | 3.0 [-3.6, 9.6] | 6.0 (n = 2) |\n"
        "| CPT (sum) | 1.0 | 80.0 (n = 1) | – |\n"
    )


def comparison() -> pd.DataFrame:
    rows = [("Zero-shot", 0.06, 1, 60.0), ("IVLP", 0.06, 1, 61.0), ("IVLP", 0.06, 2, 62.0)]
    rows += [("CPT", 0.06, 2, 65.0), ("CPT", 0.06, 1, 62.5), ("CPT", 0.06, 3, 70.0)]
    return pd.DataFrame(rows, columns=["method", "tau", "seed", "H"])


def test_differences_pair_runs_by_seed_and_leave_out_what_has_no_partner():
    gaps = differences(comparison(), "IVLP", ["H"])
    found = {(row.method, row.seed): row.H for row in gaps.itertuples()}
    assert found == {("Zero-shot", 1): -1.0, ("CPT", 2): 3.0, ("CPT", 1): 1.5}
    assert list(gaps.columns) == ["method", "tau", "seed", "H"]
    with pytest.raises(ValueError, match="no runs of 'MaPLe'; there are Zero-shot, IVLP, CPT"):
        differences(comparison(), "MaPLe", ["H"])
    with pytest.raises(ValueError, match="several rows"):
        differences(pd.concat([comparison()] * 2), "IVLP", ["H"])


def test_one_run_stands_for_every_seed():
    every = for_every_seed(comparison(), "Zero-shot")
    zero_shot = every[every["method"] == "Zero-shot"]
    assert sorted(zero_shot["seed"]) == [1, 2, 3]
    assert set(zero_shot["H"]) == {60.0}
    assert len(every) == 3 + 5
    without = comparison().query("method != 'Zero-shot'").reset_index(drop=True)
    assert for_every_seed(without, "Zero-shot").equals(without)
    plain = comparison().drop(columns="tau")
    again = for_every_seed(plain, "Zero-shot").query("method == 'Zero-shot'")
    assert sorted(again["seed"]) == [1, 2, 3] and set(again["H"]) == {60.0}
    # runs of its own for several seeds stay as they are
    frozen = comparison().query("method == 'Zero-shot'")
    seeded = pd.concat([comparison(), frozen.assign(seed=2, H=50.0)], ignore_index=True)
    assert for_every_seed(seeded, "Zero-shot") is seeded


def test_gains_count_every_class_once_and_join_numbers_of_images():
    rows = [  # name, n_k, zero-shot, two seeds of IVLP
        ("a", 1, 50, 40, 60),
        ("b", 3, 50, 60, 80),
        ("c", 4, 0, 10, 30),
        ("d", 3, 20, 20, 20),
        ("e", 16, 70, 90, 90),
    ]
    columns = ["method", "dataset", "name", "n_k", "accuracy"]
    classes = pd.DataFrame(
        [
            (method, "food", name, n_k, value)
            for name, n_k, *values in rows
            for method, value in zip(("Zero-shot", "IVLP", "IVLP"), values, strict=True)
        ],
        columns=columns,
    )
    table = gain_table(classes.sample(frac=1, random_state=0))
    assert list(table["n_k"]) == ["1", "3 to 4", "9 to 16"]
    assert list(table["mean"]) == [0, 40 / 3, 20] and list(table["n"]) == [1, 3, 1]
    np.testing.assert_allclose(
        table.loc[1, ["mean", "lower", "upper"]].to_list(), mean_interval([20, 20, 0])
    )
    assert set(table["method"]) == {"IVLP"} and np.isnan(table.loc[0, "lower"])
    with pytest.raises(ValueError, match="no runs of 'CoOp'"):
        gain_table(classes, "CoOp")
    with pytest.raises(ValueError, match="no training images"):
        gain_table(classes.assign(n_k=np.nan))


def scores(rows) -> pd.DataFrame:
    """rows: (data set, seed) -> H of CoOp, CPT (sum), Mystery."""
    return pd.DataFrame(
        {"dataset": dataset, "seed": seed, "method": method, "H": h}
        for (dataset, seed), row in rows.items()
        for method, h in zip(("CoOp", "CPT (sum)", "Mystery"), row, strict=True)
    ).sample(frac=1, random_state=0)


def test_ranks_are_taken_within_data_set_and_seed_and_vary_over_data_sets():
    rows = {("a", 1): (50, 60, 70), ("a", 2): (60, 60, 70), ("b", 1): (90, 95, 80)}
    rows[("c", 1)] = (3, 2, 1)
    ranks = {"CoOp": [2.75, 2, 1], "CPT (sum)": [2.25, 1, 2], "Mystery": [1, 3, 3]}
    table = rank_table(scores(rows), "H").set_index("method")
    for method, own in ranks.items():
        found = table.loc[method, ["mean", "lower", "upper"]].astype(float)
        np.testing.assert_allclose(found, np.clip(mean_interval(own), 1, 3))
    assert (table[["n", "datasets", "rankings"]] == [3, 3, 4]).all(axis=None)


def test_ranks_of_one_data_set_vary_over_seeds():
    rows = {("a", seed): (50, 60, 70 - 15 * (seed == 3)) for seed in range(4)}
    table = rank_table(scores(rows), "H").set_index("method")
    found = table.loc["Mystery", ["mean", "lower", "upper"]].astype(float)
    np.testing.assert_allclose(found, np.clip(mean_interval([1, 1, 1, 2]), 1, 3))
    assert (table[["n", "datasets", "rankings"]] == [4, 1, 4]).all(axis=None)


def test_ranks_need_every_method_everywhere():
    rows = [("a", "CoOp", 1, 5.0), ("a", "IVLP", 1, 6.0), ("a", "CoOp", 2, 5.0)]
    frame = pd.DataFrame(rows, columns=["dataset", "method", "seed", "H"])
    with pytest.raises(ValueError, match="no H of: IVLP"):
        rank_table(frame, "H")
    with pytest.raises(ValueError, match="several rows"):
        rank_table(pd.concat([frame, frame]), "H")
    with pytest.raises(ValueError, match=r"lacks the columns \['tail'\]"):
        rank_table(frame, "tail")
