"""What figures say: the sentence follows from the numbers, and says where they carry none."""

import numpy as np
import torch

from cptlab.lab.study import similarity


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
