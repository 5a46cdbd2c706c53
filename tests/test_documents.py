"""Numbers, links and commands of README and docs are those of the repository."""

import ast
import dataclasses
import importlib.util
import re
import shlex
import shutil
import subprocess

import pytest
from click import Group
from click.testing import CliRunner
from committed import committed
from golden_study import RUNS, study
from test_how_tos import PAGES as HOW_TOS
from tiny_data_root import image, publish, tiny_root

from cptlab.lab import site, workspace
from cptlab.lab.cli import batch
from cptlab.lab.cli.main import commands
from cptlab.lab.figures.style import stored_message
from cptlab.lab.runs import archive
from cptlab.lab.runs.results import load_result
from cptlab.lab.study import notebooks, profiles
from cptlab.lab.study.design import Design
from cptlab.lab.study.profiles import PAPER, SMOKE
from cptlab.lab.workspace import CHECKOUT
from cptlab.methods import registry

_spec = importlib.util.spec_from_file_location("readme_tables", CHECKOUT / ".ci/readme_tables.py")
readme_tables = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(readme_tables)

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
CARD = (CHECKOUT / "cptlab/emoji/MODEL_CARD.md").read_text(encoding="utf-8")
PAGES = [
    *CHECKOUT.glob("*.md"),
    *CHECKOUT.glob("docs/*.md"),
    CHECKOUT / "cptlab/emoji/MODEL_CARD.md",
]


def _text(path):
    return path.read_text(encoding="utf-8")


def test_the_tables_are_those_that_their_command_writes():
    documents = readme_tables.documents()
    assert readme_tables.filled(documents, readme_tables.tables(committed)) == documents
    with pytest.raises(ValueError, match="No document has the marks <!-- none: begin -->"):
        readme_tables.filled(documents, {"none": ""})


