"""Doctor says what run would: fifty odd data sets, drawn at random, and what each command says."""

import random

import pytest
from click.testing import CliRunner
from tiny_data_root import image

from cptlab.lab.cli.main import commands
from cptlab.lab.runs import one_pass

CLASSES = ["ant", "bee", "cat", "dog", "eel", "fox"]
NAMES = {
    "capitals": "Ant",
    "spaces": "ant_",
    "nothing": "_",
    "fifty tokens": " ".join(["bee"] * 50),
    "twenty-six tokens": " ".join(["bee"] * 26),
    "entity": "a&amp;b",
    "accent": "caf\u00e9",
    "parts": "cafe\u0301",
    "cyrillic": "\u0430nt",
    "dollar": "$5",
    "side": "train",
}
"""A class with such a name joins; some of them collide with others."""
FORMS = (
    *("folder", "csv", "CSV", "sides", "Sides") * 2,
    *("train and valid", "nested", "domains"),
)
FILES = ("no image", "cut off", "empty", "text beside", "hidden", "none", "one", "gone")
FACTS = ("classes.csv", "unknown class", "template", "long template", "no template", "bom")


def draw(number, root):
    """An odd data set below a folder: its path, and what is odd about it."""
    chance = random.Random(number)
    form = chance.choice(FORMS)
    names = chance.sample(list(NAMES), chance.choice((0, 0, 1, 1, 2)))
    files = chance.sample(FILES, chance.choice((0, 0, 0, 1)))
    facts = chance.sample(FACTS, chance.choice((0, 0, 0, 1)))
    classes = [*CLASSES[: chance.choice((1, 2, 3, 4, 4, 6))], *(NAMES[name] for name in names)]
    where = {
        "sides": ("train/", "test/"),
        "Sides": ("Training/", "TEST/"),
        "train and valid": ("train/", "valid/"),
        "nested": ("archive/",),
        "domains": ("Art/", "Product/"),
    }.get(form, ("",))
    data = root / "mine"
    for part in where:
        for n, name in enumerate(dict.fromkeys(classes)):
            for i in range(3):
                image(data / f"{part}{name}" / f"{i}.png", n, (20, 20))
    found = sorted(data.rglob("*.png"))
    victim = chance.choice(found)
    for odd in files:
        spoil(odd, victim)
    path, prefix = data, "mine/"
    if form.lower() == "csv":
        path, prefix = root / f"mine.{form}", "mine."
        rows = [f'{f.relative_to(root).as_posix()},"{f.parent.name}"' for f in found]
        path.write_text("\n".join(["path,label", *rows]), encoding="utf-8")
    for odd in facts:
        write_facts(odd, root / prefix if prefix.endswith("/") else root, prefix, classes)
    return path, f"{form}; {len(classes)} classes; {names + files + facts}"


def spoil(odd, file):
    if odd == "no image":
        file.write_bytes(b"no image")
    elif odd == "cut off":
        file.write_bytes(file.read_bytes()[:-20])
    elif odd == "empty":
        file.write_bytes(b"")
    elif odd == "text beside":
        (file.parent / "notes.txt").write_text("seen at noon")
    elif odd == "hidden":
        (file.parent / ".hidden.png").write_bytes(b"no image")
    elif odd == "none":
        for other in file.parent.iterdir():
            other.unlink()
    elif odd == "one":
        for other in file.parent.iterdir():
            if other != file:
                other.unlink()
    elif odd == "gone":
        file.unlink()


def write_facts(odd, folder, prefix, classes):
    stem = "" if prefix.endswith("/") else prefix
    rows = [f'"{name}"' for name in dict.fromkeys(classes)]
    text = {
        "classes.csv": ("classes.csv", "\n".join(["label", *rows[::-1]])),
        "unknown class": ("classes.csv", "\n".join(["label", *rows, "nobody"])),
        "template": ("template.txt", "a drawing of a {}."),
        "long template": ("template.txt", "a drawing " + "very " * 26 + "like a {}."),
        "no template": ("template.txt", "a drawing."),
        "bom": ("template.txt", "\ufeffa drawing of a {}."),
    }[odd]
    (folder / f"{stem}{text[0]}").write_text(text[1], encoding="utf-8")


class Looked(Exception):
    """Everything that looks at data has passed."""


@pytest.fixture
def said(monkeypatch):
    """Exit status of doctor, and what a run said up to its training, which is left out."""

    def trained(specs, backbone, learned, subsets, *rest):
        learned.read([s.key for s in (*learned.train, *learned.test)], 16)
        raise Looked

    monkeypatch.setattr(one_pass, "train", trained)

    def ask(path, out):
        doctor = CliRunner().invoke(commands, ["doctor", str(path)])
        runs = {}
        for protocol in ("base_to_new", "few_shot"):
            line = ["run", "--dataset", str(path), "--protocol", protocol, "--profile", "smoke"]
            done = CliRunner().invoke(commands, [*line, "--out", str(out)])
            if not isinstance(done.exception, Looked):
                assert isinstance(done.exception, ValueError | OSError), done.exception
                assert '"dataset"' not in done.output  # before anything is printed
            runs[protocol] = isinstance(done.exception, Looked)
        return doctor, runs

    return ask


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*skipped that are no images")  # what run tells, as doctor does
@pytest.mark.parametrize("number", range(50))
def test_doctor_says_what_run_would(number, tmp_path, said):
    path, odd = draw(number, tmp_path)
    doctor, runs = said(path, tmp_path / "out")
    assert isinstance(doctor.exception, SystemExit | ValueError | OSError | None)
    fine = {"base_to_new": False, "few_shot": doctor.exit_code == 0}
    fine["base_to_new"] = fine["few_shot"] and "few_shot only" not in doctor.output
    assert runs == fine, f"{odd}\n{doctor.output}{doctor.exception}"


@pytest.mark.slow
def test_the_draws_are_of_all_kinds(tmp_path, said):
    """Or the comparison would be of nothing."""
    kinds = {draw(number, tmp_path / str(number))[1].split(";")[0] for number in range(50)}
    assert kinds == set(FORMS)
