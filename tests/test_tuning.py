"""How hyper-parameters are chosen: alike for all methods, never on test data or new classes."""

import dataclasses
import json

import pandas as pd
import pytest
from click.testing import CliRunner
from tiny_data_root import own_folder

from cptlab.data import open_dataset, open_task
from cptlab.emoji.catalog import TEST_VENDORS
from cptlab.lab.cli.main import commands
from cptlab.lab.runs.finished import Result
from cptlab.lab.study import lineup, tuning
from cptlab.lab.study.profiles import FULL, PROFILES
from cptlab.methods import CPT, METHODS, CoOp, Method
from cptlab.methods.schedule import Schedule

EVERY = lineup.tuned(FULL)


def test_every_method_gets_as_many_configurations():
    study = tuning.tuning(FULL, EVERY)
    cells = len(tuning.DATASETS) * len(tuning.SEEDS)
    labels = list(study.values())
    assert {labels.count(name) for name in EVERY} == {tuning.CONFIGURATIONS * cells}
    assert set(labels) == set(EVERY)
    assert {(spec.tau, spec.class_order) for spec in study} == {(tuning.TAU, "permuted")}


def test_no_test_image_no_new_class_and_no_seed_of_a_study_is_looked_at():
    study = tuning.tuning(FULL, EVERY)
    assert {spec.protocol for spec in study} == {"tuning"}
    designs = [d for p in PROFILES.values() for d in (p.comparison, p.details, p.transfer)]
    assert not {spec.seed for spec in study} & {seed for design in designs for seed in design.seeds}
    for name in tuning.DATASETS:
        new = open_dataset(name).halves()[1].class_names
        for half in open_task(name, "tuning").tests.values():
            seen = {sample.key.split("/")[1] for sample in (*half.train, *half.test)}
            assert not seen & set(TEST_VENDORS)
            assert not set(half.class_names) & set(new)


def test_the_published_schedule_is_among_them():
    for method in EVERY.values():
        own = FULL.schedule_of(method, "base_to_new", "food")
        tried = tuning.configurations(method, own)
        assert own in [schedule for _, schedule in tried]
        assert len({(m, s) for m, s in tried}) == tuning.CONFIGURATIONS


@pytest.mark.parametrize(
    ("own", "lengths"),
    [
        (Schedule(epochs=3), {3, 12}),
        (Schedule(epochs=12), {12, 48}),
        (Schedule(epochs=25), {25, 7}),
        (Schedule(epochs=6, steps_per_shot=32), {6}),
    ],
)
def test_short_schedules_are_tried_longer_and_long_ones_shorter(own, lengths):
    schedules = [schedule for _, schedule in tuning.configurations(CoOp(), own)]
    assert {s.epochs for s in schedules} == lengths
    steps = {s.steps_per_shot for s in schedules}
    assert steps == ({32, 8} if own.steps_per_shot else {0})


def test_weights_of_cpt_count():
    own = FULL.schedule_of(CPT(), "base_to_new", "food")
    tried = tuning.configurations(CPT(etf_reduction="pair_mean"), own)
    assert {m.lambda_tetf for m, _ in tried} == {0.25, 1.0, 4.0}
    assert {s.lr for _, s in tried} == {own.lr, float(f"{own.lr / 3:.3g}")}
    assert {s.epochs for _, s in tried} == {own.epochs}


def test_what_cannot_be_tuned_is_told():
    own = FULL.schedule_of(CoOp(), "base_to_new", "food")
    with pytest.raises(ValueError, match="zero_shot trains nothing"):
        tuning.configurations(METHODS["zero_shot"](), own)
    assert not tuning.can_be_tuned(METHODS["zero_shot"]())

    @dataclasses.dataclass(frozen=True)
    class Two(Method):
        text_tokens: int = 1

        def searched(self):
            return {"text_tokens": (1, 2)}

    with pytest.raises(ValueError, match="4 configurations, others in 6"):
        tuning.configurations(Two(), own)


