"""The lock, conda, make, Docker and the workflow agree on what is installed; no art is in git."""

import importlib.util
import re
import subprocess
import tomllib
from importlib import metadata

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from cptlab.lab.workspace import CHECKOUT

FILES = {
    name: (CHECKOUT / name).read_text(encoding="utf-8")
    for name in (
        *("pyproject.toml", "constraints.txt", "environment.yml", "Makefile", ".ci/run"),
        *(".ci/conda.py", "dev/emojiclip/requirements.txt"),
    )
}
PROJECT = tomllib.loads(FILES["pyproject.toml"])["project"]
EXTRAS = PROJECT["optional-dependencies"]
PYTHONS = ("3.11", "3.12", "3.13")
_spec = importlib.util.spec_from_file_location("conda", CHECKOUT / ".ci/conda.py")
conda = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(conda)


def lines(name: str) -> list[str]:
    """Those of a file that are no comments."""
    return [line for line in FILES[name].splitlines() if not line.startswith("#")]


def pinned(python: str) -> dict[str, Version]:
    """What the lock has for a Python on Linux: distribution -> version."""
    here = {"python_version": python, "python_full_version": f"{python}.9", "sys_platform": "linux"}
    pins = [Requirement(line) for line in lines("constraints.txt")]
    held = [pin for pin in pins if pin.marker is None or pin.marker.evaluate(here)]
    versions = {canonicalize_name(pin.name): str(pin.specifier) for pin in held}
    assert len(versions) == len(held)
    return {name: Version(version.removeprefix("==")) for name, version in versions.items()}


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_fits_what_is_asked_for(python):
    assert SpecifierSet(PROJECT["requires-python"]).contains(python)
    assert f"--python-version {PYTHONS[0]}" in FILES["Makefile"]
    texts = [*PROJECT["dependencies"], *(text for extra in EXTRAS.values() for text in extra)]
    pins = pinned(python)
    for wanted in map(Requirement, [*texts, *lines("dev/emojiclip/requirements.txt")]):
        if wanted.name == PROJECT["name"]:  # an extra that takes in others
            assert wanted.extras == set(EXTRAS) - {"test"}
        else:
            assert wanted.specifier.contains(pins[canonicalize_name(wanted.name)]), wanted


def test_the_lock_has_all_that_these_need_in_turn():
    asked = [*PROJECT["dependencies"], *(text for extra in EXTRAS.values() for text in extra)]
    todo, seen = [*map(Requirement, asked)], {(PROJECT["name"], extra) for extra in ("", *EXTRAS)}
    while todo:
        wanted = todo.pop()
        for extra in {"", *wanted.extras}:
            if (wanted.name, extra) not in seen:
                seen.add((wanted.name, extra))
                needed = map(Requirement, metadata.requires(wanted.name) or ())
                todo += [n for n in needed if not n.marker or n.marker.evaluate({"extra": extra})]
    names = {canonicalize_name(name) for name, _ in seen} - {PROJECT["name"]}
    assert len(names) > 100
    assert names <= {canonicalize_name(Requirement(line).name) for line in lines("constraints.txt")}


def test_conda_users_get_the_same_versions():
    assert FILES["environment.yml"] == conda.text()
    python, pip, section = yaml.safe_load(conda.text())["dependencies"]
    assert pip == "pip"  # nothing else, which could bring versions of its own
    assert section == {"pip": ["-c constraints.txt", "-e .[test]"]}
    assert f"command -v {python.replace('=', '')}" in FILES["Makefile"]


def test_the_workflow_and_the_image_call_make():
    workflow = (CHECKOUT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    image = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8")
    jobs = yaml.safe_load(workflow)["jobs"]
    assert tuple(jobs["test"]["strategy"]["matrix"]["python"]) == PYTHONS
    steps = [step for job in jobs.values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert [one for one in used if not re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", one)] == []
    called = re.findall(r"make (\S+)", "\n".join(step.get("run", "") for step in steps))
    assert called == ["test", "test-slow", "wheel", "figures"]
    called += re.findall(r"make\W+(env|figures|test)\b", image)
    assert {*called} == {"env", "figures", "test", "test-slow", "wheel"}
    assert [name for name in called if f"\n{name}: " not in FILES["Makefile"]] == []


def test_the_image_holds_nothing_that_git_ignores():
    kept_out = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    ignored = (CHECKOUT / ".gitignore").read_text(encoding="utf-8").splitlines()
    patterns = [line.strip("/") for line in ignored if not line.startswith("#")]
    assert [p for p in patterns if p not in kept_out and f"**/{p}" not in kept_out] == []


def test_make_installs_what_is_pinned():
    installs = [line for line in FILES["Makefile"].splitlines() if "pip install" in line]
    assert installs
    assert all("-c constraints.txt" in line for line in installs)


@pytest.mark.parametrize("name", FILES)
def test_no_machine_is_named(name):
    # /dev/null and the interpreter of a script exist everywhere.
    text = FILES[name].replace("/dev/null", "").replace("#!/usr/bin/env bash", "")
    assert not re.search(r"(?<![\w.$)}*%])/[a-z]+/", text)
    assert not re.search(r"\w+://|@ ?file|(?<![=\d])\d+\.\d+\.\d+\.\d+|localhost", text)


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
