"""Lists as people give them."""

import pytest

from cptlab.lab.study import given


@pytest.mark.parametrize("text", ["1-3", "1,2,3", " 1 - 2, 3", [1, 2, 3], range(1, 4), ["1-3"]])
def test_seeds_are_read_in_every_form(text):
    assert given.seeds(text) == (1, 2, 3)


@pytest.mark.parametrize("wrong", ["1..3", "-1", "one", "1.5", [1.5], True])
def test_seeds_written_wrongly_are_told(wrong):
    with pytest.raises(ValueError, match="seeds takes whole numbers such as 1,2,5 or 1-3, got"):
        given.seeds(wrong)


def test_ranges_that_no_one_means_are_told():
    with pytest.raises(ValueError, match="seeds 3-1 run backwards: write 1-3"):
        given.seeds("3-1")
    with pytest.raises(ValueError, match="seeds 1-99999 are too many: give up to 1,000 at once"):
        given.seeds("1-99999")


def test_hyper_parameters_belong_to_the_method_before_them():
    labels = ["CPT (pair mean), lambda_rs = 0.2, cluster_size=8", "coop"]
    assert given.methods(", ".join(labels)) == labels
    assert given.methods(["coop", int]) == ["coop", int]


def test_numbers_and_items():
    assert given.numbers("taus", "0.06, 1") == given.numbers("taus", [0.06, 1]) == (0.06, 1.0)
    assert given.numbers("taus", 0.25) == (0.25,)
    assert given.items("food, CPT (sum),,") == ["food", "CPT (sum)"]
    assert given.items(int) == [int]


@pytest.mark.parametrize(
    ("value", "words"),
    [("a,1", "taus takes numbers"), ("", "taus is empty"), ([1, 1.0], "taus has 1 twice")],
)
def test_numbers_written_wrongly_are_told(value, words):
    with pytest.raises(ValueError, match=words):
        given.numbers("taus", value)
    with pytest.raises(ValueError, match="seeds has 2 twice"):
        given.seeds("1-3,2")


def test_data_sets_by_short_name():
    assert given.by_short_name(["food", "/a/birds", "/b/fish.csv"]) == {
        "food": "food",
        "birds": "/a/birds",
        "fish": "/b/fish.csv",
    }
    same = "food"
    with pytest.raises(ValueError, match="The data set food is named twice"):
        given.by_short_name([same, same])
    with pytest.raises(ValueError, match="Two data sets are called 'birds', /a/birds and /b/birds"):
        given.by_short_name(["/a/birds", "/b/birds"])