def test_the_best_mean_of_each_method_is_chosen(tmp_path):
    study = tuning.tuning(FULL, {"CoOp": CoOp(), "CPT": CPT(etf_reduction="pair_mean")}, ("food",))
    results = []
    for i, spec in enumerate(study):  # seeds are innermost: their mean counts
        value = {"H": 50.0 + i % 2 + (5 if 6 <= i < 8 else 0), "base": 1.0, "new": 2.0}
        results.append(Result(spec, {"metrics": value}, tmp_path))
    table = tuning.summary(study, results)
    assert table["chosen"].tolist() == [True, *[False] * 5] * 2
    best = table[table["chosen"]].set_index("method")
    assert best.loc["CoOp", "H"] == 55.5 and best.loc["CPT", "H"] == 50.5
    assert (table["runs"] == 2).all()
    fourth = list(study)[6].schedule
    assert best.loc["CoOp", list(tuning.SCHEDULE)].tolist() == [fourth.lr, fourth.epochs, 0]
    assert set(json.loads(best.loc["CPT", "options"])) == {"lambda_tetf"}


def test_a_method_that_trains_nothing_has_no_rate(tmp_path):
    methods = {"CoOp": CoOp(), "Tip-Adapter": METHODS["tip_adapter"]()}
    study = tuning.tuning(FULL, methods, ("food",), (101,))
    value = {"H": 100 / 3, "base": 1.0, "new": 2.0}
    results = [Result(spec, {"metrics": value}, tmp_path) for spec in study]
    table = tuning.summary(study, results)
    assert table["method"].value_counts().to_dict() == dict.fromkeys(methods, tuning.CONFIGURATIONS)
    plain = table["method"] == "Tip-Adapter"
    assert table.loc[plain, list(tuning.SCHEDULE)].isna().all(axis=None)
    assert set(json.loads(table.loc[plain, "options"].iloc[0])) == {"alpha", "beta"}
    (line,) = (one for one in tuning.best_as_text(table).splitlines() if "Tip-" in one)
    assert "NaN" not in line and "NA" not in line
    tuning.store(table, tmp_path / "figures/tuned.csv")
    again = pd.read_csv(tmp_path / "figures/tuned.csv")
    rates = {spec.schedule.lr for spec in study if study[spec] == "CoOp"}
    assert set(again.loc[~plain, "lr"]) == rates
    assert again.loc[plain, list(tuning.SCHEDULE)].isna().all(axis=None)
    assert (again["H"] == 100 / 3).all()


# --------------------------------------------------------------------------------------- command


@pytest.fixture
def tune(tmp_path):
    """What `cptlab tune` would do on eight classes of one's own: its text, or its error."""
    for side in ("train", "val", "test"):
        own_folder(
            tmp_path / "beasts" / side, [f"{one} {i}" for one in ("ox", "yak") for i in "1234"]
        )

    def call(*options: str) -> str:
        line = ["tune", str(tmp_path / "beasts"), "--profile", "smoke", "--seeds", "101"]
        line += ["--out", str(tmp_path / "out"), "--dry-run", *options]
        done = CliRunner().invoke(commands, line)
        return f"{done.output}{done.exception or ''}"

    return call


def test_zero_shot_alone_is_refused(tune):
    said = tune("--methods", "zero_shot")
    assert "There is nothing to tune of Zero-shot" in said and "go to" not in said


def test_what_has_nothing_to_tune_is_left_out_by_name(tune):
    said = tune("--methods", "zero_shot,coop")
    assert "Left out, as there is nothing to tune: Zero-shot" in said
    assert "6 runs of 1 method go to" in said


def test_methods_that_need_more_classes_are_left_out_unless_named(tune):
    said = tune()
    for label in ("DPC (CoOp)", "DPC (MaPLe)"):
        assert f"Left out: {label}, which draws more hard negatives than beasts has" in said
    tried = len(lineup.tuned(PROFILES["smoke"])) - 2
    assert f"{6 * tried} runs of {tried} methods go to" in said
    said = tune("--methods", "DPC (CoOp)")
    assert (
        "beasts: Method dpc draws 8 hard negatives for each image, but there are 2 classes" in said
    )
    assert "go to" not in said


def test_the_best_are_shown_with_their_rates():
    row = {"method": "CoOp", "lr": 0.0033, "epochs": 6, "steps_per_shot": 0, "options": "{}"}
    row |= {"H": 50.26, "base": 60.0, "new": 43.2, "runs": 4, "chosen": True}
    table = pd.DataFrame([row, row | {"lr": 0.01, "chosen": False}])
    (_, line) = tuning.best_as_text(table).splitlines()
    assert line.split()[:2] == ["CoOp", "0.0033"] and "50.3" in line
