"""The runs of docs/plan.md, and what tuning chose for them."""

import dataclasses
from collections import defaultdict
from importlib.resources import files

import pandas as pd
import pytest

from cptlab.lab.study import ablation, clusters, lineup, planned, stability, studies, tuning
from cptlab.lab.study.as_tuned import as_tuned, table
from cptlab.lab.study.notebooks import STUDIES
from cptlab.lab.study.planned import AS_PUBLISHED, DOSES, PARTS
from cptlab.lab.study.profiles import FULL, SMOKE
from cptlab.lab.study.settings import profile_with
from cptlab.methods import CPT, CoOp, ZeroShot

EVERY = lineup.tuned(FULL)
TABLE = pd.read_csv(files(planned.__package__).joinpath("tuned.csv"))


def test_the_table_holds_six_configurations_of_every_method_and_takes_the_best():
    assert set(TABLE["method"]) == set(EVERY)
    assert set(TABLE.groupby("method").size()) == {tuning.CONFIGURATIONS}
    assert set(TABLE["runs"]) == {len(tuning.DATASETS) * len(tuning.SEEDS)}
    best = TABLE.loc[TABLE.groupby("method")["H"].idxmax()]
    chosen = TABLE[TABLE["chosen"]]
    assert dict(zip(chosen["method"], chosen["H"])) == dict(zip(best["method"], best["H"]))


def test_what_was_tried_is_what_the_rule_says():
    plain = planned.untuned(FULL)
    for label, method in EVERY.items():
        own = plain.schedule_of(method, "base_to_new", "food")
        tried = tuning.configurations(method, own)
        rates = {schedule.lr for m, schedule in tried if m.weights()}
        assert set(TABLE.query("method == @label")["lr"].dropna()) == rates, label


@pytest.mark.parametrize("label", EVERY)
def test_a_method_of_the_study_has_what_was_chosen_for_it(label):
    row = TABLE[TABLE["chosen"]].set_index("method").loc[label]
    (method,) = lineup.chosen(FULL, [label]).values()
    schedule = FULL.schedule_of(method, "base_to_new", "food")
    if method.weights():
        found = (schedule.lr, schedule.epochs, schedule.steps_per_shot)
        assert found == (row["lr"], row["epochs"], row["steps_per_shot"])
    searched = as_tuned(type(method), vars(method)).options
    assert {name: getattr(method, name) for name in searched} == dict(searched)
    assert lineup.label_of(FULL, method) == label


def test_what_was_not_tuned_is_as_published():
    assert as_tuned(ZeroShot, {}) is None
    assert as_tuned(CPT, {}) is None  # as printed: the sum over pairs
    printed = FULL.make(CPT)
    assert printed == FULL.make(CPT)
    plain = FULL.schedule_of(printed, "base_to_new", "food")
    assert FULL.schedule_of(printed, "base_to_new", "food") == plain
    assert planned.untuned(FULL).make(CoOp) == FULL.make(CoOp)


def test_what_is_given_goes_before_what_was_tuned():
    given = FULL.make(CPT, etf_reduction="pair_mean", lambda_tetf=7.0)
    assert given.lambda_tetf == 7.0
    assert as_tuned(CPT, {"etf_reduction": "pair_mean", "lambda_cc": 0.0}) in table()


@pytest.mark.parametrize("part", PARTS)
def test_runs_are_of_seeds_that_were_not_seen_and_orders_that_differ(part):
    study = PARTS[part](FULL)
    assert {spec.class_order for spec in study} == {"permuted"}
    assert min(spec.seed for spec in study) >= 11
    cells = defaultdict(set)
    for spec, name in study.items():
        cells[name, spec.dataset, spec.tau, spec.seed, spec.protocol, spec.n_max].add(spec)
    assert {len(specs) for specs in cells.values()} == {1}


def test_a_label_is_one_method_and_one_schedule():
    meant = defaultdict(set)
    for part in ("main", "single cluster", "dose", "ablation", "published", "ratios", "spread"):
        for spec, name in PARTS[part](FULL).items():
            meant[name].add((spec.method, spec.schedule))
    assert {name: len(found) for name, found in meant.items()} == dict.fromkeys(meant, 1)
    assert len({next(iter(found)) for found in meant.values()}) == len(meant)  # and the reverse


def test_doses_differ_in_one_weight():
    tuned = planned.tuned_cpt(FULL)
    for name, weights in DOSES.items():
        found = {
            getattr(spec.method, name)
            for spec in planned.dose(FULL)
            if dataclasses.replace(spec.method, **{name: getattr(tuned, name)}) == tuned
        }
        assert found == {*weights, getattr(tuned, name)} | (
            {0.0} if name == "lambda_tetf" else set()
        )


