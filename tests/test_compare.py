"""`cptlab.compare`, `cptlab.fit`, `cptlab.read_results`: questions of one's own, on own images."""

import dataclasses
import inspect
import json
import re
import shutil
import warnings

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from edited_files import edited
from tiny_data_root import image

import cptlab
from cptlab import CPT
from cptlab.lab.cli.main import commands
from cptlab.lab.compare import Question
from cptlab.lab.compare.comparison import MEAN
from cptlab.lab.runs.frame import runs_frame
from cptlab.lab.runs.queue import RunsFailed
from cptlab.lab.study.comparison import gaps as corrected_gaps
from cptlab.lab.study.intervals import crossed
from cptlab.lab.study.summary import NUMBERS
from cptlab.methods import METHODS
from cptlab.methods.schedule import Schedule

BIRDS = ("owl", "jay", "wren", "tit", "crow", "gull", "swan", "duck")
ASKED = {"profile": "smoke", "epochs": 2, "shots": 2, "jobs": 1, "progress": False}


def folder_of_birds(path, names=BIRDS):
    for number in range(4 * len(names)):
        name = names[number % len(names)]
        image(path / name / f"{number}.png", BIRDS.index(name))
    return path


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    return folder_of_birds(tmp_path_factory.mktemp("own") / "birds")


@pytest.fixture(scope="module")
def fish(tmp_path_factory):
    return folder_of_birds(tmp_path_factory.mktemp("own") / "fish", BIRDS[:6])


@pytest.fixture(scope="module")
def study(birds, fish, tmp_path_factory):
    return cptlab.compare(
        [birds, fish],
        ["coop", CPT(etf_reduction="pair_mean", lambda_rs=0.2)],
        taus="0.5,1",
        seeds="1-3",
        template={"fish": "a drawing of a {}."},
        out=tmp_path_factory.mktemp("out"),
        **ASKED,
    )


def test_the_frame_has_every_run_with_what_was_chosen(study):
    frame = study.frame
    assert len(frame) == 2 * 2 * (1 + 3 + 3)
    varied = "CPT (pair mean), lambda_rs = 0.2"
    assert list(dict.fromkeys(frame["method"])) == ["Zero-shot", "CoOp", varied]
    assert set(frame["dataset"]) == {"birds", "fish"}
    assert set(frame["shots"]) == {2}
    of_cpt = frame[frame["method"] == varied]
    assert set(of_cpt["lambda_rs"]) == {0.2}
    assert set(of_cpt["epochs"]) == {2}
    assert frame[frame["method"] == "CoOp"]["lambda_rs"].isna().all()
    assert set(frame[frame["dataset"] == "fish"]["template"]) == {"a drawing of a {}."}
    assert frame[frame["dataset"] == "birds"]["template"].isna().all()


def test_the_table_is_the_means_and_the_paired_differences(study):
    summary, frame = study.summary(), study.frame
    row = summary.query(
        "dataset == @MEAN and tau == 0.5 and method == 'CoOp' and metric == 'H' and against == ''"
    )
    runs = frame[(frame["method"] == "CoOp") & (frame["tau"] == 0.5)]
    cells = crossed(runs.pivot(index="dataset", columns="seed", values="H").to_numpy())
    expected = [cells.mean, cells.lower, cells.upper, cells.least, cells.most, 6, 2]
    np.testing.assert_allclose(row[NUMBERS].to_numpy(dtype=float)[0], expected)

    varied = "CPT (pair mean), lambda_rs = 0.2"
    gap = summary.query(
        "dataset == 'fish' and tau == 1 and method == @varied and metric == 'tail' "
        "and against == 'CoOp'"
    )
    fish = frame[(frame["dataset"] == "fish") & (frame["tau"] == 1)].set_index(["method", "seed"])
    paired = fish.loc[varied, "tail"] - fish.loc["CoOp", "tail"]
    np.testing.assert_allclose(gap["mean"].item(), paired.mean(), atol=1e-9)
    assert gap[["lower", "upper"]].isna().all(axis=None)  # three runs are too few for a verdict
    assert [gap["least"].item(), gap["most"].item()] == pytest.approx([paired.min(), paired.max()])
    table = study.table()
    assert table.index.names == ["dataset", "tau", "method"]
    assert list(table.xs((MEAN, 0.5), level=[0, 1]).index) == ["Zero-shot", "CoOp", varied]
    assert list(table.columns[-4:]) == [
        "H - Zero-shot",
        "tail - Zero-shot",
        "H - CoOp",
        "tail - CoOp",
    ]
    assert (table.xs("Zero-shot", level="method")["H - CoOp"] == "").all()


