"""The command line: what it lists, and one clear line for whatever is wrong."""

import json
import os
import re
import subprocess
import sys

import pytest
from edited_files import edited

from cptlab import __version__
from cptlab.clip import loading
from cptlab.data.paper import ROWS
from cptlab.lab.bench import forecast, speed
from cptlab.lab.cli import batch
from cptlab.lab.cli import main as cli
from cptlab.lab.runs import inputs, results
from cptlab.lab.runs import one_pass as execution
from cptlab.lab.runs import queue as runs
from cptlab.lab.study.lineup import methods
from cptlab.lab.study.notebooks import STUDIES
from cptlab.lab.study.outcomes import run_study
from cptlab.lab.study.profiles import DEMO, SMOKE
from cptlab.lab.workspace import workspace
from cptlab.methods import ZeroShot
from cptlab.training.spec import spec_from_dict


@pytest.fixture(autouse=True)
def given_times(monkeypatch):
    """Nothing is timed for a forecast."""
    given = speed.StepTimes(0.002, 0.001, 0.0003, "this machine", 0.01)
    monkeypatch.setattr(speed, "this_machine", lambda: given)
    monkeypatch.setattr(forecast, "reading", lambda task: 0.0)
    speed.times_of.cache_clear()
    yield
    speed.times_of.cache_clear()


@pytest.fixture
def cptlab(monkeypatch, capsys):
    """Calls `cptlab ARGUMENTS`; gives exit status, stdout and stderr."""

    monkeypatch.setenv("CPTLAB_DATA", "")

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cptlab", *map(str, arguments)])
        try:
            cli.main()
            status = 0
        except SystemExit as end:
            status = end.code or 0
        return status, *capsys.readouterr()

    return call


@pytest.fixture
def no_work(monkeypatch):
    """Fails the test if anything is trained or any notebook is executed."""

    def refuse(*args, **kwargs):
        raise AssertionError("a dry run must not do anything")

    monkeypatch.setattr(batch, "run", refuse)
    monkeypatch.setattr(batch, "execute_notebook", refuse)


# ----------------------------------------------------------------------------------- cptlab figures


def test_dry_run_sums_up_and_does_nothing(cptlab, tmp_path, no_work):
    arguments = ("figures", "--profile", "smoke", "--dry-run", "--out", tmp_path)
    status, short, _ = cptlab(*arguments)
    assert status == 0
    expected = {s.run_id for study in STUDIES.values() for s in study(SMOKE)}
    status, out, _ = cptlab(*arguments, "--list")
    assert status == 0
    first, second, *rest = short.splitlines()
    assert first == "Profile smoke: listing its runs."
    looking = f"{len(expected)} runs; looking at what is done in {tmp_path / 'runs'}."
    assert second == f"Profile smoke: {looking}"
    assert out.endswith("\n".join([*rest, ""])) and "missing" not in short
    listed = [line for line in out.splitlines() if line.startswith("missing ")]
    assert {line.split()[1] for line in listed} == expected
    assert len(listed) == len(expected)
    *_, table, note, summary = short.splitlines()
    assert table.split()[:2] == ["all", str(len(expected))]
    assert note == "Minutes of one run after another, on: this machine."
    assert summary.startswith(
        f"Profile smoke: {len(expected)} runs, 0 done, {len(expected)} to do in about "
    )
    assert f"then {len(STUDIES)} notebooks" in summary
    assert list(tmp_path.iterdir()) == []


def test_dry_run_of_one_notebook_knows_what_is_done(cptlab, tmp_path, no_work):
    done = SMOKE.spec("activities", methods(SMOKE)["Zero-shot"], 0.06, 1)
    runs.execute([done], tmp_path / "runs")
    arguments = ("--profile", "smoke", "--dry-run", "--list", "--out", tmp_path, "--jobs", 1)
    status, out, _ = cptlab("figures", "00", *arguments)
    assert status == 0
    assert f"done     {done.run_id}" in out
    assert "Profile smoke: 3 runs, 1 done, 2 to do in about" in out
    assert "with 1 job, then 1 notebook" in out


def test_finished_shows_what_is_there_and_trains_nothing(cptlab, tmp_path, monkeypatch):
    study = STUDIES["00_tour"](SMOKE)
    done = SMOKE.spec("activities", methods(SMOKE)["Zero-shot"], 0.06, 1)
    arguments = ("figures", "00", "--profile", "smoke", "--out", tmp_path, "--finished")
    status, _, err = cptlab(*arguments)
    assert status == 1 and "None of these 3 runs is finished" in err and "--finished" in err
    with pytest.raises(ValueError, match="None of 3 runs is finished"):
        run_study(study, tmp_path / "runs", jobs=0)

    runs.execute([done], tmp_path / "runs")
    results, table = run_study(study, tmp_path / "runs", jobs=0)
    assert list(results) == ["Zero-shot"] and list(table["seed"]) == [1]

    given = []
    monkeypatch.setattr(
        batch, "execute_notebook", lambda name, values, folder: given.append(values)
    )
    monkeypatch.setattr(batch, "build_site", lambda *arguments: [])
    monkeypatch.setattr(batch, "Parallel", lambda **_: in_this_process)
    status, out, _ = cptlab(*arguments)
    assert status == 0 and "1 runs, 1 done, 0 to do" in out
    assert [values["jobs"] for values in given] == [0]
    status, out, _ = cptlab("figures", "09", "13", *arguments[1:])  # 09 is of published numbers
    assert status == 0 and "No run is finished of 13_few_shot: left out." in out
    assert len(given) == 3 and "then 2 notebooks" in out


