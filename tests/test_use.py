"""A trained prompt in use: images of one's own classified, by every method and from the shell."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from test_every_method import ALL
from test_own_methods import EXAMPLE, tail_coop
from tiny_runs import BACKBONE, NAMES, noisy_folder, trained

from cptlab.data import ImageDataset, open_dataset
from cptlab.lab.cli import main as cli
from cptlab.lab.cli import use
from cptlab.lab.runs import inputs
from cptlab.lab.workspace import workspace
from cptlab.methods import registry


@pytest.fixture(scope="module")
def animals(tmp_path_factory) -> Path:
    return noisy_folder(tmp_path_factory.mktemp("own") / "animals")


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(inputs, "backbone_of", lambda spec: BACKBONE)


@pytest.fixture
def result(tiny, animals, tmp_path):
    return trained(animals, tmp_path / "runs")


def files_of(dataset: ImageDataset, samples) -> list[Path]:
    return [dataset.read.folder / sample.key for sample in samples]


# ------------------------------------------------------------------------------------------ Python


@pytest.mark.parametrize("method", ALL, ids=repr)
def test_every_method_classifies_files_as_in_its_tests(tiny, animals, tmp_path, method):
    result = trained(animals, tmp_path, method)
    dataset = open_dataset(str(animals))
    others = ("wild dog", "eel", "bee")
    for names in (None, others):
        shown = dataset.class_names if names is None else names
        same = ImageDataset("same", shown, (), (), dataset.read, template=result.template)
        expected = result.model().classify(same, dataset.test)[0].double().softmax(-1).numpy()
        frame = result.classify(files_of(dataset, dataset.test), names, batch_size=7)
        np.testing.assert_allclose(frame[list(shown)].to_numpy(), expected, atol=1e-5)
        assert frame["predicted"].tolist() == [shown[i] for i in expected.argmax(1)]
        np.testing.assert_allclose(frame["probability"], expected.max(1), atol=1e-5)
    stored = result.predictions()  # of the same images in the same order, with the learned names
    assert stored["image"].tolist() == [sample.key for sample in dataset.test]
    frame = result.classify(files_of(dataset, dataset.test))
    np.testing.assert_allclose(frame["probability"], stored["probability"], atol=5e-4)


@pytest.mark.parametrize("method", ALL, ids=repr)
def test_learned_names_in_another_order_and_some_of_them(tiny, animals, tmp_path, method):
    """Every class keeps what was learned of it."""
    result = trained(animals, tmp_path, method)
    dataset = open_dataset(str(animals))
    files = files_of(dataset, dataset.test)
    expected = result.classify(files)
    inverse = result.classify(files, NAMES[::-1])
    assert inverse.columns[-4:].tolist() == list(NAMES[::-1])
    np.testing.assert_allclose(inverse[list(NAMES)], expected[list(NAMES)], atol=1e-5)
    two = ["wild dog", "bee"]
    chances = expected[two].div(expected[two].sum(axis=1), axis=0)
    np.testing.assert_allclose(result.classify(files, two)[two], chances, atol=1e-4)
    # as for a data set that lists its classes in another order
    model, names = result.model(), NAMES[::-1]
    other = ImageDataset("other", names, (), (), dataset.read, template=result.template)
    logits = model.classify(dataset, dataset.test)
    torch.testing.assert_close(model.classify(other, dataset.test), logits.flip(-1))


def test_every_form_of_an_image_gives_the_same(result, animals):
    paths = [animals / f"bee/{i}.png" for i in (3, 12, 20)]
    opened = [Image.open(path) for path in paths]
    size = BACKBONE.image_size
    pixels = open_dataset(str(animals)).read([f"bee/{i}.png" for i in (3, 12, 20)], size)
    numbers = list(NAMES)
    expected = result.classify(paths)
    assert expected["image"].tolist() == list(map(str, paths))
    for form in (list(map(str, paths)), iter(paths), tuple(opened), pixels, pixels.double()):
        frame = result.classify(form)
        np.testing.assert_allclose(frame[numbers], expected[numbers], atol=1e-6)
    assert result.classify(opened)["image"].tolist() == [0, 1, 2]
    alone = result.classify(paths[1])
    np.testing.assert_allclose(alone[numbers], expected[numbers][1:2], atol=1e-6)
    assert len(result.classify(opened[0])) == 1


def test_a_folder_stands_for_its_images_in_natural_order(result, animals, tmp_path):
    (animals / "bee/.hidden.png").write_bytes(b"")
    frame = result.classify([animals / "bee", animals / "ant/3.png"])
    (animals / "bee/.hidden.png").unlink()
    assert frame["image"].tolist() == [
        *(str(animals / f"bee/{i}.png") for i in range(25)),
        str(animals / "ant/3.png"),
    ]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty holds no images"):
        result.classify(tmp_path / "empty")


def test_names_are_shown_as_data_sets_show_them(result, animals):
    frame = result.classify(animals / "ant", ["wild_dog", " image ", "probability"])
    fixed = ["image", "predicted", "probability", "problem"]
    assert list(frame.columns) == [*fixed, "wild dog", "class image", "class probability"]
    assert set(frame["predicted"]) <= {"wild dog", "image", "probability"}
    numbers = frame.iloc[:, 4:].to_numpy()
    np.testing.assert_allclose(numbers.sum(1), 1)


def test_an_image_among_a_hundred_that_cannot_be_read(result, animals, tmp_path):
    paths = sorted(animals.rglob("*.png"))
    assert len(paths) == 100
    whole = result.classify(paths, batch_size=10)
    cut = tmp_path / "cut.png"
    cut.write_bytes(paths[5].read_bytes()[:90])
    paths[5], paths[60] = cut, tmp_path / "nowhere.png"
    with pytest.warns(UserWarning, match=r"2 of 100 images cannot be read: .*cut.png, .*nowhere"):
        frame = result.classify(paths, batch_size=10)
    assert len(frame) == 100
    assert frame["problem"][60] == "there is no such file" and frame["problem"][5]
    unread = frame["problem"] != ""
    assert list(np.flatnonzero(unread)) == [5, 60]
    assert frame.loc[unread, ["predicted", "probability", *NAMES]].isna().all(axis=None)
    pd.testing.assert_frame_equal(frame[~unread], whole[~unread], check_exact=False, atol=1e-6)
    with pytest.warns(UserWarning, match="1 of 1 images"):
        assert result.classify("nowhere.png")["predicted"].isna().all()


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        ([], {}, "no images to classify"),
        ("a.png", {"names": ["ant"]}, "two class names or more"),
        ("a.png", {"names": "ant"}, "list of names, got the string 'ant'"),
        ("a.png", {"names": ["ant", " "]}, "' ': there is nothing in this name"),
        ("a.png", {"names": []}, "There are no class names"),
        ("a.png", {"names": ["a b", "c", "a_b"]}, "'a b' and 'a_b' are one name"),
        ("a.png", {"names": ["ant", "x " * 99]}, "reads at most 77"),
        ("a.png", {"batch_size": 0}, "batch_size must be at least 1"),
        (torch.zeros(2, 3, 8, 8), {}, r"shape \(2, 3, 8, 8\).*\(images, 3, 16, 16\)"),
        (torch.zeros(3, 16, 16), {}, "need to be float"),
        (torch.zeros(1, 3, 16, 16, dtype=torch.uint8), {}, "need to be float"),
        (torch.full((1, 3, 16, 16), 1.5), {}, "lie in 0 to 1"),
        (torch.full((1, 3, 16, 16), float("nan")), {}, "lie in 0 to 1"),
        (torch.zeros(0, 3, 16, 16), {}, "no images to classify"),
    ],
)
def test_what_cannot_be_classified(result, images, options, message):
    with pytest.raises(ValueError, match=message):
        result.classify(images, **options)


def test_what_is_no_image(result):
    with pytest.raises(TypeError, match="int is no image: give paths"):
        result.classify([1, 2])


# --------------------------------------------------------------------------------------- commands


@pytest.fixture
def cptlab(monkeypatch, capsys, tmp_path):
    """Calls `cptlab ARGUMENTS`; gives exit status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cptlab", *map(str, arguments)])
        try:
            cli.main()
            status = 0
        except SystemExit as end:
            status = end.code or 0
        return status, *capsys.readouterr()

    return call