def test_a_message_says_no_more_than_the_corrected_differences(study):
    gaps = corrected_gaps(study._runs, ["H"], study.question.against)
    summary = study.summary().query("dataset == @MEAN and metric == 'H' and against == ''")
    for tau, message in zip((0.5, 1), study.messages(), strict=True):
        assert message.startswith(f"H against Zero-shot at τ = {tau:g}: ") or (
            message.startswith(f"H against Zero-shot and CoOp at τ = {tau:g}: ")
        )
        own = summary[summary["tau"] == tau].set_index("method")["mean"]
        ends = [f"{own[name]:.1f} % ({name})" for name in (own.idxmin(), own.idxmax())]
        assert message.endswith(f". Means from {' to '.join(ends)}")
        for gap in gaps[gaps["tau"] == tau].itertuples():
            assert (f"{gap.method} ({gap.mean:+.1f})" in message) == (gap.adjusted <= 0.05)


def test_with_too_few_runs_no_method_is_called_higher(study):
    few = dataclasses.replace(study, results=[r for r in study.results if r.spec.seed == 1])
    for message in few.messages():
        assert re.fullmatch(
            r"H against Zero-shot and CoOp at τ = [\d.]+: too few runs to tell methods apart\. "
            r"Means from .* % \(.*\) to .* % \(.*\)",
            message,
        )


def test_the_text_says_what_stands_in_brackets(study):
    interval, few = "[...]: 95 % interval", "(...): lowest and highest of fewer than 5 runs"
    last = study.as_text().splitlines()[-1]  # zero-shot has two runs
    assert last.startswith(f"{interval}; {few}")
    some = dataclasses.replace(study, results=[r for r in study.results if r.spec.seed < 3])
    last = some.as_text().splitlines()[-1]
    assert last == f"{few}, which is no interval"


def test_every_parameter_of_a_comparison_is_told():
    for function in (cptlab.compare, cptlab.fit):
        given, told = inspect.signature(function).parameters, inspect.getdoc(function)
        assert set(given) <= set(re.findall(r"\w+", told.partition("Args:")[2]))
    fields = [field.name for field in dataclasses.fields(Question)]
    assert fields == list(inspect.signature(cptlab.compare).parameters)[: len(fields)]


