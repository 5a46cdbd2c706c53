"""Means over some classes of a run, and zero-shot beside them on the same classes."""

import numpy as np
import pandas as pd
import pytest
from test_summary import frame_of, result

from cptlab.emoji import catalog
from cptlab.lab.study.beside import BESIDE, GAIN, stored, with_class_measures
from cptlab.lab.study.by_class import SHOTS, classes_of
from cptlab.lab.study.summary import PARTS, summarise
from cptlab.lab.study.tables import differences, for_every_seed
from cptlab.methods import CoOp, ZeroShot

RANKS = {1: [0, 1, 2, 3, 4, 5], 2: [5, 4, 3, 2, 1, 0], 3: [2, 0, 4, 1, 5, 3]}
N_K = np.array([16, 9, 7, 3, 2, 1])  # by rank
FROZEN = [10.0, 20, 30, 40, 50, 60]


def run_of(tmp_path, seed, base, method=None):
    ranks = RANKS[seed]
    third = np.array_split(np.argsort(ranks), 3)
    means = {
        name: float(np.array(base)[places].mean())
        for name, places in zip(("head", "medium", "tail"), third, strict=True)
    }
    accuracies = {"base": base, "new": [5.0, 6, 7]}
    found = result(tmp_path, seed, accuracies, means, ranks, method)
    for row, rank in zip(found.details["classes"], ranks):
        row["n_k"] = int(N_K[rank])
    return found


@pytest.fixture
def runs(tmp_path):
    """Zero-shot with the first seed, and a method that adds 1 to rank 0, 2 to rank 1 and so on."""
    frozen = run_of(tmp_path, 1, FROZEN, ZeroShot())
    learned = [run_of(tmp_path, s, np.array(FROZEN) + ranks + 1) for s, ranks in RANKS.items()]
    table = pd.concat([frame_of([frozen], "Zero-shot"), frame_of(learned)], ignore_index=True)
    return table, [frozen, *learned]


def test_classes_go_by_rank_by_images_and_by_what_pretraining_saw(tmp_path):
    found = classes_of(run_of(tmp_path, 3, FROZEN))
    places = {name: sorted(classes.places) for name, classes in found.items()}
    assert places == {
        "head": [1, 3],
        "medium": [0, 5],
        "tail": [2, 4],
        "many_shot": [1, 3],
        "medium_shot": [0, 5],
        "few_shot": [2, 4],
    }
    equal = result(tmp_path, 1, {"base": [1, 2, 3], "new": [4]}, ranks=[2, 1, 0])
    assert list(classes_of(equal)) == ["head", "medium", "tail"]
    bounds = sorted(SHOTS.values())
    assert [most + 1 for _, most in bounds[:-1]] == [least for least, _ in bounds[1:]]

    seen = catalog.concepts().query("category == 'Food & Drink'")
    names = {kind: list(seen.loc[seen["exposure"] == kind, "name"]) for kind in ("common", "rare")}
    food = result(tmp_path, 1, {"base": [1, 2, 3], "new": [4, 5]})
    chosen = [*names["common"][:2], *names["rare"][:2], names["common"][2]]
    for row, name in zip(food.details["classes"], chosen, strict=True):
        row["name"] = name
    places = {name: (role, list(found)) for name, (role, found) in classes_of(food).items()}
    assert places["base_common"] == ("base", [0, 1]) and places["base_rare"] == ("base", [2])
    assert places["new_rare"] == ("new", [0]) and places["new_common"] == ("new", [1])


def test_zero_shot_is_read_on_the_tail_of_every_seed(runs):
    table = with_class_measures(*runs)
    assert list(stored(table)) == [name for name in runs[0] if name != PARTS]
    once = table.iloc[0]
    tails = {1: 55.0, 2: 15.0, 3: 40.0}
    assert once["tail"] == pytest.approx(np.mean(list(tails.values())))
    assert once[PARTS]["tail"].mean() == pytest.approx(once["tail"]) and once[GAIN] == 0
    learned = table[table["method"] == "CoOp"]
    assert learned[GAIN].tolist() == pytest.approx([5.5] * 3)  # ranks 4 and 5 gain 5 and 6
    assert [parts[GAIN].mean() for parts in learned[PARTS]] == pytest.approx([5.5] * 3)

    every = for_every_seed(table, "Zero-shot")
    assert every.columns.equals(table.columns)
    own = every[every["method"] == "Zero-shot"].set_index("seed")
    assert own["tail"].to_dict() == tails
    assert own["few_shot"].to_dict() == tails  # the same classes here
    assert {seed: parts["tail"].mean() for seed, parts in own[PARTS].items()} == pytest.approx(
        tails
    )
    gaps = differences(every, "Zero-shot", ["tail", "base"])
    assert gaps["tail"].tolist() == pytest.approx([5.5] * 3)
    assert summarise(gaps.assign(dataset="food"), ["tail"])["mean"].item() == pytest.approx(5.5)


def test_zero_shot_with_a_run_of_each_seed_keeps_its_own_tails(runs, tmp_path):
    table, (first, *learned) = runs
    frozen = [first, run_of(tmp_path, 2, FROZEN, ZeroShot())]
    every = [*frozen, *learned[:2]]
    table = pd.concat([frame_of(frozen, "Zero-shot"), frame_of(learned[:2])], ignore_index=True)
    found = with_class_measures(table, every)
    assert found["tail"].tolist()[:2] == [55, 15] and found[GAIN].tolist()[:2] == [0, 0]
    assert found[GAIN].tolist()[2:] == pytest.approx([5.5] * 2)
    assert for_every_seed(found, "Zero-shot") is found


def test_stored_numbers_stay_what_they_are_to_the_last_digit(tmp_path):
    """Where classes have one order for all seeds, nothing of zero-shot is computed anew."""
    frozen = run_of(tmp_path, 1, [100 / 3] * 6, ZeroShot())
    frozen.metrics["tail"] = 100 / 3 + 1e-9
    learned = [run_of(tmp_path, 1, FROZEN), run_of(tmp_path, 1, FROZEN)]
    learned[1] = type(learned[1])(
        type(learned[1].spec)("food", CoOp(), 0.06, 2), learned[1].details, tmp_path
    )
    before = pd.concat([frame_of([frozen], "Zero-shot"), frame_of(learned)], ignore_index=True)
    table = with_class_measures(before, [frozen, *learned])
    assert table[list(before.columns.drop(PARTS))].equals(before.drop(columns=PARTS))
    every = for_every_seed(table, "Zero-shot").query("method == 'Zero-shot'")
    assert every["tail"].tolist() == [frozen.metrics["tail"]] * 2


def test_without_zero_shot_or_with_other_classes_nothing_stands_beside(runs, tmp_path):
    table, (frozen, *learned) = runs
    alone = with_class_measures(table.iloc[1:], learned)
    assert alone[GAIN].isna().all() and not any(alone[BESIDE])
    frozen.details["classes"][0]["name"] = "another"
    apart = with_class_measures(table, [frozen, *learned])
    assert apart.loc[1:, GAIN].isna().all()
