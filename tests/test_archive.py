"""Results that went through an archive give the same tables; what it left out is named."""

import tarfile

import pandas as pd
import pytest
from click.testing import CliRunner
from golden_study import RUNS, rebuilt, study

from cptlab.lab import workspace as lab_workspace
from cptlab.lab.cli.main import commands
from cptlab.lab.runs import archive
from cptlab.lab.runs.one_pass import execute
from cptlab.lab.runs.results import load_result, missing, table
from cptlab.lab.study.lineup import methods
from cptlab.lab.study.profiles import SMOKE

STUDY = study()
KEPT = next(iter(STUDY))


@pytest.fixture
def packed(tmp_path):
    file = tmp_path / "results.tar.xz"
    archive.pack([load_result(RUNS, spec) for spec in STUDY], file, [KEPT])
    return file


def test_tables_and_figures_are_rebuilt_from_an_archive(packed, tmp_path):
    store = tmp_path / "store"
    assert archive.unpack(packed, store) == {spec.run_id: True for spec in STUDY}
    assert missing(list(STUDY), store) == []
    assert rebuilt(store, tmp_path / "a") == rebuilt(RUNS, tmp_path / "b")
    again = [table(load_result(where, spec) for spec in STUDY) for where in (store, RUNS)]
    pd.testing.assert_frame_equal(*again)


def test_the_same_results_are_the_same_bytes_whatever_their_order(packed, tmp_path):
    other = tmp_path / "other.tar.xz"
    archive.pack([load_result(RUNS, spec) for spec in reversed(STUDY)], other, [KEPT])
    assert other.read_bytes() == packed.read_bytes()


def test_prompts_come_only_for_the_runs_that_asked(packed, tmp_path):
    archive.unpack(packed, tmp_path)
    prompts = [path.parent.name for path in tmp_path.glob("*/prompts.safetensors")]
    assert prompts == [KEPT.run_id]
    other = list(STUDY)[1]
    with pytest.raises(ValueError, match=rf"{other.run_id} came from an archive.*delete .*again"):
        load_result(tmp_path, other).model()


def test_what_came_without_prompts_is_packed_without_them_again(packed, tmp_path):
    archive.unpack(packed, tmp_path / "store")
    again = tmp_path / "again.tar.xz"
    archive.pack([load_result(tmp_path / "store", spec) for spec in STUDY], again, list(STUDY))
    assert again.read_bytes() == packed.read_bytes()


def test_an_archive_needs_a_folder(tmp_path):
    with pytest.raises(ValueError, match=r"There is no folder .*nowhere: make it, or choose"):
        archive.pack([], tmp_path / "nowhere/results.tar.xz")
    assert not (tmp_path / "nowhere").exists()


def test_runs_that_are_there_stay_as_they_are(packed, tmp_path):
    store = tmp_path / "store"
    archive.unpack(packed, store)
    path = store / KEPT.run_id / "result.json"
    path.write_text('{"mine": 1}')
    assert not any(archive.unpack(packed, store).values())
    assert path.read_text() == '{"mine": 1}'


@pytest.mark.parametrize("damaged", ["", '{"spec": {"data'])
def test_damaged_results_are_replaced(packed, tmp_path, damaged):
    store = tmp_path / "store"
    archive.unpack(packed, store)
    path = store / KEPT.run_id / "result.json"
    whole = path.read_bytes()
    path.write_text(damaged)
    assert sum(archive.unpack(packed, store).values()) == 1
    assert path.read_bytes() == whole


