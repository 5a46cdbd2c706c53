"""The README's numbers and commands are those of the repository."""

import ast
import json
import re
import shlex
import shutil
import subprocess
from io import StringIO

import pandas as pd
import pytest
from click.testing import CliRunner
from golden_study import RUNS, study
from tiny_data_root import image, publish, tiny_root

from cptlab.lab import bench
from cptlab.lab.cli import batch
from cptlab.lab.cli.main import commands
from cptlab.lab.runs import archive
from cptlab.lab.runs.results import load_result, missing
from cptlab.lab.study import studies
from cptlab.lab.study.profiles import profile_named
from cptlab.lab.workspace import CHECKOUT
from cptlab.methods import registry

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
CARD = (CHECKOUT / "cptlab/emoji/MODEL_CARD.md").read_text(encoding="utf-8")


def committed(name: str) -> str:
    """A file as committed: `make figures` may redraw it on a machine that rounds otherwise."""
    if not (CHECKOUT / ".git").exists():
        return (CHECKOUT / name).read_text(encoding="utf-8")
    command = ["git", "show", f"HEAD:{name}"]
    return subprocess.run(
        command, cwd=CHECKOUT, capture_output=True, check=True, encoding="utf-8"
    ).stdout


def shown(name: str) -> str:
    """What the README has between two marks."""
    return README.split(f"<!-- {name}: begin -->")[1].split(f"<!-- {name}: end -->")[0].strip()


def test_the_result_tables_are_the_committed_one():
    smallest = "**tau = 0.06**"
    others, table = committed("figures/tab2_base_to_new.md").split(smallest)
    assert shown("results") == f"{smallest}{table}".strip()
    assert shown("more results") == others.strip()


def test_the_differences_to_ivlp_are_the_committed_ones():
    names = ("tab2_differences_to_ivlp", "cost_steps")
    parts = [pd.read_csv(StringIO(committed(f"figures/{name}.csv"))) for name in names]
    parts[1] = parts[1].query("reference == 'IVLP' and method.str.contains('published steps')")
    stored = pd.concat(parts).query("metric == 'H'").set_index(["method", "tau"])
    header, _, *rows = shown("against").splitlines()
    taus = [float(tau) for tau in re.findall(r"tau = ([\d.]+)", header)]
    assert len(taus) == 3 and len(rows) == 5
    for row in rows:
        method, *cells = [cell.strip() for cell in row.split("|")[1:-1]]
        for tau, cell in zip(taus, cells, strict=True):
            mean, lower, upper = stored.loc[(method, tau), ["mean", "lower", "upper"]]
            assert cell == f"{mean:+.1f} ({lower:.1f} to {upper:.1f})"


def test_the_ledger_is_the_committed_one_and_its_count_is_right():
    table = shown("claims")
    assert table == committed("figures/claims_ledger.md").strip()
    ledger = pd.read_csv(StringIO(committed("figures/claims_ledger.csv")), keep_default_na=False)
    distinct = ledger[ledger["same_as"] == ""]
    counts = distinct["verdict"].value_counts()
    told = re.search(r"(\d+) comparisons: (.*)\.$", table, flags=re.M)
    assert int(told[1]) == len(distinct)
    kinds = ("supported", "contradicted", "undecided", "not run")
    assert told[2] == ", ".join(f"{counts.get(kind, 0)} {kind}" for kind in kinds)
    runs = pd.read_csv(StringIO(committed("figures/runs.csv")))
    assert f"{len(runs)} runs" in table


def test_the_table_follows_from_the_committed_csv():
    summary = pd.read_csv(StringIO(committed("figures/tab2_base_to_new.csv")))
    values = summary.set_index(["tau", "method", "metric"])
    checked = 0
    for block in committed("figures/tab2_base_to_new.md").split("**tau = ")[1:]:
        tau = float(block.split("**")[0])
        header, _, *rows = [line for line in block.splitlines() if line.startswith("|")]
        metrics = [name.strip() for name in header.split("|")[2:-1]]
        for row in rows:
            method, *cells = [cell.strip() for cell in row.split("|")[1:-1]]
            for metric, cell in zip(metrics, cells, strict=True):
                stored = values.loc[(tau, method, metric)]
                told = [float(number) for number in re.findall(r"-?\d+\.\d", cell)]
                wanted = [v for v in (stored["mean"], stored["lower"], stored["upper"]) if v == v]
                assert told == pytest.approx(wanted, abs=0.0501)
                checked += 1
    assert checked == len(summary)


