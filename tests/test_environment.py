"""pyproject.toml, constraints.txt, environment.yml and Makefile agree; no art is in git."""

import re
import subprocess
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from cptlab.lab.workspace import CHECKOUT

FILES = {
    name: (CHECKOUT / name).read_text(encoding="utf-8")
    for name in ("pyproject.toml", "constraints.txt", "environment.yml", "Makefile", ".ci/run")
}
PROJECT = tomllib.loads(FILES["pyproject.toml"])["project"]
EXTRAS = PROJECT["optional-dependencies"]
CONDA = yaml.safe_load(FILES["environment.yml"])["dependencies"]


def test_every_dependency_is_pinned_once_within_its_range():
    lines = [line for line in FILES["constraints.txt"].splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[0-9][0-9a-z.]*", line)] == []
    pairs = [line.split("==") for line in lines]
    pinned = {canonicalize_name(name): Version(version) for name, version in pairs}
    assert len(pinned) == len(lines)
    texts = [*PROJECT["dependencies"], *(text for extra in EXTRAS.values() for text in extra)]
    requirements = [Requirement(text) for text in texts]
    for wanted in requirements:
        if wanted.name == PROJECT["name"]:  # an extra that takes in others
            assert wanted.extras == set(EXTRAS) - {"test"}
        else:
            assert wanted.specifier.contains(pinned[canonicalize_name(wanted.name)]), wanted


def test_conda_users_get_the_same_versions():
    python, pip, section = CONDA  # nothing else, which could bring versions of its own
    assert pip == "pip"
    assert section == {"pip": ["-c constraints.txt", "-e .[test]"]}
    version = python.removeprefix("python=")
    assert SpecifierSet(PROJECT["requires-python"]).contains(version)
    assert f"command -v python{version}" in FILES["Makefile"]


def test_make_installs_what_is_pinned():
    installs = [line for line in FILES["Makefile"].splitlines() if "pip install" in line]
    assert installs
    assert all("-c constraints.txt" in line for line in installs)


@pytest.mark.parametrize("name", FILES)
def test_no_machine_is_named(name):
    # /dev/null and the interpreter of a script exist everywhere.
    text = FILES[name].replace("/dev/null", "").replace("#!/usr/bin/env bash", "")
    assert not re.search(r"(?<![\w.$)}*%])/[a-z]+/", text)
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
