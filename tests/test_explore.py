"""The explorer's choices: the runs on offer, the nearest by weights, the command of a run."""

import dataclasses
import shlex
import shutil

import pytest
from click.testing import CliRunner
from tiny_explorer import PROFILE

from cptlab.lab.cli.run import run as run_command
from cptlab.lab.explore.choice import (
    Finished,
    finished,
    first_choice,
    grouped,
    label_of,
    offered,
    switched,
    zero_shot_of,
)
from cptlab.lab.explore.command import command_of
from cptlab.lab.explore.weights import around, nearest, with_weights
from cptlab.lab.runs.results import RESULT, Result
from cptlab.lab.runs.stored import PROMPTS
from cptlab.lab.study.lineup import methods
from cptlab.methods import CPT, CoOp
from cptlab.methods.parts.balance import Balance

pytest_plugins = ["explorer_store"]
LABELED = methods(PROFILE)
PAIR_MEAN = LABELED["CPT (pair mean)"]


def run(label="CPT (pair mean)", dataset="food", tau=0.06, seed=1, method=None, **changes):
    """A finished run without results, for what looks at specifications only."""
    method = method or LABELED[label]
    spec = dataclasses.replace(PROFILE.spec(dataset, method, tau, seed), **changes)
    result = Result(spec, {}, None)
    return Finished(result, label_of(spec, PROFILE))


RUNS = [
    run("Zero-shot"),
    run("CoOp"),
    run("CPT (pair mean)", seed=1),
    run("CPT (pair mean)", seed=2),
    run("CPT (pair mean)", tau=1.0, seed=2),
    run("IVLP", dataset="travel", tau=1.0, seed=3),
]


def test_a_store_offers_the_runs_of_a_profile(store, tmp_path):
    runs, remarks = finished(PROFILE, store)
    assert [r.label for r in runs] == ["CPT (pair mean)", "IVLP", "Zero-shot"]
    assert remarks == []
    assert {r.key[:2] for r in runs} == {("tiny", 0.25)}
    longer = dataclasses.replace(PROFILE, schedule=dataclasses.replace(PROFILE.schedule, epochs=4))
    assert finished(longer, store) == ([], [])
    assert finished(PROFILE, tmp_path / "none") == ([], [])


def test_results_that_cannot_be_shown_are_counted(store, tmp_path):
    copy = shutil.copytree(store, tmp_path / "copy")
    damaged, archived, whole = sorted(copy.glob(f"*/{RESULT}"))
    damaged.write_text("{")
    (archived.parent / PROMPTS).unlink()
    runs, remarks = finished(PROFILE, copy)
    assert [r.spec.run_id for r in runs] == [whole.parent.name]
    assert len(remarks) == 2
    assert remarks[0].startswith("1 results in") and "damaged" in remarks[0]
    assert remarks[1].startswith("1 results in") and "have no prompts" in remarks[1]


def test_labels_are_those_of_figures_and_name_what_differs():
    assert run().label == "CPT (pair mean)"
    assert run("CPT (sum)").label == "CPT (sum)"
    assert run(curve=True).label == "CPT (pair mean)"
    half = dataclasses.replace(PAIR_MEAN, lambda_tetf=0.125, lambda_rs=0.3)
    label = "CPT (pair mean), lambda_tetf = 0.125, lambda_rs = 0.3"
    assert run(method=half).label == label
    assert run(class_order="name").label == "CPT (pair mean), class_order = name"
    weighted = run(method=CoOp(), balance=Balance(class_weights=True), n_max=8).label
    assert weighted.startswith("CoOp, ") and weighted.endswith("n_max = 8")


def test_menus_offer_only_combinations_that_exist():
    chosen = RUNS[2]
    assert offered(RUNS, chosen) == {
        "dataset": ["food", "travel"],
        "tau": [0.06, 1.0],
        "method": ["Zero-shot", "CoOp", "CPT (pair mean)"],
        "seed": [1, 2],
    }
    assert offered(RUNS, RUNS[5])["method"] == ["IVLP"]
    for one in RUNS:  # whatever is picked from a menu, there is a run
        for field, values in offered(RUNS, one).items():
            for value in values:
                assert value in switched(RUNS, one, field, value).key


def test_methods_are_grouped_by_family_and_by_what_varies_in_them():
    labels = ["CPT w/o TETF", "CoOp", "mine", "CPT (pair mean)", "IVLP + balanced softmax"]
    labels += ["CPT (pair mean), lambda_rs = 0", "CPT (pair mean), cluster_method = spectral"]
    labels += ["Zero-shot"]
    assert grouped(labels, PROFILE) == {
        "neural-collapse losses": ["CPT (pair mean)"],
        "prompt tuning": ["CoOp"],
        "without learned prompts": ["Zero-shot"],
        "CPT without some losses": ["CPT w/o TETF"],
        "CPT with other clusters": ["CPT (pair mean), cluster_method = spectral"],
        "long-tail classics": ["IVLP + balanced softmax"],
        "others": ["mine", "CPT (pair mean), lambda_rs = 0"],
    }


def test_switching_keeps_what_it_can():
    assert switched(RUNS, RUNS[3], "method", "CoOp") is RUNS[1]
    assert switched(RUNS, RUNS[3], "tau", 1.0) is RUNS[4]  # method and seed stay
    assert switched(RUNS, RUNS[4], "tau", 0.06) is RUNS[3]
    assert switched(RUNS, RUNS[3], "dataset", "travel") is RUNS[5]
    with pytest.raises(ValueError, match="No finished run has seed 9"):
        switched(RUNS, RUNS[3], "seed", 9)


