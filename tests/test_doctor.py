"""`cptlab doctor`, `cptlab data`: what is found on miniature data roots, and what is told."""

import dataclasses
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_data_root import NAMES, image, own_folder, publish, published, tiny_root, use

import cptlab.clip  # before torchvision  # noqa: F401
from cptlab.data import doctor, open_dataset
from cptlab.data.fetch import BY_HAND, DOWNLOADS, fetch
from cptlab.data.paper import GUIDE, ROWS
from cptlab.lab.cli import main as cli
from cptlab.lab.workspace import CHECKOUT


@pytest.fixture(autouse=True)
def tiny_numbers(monkeypatch):
    monkeypatch.setenv("CPTLAB_DATA", "")  # restored afterwards, also if a command sets it
    publish(monkeypatch)


@pytest.fixture
def cptlab_call(monkeypatch, capsys):
    """Calls `cptlab ARGUMENTS`; gives exit status, stdout and stderr."""

    def call(*arguments: object) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", ["cptlab", *map(str, arguments)])
        try:
            cli.main()
            status = 0
        except SystemExit as end:
            status = end.code or 0
        out, err = capsys.readouterr()
        return SimpleNamespace(status=status, out=out, err=err)

    return call


def checkup_of(name, root):
    return next(c for c in doctor.examine_root(root) if c.name == name)


# ---------------------------------------------------------------------------------------- data root


def test_a_whole_root_is_fine(tmp_path, cptlab_call):
    done = cptlab_call("doctor", "--data-root", tiny_root(tmp_path), "--full")
    assert (done.status, done.err) == (0, "")
    header, *rows = done.out.splitlines()
    assert header.split() == ["data", "set", "status", "classes", "train", "val", "test"]
    assert len(rows) == len(ROWS)
    for row, name in zip(rows, ROWS, strict=True):
        n_classes, sizes = published(name)
        assert row.split() == [name, "ok", str(n_classes), *(str(size or "-") for size in sizes)]


def test_what_is_not_there_is_listed_and_no_fault(tmp_path, cptlab_call):
    done = cptlab_call("doctor", "--data-root", tiny_root(tmp_path, ["dtd"]))
    assert done.status == 0
    _, row, missing, how = done.out.splitlines()
    assert row.split()[:2] == ["dtd", "ok"]
    assert missing == f"Not there: {', '.join(name for name in ROWS if name != 'dtd')}"
    assert "cptlab data fetch NAME" in how


def test_no_root(tmp_path, cptlab_call):
    done = cptlab_call("doctor")
    assert done.status == 1
    assert done.err.startswith("cptlab: The paper's data sets are read from a folder, but none")
    done = cptlab_call("doctor", "--data-root", tmp_path / "none")
    assert done.status == 1
    assert done.err.startswith(f"cptlab: There is no data root {tmp_path}/none.")


@pytest.mark.parametrize("name", ["dtd", "imagenet", "fgvc_aircraft"])
def test_broken_images_are_named(name, tmp_path, cptlab_call):
    folder = tiny_root(tmp_path, [name]) / ROWS[name].folder
    broken, gone = sorted(folder.rglob("*.jpg"))[:2]
    broken.write_bytes(b"no image")
    if name != "imagenet":  # whose images are what is there
        gone.unlink()
    done = cptlab_call("doctor", "--data-root", tmp_path)
    assert done.status == 1
    assert " broken " in done.out
    below = folder / ROWS[name].images
    key = broken.relative_to(below).as_posix()
    assert f"{name}: images that cannot be read: 1 below {below}, {key}" in done.out
    if name != "imagenet":
        key = gone.relative_to(below).as_posix()
        assert f"{name}: images that are missing: 1 below {below}, {key}" in done.out


def test_only_full_decodes_every_image(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "SPOT_CHECKS", 0)
    root = tiny_root(tmp_path, ["dtd"])
    lists = json.loads((root / "dtd" / ROWS["dtd"].lists).read_text())["train"]
    last = [key for key, label, _ in lists if label == 0][-1]
    path = image(root / "dtd/images" / last, size=(200, 200))
    path.write_bytes(path.read_bytes()[:-200])  # its header is whole
    assert checkup_of("dtd", root).status == "ok"
    (checkup,) = [c for c in doctor.examine_root(root, full=True) if c.there]
    assert checkup.problems == [f"images that cannot be read: 1 below {root}/dtd/images, {last}"]