def test_clusters_differ_in_nothing_else_and_each_seed_deals_anew():
    study = planned.clusterings(FULL, 4.0)
    fields = ("n_clusters", "cluster_method", "cluster_size", "cluster_seed")
    usual = {name: getattr(CPT(), name) for name in fields}
    methods = {dataclasses.replace(spec.method, **usual) for spec in study}
    assert methods == {dataclasses.replace(planned.tuned_cpt(FULL), lambda_tetf=4.0)}
    random = [spec for spec in study if spec.method.cluster_method == "random"]
    assert all(spec.method.cluster_seed == spec.seed for spec in random)


def test_published_schedules_are_another_row_where_they_differ():
    main, published = planned.main(FULL), planned.published(FULL)
    assert all(name == main[spec] for spec, name in published.items() if spec in main)
    assert all(spec not in main for spec, name in published.items() if name.endswith(AS_PUBLISHED))
    assert len(published) >= len(main)


def test_costly_methods_run_at_the_smallest_ratio():
    of = {(s.tau, s.seed) for s, name in planned.main(FULL).items() if name in FULL.costly}
    assert of == {(0.06, seed) for seed in range(11, 16)}
    assert not set(FULL.costly) & set(planned.ratios(FULL).values())


def test_notebooks_show_the_plan():
    assert STUDIES["03_sensitivity"](FULL).items() >= planned.dose(FULL).items()
    every = {spec for part in PARTS.values() for spec in part(FULL)}
    assert STUDIES["12_claims"](FULL).keys() == every


def test_spreads_are_told_over_all_data_sets_and_seeds_of_the_plan():
    study = stability.runs(FULL)
    rows = [
        {"method": m, "dataset": s.dataset, "seed": s.seed, "run_id": s.run_id, "H": float(s.seed)}
        for s, m in study.items()
    ]
    told = stability.of_spreads(FULL, pd.DataFrame(rows))
    assert set(told["method"]) == set(planned.spread(FULL).values())  # CoOp has fewer
    assert told.groupby("method").size().eq(6 * 10).all()
    means = stability.by_seed(told)
    assert (means["H"] == means["seed"]).all() and set(means["dataset"]) == {"mean of 6 data sets"}
    shorter = profile_with("full", seeds="1-3")
    assert {spec.seed for spec in stability.runs(shorter)} == {1, 2, 3}
    assert stability.runs(SMOKE).keys() == studies.over_seeds(SMOKE).keys()


def test_weights_that_are_asked_for_take_the_place_of_the_planned_doses():
    asked = profile_with("full", weights="TETF=2,8")
    found = {spec.method.lambda_tetf for spec in planned.dose(asked) if spec.method.name == "cpt"}
    tuned = planned.tuned_cpt(FULL).lambda_tetf
    assert found == {0, 0.25, tuned, 2, 8}  # .25 is published, and as a sum


def test_the_ablation_shows_every_combination_as_tuned_and_as_published():
    found, known = ablation.readings(FULL), set(planned.ablation(FULL).values())
    assert list(found) == ["pair mean, as tuned", "pair mean, as published", "sum, as published"]
    assert all(len(names) == 8 for names in found.values())
    assert {name for names in found.values() for name in names.values()} == known
    none = (False, False, False)
    assert found["pair mean, as tuned"][none] == ablation.without_losses(FULL)
    printed = found["sum, as published"]
    assert printed[none] == f"{ablation.without_losses(FULL)}{AS_PUBLISHED}"
    assert printed[True, True, True] == "CPT (sum)"  # never tuned: as published under every name
    (own,) = ablation.readings(SMOKE).values()
    assert own[none] == ablation.without_losses(SMOKE) == "IVLP"


def test_clusters_are_compared_at_the_weight_where_the_loss_acts():
    known = planned.clusterings(FULL)
    usual = f"CPT (pair mean), lambda_tetf = {planned.ACTING:g}"
    algorithms = clusters._labels(FULL, FULL.varied.by_algorithm() | clusters.CONTROLS)
    sizes = clusters._labels(FULL, FULL.varied.by_size())
    assert list(algorithms) == list(sizes) == [usual]
    shown = {*algorithms[usual].values(), *sizes[usual].values()}
    assert shown == set(known.values()) and len(shown) == 4 + 2 + 4
    assert algorithms[usual]["spherical"] == sizes[usual][16] == usual
    assert set(clusters.runs(FULL)) >= set(known)
