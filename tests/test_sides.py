"""Sides are never taken for classes, in whatever case and spelling."""

import pytest
from tiny_data_root import image, own_folder

from cptlab.data import open_dataset
from cptlab.data.doctor import examine_own
from cptlab.data.own import own_dataset
from cptlab.data.sides import side_of

CLASSES = ("ant", "bee", "cat", "dog")


def tree(root, *tops, classes=CLASSES):
    for top in tops:
        own_folder(root / top, classes, 2)
    return root


@pytest.mark.parametrize(
    ("name", "side"),
    [
        *[(name, "train") for name in ("train", "Train", "TRAIN", "training", "Training_set")],
        *[(name, "train") for name in ("train_images", "train-data", "trainset")],
        *[(name, "val") for name in ("val", "Valid", "validation", "validation set")],
        *[(name, "test") for name in ("test", "TESTING", "test_set", "Test Images")],
        *[
            (name, None)
            for name in ("trainer", "test tube", "train1", "seg_train", "dev", "set", "")
        ],
    ],
)
def test_spellings(name, side):
    assert side_of(name) == side


@pytest.mark.parametrize(
    "tops",
    [("Train", "Test"), ("training", "testing"), ("train", "TEST", "valid"), ("train_set", "test")],
)
def test_other_spellings_are_read_as_sides(tops, tmp_path):
    dataset, notes = own_dataset(tree(tmp_path, *tops))
    assert dataset.class_names == CLASSES
    assert {s.key.split("/")[0] for s in dataset.train} == {tops[0]}
    assert {s.key.split("/")[0] for s in dataset.test} == {tops[1]}
    assert {s.key.split("/")[0] for s in dataset.val} == set(tops[2:])
    for top in tops:
        told = any(note.startswith(f"{top}/ is read as the side ") for note in notes)
        assert told == (top not in ("train", "test"))


@pytest.mark.parametrize(
    ("tops", "problem"),
    [
        (("train", "valid"), r"has train, valid only: .*Rename valid/ to test/ to test on it"),
        (("Train",), "has Train only: it takes both train/ and test/"),
        (("Train", "training", "test"), r"has Train/ and training/, which are one side"),
        (
            ("train", "Valid", "cat"),
            "cat/ beside them is neither a side nor a class",
        ),
        (
            ("seg_train", "seg_test"),
            "seg_test, seg_train seem to be sides, as all hold ant/. Rename",
        ),
        *[
            (
                tops,
                rf"{tops[0]}, {tops[1]} seem to be sides, as all hold ant/. Rename them to train",
            )
            for tops in (
                *[("dev", "train"), ("eval", "train"), ("test1", "train"), ("tests", "train")],
                *[("holdout", "train"), ("hold-out", "train"), ("train2017", "val2017")],
                *[("evaluation", "training-data"), ("trn", "tst"), ("te", "tr")],
                *[("1_train", "2_test"), ("testData", "trainData"), ("others", "traindata")],
            )
        ],
        (("dev", "eval", "extra", "train"), r"dev, eval, extra, ... seem to be sides, as all"),
        (("dev/images", "train/images"), r"dev, train seem to be sides, as all hold ant/"),
        (
            ("archive/train", "archive/test"),
            r"holds the folder archive/ alone: give .*/archive, if",
        ),
    ],
)
def test_what_is_no_clear_pair_of_sides_is_refused(tops, problem, tmp_path):
    with pytest.raises(ValueError, match=problem):
        open_dataset(str(tree(tmp_path, *tops)))


def test_sides_inside_classes_are_refused(tmp_path):
    tree(tmp_path, *CLASSES, classes=("train", "test"))
    with pytest.raises(ValueError, match=r"sides inside its classes \(ant/test\).*as in train/ant"):
        open_dataset(str(tmp_path))


def test_domains_are_remarked(tmp_path):
    tree(tmp_path, "Art", "Product", "Real World")
    dataset, notes = own_dataset(tmp_path)
    assert dataset.class_names == ("Art", "Product", "Real World")
    assert any(
        note.startswith("all 3 class folders hold the same sub-folders (ant, bee, cat, ...): if")
        and note.endswith(f"{tmp_path}/Art")
        for note in notes
    )


def test_one_class_more_on_a_side_changes_nothing(tmp_path):
    tree(tmp_path, "dev", "train")
    own_folder(tmp_path / "unlabeled", ("all",), 2)
    with pytest.raises(ValueError, match="dev, train seem to be sides, as all hold ant/"):
        open_dataset(str(tmp_path))
    (problem,) = examine_own(tmp_path).problems
    assert "dev, train seem to be sides" in problem


def test_folders_inside_a_class_that_is_called_like_a_side(tmp_path):
    for name in ("bus", "train", "test tube"):
        for i in range(2):
            image(tmp_path / name / "images" / f"{i}.png")
            image(tmp_path / name / f"{name} {i}" / f"{i}.png")
        (tmp_path / name / "notes").mkdir()
        (tmp_path / name / "notes/read.txt").touch()
    assert open_dataset(str(tmp_path)).class_names == ("bus", "test tube", "train")


def test_a_class_that_is_called_like_a_side(tmp_path):
    own_folder(tmp_path, ("bus", "car", "train"))
    dataset, notes = own_dataset(tmp_path)
    assert dataset.class_names == ("bus", "car", "train")
    assert "train/ is a class here, though it is called like a side" in notes


def test_folders_inside_classes_are_no_news(tmp_path):
    for name in CLASSES:
        for i in range(2):
            image(tmp_path / name / "images" / f"{i}.png")
    assert not any("sub-folders" in note for note in own_dataset(tmp_path)[1])


def test_tables_have_the_same_spellings(tmp_path):
    rows = [f"{i}.png,{'ab'[i % 2]},{('Training', 'TEST')[i // 2 % 2]}" for i in range(8)]
    for i in range(8):
        image(tmp_path / f"{i}.png")
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["path,label,split", *rows]))
    dataset = open_dataset(str(path))
    assert (len(dataset.train), len(dataset.test)) == (4, 4)
    path.write_text(
        "\n".join(["path,label", *(f"{i}.png,{'Train' if i % 2 else 'Test'}" for i in range(8))])
    )
    with pytest.raises(ValueError, match="the labels are Test, Train, which are sides"):
        open_dataset(str(path))