def test_methods_name_their_sources_and_what_they_were_compared_with():
    rows = [line for line in readme_tables.methods().splitlines() if line.startswith("| [")]
    by_name = dict(zip(registry.BUILT_IN, rows, strict=True))
    assert "KaiyangZhou/CoOp@ff61507: 6 cases" in by_name["coop"]
    assert by_name["cpt"].endswith("| – |") and "arXiv 2605.11939" in by_name["cpt"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_image_and_link_exists(path):
    prose = re.sub("```.*?```", "", _text(path), flags=re.DOTALL)
    for link, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", prose):
        target = path.parent / link if link else path
        assert target.exists(), link
        if anchor:
            assert anchor in map(_anchor, re.findall("^#+ (.+)$", _text(target), re.MULTILINE))
        if target.suffix == ".png":
            assert target.with_suffix(".csv").exists()


def _anchor(heading):
    """As forges name a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_model_card_names_every_package():
    recipe = (CHECKOUT / "dev/emojiclip/sources.py").read_text(encoding="utf-8")
    packages = re.findall(r'"(@?[\w/-]+@\d[\d.]*)"', recipe)
    assert len(packages) == 11
    assert all(f"`{package}`" in CARD for package in packages)


def test_no_placeholder_is_left():
    for text in (README, CARD):
        assert not re.search(r"@[A-Z]+@", text)


FOLLOWED = re.compile(r"```(?:sh|python)\n.*?```", flags=re.DOTALL)
"""Blocks of the how-tos, which `test_how_tos.py` runs in order."""
CALL = r"(?:srun -n \d+ )?(?:\.venv/bin/)?(cptlab [a-z][^`\n]*)"
DATED = ("CHANGELOG.md", "log.md", "plan.md")
"""What they tell was so at its time."""


def _commands():
    """Every command of the documents: lines of blocks, and code within a text."""
    found = []
    for path in PAGES:
        text = "" if path.name in DATED else _text(path)
        text = FOLLOWED.sub("", text) if path.stem in HOW_TOS else text
        found += re.findall(f"^ *{CALL}$|`{CALL}`", text, flags=re.MULTILINE)
    return sorted({"".join(pair) for pair in found})


LONG = ("bench", "tune", "data fetch")
"""What measures, trains or downloads for minutes is only asked for its help."""
SMALL_PAPER = dataclasses.replace(
    SMOKE,
    **{name: getattr(PAPER, name) for name in ("backbone", "pretrained", "device", "precision")},
    **{name: Design(("eurosat",), (0.06,), (1,)) for name in ("comparison", "details", "few_shot")},
)
SMALL = {"--out": "out", "--profile": "smoke", "--jobs": "1"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Store with a run of the profile smoke."""
    folder = tmp_path_factory.mktemp("finished")
    line = "run --method zero_shot --dataset activities --profile smoke --out"
    assert CliRunner().invoke(commands, [*line.split(), str(folder)]).exit_code == 0
    return folder / "runs"


@pytest.fixture
def user(tmp_path, monkeypatch, finished):
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
    some = study()
    shutil.copytree(RUNS, tmp_path / "out/runs")
    monkeypatch.setitem(profiles.PROFILES, "paper", SMALL_PAPER)
    monkeypatch.setattr(notebooks, "STUDIES", {"some": lambda profile: some})
    monkeypatch.setattr(batch, "run", lambda *specs, **options: [])
    monkeypatch.setattr(batch, "execute_notebook", lambda *arguments: None)
    for place in (batch, site):  # there is nothing to make pages of; `test_site.py` does
        monkeypatch.setattr(place, "build_site", lambda *_: [])
    (tmp_path / "figures").mkdir()
    for file in ("study.tar.xz", "figures/full.tar.xz"):
        archive.pack([load_result(RUNS, next(iter(some)))], tmp_path / file)
    shutil.copytree(finished, tmp_path / "out/runs", dirs_exist_ok=True)
    shutil.copytree(RUNS, tmp_path / "shared/runs")
    shutil.copytree(CHECKOUT / "docs", tmp_path / "docs")
    monkeypatch.setattr(registry, "_named", {})  # a method of one's own is known to this test alone
    return tmp_path


@pytest.mark.parametrize("line", _commands())
def test_every_command_runs(line, user):
    """As printed, but small: profile smoke, into another folder, and without executing notebooks,
    which `test_notebooks.py` does."""
    words = [word.replace("~", str(user)) for word in shlex.split(line)[1:]]
    unready = "--profile paper" in line  # no GPU, weights or data
    command, left = commands, words
    while left and isinstance(command, Group):
        command, left = command.commands[left[0]], left[1:]
    if not left or " ".join(words).startswith(LONG):
        words.append("--help")
    elif words[0] in ("compare", "figures", "run", "results"):
        for option in {option for param in command.params for option in param.opts} & {*SMALL}:
            if option not in words:
                words += [option, SMALL[option]]
            elif not (unready and option == "--profile"):
                value = words.index(option) + 1
                _, comma, changes = words[value].partition(",")
                words[value] = SMALL[option] + comma + changes
    done = CliRunner().invoke(commands, words)
    if unready and done.exit_code:
        assert re.search(r"(needs|data.*) .*not there|sees no GPU", f"{done.exception}")
    else:
        assert done.exit_code == 0, f"{done.output}{done.exception!r}"


def test_files_that_the_page_on_code_names_are_there():
    named = set(re.findall(r"\b\w+\.py\b", _text(CHECKOUT / "docs/code.md")))
    there = {
        path.name for top in ("cptlab", "docs", "tests") for path in CHECKOUT.glob(f"{top}/**/*.py")
    }
    assert len(named) > 40 and named <= there


def test_make_help_lists_what_documents_use():
    done = subprocess.run(
        ["make", "help"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    text = "\n".join(map(_text, PAGES))
    for target in set(re.findall(r"^make ([\w-]+)$|`make ([\w-]+)`", text, flags=re.M)):
        name = "".join(target)
        assert name == "help" or f"make {name} " in done.stdout


@pytest.fixture
def with_birds(tmp_path, monkeypatch):
    """In a folder with images of four kinds of birds."""
    for number in range(16):
        image(tmp_path / f"birds/{('owl', 'jay', 'wren', 'tit')[number % 4]}/{number}.png", number)
    monkeypatch.chdir(tmp_path)


def _program(page):
    (program,) = re.findall(r"```python\n(.*?)```", _text(CHECKOUT / page), flags=re.DOTALL)
    return program


@pytest.mark.slow
def test_own_questions_are_answered_as_the_readme_says(with_birds, tmp_path, monkeypatch):
    monkeypatch.setattr(workspace, "IN_CHECKOUT", False)  # runs go below the current folder
    exec(_program("README.md"), {})
    assert (tmp_path / "birds.png").stat().st_size > 10_000
    assert (tmp_path / "birds.safetensors").is_file()


def test_the_core_alone_trains_as_it_says(with_birds, capsys):
    exec(_program("docs/code.md"), {})
    printed = ast.literal_eval(capsys.readouterr().out)
    assert printed.keys() == {"base", "new", "H"}
    assert all(0 <= value <= 100 for value in printed.values())


def test_every_program_is_run_somewhere():
    with_programs = {path.stem for path in PAGES if "```python" in _text(path)}
    assert with_programs - {*HOW_TOS} == {"README", "code"}


def test_the_readme_can_be_read_in_ten_minutes():
    assert len(README.splitlines()) <= 180


def test_the_first_picture_is_told_by_its_own_message():
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    alt, path = re.search(r"!\[(.*?)\]\((.*?)\)", readme).groups()
    assert alt and alt == stored_message(CHECKOUT / path)
