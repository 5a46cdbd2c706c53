"""Methods from outside the package: by file, by module, by entry point."""

import dataclasses
import json
import pickle
import re
import sys
from pathlib import Path

import pytest
import torch
from tiny_clip import tiny_clip
from tiny_world import tiny_dataset

from cptlab.data import Task
from cptlab.lab.cli.options import with_methods
from cptlab.lab.figures.style import method_look, method_order
from cptlab.lab.runs import inputs
from cptlab.lab.runs.passes import begin, unfinished
from cptlab.lab.runs.queue import run
from cptlab.lab.runs.results import load_result, look, remarks
from cptlab.lab.study.lineup import compared, methods
from cptlab.lab.study.profiles import profile_named
from cptlab.lab.workspace import CHECKOUT, workspace
from cptlab.methods import METHODS, UnknownMethod, find_method, outside, registry
from cptlab.methods.schedule import Schedule
from cptlab.training.spec import RunSpec, spec_from_dict

EXAMPLE = CHECKOUT / "docs/tail_coop.py"
SCHEDULE = Schedule(epochs=2, lr=0.02, batch_size=8)


@pytest.fixture(autouse=True)
def fresh():
    """Installed methods are looked up again."""
    registry._installed.cache_clear()
    yield
    registry._installed.cache_clear()


@pytest.fixture
def file(tmp_path) -> Path:
    """A copy of the example, to be changed."""
    copy = tmp_path / "mine" / "tail_coop.py"
    copy.parent.mkdir()
    copy.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    return copy


@pytest.fixture
def tiny(monkeypatch):
    backbone = tiny_clip(torch.float32)
    base, new = tiny_dataset(8).halves()
    monkeypatch.setattr(inputs, "backbone_of", lambda spec: backbone)
    monkeypatch.setattr(inputs, "task_of", lambda spec: Task("base", {"base": base, "new": new}))


def spec_of(method, **options) -> RunSpec:
    return RunSpec("tiny", method(**options), 0.25, 1, SCHEDULE, backbone="tiny")


def tail_coop(file: Path = EXAMPLE):
    return find_method(f"{file}:TailCoOp")


def test_the_example_is_short_and_learns_what_it_says(tiny, tmp_path):
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) <= 55
    specs = [spec_of(tail_coop(), weight=weight) for weight in (0.0, 2.0, 20.0)]
    results = run(specs, tmp_path, progress=False)
    assert results[0].details["pass"]["replicas"] == 3  # they train side by side
    losses = [result.log["tail"].iloc[-1] for result in results]
    assert losses[2] < losses[0]  # rare classes are learned better where they weigh more
    assert load_result(tmp_path, specs[1]).metrics == results[1].metrics


def test_a_store_tells_where_a_method_came_from_and_runs_nothing(tiny, tmp_path, monkeypatch):
    spec = spec_of(tail_coop())
    run([spec], tmp_path, progress=False)
    stored = json.loads((tmp_path / spec.run_id / "result.json").read_text())["spec"]
    assert stored["method"]["from"] == f"{EXAMPLE}:TailCoOp"
    assert spec_from_dict(stored) == spec
    monkeypatch.setattr(registry, "_named", {})
    message = (
        "The method 'tail_coop', which came from .*tail_coop.py:TailCoOp, is not here: install it"
    )
    with pytest.raises(UnknownMethod, match=message):
        spec_from_dict(stored)


def test_results_hang_on_the_file(tiny, tmp_path, file):
    store = tmp_path / "runs"
    spec = spec_of(tail_coop(file))
    (before,) = run([spec], store, progress=False)
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("(rare * each)", "-(rare * each)"), encoding="utf-8")
    changed = spec_of(tail_coop(file))
    assert changed.run_id == spec.run_id
    assert load_result(store, changed) is None
    assert "a method that have changed" in remarks(look([changed], store))[0]
    (after,) = run([changed], store, progress=False)
    assert after.log["tail"].iloc[-1] < 0 < before.log["tail"].iloc[-1]


def test_a_begun_pass_waits_for_its_method(tiny, tmp_path, monkeypatch):
    tmp_path.joinpath("runs").mkdir()
    spec, store = spec_of(tail_coop()), tmp_path / "runs"
    folder = begin(store, [spec], inputs.content_of(spec))
    monkeypatch.setattr(registry, "_named", {})
    assert unfinished(store) == [] and folder.is_dir()
    tail_coop()
    assert unfinished(store) == [[spec]]


def test_other_processes_find_it(tmp_path):
    """The real embedded data, since processes know no tiny ones."""
    profile = profile_named(f"smoke,also={EXAMPLE}:TailCoOp")
    method = methods(profile)["TailCoOp"]
    specs = [profile.spec("activities", method, 0.06, seed) for seed in (1, 2)]
    results = run(specs, tmp_path, jobs=2, progress=False, replicas=1)
    assert [result.spec for result in results] == specs
    assert pickle.loads(pickle.dumps(specs[0])) == specs[0]  # our own bytes


def test_it_stands_in_tables_and_figures():
    profile = profile_named(with_methods("smoke", [f"{EXAMPLE}:TailCoOp"]))
    assert "TailCoOp" in compared(profile)
    assert method_look("TailCoOp").color == "#7869FF"
    assert method_order(["TailCoOp", "CPT (sum)"]) == ["CPT (sum)", "TailCoOp"]


