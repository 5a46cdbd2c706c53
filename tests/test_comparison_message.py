"""What figures of methods side by side say: no more than their intervals and corrections carry."""

import numpy as np
import pandas as pd
import pytest

from cptlab.lab.study import comparison_message as message

NAN = np.nan


def gaps(*rows, metric="H", tau=0.06, reference="Zero-shot") -> pd.DataFrame:
    """Rows of (method, mean, adjusted)."""
    table = pd.DataFrame(rows, columns=["method", "mean", "adjusted"])
    return table.assign(metric=metric, tau=tau, reference=reference)


def test_methods_that_are_separable_are_named_with_their_differences():
    rows = gaps(("A", 2.0, 0.01), ("B", 9.0, 0.2), ("C", 3.04, 0.05), ("D", -1.0, 0.04))
    told = message.beside(rows, "H", "Zero-shot")
    assert (
        told == "C (+3.0) and A (+2.0) have a separably higher H than Zero-shot, 1 of 4 a lower one"
    )
    told = message.beside(rows.iloc[:2], "H", "Zero-shot")
    assert told == "A (+2.0) has a separably higher H than Zero-shot, none a lower one"


def test_of_many_methods_their_number_and_the_furthest():
    up = gaps(*((f"m{i}", float(i), 0.0) for i in range(1, 6)))
    assert message.beside(up, "tail accuracy", "IVLP") == (
        "5 of 5 have a separably higher tail accuracy than IVLP, m5 the highest (+5.0), "
        "none a lower one"
    )
    down = up.assign(mean=-up["mean"])
    assert message.beside(down, "H", "IVLP") == (
        "no method has a separably higher H than IVLP, 5 of 5 a lower one, m5 the lowest (-5.0)"
    )


def test_a_mean_alone_is_no_message():
    rows = gaps(("A", 20.0, 0.06), ("B", -30.0, 0.9))
    assert message.beside(rows, "H", "IVLP") == "no method differs separably from IVLP in H"
    few = rows.assign(adjusted=NAN)
    assert message.beside(few, "H", "IVLP") == "too few runs to tell methods apart from IVLP in H"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (("A", 2.0, 0.01), "A has a separably higher H than Zero-shot (+2.0)"),
        (("A", -2.0, 0.01), "A has a separably lower H than Zero-shot (-2.0)"),
        (("A", 2.0, 0.06), "A does not differ separably from Zero-shot in H"),
        (("A", 2.0, NAN), "too few runs to tell methods apart from Zero-shot in H"),
    ],
)
def test_a_single_method(row, told):
    assert message.beside(gaps(row), "H", "Zero-shot") == told
    assert message.against(gaps(row), "H", "H") == f"At τ = 0.06, {told}"


def test_every_reference_has_a_clause_at_the_smallest_ratio():
    table = pd.concat(
        [
            gaps(("A", -9.0, 0.0), tau=1.0),
            gaps(("A", 9.0, 0.0), metric="tail"),
            gaps(("A", 2.0, 0.0)),
            gaps(("A", 1.0, 0.5), reference="IVLP"),
        ]
    )
    assert message.against(table, "H", "H") == (
        "At τ = 0.06, A has a separably higher H than Zero-shot (+2.0); "
        "A does not differ separably from IVLP in H"
    )
    assert message.against(table.iloc[:0], "H", "H") == "No method to compare in H"


def test_the_tail_is_told_with_the_head():
    tail = gaps(("A", -2.0, 0.01), ("B", 1.0, 0.5), metric="tail")
    head = gaps(("A", 2.0, 0.01), ("B", 1.0, 0.5), metric="head")
    told = message.tail(pd.concat([tail, head]))
    assert told.endswith("a lower one; in the head, 1 of 2 a higher and none a lower one")
    few = pd.concat([tail, head]).assign(adjusted=NAN)
    assert message.tail(few).endswith(
        "too few runs to tell methods apart from Zero-shot in tail accuracy"
    )


def test_counts_of_methods_for_several_measures():
    one = gaps(("A", -2.0, 0.01), ("B", 1.0, 0.5), metric="one")
    two = gaps(("A", 2.0, 0.01), ("B", 1.0, 0.05), metric="two")
    table, names = pd.concat([one, two]), {"one": "rare", "two": "common"}
    assert message.counts(table, names, "Zero-shot") == (
        "At τ = 0.06, of 2 methods, separably above and below Zero-shot: rare 0 and 1, "
        "common 2 and 0"
    )
    few = message.counts(table.assign(adjusted=NAN), names, "Zero-shot")
    assert few == "Too few runs to tell methods apart from Zero-shot"


def ranked(*rows) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["method", "mean", "lower", "upper"])
    other = table.iloc[:1].assign(tau=1.0, mean=99.0)
    return pd.concat([table.assign(tau=0.06), other])


def test_the_best_rank_is_told_with_the_intervals_that_it_meets():
    first = ("A", 1.2, 1.0, 2.0)
    assert message.ranks(ranked(("B", 3.0, 2.5, 3.5), first)) == (
        "At τ = 0.06, A has the best mean rank (1.2), and its interval meets no other"
    )
    met = [(name, 2.5, 2.0, 3.0) for name in "BCDE"]
    assert message.ranks(ranked(first, met[0])).endswith("; its interval meets that of B")
    assert message.ranks(ranked(first, *met[:2])).endswith("; its interval meets those of B and C")
    assert message.ranks(ranked(first, *met)).endswith(
        "; its interval meets those of 4 of 4 others"
    )
    assert message.ranks(ranked(first, ("B", 3.0, NAN, NAN))) == (
        "At τ = 0.06, too few rankings to tell the mean ranks of methods apart"
    )


def test_costs_are_told_from_the_cheapest_to_the_dearest():
    table = gaps(("A", 2.0, 0.01), ("B", 1.0, 0.5), ("C", 0.5, 0.5))
    table["s"] = [1200.4, 0.0, 3.14]
    told = message.cost(table, "s")
    assert told.endswith("none a lower one; training a run takes 3.1 s (C) to 1,200 s (A)")
    assert message.cost(table.iloc[:1], "s").endswith("(+2.0); training a run takes 1,200 s (A)")


def test_few_shots_are_told_where_there_are_most_images():
    few, most = gaps(("A", 2.0, 0.01)).assign(shots=1), gaps(("A", -2.0, 0.01)).assign(shots=16)
    assert message.shots(pd.concat([few, most])) == (
        "With 16 images of every class, A has a separably lower accuracy than Zero-shot (-2.0)"
    )
    assert message.shots(few).startswith("With 1 image of every class, A has a separably higher")
    assert message.shots(few.iloc[:0]) == "No method to compare in accuracy"


def test_classics_are_told_with_their_method():
    added = gaps(("balanced softmax", 2.0, 0.01), ("sampling", 1.0, 0.5), metric="tail")
    assert message.classics(added.assign(prompts="CoOp")) == (
        "With a long-tail classic, at τ = 0.06, CoOp + balanced softmax (+2.0) has a separably "
        "higher tail accuracy than the same method alone, none a lower one"
    )
    empty = added.assign(prompts="CoOp").iloc[:0]
    assert message.classics(empty) == "No method with and without a classic"
