"""Which files of a folder are images of a data set: kinds, links, odd names, locked folders."""

import json
import os

import pytest
from PIL import Image
from tiny_data_root import WNIDS, image, own_folder, tiny_root
from tiny_runs import BACKBONE, noisy_folder, trained

from cptlab.data import content_id, draw_long_tailed, open_dataset, open_task
from cptlab.data.doctor import examine_own
from cptlab.data.few_shot import read_subset, subset_values, write_subset
from cptlab.data.own import own_dataset
from cptlab.data.paper import read_lists
from cptlab.data.tree import tree
from cptlab.lab.cli import use
from cptlab.lab.cli.main import commands
from cptlab.lab.runs import inputs

FOUR = ("ant", "bee", "cat", "dog")
ODD = b"caf\xe9.png".decode("utf-8", "surrogateescape")
"""A file name in Latin-1."""


def keys(root) -> set[str]:
    dataset = open_dataset(str(root))
    return {sample.key for side in (dataset.train, dataset.val, dataset.test) for sample in side}


# ------------------------------------------------------------------------------------------- kinds


@pytest.mark.parametrize("end", ["jfif", "jpe", "avif", "jp2", "tga", "JPEG", "qoi"])
def test_what_pillow_reads_is_an_image(end, tmp_path):
    ends = Image.registered_extensions()
    if f".{end.lower()}" not in ends:
        pytest.skip(f"this Pillow has no {end}")
    for name in FOUR:
        (tmp_path / name).mkdir()
        for i in range(2):
            Image.new("RGB", (9, 9), "red").save(
                tmp_path / name / f"{i}.{end}", ends[f".{end.lower()}"]
            )
    dataset, notes = own_dataset(tmp_path)
    assert len(dataset.train) + len(dataset.test) == 8
    assert not [note for note in notes if "skipped" in note]
    red = dataset.read([dataset.train[0].key], 8)[0]
    assert red[0].min() > 0.95 and red[1:].max() < 0.05
    assert examine_own(tmp_path, full=True).status == "ok"


def test_what_is_skipped_is_told_by_doctor_and_by_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CPTLAB_DATA", "")
    root = own_folder(tmp_path / "birds", FOUR)
    for name in ("bee/photo.heic", "cat/Thumbs.db", "desktop.ini"):
        (root / name).write_bytes(b"")
    (root / "dog/again").symlink_to(root / "dog/dog 1.png")
    kinds = "3 skipped that are no images: desktop.ini, bee/photo.heic, cat/Thumbs.db"
    links = "1 link skipped to what is there already: dog/again"
    assert examine_own(root).notes[:2] == [kinds, links]
    line = f"run --dataset {root} --method zero_shot --profile smoke --out {tmp_path / 'out'}"
    with pytest.warns(UserWarning) as told:
        commands.main(line.split(), standalone_mode=False)
    messages = [str(one.message) for one in told]
    assert f"{root}: {kinds}." in messages and f"{root}: {links}." in messages


def test_what_windows_leaves_is_no_image_of_imagenet(tmp_path):
    root = tiny_root(tmp_path, ["imagenet"])
    before = read_lists("imagenet", root)
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store"):
        (root / "imagenet/images/train" / next(iter(WNIDS)) / name).write_bytes(b"")
    assert read_lists("imagenet", root) == before


# ------------------------------------------------------------------------------------------- links


def test_every_real_file_is_there_once(tmp_path):
    root = own_folder(tmp_path / "B", FOUR)
    right = keys(root)
    (root / "ant/again").symlink_to(".")
    (root / "ant/up").symlink_to("..")
    (root / "bee/0.png").symlink_to("../ant/ant 0.png")
    (root / "bee/a link before it.png").symlink_to("bee 1.png")
    (root / "cat/all of them").symlink_to(tmp_path)
    assert keys(root) == right
    found = tree(root)
    assert len(found.repeated) == 5
    assert any("5 links skipped" in note for note in own_dataset(root)[1])


def test_links_to_what_lies_elsewhere_are_followed_once(tmp_path):
    root, far = own_folder(tmp_path / "B", FOUR), own_folder(tmp_path / "far", ("eel",))
    right = keys(root)
    image(root / ".store/key.png")  # as git-annex keeps them
    (root / "ant/1.png").symlink_to("../.store/key.png")
    (root / "ant/2.png").symlink_to("../.store/key.png")
    (root / "bee/more").symlink_to(far / "eel")
    (far / "eel/round").symlink_to(far / "eel")
    more = {"ant/1.png", *(f"bee/more/eel {i}.png" for i in range(4))}
    assert keys(root) == right | more


