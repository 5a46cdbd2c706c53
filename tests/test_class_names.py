"""The judge of class names: CLIP's tokenizer decides, on every way that names come in."""

import dataclasses
import re

import pytest
from click.testing import CliRunner
from tiny_clip import TOKENIZER
from tiny_data_root import image, own_folder
from tiny_world import tiny_dataset

from cptlab import clip
from cptlab.clip import imagenet_names, judge, reads, too_long
from cptlab.data import open_dataset
from cptlab.data.own import own_dataset
from cptlab.emoji.catalog import CATEGORIES
from cptlab.lab.cli.main import commands
from cptlab.lab.explore.prediction import read_names
from cptlab.lab.runs.classify import names_for
from cptlab.lab.runs.evaluate import evaluate
from cptlab.lab.runs.ready import require_names
from cptlab.methods import CPT, CoPrompt, PromptSRC, ZeroShot
from cptlab.methods.registry import known
from cptlab.training.model import PromptedCLIP

ONE_NAME = [
    ("Apple", "apple"),
    ("a-b", "a - b"),
    ("sea_lion", "sea lion"),
    ("sea lion", " sea  lion "),
    ("rock & roll", "rock &amp; roll"),
    ("rock & roll", "rock &amp;amp; roll"),
    ("caf\u00e9", "cafe\u0301"),
    ("\uff21\uff22", "ab"),  # wide letters
    ("\ufb01n", "fin"),  # a ligature
    ("a\u00a0b", "a b"),  # no-break space
    ("don't", "don\u2019t"),
    ("\u00c9t\u00e9", "\u00e9t\u00e9"),
    ("10", "1 0"),
]
TWO_NAMES = [
    ("apple", "apples"),
    ("a-b", "ab"),
    ("\u00df", "ss"),
    ("sea lion", "sealion"),
    ("2", "\u00b2"),
    ("ant", "\u0430nt"),  # the first letter is Cyrillic
    ("a b", "a\u200bb"),
    ("cafe", "caf\u00e9"),
]


@pytest.mark.parametrize(("one", "other"), ONE_NAME)
def test_names_with_equal_tokens_are_one(one, other):
    problems, (repeated,), remarks = judge(["bee", one, other], ["A", "B", "C"])
    assert problems == remarks == []
    assert repeated.startswith("B and C are one name to CLIP")


@pytest.mark.parametrize(("one", "other"), TWO_NAMES)
def test_names_with_other_tokens_are_two(one, other):
    assert judge([one, other])[:2] == ([], [])


@pytest.mark.parametrize("name", ["", " ", "_", " _ ", "\t", "\x07", "&nbsp;"])
def test_a_name_of_nothing(name):
    (problem,), repeated, _ = judge([name, "ant"], ["folder X", "folder ant"])
    assert problem == "folder X: there is nothing in this name that CLIP reads."
    assert repeated == []


def test_names_that_are_no_text_or_end_texts():
    problems, _, _ = judge(["caf\udce9", "&lt;end&#95;of&#95;text&gt;", "<end_of_text>"])
    assert "no text in UTF-8" in problems[0] and "a mark with which texts end" in problems[1]
    assert len(problems) == 2  # underscores are spaces, so the last one is three words


@pytest.mark.parametrize(
    ("names", "remark"),
    [
        (["ant", "\u0430nt"], "look alike, and are two names"),
        (["cafe", "caf\u00e9"], "look alike"),
        (["\u0391", "A"], "look alike"),
        (["bee", "b\u0435\u0435"], "mixes letters: Latin and Cyrillic"),
        (["bee", "ant\u200b"], r"cannot be seen \(ZERO WIDTH SPACE\)"),
        (["ant", "an\u00adt"], r"cannot be seen \(SOFT HYPHEN\)"),
    ],
)
def test_names_that_only_look_alike_are_worth_a_remark(names, remark):
    problems, repeated, remarks = judge(names)
    assert problems == repeated == []
    assert any(re.search(remark, text) for text in remarks)


@pytest.mark.parametrize(
    "names",
    [
        ["ant", "bee"],
        ["\u043a\u043e\u0442", "\u043f\u0435\u0441"],
        ["\u0915\u0940", "\u0915\u093e", "\u0e01\u0e34", "\u0e01\u0e35"],
        ["\u732b", "\u72ac"],
        ["\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u2764\ufe0f"],
        ["\u03b2-carotene", "carotene"],
        *[open_dataset(name).class_names for name in CATEGORIES],
    ],
)
def test_plain_names_of_any_language_are_fine(names):
    assert judge(names) == ([], [], [])


def test_the_judge_agrees_with_the_tower():
    """Whatever it calls one name gives equal tokens in the sentences that towers read."""
    for template in ("a photo of a {}.", "X X X X {}.", "{} texture."):
        for one, other in ONE_NAME:
            ids = [TOKENIZER.encode(s) for s in clip.fill_template(template, (one, other))]
            assert ids[0] == ids[1]


