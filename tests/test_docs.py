"""The commands and programs of the page on own questions, in order, on a folder of images."""

import os
import re
import shlex
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from click.testing import CliRunner
from tiny_data_root import image

import cptlab
from cptlab.lab.cli.main import commands
from cptlab.lab.workspace import CHECKOUT

PAGE = (CHECKOUT / "docs/own-questions.md").read_text(encoding="utf-8")
SECTIONS = re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"```(sh|python)\n(.*?)```", flags=re.DOTALL)
BIRDS = ("owl", "jay", "wren", "tit", "crow", "gull", "swan", "duck")


def world(folder):
    """What the page takes for granted: own images, and some to be named."""
    for number in range(48):
        image(folder / "birds" / BIRDS[number % 8] / f"{number}.png", number % 8)
    for number in range(48):
        side = ("train", "val", "test")[number // 8 % 3]
        image(folder / "beasts" / side / f"beast {number % 8}" / f"{number}.png", number % 8)
    image(folder / "a.jpg")
    image(folder / "more-images/b.png", 1)
    (folder / "names.txt").write_text("house_sparrow\nblackbird\n", encoding="utf-8")


@pytest.mark.slow
def test_every_block_of_the_page_works(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    world(tmp_path)
    said = {}
    assert len(SECTIONS) > 4
    for title, text in SECTIONS:
        for kind, block in BLOCK.findall(text):
            if kind == "python":
                exec(block, said)
            else:
                for line in block.replace("\\\n", " ").splitlines():
                    run(line, title)
    plt.close("all")
    assert len(said["found"]) == 2
    assert list(said["found"].columns[4:]) == sorted(BIRDS)
    model = cptlab.load_run(said["run"].folder).model()
    dataset = cptlab.open_dataset("birds")
    features = model.encode_samples(dataset, dataset.test)[0].numpy()
    assert said["classify"](features) == said["tested"]["predicted"].tolist()
    for name in ("found.csv", "weights.safetensors", "by-class.csv"):
        assert (tmp_path / name).is_file()


def run(line, title):
    name, *words = shlex.split(line, comments=True)
    assert name == "cptlab", f"{title}: {line}"
    latest = max(Path().glob("*/runs/*/result.json"), key=os.path.getmtime, default=Path())
    words = [str(latest.parent) if word == "RUN" else word for word in words]
    done = CliRunner().invoke(commands, words)
    assert done.exit_code == 0, f"{title}: {line}\n{done.output}{done.exception!r}"
