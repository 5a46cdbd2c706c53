"""What `docs/own-questions.md` says about a trained prompt works as it stands there."""

import re
import shlex

import pytest
from click.testing import CliRunner
from tiny_data_root import image

import cptlab
from cptlab.lab.cli.main import commands
from cptlab.lab.workspace import CHECKOUT

TEXT = (CHECKOUT / "docs/own-questions.md").read_text(encoding="utf-8")
SECTION = TEXT.partition("## Use a trained prompt\n")[2].partition("\n## ")[0]


@pytest.fixture
def user(tmp_path, monkeypatch):
    """Somebody with a folder of birds, and images to be named."""
    for number in range(16):
        image(tmp_path / f"birds/bird {number % 4}/{number}.png", number % 4)
    image(tmp_path / "a.jpg")
    image(tmp_path / "more-images/b.png", 1)
    (tmp_path / "names.txt").write_text("house_sparrow\nblackbird\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CPTLAB_DATA", "")
    return tmp_path


def test_a_trained_prompt_is_used_as_it_says(user):
    first, second = re.findall(r"```python\n(.*?)```", SECTION, flags=re.S)
    said: dict = {}
    exec(first, said)
    assert len(said["found"]) == 2 and len(said["other"]) == 1
    assert list(said["found"].columns[4:]) == [f"bird {number}" for number in range(4)]
    assert len(said["tested"]) == 8
    exec(second, said)
    model = cptlab.load_run(said["run"].folder).model()
    dataset = cptlab.open_dataset("birds")
    features = model.encode_samples(dataset, dataset.test)[0].numpy()
    assert said["classify"](features) == said["tested"]["predicted"].tolist()

    (user / "birds.safetensors").unlink()
    lines = re.findall(r"^\.venv/bin/cptlab (.*)$", SECTION, flags=re.M)
    assert [line.split()[0] for line in lines] == ["classify", "export", "evaluate"]
    for line in lines:
        words = [str(said["run"].folder) if w == "RUN" else w for w in shlex.split(line)]
        done = CliRunner().invoke(commands, words)
        assert done.exit_code == 0, f"{done.output}{done.exception!r}"
    for name in ("found.csv", "birds.safetensors", "by-class.csv"):
        assert (user / name).is_file()