@pytest.mark.parametrize("count", [22, 25, 26, 27, 40])
@pytest.mark.parametrize("template", ["a photo of a {}.", "{}", "a jpeg corrupted photo of a {}."])
def test_length_is_judged_as_the_backbone_does(count, template):
    backbone = clip.load("EmojiCLIP")
    assert reads() == (backbone.name, backbone.context_length)
    name = " ".join(["bee"] * count)
    found = too_long([name, "ant"], [template, "{}"], reads(), ["folder N", "folder ant"])
    try:
        backbone.tokenize([template.replace("{}", name)])
        assert found == []
    except ValueError:
        room = 30 - len(TOKENIZER.encode(template.replace("{}", "")))
        assert found == [
            f"folder N: this name has {count} tokens, and EmojiCLIP has room for {room} in "
            f"{template!r}."
        ]


def test_the_context_of_other_backbones_is_known_without_weights():
    assert reads("ViT-B-16-quickgelu") == ("ViT-B-16-quickgelu", 77)
    for name in ("RN50", "ViT-B-16-SigLIP", "nobody"):
        with pytest.raises(ValueError, match=name):
            reads(name)


def test_methods_name_every_sentence_that_they_read():
    own = "a drawing of a {}."
    assert ZeroShot().sentences(own)[0] == own
    assert "a photo of a {}." in CPT().sentences(own) and own in CPT().sentences(own)
    assert set(clip.IMAGENET_TEMPLATES[:60]) <= set(PromptSRC().sentences(own))
    assert set(clip.IMAGENET_TEMPLATES) <= set(CoPrompt().sentences(own))
    assert not set(clip.IMAGENET_TEMPLATES) <= set(CoPrompt(descriptions="d.json").sentences(own))
    for method in known():
        assert all(text.count("{}") == 1 for text in method().sentences(own))


# ------------------------------------------------------------------------------------ where it asks


@pytest.mark.parametrize("form", ["folder", "csv", "classes.csv"])
@pytest.mark.parametrize("pair", [("Apple", "apple"), ("rock & roll", "rock &amp; roll")])
def test_folders_and_rows_are_named(form, pair, tmp_path):
    labels = ("ant", *(("x", "y") if form == "classes.csv" else pair))
    rows = ["path,label"]
    for n, label in enumerate(labels):
        for i in range(2):
            image(tmp_path / "mine" / label / f"{n}{i}.png")
            rows.append(f"mine/{label}/{n}{i}.png,{label}")
    path, expected = tmp_path / "mine", "folder '{}' and folder '{}' are one name"
    if form == "csv":
        path, expected = tmp_path / "mine.csv", r"label '{}' \(line 4\) and label '{}' \(line 6\)"
        path.write_text("\n".join(rows))
    if form == "classes.csv":
        named = [f"x,{pair[0]}", f"y,{pair[1]}", "ant,"]
        (path / form).write_text("\n".join(["label,name", *named]))
        expected = r"folder 'x', called '{}' in classes.csv and folder 'y', called '{}' in classes"
    with pytest.raises(ValueError, match=expected.format(*pair)):
        open_dataset(str(path))


def test_look_alikes_are_a_note(tmp_path):
    own_folder(tmp_path, ("ant", "\u0430nt", "bee", "cat"))
    _, notes = own_dataset(tmp_path)
    assert "folder 'ant' and folder '\u0430nt' look alike, and are two names to CLIP" in notes


def test_names_for_classification_and_export():
    model = PromptedCLIP(clip.load("EmojiCLIP"), clip.Prompts([], []), ZeroShot())
    assert names_for(model, ["sea_lion", "ant "]) == ("sea lion", "ant")
    for names in (["Apple", "apple"], ["a", "&amp;", "&"], ["_", "ant"]):
        with pytest.raises(ValueError, match=r"one name to CLIP|nothing in this name"):
            names_for(model, names)
    with pytest.raises(ValueError, match="'Cat' and 'cat' are one name"):
        read_names("Cat, dog\ncat")


def test_evaluation_and_training_ask_too():
    same = dataclasses.replace(tiny_dataset(3), class_names=("Ant", "bee", "ant"))
    model = PromptedCLIP(clip.load("EmojiCLIP"), clip.Prompts([], []), ZeroShot())
    with pytest.raises(ValueError, match="tiny: 'Ant' and 'ant' are one name to CLIP"):
        evaluate(model, {"all": same})


def test_the_paper_repeats_names_on_purpose():
    names = tuple(imagenet_names(1000))
    repeated = judge(names).repeated
    assert [text.split(" are ")[0] for text in repeated] == [
        "'missile' and 'missile'",
        "'sunglasses' and 'sunglasses'",
    ]
    data = dataclasses.replace(tiny_dataset(3), class_names=names, name="imagenet")
    assert require_names({"base": data, "new": data}) == [f"imagenet: {text}" for text in repeated]
    with pytest.raises(ValueError, match="one name"):
        require_names({"all": dataclasses.replace(data, name="mine")})


@pytest.mark.parametrize("command", ["doctor", "run", "compare"])
def test_commands_refuse_before_any_work(command, tmp_path):
    path = own_folder(tmp_path / "mine", ("Apple", "apple", "bee", "cat"))
    out = tmp_path / "out"
    given = {
        "doctor": ["doctor", str(path)],
        "run": ["run", "--dataset", str(path), "--profile", "smoke", "--out", str(out)],
        "compare": ["compare", str(path), "--methods", "coop", "--profile", "smoke"],
    }[command]
    done = CliRunner().invoke(commands, given)
    assert done.exit_code == 1
    said = f"{done.output}{done.exception}"
    assert "folder 'Apple' and folder 'apple' are one name to CLIP" in said
    assert not out.exists() and "lambda" not in done.output
