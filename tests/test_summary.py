"""Means of runs with the study's interval: over data sets, or parts of one of them, and seeds."""

import numpy as np
import pandas as pd
import pytest

from cptlab.lab.runs.finished import Result
from cptlab.lab.study.intervals import crossed, linear_harmonic, linear_mean
from cptlab.lab.study.parts import parts_of
from cptlab.lab.study.summary import PARTS, compared, corrected, summarise, text_of, to_markdown
from cptlab.lab.study.tables import differences, for_every_seed
from cptlab.methods import CoOp, ZeroShot
from cptlab.training.spec import RunSpec


def result(tmp_path, seed, accuracies, metrics=(), ranks=None, method=None) -> Result:
    """A run with these accuracies by role, the first of which was learned."""
    rows = [
        {"name": f"{role} {i}", "role": role, "accuracy": float(value)}
        for role, values in accuracies.items()
        for i, value in enumerate(values)
    ]
    first = len(next(iter(accuracies.values())))
    for i, row in enumerate(rows[:first]):
        row |= {"n_k": 1} | ({} if ranks is None else {"rank": ranks[i]})
    means = {role: float(np.mean(values)) for role, values in accuracies.items()}
    found = means | dict(metrics)
    spec = RunSpec("food", method or CoOp(), 0.06, seed)
    return Result(spec, {"metrics": found, "classes": rows}, tmp_path)


def frame_of(results, label="CoOp"):
    return pd.DataFrame(
        {"dataset": "food", "method": label, "tau": 0.06, "seed": r.spec.seed, **r.metrics}
        for r in results
    ).assign(**{PARTS: [parts_of(r) for r in results]})


def harmonic(base, new):
    return 2 * base * new / (base + new)


@pytest.fixture
def base_to_new(tmp_path):
    rng, results = np.random.default_rng(0), []
    for seed in range(1, 6):
        base, new = 100 * rng.random(6), 100 * rng.random(5)
        ranks = rng.permutation(6)
        tail = float(base[np.argsort(ranks)[4:]].mean())
        metrics = {"H": harmonic(base.mean(), new.mean()), "macro": base.mean(), "tail": tail}
        results.append(result(tmp_path, seed, {"base": base, "new": new}, metrics, ranks))
    return results


def test_parts_have_the_metrics_as_means(base_to_new):
    for one in base_to_new:
        parts = parts_of(one)
        assert set(parts) == {"base", "new", "H", "macro", "tail"}
        for name, values in parts.items():
            assert values.mean() == pytest.approx(one.metrics[name])
        assert [len(parts[name]) for name in ("base", "new", "H", "tail")] == [6, 5, 11, 6]


def test_on_one_data_set_classes_and_seeds_are_random(base_to_new):
    table = summarise(frame_of(base_to_new), ["H", "tail"]).set_index("metric")
    base, new = (
        np.stack([r.classes.set_index("role").loc[role, "accuracy"] for r in base_to_new], axis=1)
        for role in ("base", "new")
    )
    last = np.stack([r.classes["rank"].dropna() >= 4 for r in base_to_new], axis=1)
    expected = {"H": linear_harmonic(base, new), "tail": linear_mean(base, last)}
    for name, cells in expected.items():
        found = crossed(cells)
        row = table.loc[name]
        assert [row["mean"], row["lower"], row["upper"]] == pytest.approx(
            [found.mean, found.lower, found.upper]
        )
        values = [r.metrics[name] for r in base_to_new]
        assert [row["least"], row["most"]] == pytest.approx([min(values), max(values)])
        assert (row["n"], row["datasets"]) == (5, 1)


def test_few_runs_have_a_range(base_to_new):
    table = summarise(frame_of(base_to_new[:4]), ["H"])
    assert table[["lower", "upper"]].isna().all(axis=None)
    (row,) = table.itertuples()
    assert text_of(row) == f"{row.mean:.1f} ({row.least:.1f} to {row.most:.1f})"
    (alone,) = summarise(frame_of(base_to_new[:1]), ["H"]).itertuples()
    assert text_of(alone) == f"{alone.mean:.1f}"


def test_unequal_numbers_of_images_keep_the_metric(tmp_path):
    one = result(tmp_path, 1, {"all": [10.0, 50.0]}, {"all": 20.0})
    parts = parts_of(one)["all"]
    assert parts.mean() == pytest.approx(20.0) and np.ptp(parts) == pytest.approx(40.0)


def test_older_results_have_their_order_in_the_specification(tmp_path):
    base = [10.0, 20.0, 30.0, 40.0, 50.0, 90.0]
    one = result(tmp_path, 1, {"all": base}, {"tail": 70.0})
    assert parts_of(one)["tail"].mean() == pytest.approx(70.0)


def test_targets_are_parts_and_count_as_runs(tmp_path):
    """Two seeds on five other data sets are ten runs; a mean over targets is over these."""
    targets = {f"target {name}": float(value) for name, value in zip("abcde", (1, 2, 3, 4, 10))}
    mean = np.mean(list(targets.values()))
    results = [
        result(tmp_path, seed, {"source": [50.0, 60.0]}, targets | {"targets": mean})
        for seed in (1, 2)
    ]
    row = summarise(frame_of(results), ["targets"]).iloc[0]
    found = crossed(np.repeat(np.array([[1.0, 2, 3, 4, 10]]).T, 2, axis=1))
    assert [row["mean"], row["lower"], row["upper"]] == pytest.approx(
        [found.mean, found.lower, found.upper]
    )


