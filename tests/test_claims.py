"""The ledger of claims: statistics by hand, the rule at its borders, every claim reachable."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from cptlab.lab.study.claims import (
    CLAIMS,
    READINGS,
    VERDICTS,
    MissingRuns,
    against,
    average_change,
    cpt_fields,
    first_of,
    largest_change,
    ledger,
    ledger_markdown,
    needs,
    paired_difference,
    spread_ratio,
    steadiest_of,
    verdict,
)
from cptlab.lab.study.claims.comparisons import Change, Steadier
from cptlab.lab.study.intervals import crossed
from cptlab.lab.study.lineup import methods
from cptlab.lab.study.profiles import SMOKE
from cptlab.methods import CPT


def runs(values: dict[str, list[float]], dataset: str = "food", quantity: str = "H"):
    """One row per method and seed 1, 2, ..."""
    return pd.DataFrame(
        {"dataset": dataset, "method": method, "tau": 0.06, "seed": seed, quantity: value}
        for method, row in values.items()
        for seed, value in enumerate(row, start=1)
    )


def complete(claims=CLAIMS, seeds: int = 5, value=lambda need, seed: 60.0 + seed % 2):
    """A row for every run that the claims need, on one data set."""
    rows = [
        {"dataset": "food", "seed": seed, **need._asdict(), need.quantity: value(need, seed)}
        for need in needs(claims).itertuples(index=False)
        for seed in range(1, seeds + 1)
    ]
    keys = ["dataset", "protocol", "tau", "method", "seed"]
    frame = pd.DataFrame(rows).drop(columns="quantity")
    return frame.groupby(keys, sort=False, as_index=False).first()


@pytest.fixture(scope="module")
def everything():
    """`complete()`; tests leave it as it is."""
    return complete()


def claim_named(name: str):
    (claim,) = [claim for claim in CLAIMS if claim.name == name]
    return claim


# Statistics


def student(values, among=1):
    """Student's interval of the mean, its error divided by a number of comparisons."""
    values = np.asarray(values, dtype=float)
    half = t.isf(0.025 / among, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
    return [values.mean() - half, values.mean() + half]


def test_paired_difference_by_hand():
    frame = runs({"a": [63, 65, 70, 64, 68], "b": [62, 63, 64, 62, 64]})
    gaps = [1, 2, 6, 2, 4]
    found = paired_difference(frame, "a", "b", "H")
    assert found.value == 3.0
    assert [found.lower, found.upper] == pytest.approx(student(gaps))
    assert found.effect == pytest.approx(3 / np.std(gaps, ddof=1))
    assert (found.pairs, found.datasets) == (5, ("food",))


def test_data_sets_and_seeds_are_random():
    rng = np.random.default_rng(0)
    values = {name: rng.normal(size=(2, 4)) for name in ("x", "y", "z")}
    frame = pd.concat([runs({"a": list(a), "b": list(b)}, name) for name, (a, b) in values.items()])
    found = paired_difference(frame, "a", "b", "H")
    expected = crossed(np.stack([a - b for a, b in values.values()]))
    assert [found.value, found.lower, found.upper] == pytest.approx(
        [expected.mean, expected.lower, expected.upper]
    )
    assert (found.pairs, found.datasets) == (12, ("x", "y", "z"))


def test_seeds_count_that_all_data_sets_have():
    frame = pd.concat(
        [
            runs({"a": [1.0, 1.0, 1.0, 9.0], "b": [0.0] * 4}, "animals"),
            runs({"a": [5.0, 5.0, 5.0], "b": [0.0] * 3}, "food"),
        ]
    )
    found = paired_difference(frame, "a", "b", "H")
    assert (found.value, found.pairs) == (3.0, 6)
    apart = frame.assign(seed=frame["seed"] + 10 * (frame["dataset"] == "food"))
    with pytest.raises(MissingRuns, match="no seed in common"):
        paired_difference(apart, "a", "b", "H")


def test_on_a_single_data_set_parts_are_random_too():
    rng = np.random.default_rng(0)
    parts = {name: 60 + 10 * rng.normal(size=(8, 5)) for name in "ab"}
    frame = pd.concat(
        runs({name: list(values.mean(0))}).assign(parts=[{"H": row} for row in values.T])
        for name, values in parts.items()
    )
    found = paired_difference(frame, "a", "b", "H")
    expected = crossed(parts["a"] - parts["b"])
    assert [found.lower, found.upper] == pytest.approx([expected.lower, expected.upper])
    change = largest_change(frame, "a", ["b"], "H")
    assert change.lower <= change.value <= change.upper
    two = pd.concat([frame, frame.assign(dataset="travel")])  # then these are
    assert paired_difference(two, "a", "b", "H").upper != pytest.approx(expected.upper)


def test_first_of_takes_the_nearest_rival():
    frame = runs({"a": [5, 6, 7, 6, 6], "far": [0] * 5, "near": [4, 4, 7, 5, 5]})
    found = first_of(frame, "a", ["far", "near"], "H")
    gaps = [1, 2, 0, 1, 1]
    assert found.value == pytest.approx(1.0)
    assert found.lower == pytest.approx(student(gaps)[0])
    assert found.upper == pytest.approx(student(gaps, among=2)[1])
    assert found.effect == pytest.approx(1 / np.std(gaps, ddof=1))


def test_first_of_needs_to_be_ahead_of_every_rival_and_behind_one_is_enough():
    # The nearest baseline in the mean is not the one that spoils the lower bound.
    erratic = [0.0, 0.0, 6.0, 0.0, 6.0]
    frame = runs({"a": [5.0] * 5, "near": [4.0] * 5, "erratic": erratic})
    found = first_of(frame, "a", ["near", "erratic"], "H")
    assert found.value == 1.0
    assert found.lower == pytest.approx(student([5, 5, -1, 5, -1])[0])
    assert found.upper == 1.0


def test_the_more_rivals_the_likelier_is_a_lucky_one():
    rng = np.random.default_rng(7)
    noise = rng.normal(size=(2, 40))
    frame = runs({"a": list(60 + noise[0])} | {r: list(63 + 2 * noise[1]) for r in "bcdef"})
    for statistic, same, other in (
        (first_of, "lower", "upper"),
        (steadiest_of, "upper", "lower"),
        (largest_change, "upper", "lower"),
    ):
        one, five = (statistic(frame, "a", list(baselines), "H") for baselines in ("b", "bcdef"))
        assert five.value == pytest.approx(one.value)
        assert getattr(five, same) == pytest.approx(getattr(one, same))
        widening = abs(getattr(five, other) - five.value) - abs(getattr(one, other) - one.value)
        assert widening > 0.01
    assert five.lower > 0


def test_spread_ratio_by_hand():
    frame = runs({"a": [1.0, 2.0, 3.0, 6.0, 4.0], "b": [2.0, 4.0, 6.0, 12.0, 8.0]})
    found = spread_ratio(frame, "a", "b", "H")
    assert (found.value, found.lower, found.upper) == pytest.approx((0.5, 0.5, 0.5))
    assert found.effect == pytest.approx(math.log(0.5))
    assert spread_ratio(frame, "a", "b", "H", power=2).value == pytest.approx(0.25)


def test_spread_ratio_is_the_geometric_mean_over_data_sets():
    frame = pd.concat(
        [
            runs({"a": [0.0, 2.0], "b": [0.0, 6.0]}, "animals"),
            runs({"a": [0.0, 4.0], "b": [0.0, 8.0]}, "food"),
        ]
    )
    assert spread_ratio(frame, "a", "b", "H").value == pytest.approx(math.sqrt(1 / 3 * 1 / 2))


def test_spread_interval_keeps_the_methods_of_a_seed_together():
    rng = np.random.default_rng(3)
    a = rng.normal(size=12)
    frame = runs({"a": list(a), "b": list(3 * a + 0.01 * rng.normal(size=12))})
    found = spread_ratio(frame, "a", "b", "H")
    assert 0.32 < found.lower < found.value < found.upper < 0.35


def test_spread_needs_seeds_and_tells_nothing_without_spread():
    three = runs({"a": [1.0, 2.0, 4.0], "b": [1.0, 3.0, 9.0]})
    found = spread_ratio(three, "a", "b", "H")
    assert found.value < 1 and math.isnan(found.lower) and math.isnan(found.upper)
    constant = spread_ratio(runs({"a": [71.2] * 5, "b": [64.4] * 5}), "a", "b", "H")
    assert math.isnan(constant.value) and math.isnan(constant.lower)
    with pytest.raises(MissingRuns, match="two seeds; there is one on food"):
        spread_ratio(runs({"a": [1.0], "b": [2.0]}), "a", "b", "H")


def test_steadiest_of_compares_with_the_steadiest_rival():
    base = np.array([1.0, 2.0, 3.0, 6.0, 4.0])
    frame = runs({"a": list(2 * base), "wild": list(8 * base), "calm": list(base)})
    found = steadiest_of(frame, "a", ["wild", "calm"], "H")
    assert (found.value, found.lower, found.upper) == pytest.approx((2.0, 2.0, 2.0))


def test_changes_by_hand():
    frame = runs({"default": [50.0] * 5, "half": [49.0] * 5, "twice": [52.0] * 5})
    largest = largest_change(frame, "default", ["half", "twice"], "H")
    assert (largest.value, largest.lower, largest.upper) == pytest.approx((4.0, 4.0, 4.0))
    average = average_change(frame, "default", ["half", "twice"], "H")
    assert (average.value, average.lower, average.upper) == pytest.approx((3.0, 3.0, 3.0))
    assert math.isnan(largest.effect)


def test_change_of_unknown_sign_reaches_down_to_zero():
    frame = runs({"default": [50.0] * 5, "setting": [47.0, 50.0, 54.5, 50.0, 51.0]})
    low, high = student([-6, 0, 9, 0, 2])  # % of 50
    assert low < 0 < high
    found = largest_change(frame, "default", ["setting"], "H")
    assert [found.value, found.lower, found.upper] == pytest.approx([1.0, 0.0, high])
    mirrored = frame.assign(H=100 - frame["H"])
    found = largest_change(mirrored, "default", ["setting"], "H")
    assert [found.value, found.lower, found.upper] == pytest.approx([1.0, 0.0, high])


def test_few_pairs_give_no_interval():
    frame = runs({"a": [2.0, 3.0, 2.0, 3.0], "b": [1.0, 1.5, 1.0, 1.5]})
    for found in (
        paired_difference(frame, "a", "b", "H"),
        spread_ratio(frame, "a", "b", "H"),
        largest_change(frame, "a", ["b"], "H"),
    ):
        assert math.isfinite(found.value) and found.pairs == 4
        assert math.isnan(found.lower) and math.isnan(found.upper)
    assert paired_difference(frame, "a", "b", "H").value == 1.25


def test_order_of_rows_does_not_matter_and_nothing_is_global():
    rng = np.random.default_rng(4)
    frame = pd.concat(
        [runs({m: list(rng.normal(60, 2, 5)) for m in "abc"}, d) for d in ("x", "y", "z")]
    )
    shuffled = frame.sample(frac=1, random_state=5)
    state = np.random.get_state()[1].copy()
    for statistic in (first_of, steadiest_of, largest_change):
        found = statistic(frame, "a", ["b", "c"], "H")
        again = statistic(shuffled, "a", ["b", "c"], "H")
        assert (again.value, again.lower, again.upper) == (found.value, found.lower, found.upper)
        assert found.lower < found.upper
    assert (np.random.get_state()[1] == state).all()


def test_errors_say_what_is_missing():
    frame = runs({"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0]})
    with pytest.raises(MissingRuns, match="No runs with H of c; d"):
        first_of(frame, "a", ["c", "d"], "H")
    with pytest.raises(MissingRuns, match="No run has the quantity 'new'"):
        paired_difference(frame, "a", "b", "new")
    apart = pd.concat([runs({"a": [1.0]}, "food"), runs({"b": [1.0]}, "travel")])
    with pytest.raises(MissingRuns, match="No data set and seed have runs with H of all of a; b"):
        paired_difference(apart, "a", "b", "H")
    with pytest.raises(ValueError, match="Several rows for 'a' on food, seed 1"):
        paired_difference(pd.concat([frame, frame]), "a", "b", "H")
    with pytest.raises(ValueError, match=r"lacks the columns \['seed'\]"):
        paired_difference(frame.drop(columns="seed"), "a", "b", "H")


# The rule


@pytest.mark.parametrize(
    ("lower", "upper", "above", "below"),
    [
        (1.1, 2.0, "supported", "contradicted"),
        (1.0, 2.0, "undecided", "undecided"),  # touching decides nothing
        (0.9, 1.1, "undecided", "undecided"),
        (0.0, 1.0, "undecided", "undecided"),
        (0.0, 0.9, "contradicted", "supported"),
        (math.nan, math.nan, "undecided", "undecided"),
        (1.0, 1.0, "undecided", "undecided"),
    ],
)
def test_verdict_at_its_borders(lower, upper, above, below):
    assert verdict(lower, upper, ">", 1.0) == above
    assert verdict(lower, upper, "<", 1.0) == below


# The ledger


def test_every_claim_is_declared_in_full():
    names = [claim.name for claim in CLAIMS]
    assert len(set(names)) == len(names)
    for claim in CLAIMS:
        assert claim.source.startswith(("Sec.", "Abstract")) and claim.text.endswith(".")
        assert claim.taus and set(claim.taus) <= {1.0, 0.25, 0.06}
        assert claim.direction in (">", "<")


def test_the_rivals_of_cpt_are_those_that_a_study_has_run():
    ours = against(("MaPLe", "IVLP"))
    assert [claim.name for claim in ours] == [claim.name for claim in CLAIMS]
    named = {
        c.name: c.comparison.variants[1:]
        for c in ours
        if c.comparison.variants[1:] == ("MaPLe", "IVLP")
    }
    assert set(named) == {
        "CPT is first under imbalance",
        "No loss on balanced data",
        "CPT is first in transfer",
        "CPT is first under domain shift",
    }
    assert [c for c in ours if c.name not in named] == [c for c in CLAIMS if c.name not in named]


def test_labels_and_fields_are_those_of_the_studies():
    known, depth = methods(SMOKE), {"text_depth": 3, "vision_depth": 4}
    fields = cpt_fields()
    shared = set(fields) & set(known)
    assert shared == {name for name in known if name.startswith("CPT")}
    for name in shared:
        assert CPT(**depth, **fields[name]) == known[name]
    assert all(CPT(**values) for values in fields.values())  # no unknown field
    distinct = {CPT(**values) for values in fields.values()}
    assert len(distinct) == len(fields)  # a run never goes by two labels
    baselines = {name for name in needs()["method"] if not name.startswith("CPT")}
    assert baselines <= set(known)
    default = CPT()
    weights = (default.lambda_tetf, default.lambda_cc, default.lambda_rs)
    assert weights == (0.25, 0.15, 0.10) and default.cluster_size == 16  # what the sweeps leave out
    assert default.cluster_method == "spherical"


def test_six_readings_and_what_they_leave_alone(everything):
    assert [reading.name for reading in READINGS] == [
        "sum",
        "sum, raw RS",
        "sum, per-batch CC",
        "pair mean",
        "pair mean, raw RS",
        "pair mean, per-batch CC",
    ]
    table = ledger(everything, [claim_named("L_CC adds")])
    at_one_tau = table[table["tau"] == 0.06].set_index("reading")
    assert dict(at_one_tau["same_as"]) == {
        "sum": "",
        "sum, raw RS": "sum",  # L_RS is off on both sides
        "sum, per-batch CC": "",
        "pair mean": "",
        "pair mean, raw RS": "pair mean",
        "pair mean, per-batch CC": "",
    }
    words = at_one_tau["comparison"]["sum, per-batch CC"]
    assert words == "H of CPT (sum, per-batch CC) w/o RS minus CPT (sum) w/o CC and RS"


def test_a_complete_frame_reaches_every_claim(everything):
    table = ledger(everything)
    assert len(table) == len(READINGS) * sum(len(claim.taus) for claim in CLAIMS)
    assert "not run" not in set(table["verdict"])
    assert (table["missing"] == "").all() and (table["pairs"] == 5).all()
    assert set(table["claim"]) == {claim.name for claim in CLAIMS}
    few = ledger(everything, CLAIMS[:5])
    pd.testing.assert_frame_equal(few, table.head(len(few)))


def one_sided(claim, sign: int):
    """Values of runs with which a claim's comparison comes out high (sign 1) or low (-1)."""
    leads = {claim.comparison.variants[0].label(reading) for reading in READINGS}

    def value(need, seed):
        wave = (0.0, 1.0, 2.0, 4.0, 3.0)[seed - 1]
        if need.method not in leads:
            return 60 + wave
        if isinstance(claim.comparison, Steadier):
            return 60 + wave * 4.0**sign
        if isinstance(claim.comparison, Change):
            return 60 + wave + (3 if sign > 0 else 0)
        return 60 + 10 * sign + wave

    return value


@pytest.mark.parametrize("outcome", ["supported", "contradicted"])
def test_every_claim_can_be_supported_and_contradicted(outcome):
    for claim in CLAIMS:
        sign = 1 if (claim.direction == ">") == (outcome == "supported") else -1
        frame = complete([claim], value=one_sided(claim, sign))
        table = ledger(frame, [claim], (READINGS[1], READINGS[5]))
        assert set(table["verdict"]) == {outcome}, claim.name


def test_a_small_difference_stays_undecided():
    rng = np.random.default_rng(6)
    claim = claim_named("L_RS adds")
    frame = complete([claim], 5, lambda need, seed: 60 + rng.normal())
    table = ledger(frame, [claim], READINGS[:1])
    row = table[table["tau"] == 0.06].iloc[0]
    assert row["verdict"] == "undecided" and row["lower"] < 0 < row["upper"]


def test_claims_of_variances_and_averages_are_computed_as_such():
    def estimate(name: str, value) -> float:
        claim = claim_named(name)
        table = ledger(complete([claim], value=value), [claim], READINGS[:1])
        return table.loc[table["tau"] == 0.06, "estimate"].item()

    def halved(need, seed):
        return 60 + seed * (1 if need.method == "CPT (sum)" else 2)

    assert estimate("CPT varies less over seeds than global ETF", halved) == pytest.approx(0.5)
    assert estimate("CPT about halves the seed variance", halved) == pytest.approx(0.25)

    def one_sensitive(need, seed):  # 6 % at one of six settings
        return 53.0 if need.method.endswith("lambda_tetf = 0.5") else 50.0

    assert estimate("Less than 3 % change: weight of L_TETF", one_sensitive) == pytest.approx(6)
    assert estimate("Less than 3 % change: weight of L_RS", one_sensitive) == pytest.approx(0)
    assert estimate("Less than 3 % change: all weights", one_sensitive) == pytest.approx(1)


def test_seeds_of_spreads_are_in_no_other_comparison():
    claims = [claim_named("CPT is first under imbalance"), claim_named("L_RS is what steadies CPT")]
    frame = complete(claims, seeds=7)
    table = ledger(frame, claims, spread_seeds={6, 7})
    first, steady = (table[table["claim"] == claim.name] for claim in claims)
    assert set(first["pairs"] // first["datasets"]) == {5}
    assert set(steady["pairs"] // steady["datasets"]) == {7}


def test_missing_runs_are_named_and_nothing_else_suffers(everything):
    frame = everything
    label = "CPT (sum) w/o RS"
    table = ledger(frame[frame["method"] != label], [claim_named("L_RS adds")])
    row = table[(table["reading"] == "sum") & (table["tau"] == 0.25)].iloc[0]
    assert row["verdict"] == "not run" and math.isnan(row["estimate"]) and row["runs"] == 0
    assert row["missing"] == f"At tau = 0.25: No runs with H of {label}."
    assert set(table.loc[table["reading"] == "pair mean", "verdict"]) != {"not run"}

    one_less = frame[~((frame["method"] == label) & (frame["seed"] == 2))]
    row = ledger(one_less, [claim_named("L_RS adds")]).iloc[0]
    assert row["pairs"] == 4 and row["missing"] == f"Left out: food seed 2 (no {label})."

    empty = ledger(frame.head(0)[["dataset", "method", "tau", "seed"]])
    assert set(empty["verdict"]) == {"not run"} and (empty["missing"] != "").all()


def test_wrong_frames_are_errors(everything):
    with pytest.raises(ValueError, match=r"lacks the columns \['tau'\]"):
        ledger(everything.drop(columns="tau"))
    with pytest.raises(ValueError, match="Several rows for"):
        ledger(pd.concat([everything, everything]))


def test_a_data_set_that_only_some_methods_saw_is_left_out_and_named():
    claim = claim_named("New classes gain")
    both = runs({"CPT (sum)": [3.0, 4.0, 5.0], "IVLP": [1.0, 2.0, 3.0]}, "food", "new")
    half = runs({"CPT (sum)": [9.0]}, "travel", "new")
    table = ledger(pd.concat([both, half]), [claim], READINGS[:1])
    row = table[table["tau"] == 0.06].iloc[0]
    assert row["missing"] == "Left out: travel seed 1 (no IVLP)."
    assert (row["estimate"], row["pairs"], row["datasets"], row["runs"]) == (2.0, 3, 1, 6)


def test_zero_shot_stands_for_every_seed_and_counts_once():
    claim = claim_named("Global ETF lowers effective rank")
    trained = runs({"Global-ETF (sum)": [7.0, 8.0, 9.0, 10.0, 8.5]}, quantity="effective_rank")
    frozen = runs({"Zero-shot": [20.0]}, quantity="effective_rank")
    row = ledger(pd.concat([trained, frozen]), [claim], READINGS[:1]).iloc[0]
    assert (row["estimate"], row["pairs"], row["runs"]) == (8.5 - 20, 5, 6)
    assert row["verdict"] == "supported" and row["unit"] == "dimensions"
    published_for = ledger(
        pd.concat([trained, frozen.assign(dataset="travel")]), [claim], READINGS[:1]
    )
    assert "No data set" in published_for["missing"][0]


def test_protocols_and_imbalance_ratios_are_kept_apart():
    claim = claim_named("CPT keeps zero-shot accuracy in transfer")
    frame = runs({"CPT (sum)": [60.0] * 5, "Zero-shot": [60.0]}, quantity="targets")
    assert set(ledger(frame, [claim], READINGS[:1])["verdict"]) == {"not run"}
    base = frame.assign(protocol=None)
    table = ledger(pd.concat([frame.assign(protocol="transfer"), base]), [claim], READINGS[:1])
    verdicts = table.set_index("tau")["verdict"]
    assert dict(verdicts) == {1.0: "not run", 0.25: "not run", 0.06: "supported"}
    tail = claim_named("Tail accuracy is up")  # both protocols measure the tail
    rows = runs({"CPT (sum)": [3.0, 4.0, 5.0], "IVLP": [1.0, 2.0, 3.0]}, quantity="tail")
    both = pd.concat([rows, rows.assign(protocol="transfer", tail=0.0)])
    assert ledger(both, [tail], READINGS[:1])["estimate"].dropna().tolist() == [2.0]


def test_markdown_by_hand():
    claim = claim_named("CPT varies less over seeds than global ETF")
    wave = np.array([0.0, 1.0, 2.0, 4.0, 3.0])
    frame = runs({"CPT (sum)": list(60 + wave), "Global-ETF (sum)": list(60 + 2 * wave)})
    readings = (READINGS[0], READINGS[3])
    assert ledger_markdown(ledger(frame, [claim], readings)) == (
        "| claim | tau | claimed | sum | pair mean |\n"
        "| --- | ---: | --- | --- | --- |\n"
        "| CPT varies less over seeds than global ETF (Sec. 4.5, Fig. 1 (d), Fig. 4) | 0.06 "
        "| < 1 | supported, always 0.50 5/1 | not run |\n"
        "\n"
        "2 comparisons: 1 supported, 0 contradicted, 0 undecided, 1 not run.\n"
        "\n"
        "Each ends with its pairs of runs and its data sets. 0 have no interval, and so no "
        "verdict: fewer than 5 pairs, or for spreads 4 seeds. (In transfer from a single source "
        "each data set that is tested counts.)\n"
    )
    two_seeds = ledger_markdown(ledger(frame[frame["seed"] < 3], [claim], readings[:1]))
    assert "| undecided 0.50 (no interval) 2/1 |" in two_seeds
    shared = ledger(frame, [claim_named("L_TETF adds")], READINGS[:2])
    assert "| not run | as sum |" in ledger_markdown(shared)
    assert VERDICTS == ("supported", "contradicted", "undecided", "not run")
