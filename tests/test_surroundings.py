"""The machine around it: no home, other kernels, settings of matplotlib, braces in paths."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
import pandas as pd
import pytest

from cptlab.lab import caches
from cptlab.lab.cli import execute
from cptlab.lab.figures.style import in_style, save, use_style
from cptlab.lab.workspace import CHECKOUT, NOTEBOOKS

NO_HOME = {"HOME": "/dev/null/home"}
"""A home that nobody can write to, not even root."""


def small_notebook(folder: Path, *cells: str) -> None:
    """A notebook `small` with a parameter and these cells."""
    made = [nbformat.v4.new_code_cell("profile = 'smoke'", metadata={"tags": ["parameters"]})]
    made += [nbformat.v4.new_code_cell(text) for text in cells]
    kernel = nbformat.read(NOTEBOOKS / "00_tour.ipynb", as_version=4).metadata
    folder.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata=kernel), folder / "small.ipynb")


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Executes a notebook of these cells; gives the texts that they print."""

    def run(*cells: str, folder: str = "out") -> list[str]:
        monkeypatch.setattr(execute, "NOTEBOOKS", tmp_path / "note{books}")
        execute.declared.cache_clear()
        small_notebook(tmp_path / "note{books}", *cells)
        done = execute.execute_notebook("small", {"profile": "demo"}, tmp_path / folder)
        cells = nbformat.read(done, as_version=4).cells
        return ["".join(o.get("text", "") for o in c.get("outputs", ())) for c in cells]

    yield run
    execute.declared.cache_clear()


def test_braces_in_paths_are_no_places_to_fill_in(small, tmp_path):
    assert "demo\n" in small("print(profile)", folder="q{x} {} {{y}}")
    assert (tmp_path / "q{x} {} {{y}}/small.ipynb").is_file()


def test_notebooks_run_in_this_interpreter_and_in_a_profile_of_their_own(
    small, tmp_path, monkeypatch
):
    """Whatever kernels, startup files and backends the user's environment names."""
    foreign = tmp_path / "jupyter/kernels/python3"
    foreign.mkdir(parents=True)
    kernel = {"argv": ["/bin/false", "{connection_file}"], "display_name": "x", "language": "R"}
    (foreign / "kernel.json").write_text(json.dumps(kernel))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    startup = tmp_path / "ipython/profile_default/startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("raise SystemExit('not mine')")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MPLBACKEND", "QtAgg")
    told = small("import sys, matplotlib\nprint(sys.executable, matplotlib.get_backend())")
    assert told[-1] == f"{sys.executable} module://matplotlib_inline.backend_inline\n"


def test_a_kernel_that_does_not_start_is_named_with_its_notebook(small, monkeypatch):
    spec = {
        "argv": [sys.executable, "-c", "raise SystemExit(3)"],
        "display_name": "",
        "language": "",
    }
    monkeypatch.setattr(execute, "get_kernel_dict", lambda: spec)
    with pytest.raises(RuntimeError, match=r"Notebook small failed .*its kernel did not start"):
        small("print(1)")


USERS = {
    "text.usetex": True,
    "font.weight": "bold",
    "font.family": "monospace",
    "axes.labelcolor": "red",
    "axes.titlesize": 30,
    "xtick.labelsize": 20,
    "lines.linestyle": "--",
    "savefig.transparent": True,
    "savefig.bbox": "tight",
    "svg.fonttype": "path",
}


def drawn(folder: Path) -> list[bytes]:
    """The files of a figure that is filled in the style and stored after it."""
    with use_style():
        fig, ax = plt.subplots()
        ax.plot([1, 2], label="a")
        ax.set(xlabel="x", title="$5 of it")
        ax.legend()
    save(fig, pd.DataFrame({"x": [1]}), folder, "a")
    plt.close(fig)
    return [(folder / f"a.{kind}").read_bytes() for kind in ("png", "svg")]


def test_settings_of_the_user_change_no_picture(tmp_path):
    plain = drawn(tmp_path / "plain")
    with mpl.rc_context(USERS):
        assert drawn(tmp_path / "users") == plain
        assert mpl.rcParams["text.usetex"]  # the user's own, after it as before


def test_what_is_shown_later_has_the_ticks_of_the_style():
    with mpl.rc_context(USERS):
        with use_style():
            fig, ax = plt.subplots()
        in_style(fig)
        label = ax.get_xticklabels()[0]
        assert (label.get_usetex(), label.get_fontweight(), label.get_size()) == (
            False,
            "normal",
            9,
        )
    plt.close(fig)


def environment_after(changes: dict[str, str | None], monkeypatch) -> dict[str, str]:
    """What `use_writable_caches` adds to an environment."""
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "HF_HOME", *NAMES):
        monkeypatch.delenv(name, raising=False)
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    caches.use_writable_caches()
    return {name: value for name, value in os.environ.items() if before.get(name) != value}


NAMES = ("NUMBA_CACHE_DIR", "MPLCONFIGDIR", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR")


def test_what_has_a_home_keeps_it(tmp_path, monkeypatch):
    assert environment_after({"HOME": str(tmp_path)}, monkeypatch) == {}
    assert list(tmp_path.iterdir()) == []


def test_without_a_home_caches_go_to_a_folder_that_can_be_written(monkeypatch):
    found = environment_after(NO_HOME | {"IPYTHONDIR": "chosen"}, monkeypatch)
    assert found.pop("HF_HOME") == "/dev/null/home/.cache/huggingface"  # weights of before
    assert set(found) == {*NAMES, "XDG_CACHE_HOME"} - {"IPYTHONDIR"}
    assert all(os.access(folder, os.W_OK) for folder in found.values())
    shutil.rmtree(Path(found["NUMBA_CACHE_DIR"]).parent)


READ_ONLY = """
import torch
from cptlab.lab.caches import use_writable_caches
use_writable_caches()
from numba.core import caching

def refused(self):
    raise PermissionError("read-only")

caching.InTreeCacheLocator.ensure_cache_path = refused
from cptlab.lab.study.plane import plane
print(plane(torch.randn(5, 4)).shape)
"""


@pytest.mark.slow
def test_maps_are_drawn_where_packages_and_home_are_read_only():
    environment = {name: value for name, value in os.environ.items() if name not in NAMES}
    environment |= NO_HOME | {"PYTHONPATH": str(CHECKOUT)}
    environment.pop("XDG_CACHE_HOME", None)
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.endswith("(5, 2)\n"), done.stderr[-2000:]
    assert "cache" not in done.stderr.lower()
