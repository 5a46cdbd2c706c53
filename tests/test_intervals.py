"""The study's one interval: against textbook values, special cases, and its coverage."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from cptlab.lab.study.intervals import (
    crossed,
    linear_harmonic,
    linear_mean,
    log_spread_ratio,
    of_runs,
)
from dev.coverage import CASES, coverage


@pytest.mark.parametrize("name", CASES)
def test_covers(name):
    """95 % of the intervals hold the true value, within what 300 draws can tell."""
    part, _ = coverage(CASES[name], 300)
    assert 0.91 <= part <= 0.995


def test_student_s_interval_would_not_cover():
    """The interval over seeds alone, of means over data sets, misses other data sets."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(400):
        cells = 3.2 * rng.standard_normal((6, 1)) + rng.standard_normal((6, 5))
        low, high = ttest_1samp(cells.mean(0), 0).confidence_interval()
        held += low <= 0 <= high
    assert held / 400 < 0.5


def test_variance_by_hand():
    cells = np.array([[1.0, 2.0, 6.0], [3.0, 4.0, 2.0]])
    found = crossed(cells)  # means 3; units 3, 3; seeds 2, 3, 4
    a, b = 0.0, 2 * (1 + 0 + 1) / 2
    e = ((1 - 2) ** 2 + (2 - 3) ** 2 + (6 - 4) ** 2 + (3 - 2) ** 2 + 1 + (2 - 4) ** 2) / 2
    assert found.mean == 3
    assert found.error == pytest.approx((max(a + b - e, a, b) / 6) ** 0.5)
    assert (found.units, found.seeds, found.least, found.most) == (2, 3, 1, 6)


@pytest.mark.parametrize("cells", [np.arange(6.0)[None], np.arange(6.0)[:, None]])
def test_one_unit_or_one_seed_is_students(cells):
    found, expected = crossed(cells), ttest_1samp(cells.ravel(), 1.0)
    assert found.lower == pytest.approx(expected.confidence_interval().low)


def test_p_value():
    values = np.array([0.3, 1.0, -0.4, 0.9, 1.1, 0.2])
    assert crossed(values[None]).p == pytest.approx(ttest_1samp(values, 0.0).pvalue)
    # exactly 5 % where a bound is zero
    shifted = np.random.default_rng(0).normal(size=(4, 3))
    shifted -= crossed(shifted).lower
    assert crossed(shifted).p == pytest.approx(0.05)
    assert np.isnan(crossed(values[None, :3]).p)
    assert crossed(np.zeros((2, 3))).p == 1
    assert crossed(np.ones((2, 3))).p == 0


def test_few_cells_have_a_range():
    found = crossed(np.array([[1.0, 2.0], [0.0, 5.0]]))
    assert np.isnan([found.lower, found.upper, *found.bounds(3)]).all()
    assert (found.mean, found.least, found.most) == (2, 0, 5)


@pytest.mark.parametrize("value", [100 * 10 / 36, 100 * 7 / 72, 0.1 + 0.2])
@pytest.mark.parametrize("seeds", [1, 3, 5, 7])
def test_no_bound_lies_on_the_wrong_side_of_the_mean(value, seeds):
    """Not by rounding either: figures draw the lengths between them."""
    cells = np.full((1, seeds), value)
    parts = np.full((6, seeds), 20.0) - 20.0 + value
    for found in (of_runs(cells), of_runs(cells, parts), crossed(parts)):
        assert found.least <= found.mean <= found.most
        if found.lower == found.lower:
            assert found.lower <= found.mean <= found.upper


def test_equal_cells_have_no_width():
    found = crossed(np.full((6, 5), 0.1 + 0.2))
    assert found.lower == found.upper == found.mean


@pytest.mark.parametrize("cells", [np.empty((0, 5)), np.full((3, 3), np.nan), np.arange(5.0)])
def test_incomplete_tables_are_refused(cells):
    with pytest.raises(ValueError, match="a value of every unit and seed"):
        crossed(cells)


def test_order_changes_nothing():
    cells = np.random.default_rng(0).normal(size=(6, 5))
    a, b = crossed(cells), crossed(cells[::-1, ::-1])
    assert (a.lower, a.upper) == pytest.approx((b.lower, b.upper), abs=1e-12)


def test_harmonic_values_have_the_right_mean_and_slope():
    rng = np.random.default_rng(0)
    base, new = 100 * rng.random((20, 4)), 100 * rng.random((15, 4))
    values = linear_harmonic(base, new)
    h = 2 * base.mean(0) * new.mean(0) / (base.mean(0) + new.mean(0))
    assert values.mean(0) == pytest.approx(h)
    moved = base.copy()
    moved[3, 2] += 1e-4
    change = (linear_harmonic(moved, new).mean(0) - h)[2] / 1e-4
    b, w = base.mean(0)[2], new.mean(0)[2]
    assert change == pytest.approx(2 * w**2 / (b + w) ** 2 / 20, rel=1e-4)
    # what a class stands above the mean is its slope times the number of classes
    assert (values[3, 2] - h[2]) / (base[3, 2] - b) == pytest.approx(change * 35, rel=1e-4)
    assert (linear_harmonic(np.zeros((3, 2)), np.zeros((2, 2))) == 0).all()


def test_tail_values_have_the_mean_of_the_counted():
    values = np.array([[1.0, 2.0], [3.0, 4.0], [8.0, 6.0]])
    counted = np.array([[True, False], [False, True], [True, True]])
    assert linear_mean(values, counted).mean(0) == pytest.approx([4.5, 5.0])
    with pytest.raises(ValueError, match="no class"):
        linear_mean(values, np.zeros_like(counted))


def test_spreads():
    rng = np.random.default_rng(0)
    second = rng.normal(size=(2, 8))
    assert log_spread_ratio(2 * second, second) == pytest.approx(np.log(2))
    with pytest.raises(ValueError, match="four seeds"):
        log_spread_ratio(second[:, :3], second[:, :3])
    with pytest.raises(ValueError, match="no spread"):
        log_spread_ratio(np.ones((2, 8)), second)
