"""What figures rest on, told from runs."""

import pandas as pd
import pytest

from cptlab.lab.runs.results import Result
from cptlab.lab.study.profiles import SMOKE
from cptlab.lab.study.scope import design_of, scope
from cptlab.lab.study.studies import base_to_new, few_shot


def runs(datasets=("birds",), taus=(0.06,), seeds=(1, 2), order="permuted", protocol="base_to_new"):
    rows = [(d, t, s, order, protocol) for d in datasets for t in taus for s in seeds]
    return pd.DataFrame(rows, columns=["dataset", "tau", "seed", "class_order", "protocol"])


def test_few_seeds_of_a_single_data_set_have_no_interval():
    told = design_of(runs(["/home/me/birds.csv"]))
    assert told == (
        "1 data set (birds), 1 imbalance ratio (tau = 0.06) and 2 seeds; each seed draws anew "
        "which classes are head and which are tail. With fewer than 5 runs of a method there are "
        "no intervals."
    )


@pytest.mark.parametrize(
    ("given", "words", "absent"),
    [
        ({"seeds": range(5)}, "5 seeds; each seed draws anew", "fewer than"),
        ({"seeds": range(5)}, "they say nothing about other data", "no intervals"),
        ({"datasets": "abcdefg"}, "7 data sets (a, b, c, ...)", "Intervals"),
        ({"taus": (0.06, 1)}, "2 imbalance ratios (tau = 1, 0.06)", "no class has fewer"),
        ({"taus": (1,)}, "no class has fewer images than another", "head"),
        ({"order": "name"}, "in the order of their names", "draws anew"),
        ({"order": "count"}, "by their number of images", "draws anew"),
        ({"protocol": "transfer"}, "2 seeds", "fewer than"),
    ],
)
def test_the_sentence_follows_from_the_runs(given, words, absent):
    told = design_of(runs(**given))
    assert words in told and absent not in told


def test_numbers_of_seeds_that_differ_are_a_range():
    told = design_of(pd.concat([runs(), runs(["food"], seeds=(1, 2, 3))]))
    assert "2 data sets (birds, food), 1 imbalance ratio (tau = 0.06) and 2 to 3 seeds" in told


def test_a_profile_tells_how_many_of_its_runs_compare_methods():
    def results(study):
        return [Result(spec, {}, {}) for spec in study]

    compared, others = results(base_to_new(SMOKE)), results(few_shot(SMOKE))[:3]
    told = scope(SMOKE, [*compared, *others], 4)
    number = len(compared) + 3
    assert told.startswith(f"The figures rest on {number} of {number + 4} runs, those that")
    assert f"compare methods on {len(compared)}: 1 data set (activities)" in told
    assert scope(SMOKE, others, 0).endswith("none of them is of the comparison of methods.")
    assert "cannot be told" in scope(SMOKE, [], 9)