def test_a_class_of_links_alone_is_refused(tmp_path):
    root = own_folder(tmp_path, FOUR)
    (root / "formica").symlink_to("ant")
    with pytest.raises(ValueError, match="formica holds no images of its own, only links"):
        own_dataset(root)
    (root / "formica").unlink()
    assert len(own_dataset(root)[0].class_names) == 4


def test_a_csv_may_not_list_a_file_and_a_link_to_it(tmp_path):
    for name in ("1.png", "2.png", "3.png", "4.png"):
        image(tmp_path / name)
    table = tmp_path / "mine.csv"
    table.write_text("path,label\n1.png,a\n2.png,a\n3.png,b\n4.png,b\n")
    assert keys(table) == {"1.png", "2.png", "3.png", "4.png"}
    (tmp_path / "4.png").unlink()
    (tmp_path / "4.png").symlink_to("1.png")
    with pytest.raises(ValueError, match=r"lists 4\.png and 1\.png, which are one file"):
        open_dataset(str(table))
    (tmp_path / "4.png").unlink()
    (tmp_path / "4.png").mkdir()
    with pytest.raises(FileNotFoundError, match=r"1 file that is not there.* 4\.png"):
        open_dataset(str(table))


# ------------------------------------------------------------------------------------------- names


@pytest.fixture
def odd_name(tmp_path):
    try:
        (tmp_path / ODD).write_bytes(b"")
        (tmp_path / ODD).unlink()
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    return ODD


def test_names_that_are_no_utf_8_are_read(odd_name, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(inputs, "backbone_of", lambda spec: BACKBONE)
    root = noisy_folder(tmp_path / "animals")
    before = content_id(str(root))
    for name in ("ant", "bee"):
        for i in range(20):
            (root / name / f"{i}.png").rename(root / name / f"{i}{odd_name}")
    assert content_id(str(root)) != before
    assert examine_own(root, full=True).status == "ok"
    result = trained(root, tmp_path / "runs")
    stored = result.predictions()
    assert any(odd_name in name for name in stored["image"])
    torn = root / f"ant/torn{odd_name}"
    torn.write_bytes(b"no image")
    with pytest.warns(UserWarning, match=r"1 of 26 images cannot be read: .*torncaf\\xe9\.png"):
        frame = result.classify(root / "ant")
    assert (frame["problem"] != "").sum() == 1
    "\n".join(use.table(frame, 3)).encode()
    (problem,) = examine_own(root, full=True).problems
    assert "torncaf\\xe9.png" in problem
    with pytest.raises(ValueError, match=r"torncaf\\xe9\.png cannot be read") as caught:
        open_dataset(str(root)).read([f"ant/torn{odd_name}"], 8)
    str(caught.value).encode()
    drawn = draw_long_tailed(open_dataset(str(root)), 1.0, 1)
    values = subset_values(open_dataset(str(root)), drawn, 1, 16, 1.0)
    write_subset(values, tmp_path / "subset.json")
    assert read_subset(tmp_path / "subset.json") == values
    json.loads((tmp_path / "subset.json").read_text(encoding="utf-8"))


def test_classes_and_data_sets_that_are_no_utf_8_are_named(odd_name, tmp_path):
    root = own_folder(tmp_path / "B", FOUR)
    (root / "ant").rename(root / odd_name)
    with pytest.raises(ValueError, match=r"class folder caf\\xe9\.png is not named in UTF-8"):
        own_dataset(root)
    (root / odd_name).rename(root / "ant")
    root.rename(tmp_path / odd_name)
    with pytest.raises(ValueError, match=r"caf\\xe9\.png is not named in UTF-8: rename it"):
        own_dataset(tmp_path / odd_name)


# ------------------------------------------------------------------------------------------ locked


def test_folders_that_may_not_be_read_are_named(tmp_path, monkeypatch):
    root, scandir = own_folder(tmp_path / "B", FOUR), os.scandir
    image(root / "ant/deep/1.png")
    locked = {str(root / "ant/deep"), str(root / "dog")}

    def scan(path):
        if path in locked:  # a test may run as one who may read everything
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    with pytest.raises(ValueError, match=r"2 folders may not be read: ant/deep, dog\. Make them"):
        own_dataset(root)
    assert "2 folders may not be read" in examine_own(root).problems[0]
    with pytest.raises(ValueError, match="may not be read"):
        open_task(str(root))
    locked.remove(str(root / "dog"))
    with pytest.raises(ValueError, match=r": 1 folder may not be read: ant/deep\. Make it read"):
        own_dataset(root)
