"""What figures say: the sentence follows from the numbers, and says where they carry none."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from cptlab.lab.study import sensitivity, similarity
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
