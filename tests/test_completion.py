"""Completion in the shell: the names that there are, and in a moment."""

import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete

from cptlab.data.paper import ROWS
from cptlab.emoji.catalog import CATEGORIES
from cptlab.lab.cli import names as completion
from cptlab.lab.cli.main import commands
from cptlab.lab.study.notebooks import STUDIES
from cptlab.lab.study.profiles import PROFILES
from cptlab.methods import METHODS


def offered(*words: str, begun: str = "") -> list[str]:
    """What TAB offers after `cptlab WORDS BEGUN`, without the wish for files."""
    complete = ShellComplete(commands, {}, "cptlab", "_CPTLAB_COMPLETE")
    return [i.value for i in complete.get_completions(list(words), begun) if i.type == "plain"]


def test_the_names_are_those_that_there_are():
    assert tuple(METHODS) == completion.METHODS
    assert tuple(PROFILES) == completion.PROFILES
    assert tuple(CATEGORIES) == completion.EMBEDDED
    assert tuple(ROWS) == completion.PAPER
    assert set(STUDIES) <= set(completion.NOTEBOOKS)


@pytest.mark.parametrize(
    ("words", "begun", "names"),
    [
        ("run --method", "co", ["coop", "cocoop", "coprompt"]),
        ("run --profile", "", list(PROFILES)),
        ("run --dataset", "f", ["food", "flowers102", "food101", "fgvc_aircraft"]),
        ("run --class-order", "p", ["permuted"]),
        ("figures", "01", ["01_similarity_matrices"]),
        ("figures --engine", "", ["loky", "slurm"]),
        ("figures 00 --profile", "s", ["smoke"]),
        ("results pack --profile", "f", ["full"]),
        ("data fetch", "d", ["dtd"]),
        ("data subset", "act", ["activities"]),
        ("bench --device", "", ["cpu", "cuda"]),
    ],
)
def test_what_is_offered(words, begun, names):
    assert offered(*words.split(), begun=begun) == names


def test_own_data_are_completed_as_paths():
    complete = ShellComplete(commands, {}, "cptlab", "_CPTLAB_COMPLETE")
    (item,) = complete.get_completions(["run", "--dataset"], "./bi")
    assert (item.type, item.value) == ("file", "./bi")


def test_neither_completion_nor_help_waits_for_torch(monkeypatch):
    """Through the entry point, as the shell calls it; torch alone would take seconds."""
    program = (
        "import atexit, sys; from cptlab.__main__ import main;"
        "atexit.register(lambda: print('torch' in sys.modules, 'pandas' in sys.modules)); main()"
    )
    monkeypatch.setenv("COMP_WORDS", "cptlab run --method npt")
    monkeypatch.setenv("COMP_CWORD", "3")
    monkeypatch.setenv("CPTLAB_DATA", "somewhere")
    for arguments, variable, said in (
        ([], "bash_complete", "plain,npt_style"),
        (["run", "--help"], "", "npt_style"),
    ):
        monkeypatch.setenv("_CPTLAB_COMPLETE", variable)
        command = [sys.executable, "-c", program, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert said in done.stdout
        assert done.stdout.splitlines()[-1] == "False False"
