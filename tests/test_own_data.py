"""Folders and CSV files as data sets: how they are read, what is refused, and a run on them."""

import hashlib
import json

import pytest
from edited_files import edited
from PIL import Image
from tiny_data_root import image, own_folder

from cptlab.data import (
    content_id,
    draw_long_tailed,
    full_name,
    is_path,
    labels_of,
    open_dataset,
    open_task,
)
from cptlab.data.facts import natural
from cptlab.data.own import HALVES, READER, _listings, own_dataset
from cptlab.lab.cli.main import commands
from cptlab.lab.runs import queue as runs
from cptlab.lab.runs import results
from cptlab.lab.runs.finished import load_run
from cptlab.lab.runs.inputs import content_of
from cptlab.lab.runs.passes import begin, unfinished
from cptlab.lab.study.profiles import SMOKE
from cptlab.methods import CoOp, ZeroShot
from cptlab.methods.schedule import Schedule
from cptlab.training.spec import RunSpec, spec_from_dict

CLASSES = ("class_10", "Class_2", "apple_pie", "zebra")
ORDER = ("apple pie", "Class 2", "class 10", "zebra")
"""Natural: 2 before 10, capitals like small letters, underscores as spaces."""


def write_csv(path, rows, header="path,label,split"):
    """A CSV file, and an image for each row that has none yet."""
    for row in rows:
        name = row.split(",")[0].strip()
        if name and not (path.parent / name).exists():
            image(path.parent / name)
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


# ------------------------------------------------------------------------------------------- folder


def test_a_folder_of_classes_is_halved_by_file_name(tmp_path):
    root = own_folder(tmp_path / "photos", CLASSES, 5)
    dataset, notes = own_dataset(root)
    assert (dataset.name, dataset.class_names, notes) == ("photos", ORDER, [HALVES])
    train, test = ({s.key for s in side} for side in (dataset.train, dataset.test))
    assert not train & test
    assert train | test == {f"{c}/{c} {i}.png" for c in CLASSES for i in range(5)}
    assert sorted(labels_of(dataset.train)) == [n for n in range(4) for _ in range(3)]
    assert sorted(labels_of(dataset.test)) == [n for n in range(4) for _ in range(2)]
    for c in CLASSES:  # the larger half, by the hash of the name alone
        names = [f"{c} {i}.png" for i in range(5)]
        names.sort(key=lambda name: hashlib.sha256(name.encode()).digest())
        assert {key for key in train if key.startswith(c)} == {f"{c}/{n}" for n in names[:3]}
    for sample in (*dataset.train, *dataset.test):
        assert sample.key.split("/")[0].replace("_", " ") == dataset.class_names[sample.label]
    assert dataset.read([dataset.train[0].key], 8).shape == (1, 3, 8, 8)
    assert dataset.template == "a photo of a {}."


def test_the_halves_do_not_depend_on_place_or_other_classes(tmp_path):
    one = open_dataset(str(own_folder(tmp_path / "one", ("ant", "bee"))))
    other = open_dataset(str(own_folder(tmp_path / "far/one", ("ant", "bee", "cat"))))
    assert set(one.train) < set(other.train) and set(one.test) < set(other.test)
    # Nor do the shots.
    few, many = (draw_long_tailed(dataset, 1.0, 1).samples for dataset in (one, other))
    assert few == many[: len(few)]


def test_train_and_test_folders_are_taken_as_they_are(tmp_path):
    for side, count in (("train", 3), ("val", 1), ("test", 2)):
        own_folder(tmp_path / side, ("ant_hill", "bee"), count)
    dataset, notes = own_dataset(tmp_path)
    assert notes == []
    assert dataset.class_names == ("ant hill", "bee")
    assert [len(side) for side in (dataset.train, dataset.val, dataset.test)] == [6, 2, 4]
    assert {s.key.split("/")[0] for s in dataset.train} == {"train"}
    with pytest.raises(ValueError, match=r"has 1 base classes\. Tuning needs four or more"):
        open_task(str(tmp_path), "tuning")