def test_what_is_no_archive_is_named(packed, tmp_path):
    with pytest.raises(ValueError, match=r"There is no archive .*nowhere"):
        archive.unpack(tmp_path / "nowhere", tmp_path)
    cut = tmp_path / "cut"
    cut.write_bytes(packed.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"cut is not a whole archive of results"):
        archive.unpack(cut, tmp_path / "store")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../result.json", tarfile.REGTYPE),
        ("{tmp}/outside/result.json", tarfile.REGTYPE),
        ("a-run/notes.txt", tarfile.REGTYPE),
        ("a-run/deeper/result.json", tarfile.REGTYPE),
        ("a-run", tarfile.DIRTYPE),
        ("a-run/result.json", tarfile.SYMTYPE),
    ],
)
def test_an_archive_brings_results_into_the_store_and_nothing_else(tmp_path, name, kind):
    member = tarfile.TarInfo(name.format(tmp=tmp_path))
    member.type = kind
    with tarfile.open(tmp_path / "evil", "w:xz") as tar:
        tar.addfile(member)
    with pytest.raises(ValueError, match=r"evil holds .*, which is no result"):
        archive.unpack(tmp_path / "evil", tmp_path / "store")
    assert [path.name for path in tmp_path.iterdir()] == ["evil"]


def test_the_commands_say_how_many(tmp_path, packed):
    run = CliRunner().invoke
    command = ["results", "unpack", str(packed), "--out", str(tmp_path / "o")]
    told = run(commands, command)
    assert f"Unpacking {packed} into {tmp_path / 'o/runs'}.\n" in told.output
    assert f"{len(STUDY)} of {len(STUDY)} results were new." in told.output
    assert "None of them is a run of a profile as it comes" in told.output
    assert f"0 of {len(STUDY)} results were new." in run(commands, command).output
    nothing = run(commands, ["results", "pack", "x", "--profile", "smoke", "--out", str(tmp_path)])
    assert "No run of profile smoke is finished" in str(nothing.exception)


@pytest.fixture
def of_smoke(tmp_path):
    """An archive of one run, which is the profile smoke's."""
    store = tmp_path / "smoke"
    spec = SMOKE.spec("activities", methods(SMOKE)["Zero-shot"], 0.06, 1)
    execute([spec], store)
    archive.pack([load_result(store, spec)], tmp_path / "smoke.tar.xz")
    return str(tmp_path / "smoke.tar.xz")


def test_unpacking_says_which_command_uses_the_runs(of_smoke, tmp_path, monkeypatch):
    run, out = CliRunner().invoke, str(tmp_path / "o")
    told = run(commands, ["results", "unpack", of_smoke, "--profile", "smoke", "--out", out])
    assert f"`cptlab figures --profile smoke --out {out}` uses 1 of them.\n" in told.output
    # another profile has the run as well; of paper's runs it is none
    told = run(commands, ["results", "unpack", of_smoke, "--profile", "paper", "--out", out])
    assert f"`cptlab figures --profile smoke --out {out}` uses 1 of them.\n" in told.output
    # outside of a checkout, each profile has a folder of its own
    monkeypatch.setattr(lab_workspace, "IN_CHECKOUT", False)
    monkeypatch.chdir(tmp_path)
    told = run(commands, ["results", "unpack", of_smoke, "--profile", "paper"]).output
    elsewhere = tmp_path / "cptlab-out/smoke/runs"
    assert f"but looks in {elsewhere}: unpack them again with --profile smoke." in told


def test_the_folder_of_runs_is_not_the_one_around_it(of_smoke, tmp_path):
    """Or results would lie in runs/runs, and be trained again."""
    run, out = CliRunner().invoke, tmp_path / "o"
    run(commands, ["results", "unpack", of_smoke, "--out", str(out)])
    for command in (["results", "unpack", of_smoke], ["figures", "--dry-run"]):
        done = run(commands, [*command, "--out", str(out / "runs")])
        assert isinstance(done.exception, ValueError)
        assert f"holds runs itself, and --out names the folder around `runs`: give {out}." in str(
            done.exception
        )


def test_a_corrupt_archive_is_named_and_leaves_nothing(packed, tmp_path):
    content = bytearray(packed.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = bytes(b ^ 255 for b in content[middle : middle + 40])
    packed.write_bytes(content)
    store = tmp_path / "new/store"
    with pytest.raises(ValueError, match=r"results.tar.xz is not a whole archive of results"):
        archive.unpack(packed, store)
    assert not store.exists()
    assert list(store.parent.iterdir()) == []
