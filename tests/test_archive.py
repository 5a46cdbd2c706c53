"""Results that went through an archive give the same tables; what it left out is named."""

import lzma
import tarfile

import pandas as pd
import pytest
from click.testing import CliRunner
from edited_files import edited
from golden_study import RUNS, rebuilt, study

from cptlab.lab import workspace as lab_workspace
from cptlab.lab.cli.main import commands
from cptlab.lab.runs import archive
from cptlab.lab.runs.one_pass import execute
from cptlab.lab.runs.results import load_result, missing, table
from cptlab.lab.study.lineup import methods
from cptlab.lab.study.profiles import SMOKE
from cptlab.methods import CoOp
from cptlab.training.spec import RunSpec

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
    edited(path, lambda values: values.update(seconds=1.5))
    mine = path.read_bytes()
    assert not any(archive.unpack(packed, store).values())
    assert path.read_bytes() == mine


@pytest.mark.parametrize("name", ["result.json", "prompts.safetensors"])
@pytest.mark.parametrize("damaged", ["", '{"spec": {"data'])
def test_damaged_results_are_replaced(packed, tmp_path, name, damaged):
    store = tmp_path / "store"
    archive.unpack(packed, store)
    path = store / KEPT.run_id / name
    whole = path.read_bytes()
    path.write_text(damaged)
    (path.parent / "predictions.npz").write_text("of the damaged result")
    assert sum(archive.unpack(packed, store).values()) == 1
    assert path.read_bytes() == whole
    assert not (path.parent / "predictions.npz").exists()


def test_what_is_no_archive_is_named(packed, tmp_path):
    with pytest.raises(ValueError, match=r"There is no archive .*nowhere"):
        archive.unpack(tmp_path / "nowhere", tmp_path)
    cut = tmp_path / "cut"
    cut.write_bytes(packed.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"cut is not an archive of results"):
        archive.unpack(cut, tmp_path / "store")
    assert not (tmp_path / "store").exists()


RUN = "food-coop-tau0.5-seed1-0123456789"


