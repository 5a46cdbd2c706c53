"""Paired differences, gains of classes and ranks."""

import numpy as np
import pandas as pd
import pytest

from cptlab.lab.study.intervals import crossed, of_runs
from cptlab.lab.study.tables import (
    differences,
    for_every_seed,
    gain_table,
    rank_table,
    rankings,
)


def comparison() -> pd.DataFrame:
    rows = [("Zero-shot", 0.06, 1, 60.0), ("IVLP", 0.06, 1, 61.0), ("IVLP", 0.06, 2, 62.0)]
    rows += [("CPT", 0.06, 2, 65.0), ("CPT", 0.06, 1, 62.5), ("CPT", 0.06, 3, 70.0)]
    return pd.DataFrame(rows, columns=["method", "tau", "seed", "H"]).assign(dataset="food")


def test_differences_pair_runs_by_seed_and_leave_out_what_has_no_partner():
    gaps = differences(comparison(), "IVLP", ["H"])
    found = {(row.method, row.seed): row.H for row in gaps.itertuples()}
    assert found == {("Zero-shot", 1): -1.0, ("CPT", 2): 3.0, ("CPT", 1): 1.5}
    assert list(gaps.columns) == ["method", "tau", "seed", "H", "dataset"]
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


def class_rows(values: np.ndarray, n_k: np.ndarray, method: str, dataset: str = "food"):
    """values, n_k: (classes, seeds), accuracies and numbers of training images."""
    return pd.DataFrame(
        {
            "method": method,
            "dataset": dataset,
            "seed": seed,
            "name": f"class {c}",
            "n_k": n_k[c, seed],
            "accuracy": values[c, seed],
        }
        for c in range(len(values))
        for seed in range(values.shape[1])
    )


def test_gains_join_numbers_of_images():
    n_k = np.array([[1], [3], [4], [3], [16]])
    before = np.array([[50], [50], [0], [20], [70.0]])
    after = np.array([[50], [70], [20], [20], [90.0]])
    classes = pd.concat([class_rows(before, n_k, "Zero-shot"), class_rows(after, n_k, "IVLP")])
    table = gain_table(classes.sample(frac=1, random_state=0))
    assert list(table["n_k"]) == ["1", "3 to 4", "9 to 16"]
    assert list(table["mean"]) == pytest.approx([0, 40 / 3, 20])
    assert list(table["classes"]) == [1, 3, 1] and list(table["n"]) == [1, 1, 1]
    assert set(table["method"]) == {"IVLP"} and table["lower"].isna().all()
    with pytest.raises(ValueError, match="no runs of 'CoOp'"):
        gain_table(classes, "CoOp")
    with pytest.raises(ValueError, match="no training images"):
        gain_table(classes.assign(n_k=np.nan))


def test_gains_on_one_data_set_vary_over_classes_and_seeds():
    rng = np.random.default_rng(0)
    gains, n_k = 10 * rng.normal(size=(4, 5)), np.ones((4, 5), dtype=int)
    before = class_rows(np.full((4, 1), 50.0), n_k, "Zero-shot")
    (row,) = gain_table(pd.concat([before, class_rows(50 + gains, n_k, "IVLP")])).itertuples()
    found = of_runs(gains.mean(0, keepdims=True), gains)
    assert (row.mean, row.lower, row.upper) == pytest.approx((found.mean, found.lower, found.upper))
    assert (row.least, row.most) == pytest.approx((gains.mean(0).min(), gains.mean(0).max()))


def test_gains_on_several_data_sets_are_means_over_classes_that_vary_over_data_sets_and_seeds():
    rng = np.random.default_rng(0)
    sizes, gains = {"a": 2, "b": 6}, {}
    rows = []
    for dataset, count in sizes.items():
        gains[dataset] = rng.normal(size=(count, 3))
        ones = np.ones((count, 3), dtype=int)
        rows.append(class_rows(np.full((count, 1), 50.0), ones, "Zero-shot", dataset))
        rows.append(class_rows(50 + gains[dataset], ones, "IVLP", dataset))
    (row,) = gain_table(pd.concat(rows)).itertuples()
    every = np.concatenate(list(gains.values()))
    assert row.mean == pytest.approx(every.mean())
    added = [2 * (own - every.mean(0)).sum(0) / 8 for own in gains.values()]
    found = crossed(every.mean(0) + np.stack(added))
    assert (row.lower, row.upper) == pytest.approx((found.lower, found.upper))
    assert (row.n, row.datasets, row.classes) == (6, 2, 8)