def test_images_are_classified_from_the_shell(cptlab, result, animals, tmp_path):
    files = [animals / "ant/3.png", animals / "wild_dog/4.png"]
    status, out, err = cptlab("classify", result.folder, *files, "--csv", "a.csv", "--top", 2)
    assert (status, err) == (0, "")
    first, second, classes, written = out.splitlines()
    assert classes == "Classes: the 4 that the run learned (ant, bee, cat, ...)."
    assert written == "Written to a.csv"
    frame = result.classify(files)
    pd.testing.assert_frame_equal(
        pd.read_csv("a.csv", keep_default_na=False), frame, check_dtype=False, atol=1e-6
    )
    for line, (_, row) in zip((first, second), frame.iterrows(), strict=True):
        best = row[list(NAMES)].astype(float).nlargest(2)
        shown = "   ".join(f"{name} {100 * value:.1f} %" for name, value in best.items())
        assert " ".join(line.split()) == " ".join(f"{row['image']} {shown}".split())

    names = tmp_path / "names.txt"
    names.write_text("wild_dog\n\nsea lion, old\n", encoding="utf-8")
    for given, shown in (("eel,wild_dog", "eel, wild dog"), (names, "wild dog, sea lion, old")):
        status, out, _ = cptlab("classify", result.folder, animals / "cat", "--names", given)
        assert status == 0 and len(out.splitlines()) == 26
        assert out.splitlines()[-1] == f"Classes: the 2 of --names ({shown})."


