"""What figures say: the sentence follows from the numbers, and says where they carry none."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from cptlab.lab.bench.table import message as throughput_message
from cptlab.lab.figures.collapse import MEASURES
from cptlab.lab.study import (
    ablation,
    cluster_message,
    geometry,
    sensitivity,
    similarity,
    stability,
    tour,
)
from cptlab.lab.study.published import message
from cptlab.methods import CPT


def test_similarity_says_how_often_pairs_inside_a_cluster_are_closer():
    """Four texts in two clusters; the second method keeps one of four pairs across closer."""
    clusters = torch.tensor([0, 0, 1, 1])
    apart = torch.tensor([[1.0, 0.1, 0], [1, -0.1, 0], [-1, 0, 0.1], [-1, 0, -0.1]])
    mixed = torch.tensor([[1.0, 0.0], [0, 1], [1, 0.1], [0, 1.2]])
    texts = {"Zero-shot": apart, "Mixed": mixed}
    found = similarity.similarities_of(texts, clusters, list("abcd"), apart)
    assert found.told == (
        "A pair of classes inside a frozen cluster is more similar than a pair across in 100 % of "
        "cases in the frozen model, in 25 % after Mixed (one run each)"
    )
    centred = found.centred["Zero-shot"]
    np.testing.assert_allclose(np.diag(centred), 1, rtol=1e-6)
    tidy = found.tidy()
    assert (tidy["centred"] == np.concatenate([m.flatten() for m in found.centred.values()])).all()
    alone = found.statistics.head(1)
    assert similarity.message(alone).endswith("in 100 % of cases")
    one = similarity.similarities_of(texts, torch.zeros_like(clusters), list("abcd"), apart)
    assert one.statistics["cluster_auc"].dtype == float and "one cluster" in one.told
    nothing = alone.assign(cluster_auc=np.nan)
    assert "no pairs to compare" in similarity.message(nothing)


def changes(*rows: tuple) -> pd.DataFrame:
    """Rows of `sensitivity.changes`: reading, loss, weight, lower, upper, least, most."""
    names = ["reading", "loss", "weight", "lower", "upper", "least", "most"]
    return pd.DataFrame(rows, columns=names)


def test_changes_are_held_against_the_claimed_bound():
    nan = float("nan")
    few = [("sum", "TETF", 0.0, nan, nan, 25.0, 31.0), ("sum", "CC", 0.0, nan, nan, -1.0, 1.0)]
    assert sensitivity.change_message(changes(*few), 3) == (
        "Too few runs for a verdict on the claimed 3 %: of 2 ranges of runs, 1 lie within it and "
        "1 beyond it: L_TETF at 0 (sum)"
    )
    known = [("sum", "CC", 0.3, -1.0, 1.0, nan, nan), ("sum", "CC", 1.0, -1.0, 4.0, nan, nan)]
    assert sensitivity.change_message(changes(*known), 3) == (
        "H is claimed to change by at most 3 %: of 2 intervals, 1 lie within it and none beyond it"
    )
    assert sensitivity.change_message(changes(), 3) == "No weight beside the default was run"


def test_pairs_of_weights_that_differ_are_counted():
    names = ["reading", "lambda_tetf", "lambda_rs", "mean", "adjusted"]
    rows = [("sum", 0.0, 0.1, 14.0, 0.01), ("sum", 0.5, 0.1, -1.0, 0.2)]
    table = pd.DataFrame(rows, columns=names)
    assert sensitivity.together_message(table) == (
        "1 of 2 pairs of weights differ separably from the default, most with L_TETF 0 and "
        "L_RS 0.1 (+14.0, L_TETF as a sum)"
    )
    assert "None of 2" in sensitivity.together_message(table.assign(adjusted=0.3))
    assert "Too few runs" in sensitivity.together_message(table.assign(adjusted=np.nan))


def test_the_sum_stands_at_the_mean_that_it_equals():
    """Two clusters of 3 and 4 classes: (6 + 12) / 2; another data set of one cluster of 4: 12."""
    found = {}
    for dataset, clusters in {"a": [0, 0, 0, 1, 1, 1, 1], "b": [0, 0, 0, 0]}.items():
        spec = SimpleNamespace(dataset=dataset, method=CPT(etf_reduction="sum"))
        found[dataset] = [SimpleNamespace(spec=spec, details={"clusters": clusters})]
    factor = sensitivity.sum_weight(found)
    assert factor == pytest.approx((9 * 12) ** 0.5)
    table = changes(("sum", "TETF", 0.5, *[0.0] * 4), ("sum", "CC", 0.5, *[0.0] * 4))
    assert sensitivity.placed(table, found)["place"].tolist() == [0.5 * factor, 0.5]
    places = sensitivity.default_places(table, factor)
    assert places == {("sum", "TETF"): 0.25 * factor, ("sum", "CC"): 0.15}
    assert sensitivity.sum_weight({}) == 1


def corrected(*rows: tuple, columns: str, **more) -> pd.DataFrame:
    """Rows of a corrected table, with the columns of a text."""
    return pd.DataFrame(rows, columns=columns.split()).assign(**more)


def test_combinations_of_losses_are_told_by_reading():
    rows = [
        ("sum", "TETF", "H, τ = 0.5", -11.6, 0.01),
        ("sum", "RS", "H, τ = 0.5", 0.5, 0.3),
        ("pair mean", "RS", "H, τ = 0.5", 0.5, 0.3),
        ("sum", "RS", "H, τ = 1", 9.5, 0.01),
        ("sum", "CC", "H, τ = 0.5", 2.0, np.nan),
    ]
    table = corrected(*rows, columns="reading losses metric mean adjusted")
    shown = [
        ablation.Quantity(metric, tau, "base_to_new", "")
        for metric, tau in (("H", 1.0), ("H", 0.5), ("targets", 0.1))
    ]
    assert ablation.message(table, shown) == (
        "H against no loss at τ = 0.5, L_TETF as a sum: none higher; lower TETF (-11.6); 1 not "
        "separable; 1 with too few runs. As a pair mean: RS is not separable"
    )
    assert ablation.message(table.tail(1), shown).startswith("Too few runs")


def test_variants_of_clusters_are_held_against_one_of_them():
    rows = [("8", "CPT (sum)", 1.0, 8.3, 0.01), ("4", "CPT (sum)", 1.0, 0.1, 0.7)]
    table = corrected(*rows, columns="method reading tau mean adjusted")
    told = cluster_message.apart_message(table, "sizes", "16 classes a cluster")
    assert told == (
        "H with other sizes against 16 classes a cluster: 1 of 2 comparisons separable, the "
        "largest that of 8 in CPT (sum) at τ = 1 (+8.3)"
    )
    for changed, said in {0.5: ": none of 2 comparisons separable", np.nan: "Too few runs"}.items():
        few = table.assign(adjusted=changed)
        assert said in cluster_message.apart_message(few, "sizes", "16 classes a cluster")
    assert "No other sizes" in cluster_message.apart_message(table.head(0), "sizes", "16")


@pytest.mark.parametrize(("seeds", "known"), [(5, True), (3, False)])
def test_variants_are_compared_run_by_run(seeds, known):
    runs = pd.DataFrame({"size": [4] * seeds + [16] * seeds, "seed": [*range(seeds)] * 2})
    runs = runs.assign(method="CPT (sum)", tau=1.0, dataset="a", H=runs["seed"] + runs["size"])
    (row,) = cluster_message.apart(runs, "size", 16).to_dict("records")
    assert (row["method"], row["reading"], row["mean"]) == ("4", "CPT (sum)", -12)
    assert (row["adjusted"] < 0.05) == known
    assert cluster_message.apart(runs, "size", 8).empty
    told = cluster_message.sizes(runs, 16)
    assert (": 1 of 1 comparison separable" if known else "Too few runs") in told
    named = runs.assign(algorithm=["one"] * seeds + ["two"] * seeds)
    assert ("against one:" if known else "with one") in cluster_message.algorithms(named)


def test_numbers_and_maps_of_clusters_in_a_sentence():
    choice = pd.DataFrame({"n_clusters": [2, 3], "silhouette": [0.1, 0.3], "best": [False, True]})
    assert cluster_message.number_message(choice, 2) == (
        "The silhouette of the frozen texts is largest with 3 clusters (0.30), the most that were "
        "tried; runs use 2 (0.10)"
    )
    quality = pd.DataFrame({"anew: agreement": [1.0, 0.4, 0.1]}, index=["Zero-shot", "A", "B"])
    told = cluster_message.map_message(quality, "food")
    assert "texts of food agree" in told and "index of 0.10 after B and 0.40 after A" in told
    assert cluster_message.map_message(quality.head(1), "food") == (
        "Clusters of the frozen texts of food"
    )


def test_collapse_is_told_beside_the_reference():
    rows = [("A", "Rank", 24.0, 0.01), ("B", "Rank", 1.0, 0.01), ("A", "Drift", 1.0, 0.5)]
    table = corrected(*rows, columns="method metric mean adjusted", reference="IVLP")
    told = geometry.end_message(table, ["A"], {"Rank": "effective rank", "Drift": "drift"}, "food")
    assert told == (
        "Effective rank on food against IVLP after training: higher A (+24.0). "
        "Drift on food against IVLP after training: A is not separable"
    )
    assert geometry.end_message(table.head(0), ["A"], {}, "food").startswith("One method")


def test_imbalance_ratios_with_the_same_verdict_are_told_together():
    rows = [
        (tau, method, "a", seed, "effective_rank", seed + 9.0 * (method == "CoOp"))
        for tau, seeds in {1.0: 3, 0.25: 3, 0.06: 5}.items()
        for method in ("IVLP", "CoOp")
        for seed in range(seeds)
    ]
    last = pd.DataFrame(rows, columns=["tau", "method", "dataset", "seed", "measure", "value"])
    told = geometry.imbalance_message(
        last, MEASURES, ["IVLP", "CoOp"], "effective_rank", "my/birds.csv"
    )
    assert told == (
        "Effective rank on birds against IVLP after training at τ = 1 and 0.25: too few runs to "
        "tell methods apart. At τ = 0.06: higher CoOp (+9.0)"
    )
    alone = last[last["method"] == "IVLP"]
    assert geometry.imbalance_message(alone, MEASURES, ["IVLP"], "effective_rank", "birds") == (
        "One method, and none to compare it with"
    )


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ((16, 4, 1, 1), "Of 4 classes of food, the most frequent has 16 training images, 2 have 1"),
        ((16, 4, 2), "Of 3 classes of food, the most frequent has 16 training images, 1 has 2"),
        ((8, 8), "Each of 2 classes of food has 8 training images"),
    ],
)
def test_the_tour_says_how_long_the_tail_is(counts, told):
    assert tour.tail_message("food", counts) == told


def test_the_tour_counts_classes_that_gain():
    classes = pd.DataFrame({"method": "CPT", "gain": [1.0, 0.0, -2.0, 3.0]})
    assert tour.gain_message(classes) == (
        "In one run of CPT, of 4 classes 2 gain over zero-shot and 1 loses: too few runs to tell "
        "which kind of class gains"
    )


def test_printed_averages_say_who_is_ahead_where():
    rows = [(2, 1.0, "A", 50.0), (2, 1.0, "B", 49.5), (2, 0.5, "A", 40.0), (2, 0.5, "B", 39.0)]
    rows.append((3, 1.0, "B", 30.0))
    printed = pd.DataFrame(rows, columns=["table", "tau", "method", "value"])
    assert message(printed).startswith(
        "As printed, A has the highest average in 2 of 3 blocks, by 0.50 to 1.00 points"
    )


def test_savings_in_a_sentence():
    towers = [
        {"part": "towers", "side": "step", "classes": n, "ratio_time_naive": t}
        | {"ratio_memory_naive": 2.0}
        for n, t in ((50, 3.5), (500, 20.0))
    ]
    passes = [
        {"part": "passes", "method": "CoOp", "replicas": n, "ratio_runs_per_hour": float(n)}
        for n in (1, 2)
    ]
    assert throughput_message(towers) == (
        "With 50 to 500 classes, a step of plain towers takes 3.5 to 20.0 times the time of ours "
        "and 2.0 times the memory"
    )
    assert throughput_message(towers + passes).endswith(
        "; 2 runs in one pass take 50 % (CoOp) of their time alone"
    )


def test_training_ends_beside_zero_shot():
    rows = [("Zero-shot", 0, 50.0), *(("CoOp", seed, 40.0 + seed) for seed in range(5))]
    runs = pd.DataFrame(rows, columns=["method", "seed", "H"]).assign(dataset="a", tau=1.0)
    told = stability.end_message(stability.ends(runs), "birds")
    assert told == "H on birds against Zero-shot after training: lower CoOp (-8.0)"