def test_tuning_splits_the_base_classes_and_tests_on_validation_images(tmp_path):
    for side, count in (("train", 3), ("val", 1), ("test", 2)):
        own_folder(tmp_path / side, tuple("abcdefgh"), count)
    tests = open_task(str(tmp_path), "tuning").tests
    assert {role: data.class_names for role, data in tests.items()} == {
        "base": ("a", "b"),
        "new": ("c", "d"),
    }
    assert [s.key for s in tests["base"].test] == ["val/a/a 0.png", "val/b/b 0.png"]
    assert {s.key.split("/")[0] for s in tests["base"].train} == {"train"}


def test_train_may_be_a_class(tmp_path):
    assert open_dataset(str(own_folder(tmp_path, ("train", "bus")))).class_names == ("bus", "train")


def test_files_that_are_no_images_are_skipped_and_counted(tmp_path):
    own_folder(tmp_path, ("ant", "bee"))
    for name in ("notes.txt", "ant/labels.csv", "bee/Thumbs.db", ".hidden", "bee/.DS_Store"):
        (tmp_path / name).write_text("")
    image(tmp_path / "bee/deeper/one.JPEG")
    image(tmp_path / ".cache/one.png")
    dataset, notes = own_dataset(tmp_path)
    assert notes[0] == "3 skipped that are no images: notes.txt, ant/labels.csv, bee/Thumbs.db"
    assert len(dataset.train) + len(dataset.test) == 9
    assert "bee/deeper/one.JPEG" in {s.key for s in (*dataset.train, *dataset.test)}


@pytest.mark.parametrize(
    ("classes", "problem"),
    [
        ({}, "has 0 classes, but it needs two or more.*sub-folder of images for each class"),
        ({"ant": 2}, "has 1 class, but"),
        ({"ant": 2, "bee": 0}, "bee holds no images"),
        ({"ant": 2, "bee": 1}, "Class 'bee' has one image .*two or more"),
        (
            {"ant hill": 2, "ant_hill": 2},
            "folder 'ant hill' and folder 'ant_hill' are one name to CLIP",
        ),
        ({"train/ant": 1, "train/bee": 1}, "has train only: it takes both train/ and test/"),
        (
            {"train/ant": 1, "train/bee": 1, "test/ant": 1, "test/bee": 1, "cat": 1},
            "cat/ beside them is neither",
        ),
        (
            {"train/ant": 1, "train/bee": 1, "test/ant": 1},
            "class 'bee' has no test images. Every class needs",
        ),
        (
            {"train/ant": 1, "test/bee": 1, "test/ant": 1},
            "class 'bee' has no training images",
        ),
    ],
)
def test_folders_that_are_refused(classes, problem, tmp_path):
    for name, count in classes.items():
        (tmp_path / name).mkdir(parents=True)
        for i in range(count):
            image(tmp_path / name / f"{i}.png")
    with pytest.raises(ValueError, match=problem):
        open_dataset(str(tmp_path))


def test_natural_order():
    names = ["b", "a 10", "A 9", "a", "10", "9", "a9b2", "a9b10", "²"]
    ordered = ["9", "10", "a", "a9b2", "a9b10", "A 9", "a 10", "b", "²"]
    assert sorted(names, key=natural) == ordered


# ---------------------------------------------------------------------------------------------- CSV


def test_a_csv_with_a_split(tmp_path):
    rows = [
        *(f"a/{i}.png,tea_pot,{side}" for i, side in enumerate(("train", "train", "test", "val"))),
        *(f"./b/{i}.png,Boeing 737,{side}" for i, side in enumerate(("train", "test", "val"))),
    ]
    dataset = open_dataset(str(write_csv(tmp_path / "mine.csv", rows)))
    assert (dataset.name, dataset.class_names) == ("mine", ("Boeing 737", "tea pot"))
    assert [(s.key, s.label) for s in dataset.train] == [
        ("a/0.png", 1),
        ("a/1.png", 1),
        ("b/0.png", 0),
    ]
    assert [s.key for s in dataset.val] == ["a/3.png", "b/2.png"]
    assert dataset.read(["b/1.png"], 8).shape == (1, 3, 8, 8)


