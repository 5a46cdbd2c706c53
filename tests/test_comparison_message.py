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
    told = "higher C (+3.0) and A (+2.0); lower D (-1.0); 1 not separable"
    assert message.beside(rows) == told
    assert message.beside(rows.iloc[:2]) == "higher A (+2.0); none lower; 1 not separable"
    few = pd.concat([rows, gaps(("E", 9.0, NAN))])
    assert message.beside(few) == f"{told}; 1 with too few runs"


def test_a_planned_comparison_is_left_to_its_claim():
    rows = gaps(("CPT", 2.0, 0.01), ("CoOp", 1.0, 0.01)).assign(planned=[True, False])
    assert message.holds(rows).tolist() == [False, True]
    assert message.beside(rows) == "higher CoOp (+1.0); CPT is judged as a claim"


def test_of_many_methods_the_furthest_and_the_number_of_the_others():
    up = gaps(*((f"m{i}", float(i), 0.0) for i in range(1, 6)))
    assert message.beside(up) == "higher m5 (+5.0) and 4 more; none lower"
    down = up.assign(mean=-up["mean"])
    assert message.beside(down) == "none higher; lower m5 (-5.0) and 4 more"
    assert message.beside(up.iloc[:3]) == "higher m3 (+3.0), m2 (+2.0) and m1 (+1.0); none lower"


def test_a_mean_alone_is_no_message():
    rows = gaps(("A", 20.0, 0.06), ("B", -30.0, 0.9), ("C", 1.0, NAN))
    assert message.beside(rows.iloc[:2]) == "no method is separable"
    assert message.beside(rows) == "no method is separable; 1 with too few runs"
    assert message.beside(rows.assign(adjusted=NAN)) == "too few runs to tell methods apart"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (("A", 2.0, 0.01), "higher A (+2.0)"),
        (("A", -2.0, 0.01), "lower A (-2.0)"),
        (("A", 2.0, 0.06), "A is not separable"),
        (("A", 2.0, NAN), "too few runs to tell methods apart"),
    ],
)
def test_a_single_method(row, told):
    assert message.against(gaps(row), "H", "H") == f"H against Zero-shot at τ = 0.06: {told}"


def test_every_reference_has_a_sentence_at_the_smallest_ratio():
    table = pd.concat(
        [
            gaps(("A", -9.0, 0.0), tau=1.0),
            gaps(("A", 9.0, 0.0), metric="tail"),
            gaps(("A", 2.0, 0.0)),
            gaps(("A", 1.0, 0.5), reference="IVLP"),
        ]
    )
    assert message.against(table, "H", "accuracy") == (
        "Accuracy against Zero-shot at τ = 0.06: higher A (+2.0). Against IVLP: A is not separable"
    )
    assert message.against(table.assign(adjusted=NAN), "H", "H") == (
        "H against Zero-shot and IVLP at τ = 0.06: too few runs to tell methods apart"
    )
    assert message.against(table.iloc[:0], "H", "H") == "No method to compare in H"


def test_the_tail_is_told_with_the_head():
    tail = gaps(("A", -2.0, 0.01), ("B", 1.0, 0.5), metric="tail")
    head = gaps(("A", 2.0, 0.01), ("B", 1.0, 0.5), metric="head")
    assert message.tail(pd.concat([tail, head])) == (
        "Tail accuracy against Zero-shot at τ = 0.06: none higher; lower A (-2.0); 1 not "
        "separable. Head accuracy: higher A (+2.0); none lower; 1 not separable"
    )
    few = pd.concat([tail, head]).assign(adjusted=NAN)
    assert message.tail(few).endswith("at τ = 0.06: too few runs to tell methods apart")


def test_counts_of_methods_for_several_measures():
    one = gaps(("A", -2.0, 0.01), ("B", 1.0, 0.5), metric="one")
    two = gaps(("A", 2.0, 0.01), ("B", 1.0, 0.05), metric="two")
    three = gaps(("A", 2.0, 0.1), ("B", 1.0, 0.5), metric="three")
    table, names = pd.concat([one, two, three]), {"one": "rare", "two": "common", "three": "worst"}
    assert message.counts(table, names, "Zero-shot") == (
        "2 methods against Zero-shot at τ = 0.06. Rare: 1 lower (-2.0). Common: 2 higher "
        "(up to +2.0). Worst: none separable"
    )
    few = message.counts(table.assign(adjusted=NAN), names, "Zero-shot")
    assert few == "Against Zero-shot at τ = 0.06: too few runs to tell methods apart"


def ranked(*rows) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["method", "mean", "lower", "upper"])
    other = table.iloc[:1].assign(tau=1.0, mean=99.0)
    return pd.concat([table.assign(tau=0.06), other])


def test_the_best_rank_is_told_with_the_intervals_that_overlap():
    first = ("A", 1.2, 1.0, 2.0)
    runs = pd.DataFrame({"method": list("ABCDE"), "tau": [0.06, 0.06, 1.0, 1.0, 1.0]})
    assert message.ranks(ranked(("B", 3.0, 2.5, 3.5), first), "H", runs) == (
        "Best mean rank by H at τ = 0.06: A (1.2); its interval overlaps with no other"
    )
    met = [(name, 2.5, 2.0, 3.0) for name in "BCDE"]
    told = [message.ranks(ranked(first, *met[:count]), "H", runs) for count in (1, 2, 4)]
    ends = "that of B", "those of B and C", "those of 4 of 4 others"
    for text, end in zip(told, ends, strict=True):
        assert text.endswith(f"; its interval overlaps with {end}")
    assert message.ranks(ranked(first, ("B", 3.0, NAN, NAN)), "H", runs) == (
        "Mean rank by H at τ = 0.06: too few runs to tell methods apart"
    )
    told = message.ranks(ranked(first), "H", runs)
    assert told.endswith("overlaps with no other. Not ranked, as runs are missing: B")


def test_costs_are_told_from_the_cheapest_to_the_dearest():
    table = gaps(("A", 2.0, 0.01), ("B", 1.0, 0.5), ("C", 0.5, 0.5))
    table["s"] = [1200.4, 0.0, 3.14]
    told = message.cost(table, "s")
    assert told.startswith("H against Zero-shot at τ = 0.06: higher A (+2.0); none lower; 2 not")
    assert told.endswith("separable. Training a run takes 3.1 s (C) to 1,200 s (A)")
    assert message.cost(table.iloc[:1], "s").endswith("(+2.0). Training a run takes 1,200 s (A)")


def test_few_shots_are_told_where_there_are_most_images():
    few, most = gaps(("A", 2.0, 0.01)).assign(shots=1), gaps(("A", -2.0, 0.01)).assign(shots=16)
    assert message.shots(pd.concat([few, most])) == (
        "Accuracy against Zero-shot with 16 images of every class: lower A (-2.0)"
    )
    assert message.shots(few) == (
        "Accuracy against Zero-shot with 1 image of every class: higher A (+2.0)"
    )
    assert message.shots(few.iloc[:0]) == "No method to compare in accuracy"


def test_classics_are_told_with_their_method():
    added = gaps(("balanced softmax", 2.0, 0.01), ("sampling", 1.0, 0.5), metric="tail")
    assert message.classics(added.assign(prompts="CoOp"), "my/birds.csv") == (
        "Tail accuracy on birds against the same method without a classic at τ = 0.06: higher "
        "CoOp + balanced softmax (+2.0); none lower; 1 not separable"
    )
    empty = added.assign(prompts="CoOp").iloc[:0]
    assert message.classics(empty, "birds") == "No method with and without a classic"