def test_files_for_readers_and_for_programs(study, tmp_path):
    folder = study.save(tmp_path / "paper")
    assert {path.name for path in folder.iterdir()} == {
        "runs.csv",
        *(f"table.{kind}" for kind in ("csv", "md", "tex")),
        *(f"{name}.{kind}" for name in ("comparison", "tail") for kind in ("csv", "png", "svg")),
    }
    assert len(pd.read_csv(folder / "runs.csv")) == len(study.frame)
    assert "\\begin{tabular}" in (folder / "table.tex").read_text(encoding="utf-8")
    lines = (folder / "table.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2 + len(study.table())


def test_what_is_stored_is_not_trained_again(study, birds):
    store = study.results[0].folder.parent
    before = {path: path.stat().st_mtime_ns for path in store.glob("*/result.json")}
    asked = {"profile": "smoke", "epochs": 2, "shots": 2}
    again = cptlab.fit(birds, "coop", tau=0.5, seed=2, out=store.parent, **asked)
    assert again.folder.parent == store
    frozen = cptlab.fit(birds, "zero_shot", tau=0.5, seed=1, out=store.parent, **asked)
    assert frozen.spec.method.name == "zero_shot"
    assert {path: path.stat().st_mtime_ns for path in store.glob("*/result.json")} == before


def test_options_left_out_are_those_of_the_method_in_the_profile():
    asked = Question("food,animals", ["coop", METHODS["dekg"], "cpt"], seeds=[1], profile="demo")
    by_label = {label: spec for spec, label in asked.study.items() if spec.dataset == "food"}
    assert by_label["CoOp"].schedule.epochs == 25
    assert by_label["DeKg"].schedule.epochs == 50
    assert by_label["CPT (sum)"].schedule == Schedule(epochs=6, lr=0.001, batch_size=32)
    assert by_label["CPT (sum)"].method == CPT(text_depth=3, vision_depth=4)
    assert asked.against == ("Zero-shot", "CoOp")
    faster = Question("food", "cpt", seeds=1, lr=0.01, epochs=3)
    assert {spec.schedule for spec in faster.study if spec.method.weights()} == {
        Schedule(epochs=3, lr=0.01, batch_size=32)
    }


def test_a_label_of_a_table_is_understood_again(study):
    labels = ", ".join(study.question.chosen)
    asked = Question("food", labels, profile="smoke", reference="CoOp")
    assert list(asked.chosen) == list(study.question.chosen)
    assert Question("food", "coop,ivlp", reference="ivlp").against == ("Zero-shot", "IVLP")
    with pytest.raises(ValueError, match="The reference 'cpt' is several; choose one of"):
        Question("food", "CPT (sum),CPT (pair mean)", reference="cpt").against  # noqa: B018


def test_own_data_sets_transfer_to_the_others_that_are_named(birds, fish):
    asked = Question([birds, fish, "food"], "coop", protocol="transfer", seeds=1)
    targets = {spec.dataset: spec.targets for spec in asked.study}
    assert targets[str(birds)] == (str(fish), "food")
    assert targets["food"] == (str(birds), str(fish))
    family = Question("food,animals", "coop", protocol="transfer", seeds=1)
    assert {spec.targets for spec in family.study} == {()}
    with pytest.raises(ValueError, match="needs another data set to test on"):
        Question([birds], "coop", protocol="transfer").study  # noqa: B018


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"datasets": ["food", "a/food"]}, "Two data sets are called 'food'"),
        ({"datasets": []}, "no data sets to compare on"),
        ({"datasets": "foot"}, "No data set 'foot'.*Did you mean 'food'"),
        ({"methods": []}, "no methods to compare"),
        ({"methods": "coop,cop"}, "Unknown method 'cop'"),
        ({"seeds": "1..3"}, "seeds takes whole numbers"),
        ({"seeds": "3-1"}, "run backwards: write 1-3"),
        ({"shots": 0}, "shots must be 1 or more"),
        ({"datasets": "food,food"}, "food is named twice"),
        ({"methods": "cpt, lambda = 2"}, "no parameter 'lambda'"),
        ({"taus": "2"}, "must lie in"),
        (
            {"reference": "IVLP"},
            "The reference 'IVLP' takes no part; choose one of Zero",
        ),
        ({"template": "a bird"}, "template"),
        ({"template": {"fish": "a {}."}}, "template for 'fish', which is not among"),
        ({"options": {"coop": {"tokens": 2}}}, "no parameter 'tokens'"),
        ({"epochs": 0}, "epochs must be positive"),
        ({"protocol": "few"}, "few"),
        ({"profile": "big"}, "Unknown profile 'big'"),
    ],
)
def test_what_cannot_be_asked_is_told_before_any_work(changes, words, tmp_path):
    values = {"datasets": ["food"], "methods": ["coop"], "profile": "smoke", **changes}
    with pytest.raises(ValueError, match=words):
        cptlab.compare(**values, out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_what_is_skipped_is_told(birds, tmp_path):
    shutil.copytree(birds, tmp_path / "birds")
    (tmp_path / "birds/owl/notes.txt").write_text("seen at night")
    with pytest.warns(UserWarning, match=r"1 skipped .*notes\.txt"):
        cptlab.fit(tmp_path / "birds", "zero_shot", out=tmp_path / "out", profile="smoke")


def test_data_sets_that_are_not_there_are_told_before_others_are_read(birds, tmp_path):
    shutil.copytree(birds, tmp_path / "birds")
    (tmp_path / "birds/owl/notes.txt").write_text("seen at night")
    asked = [tmp_path / "birds", "nofolder", tmp_path / "nothing"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=r"No data set 'nofolder'(.|\n)*nothing"):
            cptlab.compare(asked, "coop", out=tmp_path / "out")


def test_all_problems_of_own_data_are_told_together(birds, fish, tmp_path):
    for source in (birds, fish):
        shutil.copytree(source, tmp_path / source.name)
        (tmp_path / source.name / "owl/0.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"birds: .*0\.png(.|\n)*fish: .*0\.png"):
        cptlab.compare([tmp_path / "birds", tmp_path / "fish"], "coop", out=tmp_path / "out")


def test_a_store_is_read_whatever_it_holds(study, tmp_path):
    store = study.results[0].folder.parent
    shutil.copytree(store, tmp_path / "runs")
    folders = sorted(path.parent for path in (tmp_path / "runs").glob("*/result.json"))
    other = {"name": "of_somebody_else"}
    edited(folders[0] / "result.json", lambda values: values["spec"]["method"].update(other))
    (folders[1] / "result.json").write_text("{")
    with pytest.warns(UserWarning, match=f"1 results .* are left out: {folders[1].name}"):
        frame = cptlab.read_results(tmp_path)  # the folder that --out was given
    assert len(frame) == len(study.frame) - 1
    assert "of_somebody_else" in set(frame["method"])
    whole = cptlab.read_results(store)
    assert len(whole) == len(study.frame)
    np.testing.assert_allclose(sorted(whole["H"]), sorted(study.frame["H"]))
    with pytest.raises(FileNotFoundError, match="holds no finished runs"):
        cptlab.read_results(tmp_path / "nowhere")


def test_the_command_refuses_options_of_no_method(birds, tmp_path):
    words = ["compare", str(birds), "--methods", "coop", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(commands, [*words, "--set", "epochs=2"])
    assert "takes method.name=value" in str(done.exception)
    done = CliRunner().invoke(commands, ["compare", "nofolder", *words[2:]])
    assert "No data set 'nofolder'" in str(done.exception) and "go to" not in done.output
    done = CliRunner().invoke(commands, [*words, "--template", "a bird."])
    assert "template" in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_a_dry_run_does_nothing(birds, tmp_path):
    words = ["compare", str(birds), "--methods", "coop", "--profile", "smoke", "--dry-run"]
    done = CliRunner().invoke(commands, [*words, "--list", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert done.output.count("missing  birds-coop-tau0.06-seed") == 3
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_command_leaves_table_figures_and_notebook(birds, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(birds, "birds")
    words = ["compare", "birds", "--methods", "coop,CPT (pair mean)", "--seeds", "1,2"]
    words += ["--profile", "smoke", "--epochs", "2", "--shots", "2", "--jobs", "1"]
    words += ["--set", "cpt.lambda_rs=0.2", "--template", "birds=a bird, a {}.", "--out", "mine"]
    done = CliRunner().invoke(commands, words)
    assert done.exit_code == 0, f"{done.output}{done.exception!r}"
    # among the methods, in the table of accuracies and in that of differences
    assert done.output.count("CPT (pair mean), lambda_rs = 0.2") >= 3
    assert (tmp_path / "mine/figures/comparison.png").stat().st_size > 10_000
    page = (tmp_path / "mine/site/notebooks/compare.html").read_text(encoding="utf-8")
    alts = re.findall(r'<img alt="([^"]*)"', page)
    assert len(alts) == 2 and all("τ = 0.06" in alt for alt in alts)
    assert set(cptlab.read_results("mine")["template"]) == {"a bird, a {}."}


def test_a_failed_run_is_told_and_the_others_stay(birds, tmp_path):
    with pytest.raises(RunsFailed, match="1 of 2 runs failed"):
        cptlab.compare(birds, "coop", seeds=1, lr=1e30, out=tmp_path, **ASKED)
    assert set(cptlab.read_results(tmp_path)["method"]) == {"zero_shot"}


def test_a_name_that_is_taken_gets_its_kind_before_it(study):
    stored = json.loads(json.dumps([result.details for result in study.results[:2]]))
    stored[0]["metrics"]["targets"] = 50.0
    stored[1]["spec"]["method"]["seconds"] = 7
    frame = runs_frame(stored)
    assert frame.columns.is_unique
    assert frame["targets"].dropna().tolist() == [50.0]
    assert frame["spec.targets"].tolist() == [(), ()]
    assert frame["method.seconds"].dropna().tolist() == [7]
