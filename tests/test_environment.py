"""pyproject.toml, constraints.txt and environment.yml agree, and no art or machine is in git."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

CHECKOUT = Path(__file__).parents[1]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PINS = [
    line
    for line in (CHECKOUT / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
]
CONDA = yaml.safe_load((CHECKOUT / "environment.yml").read_text())
FILES = ("pyproject.toml", "constraints.txt", "environment.yml", "Makefile", ".ci/run")


def pinned() -> dict[str, Version]:
    pairs = [line.split("==") for line in PINS]
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def pip_section() -> list[str]:
    (section,) = [part["pip"] for part in CONDA["dependencies"] if isinstance(part, dict)]
    return section


@pytest.mark.parametrize(
    "text", [*PROJECT["dependencies"], *(text for extra in EXTRAS.values() for text in extra)]
)
def test_every_dependency_is_pinned_within_its_range(text):
    requirement = Requirement(text)
    if requirement.name == PROJECT["name"]:  # an extra that takes in others
        assert requirement.extras <= set(EXTRAS)
        return
    version = pinned()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version)


def test_pins_are_exact_and_single():
    for line in PINS:
        assert re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9a-z.]*", line), line
    assert len(pinned()) == len(PINS)


def test_conda_users_get_the_same_versions():
    pip = pip_section()
    assert "-c constraints.txt" in pip
    (editable,) = [line for line in pip if line.startswith("-e")]
    assert editable == "-e .[test]"
    # Nothing else may bring versions of its own.
    others = [part for part in CONDA["dependencies"] if isinstance(part, str)]
    assert {re.split("[=<>]", part)[0] for part in others} == {"python", "pip"}
    assert len(pip) == 2


def test_python_versions_agree():
    (python,) = [p for p in CONDA["dependencies"] if str(p).startswith("python")]
    wanted = SpecifierSet(PROJECT["requires-python"])
    assert wanted.contains(python.removeprefix("python="))
    (default,) = re.findall(
        r"^PYTHON \?= .*?command -v python(3\.\d+)", (CHECKOUT / "Makefile").read_text(), re.M
    )
    assert wanted.contains(default)
    assert default == python.removeprefix("python=")


def test_make_installs_what_is_pinned():
    installs = [
        line for line in (CHECKOUT / "Makefile").read_text().splitlines() if "pip install" in line
    ]
    assert installs
    assert all("-c constraints.txt" in line for line in installs)
    assert "make test" in (CHECKOUT / ".ci/run").read_text()


@pytest.mark.parametrize("name", FILES)
def test_no_machine_is_named(name):
    text = (CHECKOUT / name).read_text()
    # /dev/null and the interpreter of a script exist everywhere.
    text = text.replace("/dev/null", "").replace("#!/usr/bin/env bash", "")
    assert not re.search(r"(?<![\w.$)}*])/[a-z]+/", text)
    assert not re.search(r"\w+://|@ ?file|\d+\.\d+\.\d+\.\d+|localhost", text)


def test_no_emoji_art_is_tracked():
    if not (CHECKOUT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(
        ["git", "ls-files"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    tracked = listing.stdout.splitlines()
    assert "pyproject.toml" in tracked
    images = re.compile(r"\.(png|jpe?g|gif|webp|svg|ico|bmp|tiff?)$", re.I)
    art = [path for path in tracked if images.search(path)]
    assert [path for path in art if not path.startswith(("figures/", "tests/"))] == []
    # Rasterised sets and checkpoints of the pretraining stay outside too.
    assert [p for p in tracked if p.endswith((".npz", ".ckpt")) and "tests/" not in p] == []