def test_the_exit_status_says_that_an_image_was_not_read(cptlab, result, animals):
    with pytest.warns(UserWarning, match="^1 of 26 images cannot be read: no.png.$"):
        status, out, _ = cptlab("classify", result.folder, animals / "ant", "no.png")
    assert status == 1
    assert len(out.splitlines()) == 27
    assert out.splitlines()[25].endswith(" cannot be read: there is no such file")


def test_a_run_of_the_default_store_goes_by_its_id(cptlab, result, animals, monkeypatch, tmp_path):
    monkeypatch.setattr(use, "workspace", lambda profile: workspace(profile, tmp_path))
    status, out, _ = cptlab("classify", result.folder.name, animals / "ant/3.png")
    assert status == 0 and "ant/3.png" in out
    status, _, err = cptlab("classify", "elsewhere", animals / "ant/3.png")
    assert status == 1
    assert err.startswith("cptlab: elsewhere is neither a folder nor the id of a run in ")


def test_a_method_of_ones_own_is_named(cptlab, tiny, animals, tmp_path, monkeypatch):
    folder = trained(animals, tmp_path / "runs", tail_coop()()).folder
    monkeypatch.setattr(registry, "_named", {})
    status, _, err = cptlab("classify", folder, animals / "ant/3.png")
    assert status == 1 and "'tail_coop', which came from" in err and "--method" in err
    arguments = (folder, animals / "ant/3.png", "--method", f"{EXAMPLE}:TailCoOp")
    assert cptlab("classify", *arguments)[0] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--names", "a,a"), "'a' and 'a' are one name"),
        (("--names", "a,,b"), "'': there is nothing in this name"),
        (("--names", "none.txt"), "none.txt: No such file"),
        (("--csv", "none/a.csv"), "There is no folder none for a.csv"),
    ],
)
def test_bad_options_fail_in_one_line(cptlab, result, animals, options, message):
    status, out, err = cptlab("classify", result.folder, animals / "ant", *options)
    assert (status, out) == (1, "")
    assert err.startswith(f"cptlab: {message}") and err.count("\n") == 1