def test_with_several_data_sets_these_and_seeds_are_random():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 4))
    frame = pd.DataFrame(
        {"dataset": d, "method": "A", "tau": 1.0, "seed": s, "H": values[i, s]}
        for i, d in enumerate("xyz")
        for s in range(4)
    )
    row = summarise(frame.sample(frac=1, random_state=0), ["H"]).iloc[0]
    found = crossed(values)
    assert [row["mean"], row["lower"], row["upper"]] == pytest.approx(
        [found.mean, found.lower, found.upper]
    )
    assert (row["n"], row["datasets"]) == (12, 3)
    # a seed that one of them lacks does not count
    fewer = frame[~((frame["dataset"] == "x") & (frame["seed"] == 3))]
    row = summarise(fewer, ["H"]).iloc[0]
    assert row["mean"] == pytest.approx(values[:, :3].mean()) and row["n"] == 9
    alone = frame.assign(seed=frame["seed"] + 10 * (frame["dataset"] == "x"))
    with pytest.raises(ValueError, match=r"Data sets x, y, z have no seed in common"):
        summarise(alone, ["H"])


def test_bad_frames_are_refused():
    frame = pd.DataFrame({"dataset": ["a"], "method": ["A"], "tau": [1.0], "seed": [1], "H": [2.0]})
    with pytest.raises(ValueError, match=r"lacks the columns \['tail'\]"):
        summarise(frame, ["tail"])
    with pytest.raises(ValueError, match="several rows"):
        summarise(pd.concat([frame, frame]), ["H"])
    nothing = summarise(frame.assign(H=np.nan), ["H"]).iloc[0]
    assert nothing["n"] == 0 and text_of(nothing) == "–"


def test_parts_are_subtracted_run_by_run(base_to_new, tmp_path):
    """A class that is hard for both methods does not widen the interval of their difference."""
    shifted = [
        result(
            tmp_path,
            r.spec.seed,
            {role: rows["accuracy"] + 1 for role, rows in r.classes.groupby("role", sort=False)},
            method=CoOp(text_tokens=2),
        )
        for r in base_to_new
    ]
    frame = pd.concat([frame_of(base_to_new), frame_of(shifted, "B")])
    row = summarise(differences(frame, "CoOp", ["base"]), ["base"]).iloc[0]
    assert [row["mean"], row["lower"], row["upper"]] == pytest.approx([1, 1, 1])
    once = frame_of([result(tmp_path, 1, {"base": [0.0] * 6}, method=ZeroShot())], "Zero-shot")
    every = for_every_seed(pd.concat([once, frame_of(base_to_new)]), "Zero-shot")
    gaps = summarise(differences(every, "Zero-shot", ["base"]), ["base"])
    own = summarise(frame_of(base_to_new), ["base"])
    assert gaps["lower"].item() == pytest.approx(own["lower"].item())


def test_p_values_are_those_of_the_interval():
    rng = np.random.default_rng(0)
    values = rng.normal(0.4, 1, size=(3, 4))
    frame = pd.DataFrame(
        {"dataset": d, "method": "A", "seed": s, "H": values[i, s]}
        for i, d in enumerate("xyz")
        for s in range(4)
    )
    table = compared(frame, ["H"], ["method"])
    assert table["p"].item() == pytest.approx(crossed(values).p)
    assert table.drop(columns="p").equals(summarise(frame, ["H"], ["method"]))


def test_a_family_is_corrected_by_benjamini_and_hochberg():
    """By hand: sorted p values times n / rank, and never above those of larger p values."""
    p = [0.03, 0.001, np.nan, 0.02, 0.5]
    table = corrected(pd.DataFrame({"method": list("abcde"), "p": p}))
    expected = [0.04, 0.004, np.nan, 0.04, 0.5]
    assert table["adjusted"].tolist() == pytest.approx(expected, nan_ok=True)
    assert set(table["family"]) == {4}


def test_each_reference_is_a_family():
    both = pd.DataFrame({"reference": ["A", "B", "A", "A"], "p": [0.01, 0.01, 0.9, np.nan]})
    table = corrected(both)
    assert table["adjusted"].tolist() == pytest.approx([0.02, 0.01, 0.9, np.nan], nan_ok=True)
    assert table["family"].tolist() == [2, 1, 2, 2]
    assert corrected(both.iloc[:0]).empty


def test_markdown():
    rows = [("CoOp", 0.06, 1, 1.0, 5.0), ("CoOp", 0.06, 2, 2.0, np.nan), ("CPT", 1.0, 1, 80.0, 3.0)]
    frame = pd.DataFrame(rows, columns=["method", "tau", "seed", "H", "tail"]).assign(
        dataset="food"
    )
    table = summarise(frame, ["H", "tail"])
    table = table[~((table["method"] == "CPT") & (table["metric"] == "tail"))]
    empty = summarise(frame.assign(new=np.nan), ["new"])
    assert to_markdown(pd.concat([table, empty])) == (
        "| method | tau | H | tail |\n"
        "| --- | --- | ---: | ---: |\n"
        "| CoOp | 0.06 | 1.5 (1.0 to 2.0) | 5.0 |\n"
        "| CPT | 1 | 80.0 | – |\n"
    )