def test_the_first_image_of_each_class_and_a_sample_are_decoded():
    from cptlab.data import Sample

    samples = [Sample(f"{label}/{i}", label) for i in range(100) for label in range(7)]
    chosen = doctor._spot_checks(samples)
    assert {Sample(f"{label}/0", label) for label in range(7)} <= chosen
    assert 50 <= len(chosen) <= 57
    assert doctor._spot_checks(samples) == chosen


def test_a_missing_list(tmp_path, cptlab_call):
    path = tiny_root(tmp_path, ["caltech101"]) / "caltech-101/split_zhou_Caltech101.json"
    path.unlink()
    done = cptlab_call("doctor", "--data-root", tmp_path)
    assert done.status == 1
    assert (
        f"caltech101: Data set 'caltech101' needs {path}, which is not there. {GUIDE}" in done.out
    )
    assert "? of 5" in done.out


def test_other_numbers_than_the_published_ones(tmp_path, monkeypatch, cptlab_call):
    row = dataclasses.replace(ROWS["eurosat"], n_classes=10, published=(15, 7, 10))
    monkeypatch.setitem(ROWS, "eurosat", row)
    done = cptlab_call("doctor", "--data-root", tiny_root(tmp_path, ["eurosat"]))
    assert done.status == 1
    assert "eurosat   broken  5 of 10  15     5 of 7  10" in done.out
    assert "eurosat: 5 classes, published 10\neurosat: 5 val images, published 7\n" in done.out


def test_lists_that_lack_a_class_or_repeat_an_image(tmp_path):
    root = tiny_root(tmp_path, ["dtd"])
    path = root / "dtd" / ROWS["dtd"].lists
    lists = json.loads(path.read_text())
    kept = [item for item in lists["test"] if item[1] != 1]
    lists["test"] = kept + kept[:2]
    path.write_text(json.dumps(lists))
    problems = checkup_of("dtd", root).problems
    assert f"no test images of 1 class: {NAMES[1]}" in problems
    assert "2 images are listed more than once" in problems


def test_the_page_on_own_data_shows_what_it_prints(tmp_path, monkeypatch):
    root = tiny_root(tmp_path, ["flowers102", "eurosat", "dtd", "imagenet_a"])
    (root / "oxford_flowers/jpg" / NAMES[0] / "train_0.jpg").write_bytes(b"")
    (root / "dtd" / ROWS["dtd"].lists).unlink()
    monkeypatch.setitem(ROWS, "imagenet_a", dataclasses.replace(ROWS["imagenet_a"], n_classes=200))
    told = doctor.report(doctor.examine_root(root)).replace(str(root), "~/data")
    page = (CHECKOUT / "docs/own-data.md").read_text(encoding="utf-8")
    shown = page.split("<!-- doctor: begin -->")[1].split("<!-- doctor: end -->")[0]
    assert shown.strip() == f"```\n{told}\n```"


# ------------------------------------------------------------------------------------- own images


def test_doctor_of_a_folder(tmp_path, cptlab_call):
    root = own_folder(tmp_path / "mine", ("ant", "bee"), 5)
    (root / "notes.txt").write_text("")
    done = cptlab_call("doctor", root)
    assert done.status == 0
    _, row, *notes = done.out.splitlines()
    assert row.split() == [str(root), "few_shot", "only", "2", "6", "-", "4"]
    assert [note.removeprefix(f"{root} (note): ").split(":")[0] for note in notes] == [
        "1 skipped that are no images",
        "no split is given, so half of each class is for training and half for testing, by a hash "
        "of the file name",
        "base to new needs four classes or more, and there are 2",
        "2 classes have fewer than 16 training images, the smallest 3",
    ]
    (root / "ant/ant 3.png").write_bytes(b"")
    done = cptlab_call("doctor", root)
    assert done.status == 1
    assert f"{root}: images that cannot be read: 1 below {root}, ant/ant 3.png" in done.out