def member(name: str = f"{RUN}/result.json", content: bytes = b"{}", **changes) -> bytes:
    """A tar header and what follows it."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in changes.items():
        setattr(info, key, value)
    blocks = content + bytes(-len(content) % 512)
    return info.tobuf(tarfile.PAX_FORMAT) + blocks


def size_of(number: bytes) -> bytes:
    """A header with any bytes for the size."""
    header = bytearray(member()[:512])
    header[124:136] = number.ljust(12, b"\0")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + b"{}".ljust(512, b"\0")


SPARSE = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": f"{RUN}/result.json"}
HOSTILE = {
    "above": member("../result.json"),
    "above, by a run's name": member(f"../{RUN}/result.json"),
    "elsewhere": member(f"/tmp/{RUN}/result.json"),
    "another file": member(f"{RUN}/notes.txt"),
    "deeper": member(f"{RUN}/deeper/result.json"),
    "folder": member(RUN, b"", type=tarfile.DIRTYPE),
    "symbolic link": member(content=b"", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "hard link": member(content=b"", type=tarfile.LNKTYPE, linkname=f"{RUN}/prompts.safetensors"),
    "device": member(content=b"", type=tarfile.CHRTYPE),
    "pipe": member(content=b"", type=tarfile.FIFOTYPE),
    "passes": member(".passes/result.json"),
    "hidden": member(".hidden/result.json"),
    "no run": member("a-run/result.json"),
    "control characters": member(f"a\x1b[2J{RUN}/result.json"),
    "line break": member(f"{RUN}\n/result.json"),
    "no result": member(f"{RUN}/prompts.safetensors"),
    "twice": member() + member(),
    "empty": b"",
    "negative pax size": member(pax_headers={"size": "-1024"}),
    "odd pax size": member(pax_headers={"size": "many"}),
    "huge pax size": member(pax_headers={"size": "9" * 30}),
    "negative size": size_of(b"\xff" * 12),
    "huge size": size_of(b"\x80" + b"\x7f" * 11),
    "odd size": size_of(b"9x9"),
    "sparse, odd map": member(content=b"x\nmany\n".ljust(512, b"\0"), pax_headers=SPARSE),
    "sparse, no map": member(content=b"", pax_headers=SPARSE),
    "sparse, old": member(type=tarfile.GNUTYPE_SPARSE),
    "sparse, odd pairs": member(pax_headers={"GNU.sparse.map": "1,b,c"}),
    "sparse, odd size": member(pax_headers={"GNU.sparse.size": "x", "GNU.sparse.map": "0,2"}),
    "odd pax record": member(pax_headers={"a": "b"}).replace(b"a=b", b"a;b"),
    "odd pax length": member(pax_headers={"a": "b"}).replace(b"8 a=b", b"x a=b"),
    "odd checksum": member().replace(b"ustar", b"uster"),
    "odd coding": member(pax_headers={"hdrcharset": "no-such", "path": f"{RUN}/result.json"}),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_archive_of_results_leaves_nothing(tmp_path, kind):
    with lzma.open(tmp_path / "evil", "w") as file:
        file.write(HOSTILE[kind] + bytes(1024))
    with pytest.raises(ValueError, match=r"evil is not an archive of results: "):
        archive.unpack(tmp_path / "evil", tmp_path / "store")
    assert [path.name for path in tmp_path.iterdir()] == ["evil"]


def test_an_archive_that_would_fill_the_disk_is_refused_before_it_does(tmp_path):
    with lzma.open(tmp_path / "bomb", "w") as file:
        file.write(member(size=2**31) + bytes(1024))
    with pytest.raises(ValueError, match=r"bomb is not .*unpacks to more than 300 times its size"):
        archive.unpack(tmp_path / "bomb", tmp_path / "store")
    assert [path.name for path in tmp_path.iterdir()] == ["bomb"]


@pytest.mark.parametrize("when", ["1e300", "nan", "-1e18", "yesterday"])
def test_times_and_owners_of_an_archive_do_not_matter(packed, tmp_path, when):
    with tarfile.open(packed) as tar:
        parts = [(m.name, tar.extractfile(m).read()) for m in tar if m.name.startswith(KEPT.run_id)]
    headers = {"mtime": when, "uid": "x", "uname": "nobody"}
    with lzma.open(tmp_path / "odd", "w") as file:
        file.write(b"".join(member(*part, pax_headers=headers) for part in parts) + bytes(1024))
    assert archive.unpack(tmp_path / "odd", tmp_path / "store") == {KEPT.run_id: True}
    assert load_result(tmp_path / "store", KEPT) is not None


def test_damaged_results_of_an_archive_are_named_and_left_out(packed, tmp_path):
    with tarfile.open(packed) as tar:
        parts = {m.name: tar.extractfile(m).read() for m in tar}
    name = f"{list(STUDY)[1].run_id}/result.json"
    parts[name] = parts[name].replace(b'"metrics": {', b'"metrics": {"other": 901, ')
    with lzma.open(tmp_path / "odd", "w") as file:
        file.write(b"".join(member(*part) for part in parts.items()) + bytes(1024))
    with pytest.warns(UserWarning, match=r"1 results in .*odd are damaged and left out: "):
        new = archive.unpack(tmp_path / "odd", tmp_path / "store")
    assert new == {spec.run_id: True for spec in STUDY if name.split("/")[0] != spec.run_id}
    assert not (tmp_path / "store" / name).exists()


@pytest.mark.parametrize("stem", ["my birds", ".birds", "Vögel 1-coop-tau1", "a.b"])
def test_names_of_ones_own_data_sets_are_names_of_runs(stem):
    spec = RunSpec(f"/data/{stem}.csv", CoOp(), 1e-05, 3)
    assert archive.MEMBER.fullmatch(f"{spec.run_id}/result.json")


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
    with pytest.raises(ValueError, match=r"results.tar.xz is not an archive of results"):
        archive.unpack(packed, store)
    assert not store.exists()
    assert list(store.parent.iterdir()) == []
