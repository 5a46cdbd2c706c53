"""Long-tailed subsets: the profile n_k by hand, nesting, and purity."""

import dataclasses
import itertools
import random
from collections import Counter

import numpy as np
import pytest
import torch
from tiny_world import tiny_dataset

from cptlab.data import Sample, by_label, class_counts, draw_long_tailed

TAUS = (1.0, 0.25, 0.06)


@pytest.mark.parametrize(
    ("n_classes", "tau", "expected"),
    [
        # 16 * .06^(k/4): 16, 7.92, 3.92, 1.94, .96; the last is lifted to one sample.
        (5, 0.06, [16, 7, 3, 1, 1]),
        # 16 * .25^(k/2) = 16, 8, 4 exactly: no rounding error may make 3 of 4.
        (3, 0.25, [16, 8, 4]),
        (4, 1.0, [16, 16, 16, 16]),
        (2, 0.5, [16, 8]),
        (1, 0.06, [16]),
    ],
)
def test_counts_by_hand(n_classes, tau, expected):
    assert class_counts(n_classes, tau) == expected


def test_counts_take_any_number_of_shots():
    # 4 * .25^(k/2) = 4, 2, 1
    assert class_counts(3, 0.25, n_max=4) == [4, 2, 1]
    assert class_counts(3, 0.25, n_max=1) == [1, 1, 1]


@pytest.mark.parametrize(
    ("n_classes", "totals"),
    [
        (500, [8000, 4087, 2443]),  # ImageNet, base half
        (1000, [16000, 8170, 4886]),  # ImageNet
        (199, [3184, 1631, 976]),  # SUN397, base half
        (24, [384, 199, 121]),  # DTD, base half
        (5, [80, 44, 28]),  # EuroSAT, base half
    ],
)
def test_totals_of_the_paper_data_sets(n_classes, totals):
    assert [sum(class_counts(n_classes, tau)) for tau in TAUS] == totals


def test_exact_powers_do_not_fall_below_themselves():
    # With K - 1 = 4 and tau = 1/16 the counts are the powers of two.
    assert class_counts(5, 1 / 16) == [16, 8, 4, 2, 1]


@pytest.mark.parametrize("tau", [0, -0.1, 1.01, float("nan"), float("inf")])
def test_tau_outside_its_range(tau):
    with pytest.raises(ValueError, match=r"tau must lie in \(0, 1\]"):
        class_counts(5, tau)


@pytest.mark.parametrize(("n_classes", "n_max"), [(0, 16), (5, 0)])
def test_nothing_to_draw(n_classes, n_max):
    with pytest.raises(ValueError, match="at least one class and one shot"):
        class_counts(n_classes, 1.0, n_max)


def test_subset_has_the_counts_it_says():
    subset = draw_long_tailed(tiny_dataset(5), 0.06, seed=1)
    assert subset.counts == (16, 7, 3, 1, 1)
    assert subset.ranks == (0, 1, 2, 3, 4)
    drawn = Counter(sample.label for sample in subset.samples)
    assert [drawn[label] for label in range(5)] == [16, 7, 3, 1, 1]
    assert len(set(subset.samples)) == 28
    assert set(subset.samples) <= set(tiny_dataset(5).train)


@pytest.mark.parametrize("order", ["name", "permuted"])
def test_subsets_are_nested_across_tau(order):
    subsets = [draw_long_tailed(tiny_dataset(), tau, 3, order=order) for tau in TAUS]
    for larger, smaller in itertools.pairwise(subsets):
        assert set(smaller.samples) < set(larger.samples)
        assert smaller.ranks == larger.ranks


@pytest.fixture
def naturally():
    """A data set that is long-tailed by itself, its classes in no order."""
    whole = tiny_dataset(5, train=24)
    there = (3, 24, 1, 8, 3)
    train = [s for label, n in enumerate(there) for s in by_label(whole.train)[label][:n]]
    return dataclasses.replace(whole, train=tuple(train))


def test_what_is_long_tailed_by_itself_is_taken_whole(naturally):
    subset = draw_long_tailed(naturally, 1.0, seed=1, n_max=1000)
    assert set(subset.samples) == set(naturally.train)
    assert subset.counts == (3, 24, 1, 8, 3) and subset.ranks == (0, 1, 2, 3, 4)
    base, _ = naturally.halves()
    assert draw_long_tailed(base, 1.0, 1, 1000).counts == (3, 24, 1)


def test_classes_from_most_to_fewest_images(naturally):
    subset = draw_long_tailed(naturally, 1.0, seed=1, n_max=1000, order="count")
    assert subset.counts == (3, 24, 1, 8, 3)
    assert subset.ranks == (2, 0, 4, 1, 3)
    assert draw_long_tailed(naturally, 0.06, 1, order="count").counts == (3, 16, 1, 7, 1)


def test_drawing_is_a_pure_function():
    torch.manual_seed(0), np.random.seed(0), random.seed(0)
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    first = draw_long_tailed(tiny_dataset(), 0.25, 1, order="permuted")
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])
    assert random.getstate() == states[2]
    torch.manual_seed(99), np.random.seed(99), random.seed(99)
    again = draw_long_tailed(tiny_dataset(), 0.25, 1, order="permuted")
    assert again == first
    assert again.checksum == first.checksum


def test_the_draw_of_a_class_does_not_depend_on_the_others():
    """A data set with more classes draws the same head class."""
    few, many = (draw_long_tailed(tiny_dataset(n), 0.25, 1) for n in (4, 10))
    assert [s for s in few.samples if s.label == 0] == [s for s in many.samples if s.label == 0]


def test_seeds_draw_differently():
    subsets = [draw_long_tailed(tiny_dataset(), 0.06, seed) for seed in range(5)]
    assert len({subset.checksum for subset in subsets}) == 5
    assert len({subset.counts for subset in subsets}) == 1


def test_permuted_order_moves_the_tail():
    dataset = tiny_dataset()
    subsets = [draw_long_tailed(dataset, 0.06, seed, order="permuted") for seed in range(4)]
    profile = class_counts(10, 0.06)
    for subset in subsets:
        assert sorted(subset.ranks) == list(range(10))
        assert list(subset.counts) == [profile[rank] for rank in subset.ranks]
    assert len({subset.ranks for subset in subsets}) == 4
    # Only how many are taken depends on the order, not which come first.
    named = draw_long_tailed(dataset, 1.0, 0)
    assert set(subsets[0].samples) < set(named.samples)


def test_a_small_pool_gives_what_it_has():
    subset = draw_long_tailed(tiny_dataset(3, train=5), 1.0, 1)
    assert subset.counts == (5, 5, 5)


def test_checksum_sees_keys_labels_and_order():
    subset = draw_long_tailed(tiny_dataset(3), 0.25, 1)
    first = subset.samples[0]
    for changed in (
        subset.samples[::-1],
        (Sample(first.key + "x", first.label), *subset.samples[1:]),
        (Sample(first.key, 2), *subset.samples[1:]),
    ):
        assert dataclasses.replace(subset, samples=changed).checksum != subset.checksum


def test_class_without_samples():
    dataset = tiny_dataset(4)
    empty = dataclasses.replace(dataset, train=tuple(s for s in dataset.train if s.label != 2))
    with pytest.raises(ValueError, match="Class 'cat' of data set 'tiny' has no training samples"):
        draw_long_tailed(empty, 1.0, 1)


def test_unknown_order():
    with pytest.raises(
        ValueError, match="Unknown class order 'size'; choose 'name', 'permuted' or 'count'"
    ):
        draw_long_tailed(tiny_dataset(), 1.0, 1, order="size")