def test_the_archive_holds_what_is_told(tmp_path):
    """All runs are in it, and redraw the table without training."""
    count = archive.unpack(CHECKOUT / "figures/full.tar.xz", tmp_path)
    assert f"all {count:,} finished runs" in README
    full = profile_named("full")
    assert not missing(
        [spec for study in studies.STUDIES.values() for spec in study(full)], tmp_path
    )
    summary = pd.read_csv(StringIO(committed("figures/tab2_by_dataset.csv")))
    stored = summary.set_index(["tau", "method", "dataset"])["mean"]
    values: dict[tuple[float, str, str], list[float]] = {}
    for spec, label in studies.base_to_new(full).items():
        result = load_result(tmp_path, spec)
        values.setdefault((spec.tau, label, spec.dataset), []).append(result.metrics["H"])
    assert set(values) == set(stored.index)
    for key, found in values.items():
        assert sum(found) / len(found) == pytest.approx(stored[key], abs=1e-3)


def test_the_throughput_table_follows_from_the_committed_rows():
    for name in bench.NAMES.values():
        assert shown(name) == bench.markdown(json.loads(committed(f"figures/{name}.json")))


def test_every_image_and_link_exists():
    for text, folder in ((README, CHECKOUT), (CARD, CHECKOUT / "cptlab/emoji")):
        links = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
        for link in links:
            assert (folder / link).exists(), link
    for figure in re.findall(r"\]\((figures/[^)]+\.png)\)", README):
        assert (CHECKOUT / figure).with_suffix(".csv").exists()


def test_the_model_card_names_every_package():
    recipe = (CHECKOUT / "dev/emojiclip/sources.py").read_text(encoding="utf-8")
    packages = re.findall(r'"(@?[\w/-]+@\d[\d.]*)"', recipe)
    assert len(packages) == 11
    assert all(f"`{package}`" in CARD for package in packages)


def test_no_placeholder_is_left():
    for text in (README, CARD):
        assert not re.search(r"@[A-Z]+@", text)


COMMANDS = re.findall(r"\.venv/bin/(cptlab [^`\n]+)", README)
LONG = ("bench", "tune", "data fetch")
"""What measures, trains or downloads for minutes is only asked for its help."""


@pytest.fixture
def user(tmp_path, monkeypatch):
    """Somebody with a folder of images, one of the paper's data sets, and finished runs."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CPTLAB_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    for number in range(32):
        bird = ("owl", "jay", "wren", "tit")[number % 4]
        image(tmp_path / f"birds/{bird}/{number}.png", number)
    tiny_root(tmp_path / "data", ["dtd"])
    publish(monkeypatch)
    figures = tmp_path / "out/figures"
    figures.mkdir(parents=True)
    for name in ("tab1_ablation.png", "tab1_ablation.csv", "runs.csv"):
        shutil.copy(CHECKOUT / "figures" / name, figures)
    (tmp_path / "figures").mkdir()
    shutil.copy(CHECKOUT / "figures/full.tar.xz", tmp_path / "figures")
    some = study()
    shutil.copytree(RUNS, tmp_path / "out/runs")
    monkeypatch.setattr(studies, "STUDIES", {"some": lambda profile: some})
    monkeypatch.setattr(batch, "run", lambda *specs, **options: [])
    monkeypatch.setattr(batch, "execute_notebook", lambda *arguments: None)
    archive.pack([load_result(RUNS, next(iter(some)))], tmp_path / "demo.tar.xz")
    shutil.copytree(CHECKOUT / "docs", tmp_path / "docs")
    monkeypatch.setattr(registry, "_named", {})  # a method of one's own is known to this test alone
    return tmp_path


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_runs(line, user):
    """As printed, but small: profile smoke, into another folder, and without executing notebooks,
    which `test_notebooks.py` does."""
    words = [word.replace("~", str(user)) for word in shlex.split(line)[1:]]
    without_data = "--profile paper" in line
    if " ".join(words).startswith(LONG):
        words.append("--help")
    elif words[0] in ("figures", "run", "results"):
        words += ["--jobs", "1"] if words[0] == "figures" else []
        words += ["--out", "out"] if without_data else ["--profile", "smoke", "--out", "out"]
    done = CliRunner().invoke(commands, words)
    if without_data:
        assert re.search(r"needs .*data.*, which is not there", f"{done.exception}")
    else:
        assert done.exit_code == 0, f"{done.output}{done.exception!r}"


def test_make_help_lists_what_the_readme_uses():
    done = subprocess.run(
        ["make", "help"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    for target in set(re.findall(r"^make ([\w-]+)$|`make ([\w-]+)`", README, flags=re.M)):
        name = "".join(target)
        assert name == "help" or f"make {name} " in done.stdout


def test_the_library_trains_as_it_says(tmp_path, monkeypatch, capsys):
    for number in range(16):
        image(tmp_path / f"birds/bird {number % 4}/{number}.png", number % 4)
    monkeypatch.chdir(tmp_path)
    (program,) = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    exec(program, {})
    printed = ast.literal_eval(capsys.readouterr().out)
    assert printed.keys() == {"base", "new", "H"}
    assert all(0 <= value <= 100 for value in printed.values())