def test_first_comes_cpt_and_zero_shot_is_found_beside_it():
    assert first_choice(RUNS) is RUNS[2]
    assert first_choice(RUNS[:2]) is RUNS[1]
    assert zero_shot_of(RUNS, RUNS[3]) is RUNS[0]
    assert zero_shot_of(RUNS, RUNS[4]) is None


def weighted(tetf, cc, rs, method=PAIR_MEAN, **place):
    values = {"lambda_tetf": tetf, "lambda_cc": cc, "lambda_rs": rs}
    return run(method=dataclasses.replace(method, **values), **place)


def test_the_nearest_run_differs_in_weights_alone():
    near, far = weighted(0.25, 0.15, 0.2), weighted(0.25, 0.6, 0.1)
    others = [
        weighted(0.25, 0.15, 0.3, seed=2),
        weighted(0.25, 0.15, 0.3, tau=1.0),
        weighted(0.25, 0.15, 0.3, method=LABELED["CPT (sum)"]),
        weighted(0.25, 0.15, 0.3, class_order="name"),
        run("CoOp"),
    ]
    chosen = RUNS[2]
    runs = [*others, far, near]
    assert nearest(runs, around(chosen.spec, PROFILE), (0.25, 0.15, 0.3)) is near
    assert nearest(runs, around(chosen.spec, PROFILE), (0.25, 0.5, 0.1)) is far
    assert nearest(others, around(chosen.spec, PROFILE), (0.25, 0.15, 0.3)) is None


def test_distances_count_each_weight_in_its_default():
    # 0.1 is one default of L_RS but 0.4 of L_TETF's
    runs = [weighted(0.25, 0.15, 0.1), weighted(0.4, 0.15, 0.2)]
    assert nearest(runs, around(RUNS[2].spec, PROFILE), (0.35, 0.15, 0.14)) is runs[0]
    assert nearest(runs, around(RUNS[2].spec, PROFILE), (0.35, 0.15, 0.18)) is runs[1]


def test_a_loss_that_is_off_has_no_reading_and_ivlp_has_no_loss():
    without = weighted(0.0, 0.15, 0.1, method=LABELED["CPT (sum)"])
    plain = run("IVLP", curve=True)
    runs = [plain, without]
    assert nearest(runs, around(RUNS[2].spec, PROFILE), (0.05, 0.15, 0.1)) is without
    assert nearest(runs, around(RUNS[2].spec, PROFILE), (0.0, 0.0, 0.01)) is plain
    assert nearest(runs, around(plain.spec, PROFILE), (0.0, 0.1, 0.1)) is without


def test_a_loss_that_is_off_keeps_its_reading():
    summed = around(run("CPT (sum)").spec, PROFILE)
    without = weighted(0.0, 0.15, 0.1)  # of the other reading, which means nothing there
    for one in (without, run("IVLP"), run("CoOp")):
        assert around(one.spec, PROFILE, summed.method).method.etf_reduction == "sum"
    assert around(run("IVLP").spec, PROFILE).method.etf_reduction == "pair_mean"
    assert around(RUNS[2].spec, PROFILE, summed.method).method.etf_reduction == "pair_mean"
    raw = dataclasses.replace(PAIR_MEAN, anchor_space="raw")
    kept = around(weighted(0.25, 0.15, 0.0).spec, PROFILE, raw)
    assert kept.method.anchor_space == "raw"


def test_a_run_with_other_weights_differs_in_nothing_else():
    spec = with_weights(around(RUNS[3].spec, PROFILE), (1.0, 0.0, 0.2))
    method = dataclasses.replace(PAIR_MEAN, lambda_tetf=1.0, lambda_cc=0.0, lambda_rs=0.2)
    assert spec == dataclasses.replace(RUNS[3].spec, method=method)
    of_zero_shot = with_weights(around(RUNS[0].spec, PROFILE), (1.0, 0.0, 0.2))
    assert of_zero_shot == dataclasses.replace(spec, seed=1)  # CPT with CPT's schedule


def test_weights_of_cpt_are_the_papers_to_begin_with():
    from cptlab.lab.explore.weights import DEFAULTS, weights_of

    assert weights_of(CPT()) == DEFAULTS == (0.25, 0.15, 0.10)
    assert weights_of(CoOp()) == ()


@pytest.mark.parametrize(
    "one",
    [r for r in RUNS if r.label != "Zero-shot"]
    + [
        weighted(1.0, 0.0, 0.2),
        run(method=CoOp(), balance=Balance(class_weights=True), n_max=8, class_order="permuted"),
        run(dataset="/my own/cats & dogs", template="a drawing of {}."),
    ],
)
def test_the_command_of_a_run_trains_this_run(one, monkeypatch, tmp_path):
    asked = []

    def remember(specs):
        asked.extend(specs)
        raise KeyboardInterrupt

    monkeypatch.setattr("cptlab.lab.runs.ready.require_ready", remember)
    monkeypatch.setattr("cptlab.lab.study.profiles.profile_named", lambda name: PROFILE)
    program, command, *words = shlex.split(command_of(one.spec, PROFILE, tmp_path / "runs"))
    assert (program, command, words[-2:]) == ("cptlab", "run", ["--out", str(tmp_path)])
    CliRunner().invoke(run_command, words)
    assert [spec.run_id for spec in asked] == [one.spec.run_id]
    assert asked == [one.spec]