def test_it_takes_part_where_it_says(file):
    line = "    weight: float = 1.0\n"
    text = file.read_text(encoding="utf-8").replace(
        line, f'    protocols: ClassVar[tuple[str, ...]] = ("base_to_new",)\n{line}'
    )
    file.write_text(text, encoding="utf-8")
    profile = profile_named(f"smoke,also={file}:TailCoOp")
    assert "TailCoOp" in methods(profile) and "TailCoOp" not in methods(
        profile, protocol="transfer"
    )
    with pytest.raises(ValueError, match="tail_coop takes no part in few_shot; it does in base_to"):
        dataclasses.replace(spec_of(tail_coop(file)), protocol="few_shot")


def test_modules_and_entry_points(file, monkeypatch):
    monkeypatch.syspath_prepend(file.parent)
    by_module = find_method("tail_coop:TailCoOp")
    assert by_module.name == "tail_coop" and outside.reference_of(by_module) == "tail_coop:TailCoOp"
    info = file.parent / "mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[cptlab.methods]\ntail_coop = tail_coop:TailCoOp\n")
    registry._installed.cache_clear()
    assert list(METHODS)[-1] == "tail_coop" and METHODS["tail_coop"] is by_module
    (info / "entry_points.txt").write_text("[cptlab.methods]\ncpt = tail_coop:TailCoOp\n")
    registry._installed.cache_clear()
    with pytest.raises(ValueError, match="brings a method named 'cpt', which is taken"):
        list(METHODS)
    sys.modules.pop("tail_coop")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("tail_cop", "Unknown method 'tail_cop'"),
        ("nowhere/tail_coop.py:TailCoOp", "There is no file .*tail_coop.py to take a method from"),
        ("FILE:TailCop", "tail_coop.py:TailCop is no method: name a class"),
        ("no_such_module:TailCoOp", "The module 'no_such_module' cannot be imported"),
        ("cptlab.seeds:stream", "cptlab.seeds:stream is no method"),
        ("broken.py:TailCoOp", "broken.py cannot be used: SyntaxError"),
        ("taken.py:TailCoOp", "has the name 'cpt', which is taken"),
        ("nameless.py:TailCoOp", "has the name 'Tail CoOp': give it one of its own"),
    ],
)
def test_what_is_no_method(reference, message, file, monkeypatch):
    monkeypatch.chdir(file.parent)
    text = file.read_text(encoding="utf-8")
    Path("broken.py").write_text("class TailCoOp(:\n")
    Path("taken.py").write_text(text.replace('"tail_coop"', '"cpt"'), encoding="utf-8")
    Path("nameless.py").write_text(text.replace('"tail_coop"', '"Tail CoOp"'), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        find_method(reference.replace("FILE", str(file)))


def test_the_code_that_runs_is_the_code_that_counts(tiny, tmp_path, file):
    """A kernel keeps the class that it has loaded, whatever happens to the file."""
    method, store = tail_coop(file), tmp_path / "runs"
    file.write_text(file.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    (old,) = run([spec_of(method)], store, progress=False)
    assert load_result(store, old.spec) is not None
    assert load_result(store, spec_of(tail_coop(file))) is None


def test_two_methods_of_one_name_are_refused(file):
    other = file.with_name("other.py")
    other.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    tail_coop(file)
    with pytest.raises(
        ValueError, match=r"tail_coop\.py:TailCoOp both have the name 'tail_coop': rename"
    ):
        tail_coop(other)


@pytest.mark.parametrize("label", ["CPT (pair mean)", "CoOp"])
def test_two_rows_of_one_label_are_refused(label, file):
    text = file.read_text(encoding="utf-8").replace('Row("TailCoOp"', f'Row("{label}"')
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="Two methods have the label"):
        compared(profile_named(f"smoke,also={file}:TailCoOp"))


def test_a_store_says_which_methods_are_not_here(tiny, tmp_path, monkeypatch):
    run([spec_of(tail_coop())], tmp_path, progress=False)
    monkeypatch.setattr(registry, "_named", {})
    (said,) = remarks(look([], tmp_path))
    assert said.startswith(
        "1 stored results are of the method 'tail_coop', which is not here: install"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("@dataclass(frozen=True)", "", "decorate it with @dataclass"),
        ('"#7869FF"', '"teal"', "the color is 'teal', not like #C88300"),
        (
            "(9, 1, 0))",
            '(9, 1, 0), options={"wait": 1})',
            "sets 'wait', which is no parameter of it",
        ),
    ],
)
def test_what_is_wrong_in_the_file_is_said_at_once(old, new, message, file):
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        tail_coop(file)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('{"ce": cross_entropy(outputs), "tail"', '{"tail"', "a factor for 'ce' too"),
        (".mean(-1)}", "}", "the loss has the shape .* take the mean over the batch"),
    ],
)
def test_what_is_wrong_in_the_losses_is_said_in_the_first_step(
    old, new, message, tiny, tmp_path, file
):
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(RuntimeError, match=message):
        run([spec_of(tail_coop(file))], tmp_path / "runs", progress=False)


def test_folders_of_own_methods_have_short_names(tmp_path):
    deep = tmp_path.joinpath(*["a long folder name"] * 9)
    folders = workspace(f"smoke,also={deep}/tail_coop.py:TailCoOp,also={deep}/x.py:Mine")
    assert re.fullmatch(r"smoke,also=TailCoOp-\w{6},also=Mine-\w{6}", folders.figures.name)
    with pytest.raises(ValueError, match="lies at a path with a comma"):
        with_methods("smoke", ["a,b/tail_coop.py:TailCoOp"])