def test_a_csv_without_a_split_is_halved_in_any_order_of_its_rows(tmp_path):
    rows = [f"{i}.png,{'ant' if i % 2 else 'bee'}" for i in range(8)]
    one = open_dataset(str(write_csv(tmp_path / "one.csv", rows, "path,label")))
    path = tmp_path / "other.csv"
    write_csv(path, [f" {r.replace(',', ' , ')} " for r in rows[::-1]], "\ufeff path , label")
    other, notes = own_dataset(path)
    assert notes == [HALVES]
    assert (one.train, one.test) == (other.train, other.test)
    assert len(one.train) == len(one.test) == 4


@pytest.mark.parametrize(
    ("header", "rows", "problem"),
    [
        ("path,class", [], r"has the columns path, class; it takes path and label"),
        ("path,label,side", [], r"has the columns path, label, side"),
        ("", [], r"has the columns \(none\)"),
        ("path,label", [], r"has 0 classes"),
        ("path,label", ["1.png,a", "2.png,b", "./1.png,b"], r"lists 1\.png twice"),
        ("path,label", ["1.png,a", "2.png,"], r"line 3: it takes one value for each column"),
        ("path,label", ["1.png,a,train"], r"line 2: it takes one value for each column"),
        ("path,label,split", ["1.png,a"], r"line 2: it takes one value"),
        ("path,label,split", ["1.png,a,dev"], r"line 2: the split is 'dev', but must be one of tr"),
        ("path,label", ['1.png,"a'], r"is no CSV file \("),
    ],
)
def test_csv_files_that_are_refused(header, rows, problem, tmp_path):
    with pytest.raises(ValueError, match=problem):
        open_dataset(str(write_csv(tmp_path / "mine.csv", rows, header)))