def in_this_process(calls):
    return [call(*positional, **named) for call, positional, named in calls]


def test_the_plan_sums_methods_up_by_their_rows(tmp_path):
    """Whatever a study varies of them."""
    plan = batch.plan(DEMO, ["03", "05"], workspace("demo", tmp_path), 1)
    labels = set(batch.labels_of(plan).values())
    assert "CPT (pair mean)" in labels and not any("lambda" in label for label in labels)


def test_a_plan_looks_once_at_every_stored_result(tmp_path, monkeypatch):
    looks, examined = [], results._examined

    def counted(store, spec, content):
        looks.append(spec)
        return examined(store, spec, content)

    monkeypatch.setattr(results, "_examined", counted)
    plan = batch.plan(SMOKE, ["00", "06"], workspace("smoke", tmp_path), 1)
    assert len(looks) == len(plan.runs) == len(plan.todo) > 3
    done = SMOKE.spec("activities", methods(SMOKE)["Zero-shot"], 0.06, 1)
    runs.execute([done], tmp_path / "runs")
    looks.clear()
    assert len(runs.run([done, done], tmp_path / "runs")) == 2
    assert looks == [done]


def test_the_estimate_uses_runs_that_were_timed(tmp_path):
    folders = workspace("smoke", tmp_path)
    done = next(spec for spec, name in STUDIES["06_base_to_new"](SMOKE).items() if name == "CoOp")
    runs.execute([done], folders.runs)
    path = folders.runs / done.run_id / "result.json"
    took = {"pass": {"replicas": 1, "seconds": 6000}}
    edited(path, lambda values: values.update(took))
    before = batch.plan(SMOKE, ["06_base_to_new"], workspace("smoke", tmp_path / "new"), 1)
    after = batch.plan(SMOKE, ["06_base_to_new"], folders, 1)
    assert len(after.todo) == len(before.todo) - 1
    # the other seed is now expected to take 100 minutes
    assert after.forecast.seconds - before.forecast.seconds > 99 * 60


# --------------------------------------------------------------------------------------- cptlab run


def test_run_prints_and_stores(cptlab, tmp_path, monkeypatch):
    arguments = ("run", "--method", "zero_shot", "--dataset", "activities", "--out", tmp_path)
    status, out, _ = cptlab(*arguments)
    assert status == 0
    resolved, end = json.JSONDecoder().raw_decode(out)
    wanted = spec_from_dict(resolved)
    assert wanted.method == ZeroShot()
    result = results.load_result(tmp_path / "runs", wanted)
    for name, value in result.metrics.items():
        own = {"effective_rank": "dimensions", "drift_degrees": "degrees"}
        unit = own.get(name, "nats" if "nll" in name else "%")
        assert re.search(rf"{name} +{value:.2f} {unit}\n", out[end:])
    assert {"base_nll", "effective_rank", "base_ece"} <= result.metrics.keys()
    # A second time it only reports.
    monkeypatch.setattr(runs, "execute", None)
    done = f"This run is already done, stored in {result.folder}: nothing is trained.\n"
    assert cptlab(*arguments) == (0, out[:end] + "\n" + done + out[end + 1 :], "")