def test_doctor_judges_long_names_by_the_model_that_will_read_them(tmp_path, cptlab_call):
    long = " ".join(["ant"] * 40)
    root = own_folder(tmp_path / "mine", (long, "bee"), 5)
    assert cptlab_call("doctor", root).status == 1  # EmojiCLIP reads 32 tokens
    assert cptlab_call("doctor", root, "--backbone", "ViT-B-16").status == 0
    done = cptlab_call("doctor", root, "--backbone", "ViT-B16")
    assert done.status == 1 and "Did you mean: ViT-B-16" in done.err


def test_doctor_of_what_is_no_data_set(tmp_path, cptlab_call):
    done = cptlab_call("doctor", own_folder(tmp_path / "mine", ("ant",)))
    assert done.status == 1
    assert "has 1 class, but it needs two or more" in done.out
    done = cptlab_call("doctor", tmp_path / "none.csv")
    assert done.status == 1
    assert done.err.startswith(f"cptlab: {tmp_path}/none.csv is not there.")


# -------------------------------------------------------------------------------------------- fetch


def test_every_data_set_is_downloaded_or_explained():
    assert set(DOWNLOADS) | set(BY_HAND) == set(ROWS)
    assert not set(DOWNLOADS) & set(BY_HAND)


@pytest.mark.parametrize("name", DOWNLOADS)
def test_fetch_makes_torchvisions_folders_fit(name, tmp_path, monkeypatch, cptlab_call):
    """The stand-in leaves images where torchvision's class says that it does."""
    from torchvision import datasets

    whole = tiny_root(tmp_path / "whole", [name])
    root = tmp_path / "root"
    root.mkdir()
    download = DOWNLOADS[name]
    asked = []

    class StandIn:
        def __init__(self, below, download=False):
            asked.append((below, download))
            row = ROWS[name]
            source = whole / row.folder
            if name != "fgvc_aircraft":  # whose lists come along
                source = source / row.images
            target = root / own_place[name]
            target.parent.mkdir(parents=True, exist_ok=True)
            source.rename(target)

    own_place = {
        "caltech101": "caltech101/101_ObjectCategories",
        "oxford_pets": "oxford-iiit-pet/images",
        "flowers102": "flowers-102/jpg",
        "food101": "food-101/images",
        "fgvc_aircraft": "fgvc-aircraft-2013b/data",
        "sun397": "sun397/SUN397",
        "dtd": "dtd/dtd/images",
        "eurosat": "eurosat/2750",
    }
    assert hasattr(datasets, download.kind)
    monkeypatch.setattr(datasets, download.kind, StandIn)
    done = cptlab_call("data", "fetch", name, "--data-root", root)
    assert (done.status, asked) == (0, [(str(root / download.below), True)])
    lists = root / ROWS[name].folder / ROWS[name].lists
    if name != "fgvc_aircraft":
        assert f"- {ROWS[name].lists}, into {lists.parent}.\n- Addresses of all files: {GUIDE}" in (
            done.out
        )
        lists.write_bytes((whole / ROWS[name].folder / ROWS[name].lists).read_bytes())
    # With the lists there the data set is whole, and it is not downloaded again.
    again = cptlab_call("data", "fetch", name, "--data-root", root)
    assert again.out.startswith(f"{name}: images and lists are there; `cptlab doctor` checks")
    assert len(asked) == 1
    assert checkup_of(name, root).status == "ok"
    root.rename(tmp_path / "moved")  # links are relative
    use(monkeypatch, tmp_path / "moved")
    dataset = open_dataset(name)
    assert dataset.read([dataset.test[0].key], 8).shape == (1, 3, 8, 8)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("caltech101", "caltech101"),
        ("oxford_pets", "oxford-iiit-pet"),
        ("flowers102", "flowers-102"),
        ("food101", "."),
        ("fgvc_aircraft", "."),
        ("sun397", "sun397"),
        ("dtd", "dtd"),
        ("eurosat", "eurosat"),
    ],
)
def test_torchvision_unpacks_where_we_think(name, folder, tmp_path, monkeypatch):
    """Its own classes run up to the download; what an archive holds is not theirs to say."""
    from torchvision import datasets

    asked = []

    def unpack(url, root=None, *args, download_root=None, **kwargs):
        asked.append(Path(root or download_root))
        raise OSError("no network")

    module = sys.modules[getattr(datasets, DOWNLOADS[name].kind).__module__]
    monkeypatch.setattr(module, "download_and_extract_archive", unpack)
    with pytest.raises(RuntimeError, match="no network"):
        fetch(name, tmp_path)
    assert asked == [tmp_path / folder]