def test_csv_files_with_other_troubles(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("path,label\nnone.png,a\nnor.png,b\n")
    with pytest.raises(
        FileNotFoundError, match=r"lists 2 files that are not there, the first one "
    ):
        open_dataset(str(path))
    path.write_bytes("path,label\n1.png,Küche\n".encode("latin-1"))
    with pytest.raises(ValueError, match="is no text in UTF-8"):
        open_dataset(str(path))
    with pytest.raises(FileNotFoundError, match=r"none\.csv is not there\. A data set of your own"):
        open_dataset(str(tmp_path / "none.csv"))
    with pytest.raises(FileNotFoundError, match=r"is no folder and no \.csv file"):
        open_dataset(str(image(tmp_path / "1.png")))


# ------------------------------------------------------------------------------------ as a data set


def test_names_and_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own_folder(tmp_path / "food", ("ant", "bee"))
    own_folder(tmp_path / "insects", ("ant", "bee"))
    assert not is_path("food") and not is_path("dtd") and not is_path("birds")
    assert is_path("insects") and is_path("./food") and is_path("none.csv")
    assert full_name("food") == "food"
    assert full_name("insects") == str(tmp_path / "insects")
    assert open_dataset("./food").class_names == ("ant", "bee")
    assert len(open_dataset("food").class_names) > 50  # the embedded one
    with pytest.raises(ValueError, match=r"No data set 'birds': .* give the path of a folder"):
        open_dataset("birds")


def test_protocols_that_need_more(tmp_path):
    root = own_folder(tmp_path, ("ant", "bee", "cat", "dog"))
    assert list(open_task(str(root), "base_to_new").tests) == ["base", "new"]
    assert open_task(str(root), "few_shot").learned.class_names == ("ant", "bee", "cat", "dog")
    with pytest.raises(
        ValueError, match="needs data sets to test on: name one or more with --targ"
    ):
        open_task(str(root), "transfer")
    with pytest.raises(ValueError, match="no validation images of class 'ant'"):
        open_task(str(root), "tuning")


def test_transfer_between_data_sets(tmp_path):
    one, two = (str(own_folder(tmp_path / n, ("ant", "bee"))) for n in ("one", "two"))
    task = open_task(one, "transfer", targets=(two, "food"))
    assert list(task.tests) == ["source", "target two", "target food"]
    assert task.learned == open_dataset(one)
    assert task.content == f"{content_id(one)}-{content_id(two)}"
    usual = open_task("animals", "transfer")
    assert task.tests["target food"] == usual.tests["target food"]
    task = open_task("animals", "transfer", targets=("food", two))
    assert task.learned == usual.learned
    assert task.content == content_id(two)
    with pytest.raises(ValueError, match="is the source of this transfer"):
        open_task(one, "transfer", targets=(one,))


def test_a_sentence_in_place_of_the_data_sets_own(tmp_path):
    one, two = (str(own_folder(tmp_path / n, tuple("abcd"))) for n in ("one", "two"))
    drawn = "a drawing of a {}."
    assert {data.template for data in open_task(one, template=drawn).tests.values()} == {drawn}
    task = open_task(one, "transfer", drawn, (two,))
    assert task.learned.template == drawn
    assert task.tests["target two"].template == "a photo of a {}."
    tests = open_task("food", "transfer", drawn).tests
    changed = {role for role, data in tests.items() if data.template == drawn}
    assert changed == {role for role in tests if role.split()[0] in ("source", "domain")}


def test_the_id_of_a_run_stays_one_folder(tmp_path):
    spec = RunSpec(str(tmp_path / "a/my.csv"), ZeroShot())
    assert spec.run_id.startswith("my-zero_shot-tau1-seed1-")
    assert RunSpec(str(tmp_path / "b/my.csv"), ZeroShot()).run_id != spec.run_id
    assert RunSpec("food", ZeroShot()).run_id.startswith("food-zero_shot-")


def test_changed_content_is_another_data_set(tmp_path):
    root = own_folder(tmp_path, ("ant", "bee"))
    before = content_id(str(root))
    assert content_id(str(root)) == before
    image(root / "ant/new.png")
    assert content_id(str(root)) != before
    assert content_id("food") is content_id("dtd") is None


@pytest.mark.parametrize("form", ["folder", "csv"])
def test_a_run_on_images_of_ones_own(form, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    name = "insects"
    own_folder(tmp_path / name, ("ant", "bee", "cat", "dog"), 3)
    if form == "csv":
        name = "insects.csv"
        files = sorted((tmp_path / "insects").rglob("*.png"))
        rows = [f"{f.relative_to(tmp_path).as_posix()},{f.parent.name}" for f in files]
        write_csv(tmp_path / name, rows, "path,label")
    arguments = ["run", "--dataset", name, "--method", "zero_shot", "--profile", "smoke"]
    arguments += ["--out", str(tmp_path / "out")]
    monkeypatch.setenv("CPTLAB_DATA", "")
    commands.main(arguments, standalone_mode=False)
    out = capsys.readouterr().out
    spec = spec_from_dict(json.JSONDecoder().raw_decode(out)[0])
    assert spec.dataset == str(tmp_path / name)
    result = results.load_result(tmp_path / "out/runs", spec)
    assert set(result.classes["name"]) == {"ant", "bee", "cat", "dog"}
    assert f"{result.metrics['base']:6.2f} %" in out
    # The result belongs to these images: with another one it is computed again.
    image(tmp_path / "insects/ant/new.png")
    if form == "csv":
        assert results.load_result(tmp_path / "out/runs", spec) is not None
        write_csv(tmp_path / name, [*rows, "insects/ant/new.png,ant"], "path,label")
    assert results.load_result(tmp_path / "out/runs", spec) is None


def test_a_run_that_transfers(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CPTLAB_DATA", "")
    for name in ("one", "two"):
        own_folder(tmp_path / name, ("ant", "bee"), 3)
    line = "run --dataset ./one --method zero_shot --profile smoke --out out --protocol transfer"
    line += " --target two --target food --shots 2 --template"
    commands.main([*line.split(), "a drawing of a {}."], standalone_mode=False)
    out = capsys.readouterr().out
    spec = spec_from_dict(json.JSONDecoder().raw_decode(out)[0])
    assert (spec.targets, spec.n_max) == ((str(tmp_path / "two"), "food"), 2)
    assert spec.template == "a drawing of a {}."
    store = tmp_path / "out/runs"
    found = results.load_result(store, spec)
    assert found.metrics.keys() >= {"source", "target two", "target food", "targets"}
    assert len(found.classes.query("role == 'target two'")) == 2
    image(tmp_path / "two/ant/new.png")  # results rest on the targets' images, too
    assert results.load_result(store, spec) is None
    image(tmp_path / "two/bee/bad.png").write_text("no image")
    with pytest.raises(ValueError, match="two: images that cannot be read"):
        commands.main([*line.split(), "{}"], standalone_mode=False)


@pytest.mark.parametrize(
    ("protocol", "counts"), [("few_shot", [20, 9, 2, 1]), ("base_to_new", [20, 9])]
)
def test_what_is_long_tailed_by_itself_is_learned_whole(protocol, counts, tmp_path, monkeypatch):
    monkeypatch.setenv("CPTLAB_DATA", "")
    for name, count in zip(("ant", "bee", "cat", "dog"), (20, 9, 2, 1), strict=True):
        own_folder(tmp_path / "insects/train", (name,), count)
        own_folder(tmp_path / "insects/test", (name,), 2)
    line = f"run --dataset {tmp_path}/insects --method zero_shot --profile smoke --tau 1"
    line += f" --protocol {protocol} --shots 1000 --out {tmp_path / 'out'}"
    commands.main(line.split(), standalone_mode=False)
    (folder,) = (tmp_path / "out/runs").glob("insects-*")
    result = load_run(folder)
    assert result.classes["n_k"].dropna().tolist() == counts
    assert result.details["subset"]["samples"] == sum(counts)


def test_a_pass_on_changed_images_is_another_pass(tmp_path):
    """Or a killed training would go on with other images than it began with."""
    root, store = own_folder(tmp_path / "insects", ("ant", "bee")), tmp_path / "runs"
    spec = RunSpec(str(root), ZeroShot())
    before = begin(store, [spec], content_of(spec))
    assert begin(store, [spec], content_of(spec)) == before and unfinished(store) == [[spec]]
    image(root / "ant/new.png")
    assert unfinished(store) == []
    assert begin(store, [spec], content_of(spec)) != before


def test_older_results_hold_where_images_were_read_alike(tmp_path):
    root, store = own_folder(tmp_path / "insects", ("ant", "bee", "cat", "dog")), tmp_path / "runs"
    Image.new("RGB", (20, 10)).save(root / "ant/ant 0.png", compress_level=0)
    spec = SMOKE.spec(str(root), ZeroShot(), 0.06, 1)
    runs.execute([spec], store)
    path = store / spec.run_id / "result.json"
    edited(path, lambda values: values.update(data=values["data"].removesuffix(READER)))
    assert results.load_result(store, spec) is not None
    for i, kind in enumerate(ODD):
        kind.save(root / f"ant/ant {i % 4}.png", exif=kind.getexif())
        _listings.clear()  # of the process, which would have to be a new one
        (reason,) = results.look([spec], store).unused.values()
        assert reason == "belong to images that are read in another way now", i
        Image.new("RGB", (20, 10)).save(root / f"ant/ant {i % 4}.png")
    _listings.clear()
    assert results.load_result(store, spec) is not None


def _turned() -> Image.Image:
    image = Image.new("RGB", (20, 10))
    image.getexif()[0x0112] = 6
    return image


ODD = [Image.new(mode, (20, 10)) for mode in ("RGBA", "LA", "I;16")]
ODD += [Image.new("RGB", (170, 10)), _turned()]


def test_results_of_other_data_sets_are_not_touched(tmp_path):
    """Results that were stored before content counted still do."""
    spec = SMOKE.spec("activities", ZeroShot(), 0.06, 1)
    runs.execute([spec], tmp_path)
    path = tmp_path / spec.run_id / "result.json"
    edited(path, lambda values: values.pop("data"), checked=False)
    assert "data" not in json.loads(path.read_text())
    assert results.load_result(tmp_path, spec) is not None


def test_seeds_that_draw_other_numbers_of_images_train_alone(tmp_path):
    """Whether a class of two images is at the head or in the tail changes how many there are."""
    for name, count in zip("abcdefgh", (2, 9, 9, 2, 9, 9, 9, 9), strict=True):
        own_folder(tmp_path / "own", (name,), count)
    specs = [
        RunSpec(
            str(tmp_path / "own"),
            CoOp(),
            0.25,
            seed,
            Schedule(epochs=2, batch_size=4),
            n_max=4,
            class_order="permuted",
        )
        for seed in (1, 2, 3)
    ]
    found = runs.run(specs, tmp_path / "out", progress=False)
    assert [result.details["pass"]["replicas"] for result in found] == [1, 1, 1]
    assert len({result.details["subset"]["samples"] for result in found}) > 1