def test_run_sets_hyper_parameters(cptlab, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(results, "load_result", lambda store, spec, *_: seen.append(spec) or 1 / 0)
    options = ("lambda_rs=0.5", "etf_reduction=pair_mean", "anchor_templates=('the {}.',)")
    flags = [part for option in options for part in ("--set", option)]
    with pytest.raises(ZeroDivisionError):
        cptlab("run", "--tau", "1", "--seed", 7, *flags, "--out", tmp_path)
    (wanted,) = seen
    assert (wanted.dataset, wanted.tau, wanted.seed) == ("food", 1, 7)
    method = wanted.method
    assert (method.lambda_rs, method.lambda_tetf) == (0.5, 0.25)
    assert (method.etf_reduction, method.anchor_templates) == ("pair_mean", ("the {}.",))
    assert (method.text_depth, method.vision_depth) == (3, 4)  # of the demo profile


# ------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "figures --profile huge",
            "Unknown profile 'huge'; choose one of smoke, demo, full, paper",
        ),
        ("figures 99 --profile smoke", "Unknown notebook '99'; choose from 00_tour, 01_"),
        ("run --method ctp", "Unknown method 'ctp'; choose one of zero_shot, linear_probe, "),
        ("run --profile huge", "Unknown profile 'huge'"),
        (
            "run --dataset foods --out OUT",
            "No data set 'foods': there is no folder of this name",
        ),
        ("run --dataset imagenet --out OUT", "The paper's data sets are read from a folder, but"),
        (
            "run --dataset imagenet_a --out OUT",
            "'imagenet_a' has test images only, nothing to learn",
        ),
        ("run --tau 0", "The imbalance ratio tau must lie in (0, 1], got 0.0"),
        ("run --set nonsense", "--set takes name=value, got 'nonsense'"),
        ("run --set lamda_rs=1", "CPT has no parameter 'lamda_rs'. Did you mean 'lambda_rs'?"),
        ("run --set name=coop", "CPT has no parameter 'name'"),
        ("run --set lambda_rs=big", "CPT.lambda_rs is 'big', but must be float"),
        ("run --set lambda_rs=1e999", "CPT.lambda_rs is inf, but must be finite"),
        ("run --set text_tokens=500 --out OUT", "500 text tokens leave no room for a class name"),
        (
            "run --set text_tokens=28 --out OUT",
            "this name has 2 tokens, and EmojiCLIP has room for 1",
        ),
        ("run --set etf_reduction=max", "CPT.etf_reduction is 'max', but must be one of sum, pair"),
        ("run --method coop --set text_depth=3", "CoOp has no parameter 'text_depth'"),
        ("run --dataset activities --set n_clusters=77 --out OUT", "Cannot make 77 clusters of 40"),
        ("run --dataset activities --set text_depth=9 --out OUT", "text tower of EmojiCLIP has 4"),
    ],
)
def test_bad_input_is_one_line_and_status_1(arguments, message, cptlab, tmp_path):
    status, _, err = cptlab(*arguments.replace("OUT", str(tmp_path)).split())
    assert status == 1
    assert err.startswith(f"cptlab: {message}") or (err.startswith("cptlab: ") and message in err)
    assert err.count("\n") == 1 and len(err) < 600
    assert not list(tmp_path.rglob("result.json"))


@pytest.mark.parametrize("dry", [["--dry-run"], []])
def test_the_paper_profile_says_what_it_lacks(dry, cptlab, tmp_path, no_work):
    arguments = ("figures", "06", "07", "--profile", "paper", *dry, "--out", tmp_path)
    status, out, err = cptlab(*arguments)
    assert (status, err.count("\n")) == (1, 1)
    assert ("to do in about" in out) == bool(dry)  # the plan needs neither data nor weights
    assert err.startswith("cptlab: The paper's data sets are read from a folder, but none is named")
    status, _, err = cptlab(*arguments, "--data-root", tmp_path)
    assert status == 1
    assert all(f"Data set '{name}' needs" in err for name in ROWS)  # all at once, not one per try
    assert err.count("\n") == len(ROWS)


def test_missing_weights(cptlab, tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "EMOJI_WEIGHTS", tmp_path / "EmojiCLIP.safetensors")
    inputs.cached_backbone.cache_clear()
    status, _, err = cptlab("figures", "--profile", "smoke", "--dry-run", "--out", tmp_path)
    assert status == 1
    assert err.startswith(f"cptlab: No weights at {tmp_path / 'EmojiCLIP.safetensors'}")


def test_an_output_folder_that_cannot_be(cptlab, tmp_path, monkeypatch):
    monkeypatch.setattr(execution, "train", None)  # it is found out before training
    (tmp_path / "file").write_text("")
    arguments = ("--method", "zero_shot", "--dataset", "activities")
    status, _, err = cptlab("run", *arguments, "--out", tmp_path / "file")
    assert (status, err.count("\n")) == (1, 1)
    assert err.startswith("cptlab: ") and str(tmp_path / "file") in err


def test_an_interrupted_batch_says_how_to_go_on(cptlab, tmp_path, monkeypatch):
    def interrupt(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(batch, "run", interrupt)
    status, _, err = cptlab("figures", "00", "--profile", "smoke", "--out", tmp_path)
    assert status == 130
    assert "finished runs are kept, start again to go on" in err


@pytest.mark.parametrize(
    "arguments",
    [
        "run --bogus",
        "figures --jobs 0",
        "figures --jobs many",
        "dance",
        "run --tau x",
        "bench --precision fp16",
        "bench --rounds 0",
    ],
)
def test_wrong_usage_is_explained(arguments, cptlab):
    status, _, err = cptlab(*arguments.split())
    assert status == 2
    assert "Usage: " in err and "Error: " in err


def test_version(cptlab):
    assert cptlab("--version")[:2] == (0, f"cptlab, version {__version__}\n")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores are assigned on Linux")
def test_by_default_as_many_jobs_as_cores_that_one_may_use():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from cptlab.lab.cli.main import commands\n"
        "names = ('figures', 'tune', 'compare')\n"
        "all_of = [p for name in names for p in commands.commands[name].params]\n"
        "print([p.default for p in all_of if p.name == 'jobs'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[1, 1, 1]\n"