def test_gains_of_classes_whose_numbers_of_images_change_with_the_seed():
    n_k = np.array([[1, 2], [2, 1], [1, 1]])
    gains = np.array([[1.0, 10.0], [20.0, 2.0], [3.0, 6.0]])
    before = class_rows(np.full((3, 1), 50.0), n_k, "Zero-shot")
    table = gain_table(pd.concat([before, class_rows(50 + gains, n_k, "IVLP")]))
    one = table.set_index("n_k").loc["1"]
    assert one["mean"] == pytest.approx((2 + 4) / 2) and one["classes"] == 2
    assert (one["least"], one["most"]) == pytest.approx((2, 4))


def scores(rows) -> pd.DataFrame:
    """rows: (data set, seed) -> H of CoOp, CPT (sum), Mystery."""
    return pd.DataFrame(
        {"dataset": dataset, "seed": seed, "method": method, "H": h}
        for (dataset, seed), row in rows.items()
        for method, h in zip(("CoOp", "CPT (sum)", "Mystery"), row, strict=True)
    ).sample(frac=1, random_state=0)


def test_ranks_are_taken_within_data_set_and_seed_and_vary_over_both():
    rows = {("a", 1): (50, 60, 70), ("a", 2): (60, 60, 70), ("b", 1): (90, 95, 80)}
    rows |= {("b", 2): (3, 2, 1), ("c", 1): (1, 2, 3), ("c", 2): (3, 2, 1)}
    ranks = {
        "CoOp": [[3, 2.5], [2, 1], [3, 1]],
        "CPT (sum)": [[2, 2.5], [1, 2], [2, 2]],
        "Mystery": [[1, 1], [3, 3], [1, 3]],
    }
    table = rank_table(scores(rows), "H").set_index("method")
    for method, own in ranks.items():
        expected = crossed(np.array(own))
        found = table.loc[method, ["mean", "lower", "upper"]].astype(float)
        bounds = np.clip([expected.lower, expected.upper], 1, 3)
        np.testing.assert_allclose(found, [expected.mean, *bounds])
    assert (table[["n", "datasets"]] == [6, 3]).all(axis=None)


def test_few_rankings_have_a_range():
    rows = {("a", seed): (50, 60, 70 - 15 * (seed == 3)) for seed in range(4)}
    row = rank_table(scores(rows), "H").set_index("method").loc["Mystery"]
    assert row[["mean", "least", "most", "n"]].tolist() == [1.25, 1, 2, 4]
    assert np.isnan(row["lower"])


def test_data_sets_of_one_unit_share_its_mean_rank():
    rows = {("a to b", 1): (5, 6, 7), ("a to c", 1): (7, 6, 5), ("b to a", 1): (7, 6, 5)}
    rows |= {(name, 2): row for (name, _), row in rows.items()}
    frame = scores(rows).assign(source=lambda table: table["dataset"].str[0])
    table = rank_table(frame, "H", "source").set_index("method")
    assert table["mean"].to_dict() == {"CoOp": 1.5, "CPT (sum)": 2.0, "Mystery": 2.5}
    assert (table[["n", "datasets"]] == [4, 2]).all(axis=None)


def test_rankings_leave_out_methods_and_ratios_that_lack_runs():
    rows = [("food", name, seed, level) for level, name in enumerate("ABC") for seed in (1, 2)]
    parts = {0.06: rows, 0.25: rows[:5], 1.0: [rows[0], *rows[3:4]]}
    columns = ["dataset", "method", "seed", "H"]
    frame = pd.concat(pd.DataFrame(own, columns=columns).assign(tau=t) for t, own in parts.items())
    found = rankings(frame, "H").groupby("tau")["method"].agg(sorted)
    assert found.to_dict() == {0.06: ["A", "B", "C"], 0.25: ["A", "B"]}
    with pytest.raises(ValueError, match="have no H of: A, B"):
        rankings(frame[frame["tau"] == 1], "H")


def test_ranks_need_every_method_everywhere():
    rows = [("a", "CoOp", 1, 5.0), ("a", "IVLP", 1, 6.0), ("a", "CoOp", 2, 5.0)]
    frame = pd.DataFrame(rows, columns=["dataset", "method", "seed", "H"])
    with pytest.raises(ValueError, match="no H of: IVLP"):
        rank_table(frame, "H")
    with pytest.raises(ValueError, match="several rows"):
        rank_table(pd.concat([frame, frame]), "H")
    with pytest.raises(ValueError, match=r"lacks the columns \['tail'\]"):
        rank_table(frame, "tail")
