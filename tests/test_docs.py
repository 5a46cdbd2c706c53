"""The commands and programs of the page on own questions, in order, on a folder of images."""

import re
import shlex

import matplotlib.pyplot as plt
import pytest
from click.testing import CliRunner
from tiny_data_root import image

from cptlab.lab.cli.main import commands
from cptlab.lab.workspace import CHECKOUT

PAGE = (CHECKOUT / "docs/own-questions.md").read_text(encoding="utf-8")
SECTIONS = re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"```(sh|python)\n(.*?)```", flags=re.DOTALL)
BIRDS = ("owl", "jay", "wren", "tit", "crow", "gull", "swan", "duck")


def world(folder):
    """What the page takes for granted: own images."""
    for number in range(48):
        image(folder / "birds" / BIRDS[number % 8] / f"{number}.png", number % 8)


@pytest.mark.slow
def test_every_block_of_the_page_works(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    world(tmp_path)
    assert SECTIONS
    for title, text in SECTIONS:
        for kind, block in BLOCK.findall(text):
            if kind == "python":
                exec(block, {})
            else:
                for line in block.replace("\\\n", " ").splitlines():
                    run(line, title)
    plt.close("all")


def run(line, title):
    name, *words = shlex.split(line, comments=True)
    assert name == "cptlab", f"{title}: {line}"
    done = CliRunner().invoke(commands, words)
    assert done.exit_code == 0, f"{title}: {line}\n{done.output}{done.exception!r}"