@pytest.mark.parametrize("name", BY_HAND)
def test_fetch_explains_what_it_cannot_do(name, tmp_path, cptlab_call):
    done = cptlab_call("data", "fetch", name, "--data-root", tmp_path)
    folder = tmp_path / ROWS[name].folder
    assert done.status == 0
    assert f"- Images, into {folder}: {BY_HAND[name]}." in done.out
    assert f"- {ROWS[name].lists}, into {folder}." in done.out
    assert GUIDE in done.out
    done = cptlab_call("data", "fetch", name, "--data-root", tiny_root(tmp_path, [name]))
    assert "images and lists are there" in done.out


def test_fetch_that_fails(tmp_path, monkeypatch, cptlab_call):
    from torchvision import datasets

    def offline(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(datasets, "EuroSAT", offline)
    done = cptlab_call("data", "fetch", "eurosat", "--data-root", tmp_path)
    assert done.status == 1
    assert done.err.startswith("cptlab: torchvision could not download EuroSAT to ")
    assert "no route to host. Try again later, or get it by hand" in done.err
    done = cptlab_call("data", "fetch", "mnist", "--data-root", tmp_path)
    assert done.err.startswith("cptlab: 'mnist' is none of the paper's data sets: imagenet, calt")


def test_where_links_cannot_be_made(tmp_path, monkeypatch, cptlab_call):
    from torchvision import datasets

    (tmp_path / "flowers-102/jpg").mkdir(parents=True)
    (tmp_path / "oxford_flowers").write_text("in the way")
    monkeypatch.setattr(datasets, "Flowers102", lambda root, download: None)
    done = cptlab_call("data", "fetch", "flowers102", "--data-root", tmp_path)
    assert done.status == 1
    assert f"move {tmp_path}/flowers-102/jpg to {tmp_path}/oxford_flowers/jpg." in done.err


# ------------------------------------------------------------------------------------------- subset


def test_subsets_are_written_and_compared(tmp_path, cptlab_call):
    root, out = tiny_root(tmp_path, ["dtd"]), tmp_path / "subset.json"
    call = ("data", "subset", "dtd", "--shots", 2, "--data-root", root)
    done = cptlab_call(*call, "--seed", 3, "--out", out)
    assert done.status == 0
    assert "dtd, all classes, seed 3: 10 images of 5 classes, checksum " in done.out
    values = json.loads(out.read_text())
    assert (values["seed"], values["shots"], values["imbalance"]) == (3, 2, 1.0)
    assert len(values["train"]) == 10 and len(values["val"]) == 5
    assert values["checksum"] in done.out
    assert str(root) not in out.read_text()  # it holds on any machine
    assert cptlab_call(*call, "--seed", 3, "--check", out).status == 0
    other = cptlab_call(*call, "--seed", 4, "--check", out)
    assert other.status == 1 and "holds another subset than" in other.err
    values["train"][0][1] += 1
    out.write_text(json.dumps(values))
    assert "was changed after it was written" in cptlab_call(*call, "--check", out).err
    out.write_text("[]")
    assert "holds no subset" in cptlab_call(*call, "--check", out).err


def test_subsets_of_halves_are_those_of_runs(tmp_path, cptlab_call):
    from cptlab.data import draw_long_tailed

    done = cptlab_call("data", "subset", "activities", "--classes", "new", "--tau", 0.06)
    wanted = draw_long_tailed(open_dataset("activities").halves()[1], 0.06, 1)
    assert f"{len(wanted.samples)} images of 39 classes, checksum {wanted.checksum}" in done.out
