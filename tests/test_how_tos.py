"""The how-tos as a reader follows them: every block of a page, in order, on folders of images."""

import os
import re
import shlex
import shutil
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from click.testing import CliRunner
from safetensors.torch import save_file
from tiny_data_root import image

import cptlab
from cptlab.clip.loading import untrained
from cptlab.lab.cli.main import commands
from cptlab.lab.workspace import CHECKOUT

PAGES = ("own-data", "own-questions", "trained-prompts", "own-method", "own-backbone", "notebooks")
BLOCK = re.compile(r"```(sh|python)\n(.*?)```", flags=re.DOTALL)
BIRDS = ("owl", "jay", "wren", "tit", "crow", "gull", "swan", "duck")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """What the pages take for granted: own images, some to be named, weights, and a finished run.
    What one page has trained the next finds done, as for a reader of several."""
    folder = tmp_path_factory.mktemp("world")
    for number in range(48):
        image(folder / "birds" / BIRDS[number % 8] / f"{number}.png", number % 8)
        side = ("train", "val", "test")[number // 8 % 3]
        image(folder / "beasts" / side / f"beast {number % 8}" / f"{number}.png", number % 8)
    image(folder / "a.jpg")
    image(folder / "more-images/b.png", 1)
    (folder / "names.txt").write_text("house_sparrow\nblackbird\n", encoding="utf-8")
    save_file(untrained("ViT-S-32-alt").model.state_dict(), folder / "my-clip.safetensors")
    shutil.copytree(CHECKOUT / "docs", folder / "docs")
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_every_block_works(page, world, monkeypatch):
    monkeypatch.setenv("HOME", str(world))
    monkeypatch.chdir(world)
    said = {"__name__": "page"}
    blocks = BLOCK.findall((CHECKOUT / f"docs/{page}.md").read_text(encoding="utf-8"))
    assert blocks
    if page == "trained-prompts":  # its commands begin with a finished run
        run("cptlab run --dataset birds --method coop --profile smoke --out mine")
    for kind, block in blocks:
        if kind == "python":
            exec(block, said)
        else:
            for line in block.splitlines():
                run(line)
    plt.close("all")
    if page == "trained-prompts":
        check_use(said)


def check_use(said):
    """Numpy alone names images as the run did; files are there."""
    assert len(said["found"]) == 2
    assert list(said["found"].columns[4:]) == sorted(BIRDS)
    model = cptlab.load_run(said["run"].folder).model()
    dataset = cptlab.open_dataset("birds")
    features = model.encode_samples(dataset, dataset.test)[0].numpy()
    assert said["classify"](features) == said["tested"]["predicted"].tolist()
    for name in ("found.csv", "weights.safetensors", "by-class.csv"):
        assert Path(name).is_file()


def run(line):
    name, *words = shlex.split(line, comments=True)
    assert name == "cptlab", line
    latest = max(Path().glob("*/runs/*/result.json"), key=os.path.getmtime, default=Path())
    words = [str(latest.parent) if word == "RUN" else word for word in words]
    done = CliRunner().invoke(commands, words)
    assert done.exit_code == 0, f"{line}\n{done.output}{done.exception!r}"
