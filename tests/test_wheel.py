"""A wheel holds all that the package reads, and works where there is no checkout."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

from cptlab import __version__
from cptlab.lab.workspace import CHECKOUT

BUILT_FROM = (".ci", ".github", "cptlab", "dev", "notebooks", "figures", "docs", "tests")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Folder of the wheel and the sdist, built from a copy of the checkout with what lies about."""
    copy = tmp_path_factory.mktemp("copy")
    leave = shutil.ignore_patterns("__pycache__", "demo", "smoke", "paper")
    for name in BUILT_FROM:
        shutil.copytree(CHECKOUT / name, copy / name, ignore=leave)
    for path in CHECKOUT.iterdir():
        if path.is_file():
            shutil.copy(path, copy)
    litter = ("runs/results/a/result.json", "figures/demo/a.png", "figures/tour_drawings.png")
    for name in litter:
        path = copy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("not to be shipped")
    program = "from setuptools import build_meta as b; b.build_sdist('dist'); b.build_wheel('dist')"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=copy, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return copy / "dist"


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """Folder that the wheel was installed into, without what it depends on."""
    (wheel,) = built.glob("cptlab-*.whl")
    target = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*command, "--target", str(target), str(wheel)], check=True)
    return target


@pytest.mark.slow
def test_the_wheel_holds_all_that_the_package_reads(built):
    (wheel,) = built.glob("cptlab-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    package = {path for path in (CHECKOUT / "cptlab").rglob("*") if path.is_file()}
    wanted = {
        str(path.relative_to(CHECKOUT))
        for path in package
        if path.suffix != ".pyc" and not path.name.startswith(".")
    }
    assert {"cptlab/py.typed", "cptlab/emoji/EmojiCLIP.safetensors"} <= wanted
    assert "cptlab/lab/study/published/table1.csv" in wanted
    outside = [*CHECKOUT.glob("notebooks/*.ipynb"), *CHECKOUT.glob("figures/*.json")]
    outside += [*CHECKOUT.glob("docs/*.md"), CHECKOUT / "README.md", CHECKOUT / "CITATION.cff"]
    wanted |= {f"cptlab/carried/{path.relative_to(CHECKOUT)}" for path in outside}
    assert "cptlab/carried/figures/throughput.json" in wanted
    assert wanted <= set(names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"cptlab"}


@pytest.mark.slow
def test_the_sdist_holds_the_checkout_and_nothing_computed_in_it(built):
    (sdist,) = built.glob("cptlab-*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for name in ("setup.py", "constraints.txt", "notebooks/00_tour.ipynb", "figures/runs.csv"):
        assert name in names
    assert {"tests/test_wheel.py", "tests/golden/few_shot.json", ".ci/run", "Dockerfile"} <= names
    assert "dev/emojiclip/requirements.txt" in names
    tops = {name.split("/")[0] for name in names}
    assert not tops & {"runs", ".venv", "build", "dist"}
    drawings = ("figures/tour_drawings", "figures/tour_predictions", "figures/fig5_cluster_map_d")
    assert not [n for n in names if n.startswith(drawings) and n.endswith((".png", ".svg"))]
    assert not [n for n in names if n.startswith(("figures/demo", "figures/smoke"))]


@pytest.mark.slow
def test_an_installed_wheel_works_where_the_user_stands(installed, tmp_path):
    """It finds weights, drawings, stored times and notebooks; all output goes below this folder."""
    program = """
import cptlab.__main__, cptlab.lab.workspace as w
print(w.NOTEBOOKS, w.workspace("smoke").runs, sep="\\n")
cptlab.__main__.main()
"""
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-c", program, "figures", "00", "--profile", "smoke", "--dry-run"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    notebooks, runs, _, looking, *plan = done.stdout.splitlines()
    carried = installed / "cptlab/carried"
    assert notebooks == str(carried / "notebooks")
    assert (carried / "notebooks/00_tour.ipynb").is_file()
    assert runs == str(tmp_path / "cptlab-out/smoke/runs")
    assert looking == f"Profile smoke: 3 runs; looking at what is done in {runs}."
    assert plan[0].split() == ["runs", "steps", "minutes"]
    assert plan[-1].startswith("Profile smoke: 3 runs, 0 done, 3 to do")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_an_installed_wheel_knows_its_version_and_how_to_cite_it(installed, tmp_path):
    program = "import cptlab.__main__; from importlib import metadata; "
    program += "print(metadata.version('cptlab'), flush=True); cptlab.__main__.main()"
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program, "cite"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    version, told = done.stdout.split("\n", 1)
    assert version == __version__
    assert f"Version {version}." in told and "@misc{cptlab" in told


def test_a_checkout_keeps_its_folders(monkeypatch, tmp_path):
    from cptlab.lab.workspace import NOTEBOOKS, stored, workspace

    monkeypatch.chdir(tmp_path)
    assert CHECKOUT / "notebooks" == NOTEBOOKS
    assert workspace("full").figures == CHECKOUT / "figures"
    assert workspace("demo").figures == CHECKOUT / "figures/demo"
    assert stored("throughput.json") == CHECKOUT / "figures/throughput.json"
