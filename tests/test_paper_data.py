"""The paper's data sets: layouts, class names, roles, and the subsets that public code draws."""

import dataclasses
import json
import pickle
import random
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_data_root import NAMES, SOME_WNIDS, WITH_JSON, WNIDS, publish, published, tiny_root, use

import cptlab.clip  # before torchvision  # noqa: F401
from cptlab.data import (
    PAPER_DATASETS,
    ImageDataset,
    Sample,
    Task,
    draw_long_tailed,
    labels_of,
    open_dataset,
    open_task,
    paper,
)
from cptlab.data.few_shot import public_draw
from cptlab.data.images import ImageFiles, clip_view
from cptlab.data.paper import LEARNED, ROWS, VARIANTS
from cptlab.data.reader import read_rgb
from cptlab.lab.runs import queue as runs
from cptlab.lab.runs import results
from cptlab.lab.study.profiles import PAPER, SMOKE
from cptlab.methods import METHODS, TCP, DeKg, KgCoOp

GOLDEN = json.loads((Path(__file__).parent / "golden/few_shot.json").read_text())
CLEAN = tuple(name.replace("_", " ") for name in NAMES)


@pytest.fixture(autouse=True)
def tiny_numbers(monkeypatch):
    monkeypatch.delenv("CPTLAB_DATA", raising=False)
    publish(monkeypatch)


@pytest.fixture(scope="module")
def whole_root(tmp_path_factory):
    return tiny_root(tmp_path_factory.mktemp("data"))


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty data root, in use."""
    use(monkeypatch, tmp_path)
    return tmp_path


# ------------------------------------------------------------------------------------------ layouts


@pytest.mark.parametrize("name", ROWS)
def test_every_layout_is_read(name, whole_root, monkeypatch):
    use(monkeypatch, whole_root)
    dataset = open_dataset(name)
    n_classes, sizes = published(name)
    sides = (dataset.train, dataset.val, dataset.test)
    assert (dataset.name, len(dataset.class_names)) == (name, n_classes)
    assert tuple(map(len, sides)) == tuple(size or 0 for size in sizes)
    assert set(labels_of(dataset.test)) == set(range(n_classes))
    assert dataset.template == ROWS[name].template
    assert all(not Path(s.key).is_absolute() for side in sides for s in side)
    keys = [side[0].key for side in sides if side]
    images = dataset.read(keys, 8)
    assert images.shape == (len(keys), 3, 8, 8)
    assert images.min() >= 0 and images.max() <= 1
    # Two processes must agree on what is one data set: features of images are kept by it.
    paper._dataset.cache_clear()
    assert open_dataset(name) == dataset


@pytest.mark.parametrize("name", WITH_JSON)
def test_split_files_decide_labels_and_order(name, whole_root, monkeypatch):
    use(monkeypatch, whole_root)
    dataset = open_dataset(name)
    lists = json.loads((whole_root / ROWS[name].folder / ROWS[name].lists).read_text())
    assert dataset.class_names == CLEAN
    assert [(s.key, s.label) for s in dataset.train] == [(p, n) for p, n, _ in lists["train"]]
    assert [(s.key, s.label) for s in dataset.val] == [(p, n) for p, n, _ in lists["val"]]
    assert [(s.key, s.label) for s in dataset.test] == [(p, n) for p, n, _ in lists["test"]]


def test_aircraft_goes_by_its_lists(whole_root, monkeypatch):
    use(monkeypatch, whole_root)
    dataset = open_dataset("fgvc_aircraft")
    assert dataset.class_names == CLEAN
    assert dataset.train[0] == Sample("1000015.jpg", 4)  # first line of the list
    assert dataset.test[-1] == Sample("1000021.jpg", 0)


def test_imagenet_is_sorted_and_tested_on_its_validation_images(whole_root, monkeypatch):
    use(monkeypatch, whole_root)
    dataset = open_dataset("imagenet")
    assert dataset.class_names == tuple(WNIDS.values())
    assert dataset.train[:4] == (
        *(Sample(f"train/n00000000/train{i}.jpg", 0) for i in range(3)),
        Sample("train/n00000001/train0.jpg", 1),
    )
    assert {s.key.split("/")[0] for s in dataset.test} == {"val"}
    assert dataset.val == ()


def test_v2_folders_are_numbers_and_not_text(whole_root, monkeypatch):
    use(monkeypatch, whole_root)
    dataset = open_dataset("imagenet_v2")
    assert dataset.class_names == tuple(WNIDS.values())
    for sample in dataset.test:
        assert int(sample.key.split("/")[0]) == sample.label


@pytest.mark.parametrize("name", ["imagenet_a", "imagenet_r"])
def test_a_and_r_are_tested_among_their_own_classes(name, whole_root, monkeypatch):
    use(monkeypatch, whole_root)
    dataset = open_dataset(name)
    assert dataset.class_names == tuple(WNIDS[wnid] for wnid in SOME_WNIDS)
    assert {s.key.split("/")[0]: s.label for s in dataset.test} == dict(zip(SOME_WNIDS, range(3)))


def test_templates_are_those_of_the_coop_family():
    assert {
        name: row.template for name, row in ROWS.items() if "photo of a {}." not in row.template
    } == {
        "oxford_pets": "a photo of a {}, a type of pet.",
        "flowers102": "a photo of a {}, a type of flower.",
        "food101": "a photo of {}, a type of food.",
        "fgvc_aircraft": "a photo of a {}, a type of aircraft.",
        "dtd": "{} texture.",
        "eurosat": "a centered satellite photo of {}.",
        "ucf101": "a photo of a person doing {}.",
    }


@pytest.mark.parametrize("name", LEARNED)
def test_sentences_of_dekg_and_tcp_are_those_of_their_releases(name):
    """cnunlp/DeKg@b8f2f1c, and htyao89/Textual-based_Class-aware_prompt_tuning@bd97bec, the same
    ones; of a sentence with context, what follows its four tokens."""
    anchors = {
        "oxford_pets": "a photo of a {}, a type of pet.",
        "flowers102": "a photo of a {}, a type of flower.",
        "food101": "a photo of a {}, a type of food.",
        "fgvc_aircraft": "a photo of an aircraft {}.",
        "dtd": "a photo of a {}, a type of texture.",
        "eurosat": "a centered satellite photo of {}.",
        "ucf101": "a photo of a person doing {}.",
    }
    after_context = {
        "oxford_pets": "{}, a type of pet.",
        "flowers102": "{}, a type of flower.",
        "food101": "{}, a type of food.",
        "fgvc_aircraft": "{}, a type of aircraft.",
        "dtd": "{} texture.",
        "stanford_cars": "{}, a type of car",
        "ucf101": "person doing {}.",
    }
    own = ROWS[name].template
    for kind in (DeKg, TCP):
        method = PAPER.spec(name, kind(), 1.0, 1).method
        assert (method.anchor_templates or (own,)) == (anchors.get(name, "a photo of a {}."),)
        words = method.prompt_template(4, own).split(" ", 4)
        assert words[4] == after_context.get(name, "{}.")

    method = PAPER.spec(name, DeKg(class_aware=False), 1.0, 1).method
    of_dtd = name == "dtd"
    assert (method.anchor_templates or (own,)) == ((anchors["dtd"] if of_dtd else own),)
    assert method.prompt_template(4, own) == "a photo of a {}."


@pytest.mark.parametrize("name", LEARNED)
def test_sentences_of_kgcoop_are_those_of_its_release(name):
    """htyao89/KgCoOp@c43ccc3: the data sets' own, but for textures."""
    own, method = ROWS[name].template, PAPER.spec(name, KgCoOp(), 1.0, 1).method
    anchor = "a photo of a {}, a type of texture." if name == "dtd" else own
    assert (method.anchor_templates or (own,)) == (anchor,)
    assert method.prompt_template(4, own) == "a photo of a {}."


def test_what_was_published_for_a_data_set_gives_way_to_what_is_asked_for():
    asked = DeKg(anchor_templates=("the {}.",))
    assert PAPER.spec("food101", asked, 1.0, 1).method == asked


# ----------------------------------------------------------------------------------------- images


@pytest.mark.parametrize("size", [(31, 20), (20, 31), (17, 17), (9, 40), (64, 5)])
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK"])
def test_the_test_view_is_clips(size, mode):
    from torchvision import transforms

    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(noise).convert(mode)
    resize = transforms.Resize(16, transforms.InterpolationMode.BICUBIC)
    steps = [resize, transforms.CenterCrop(16), transforms.ToTensor()]
    rgb = read_rgb(image, published=True)  # as public code does it
    assert torch.equal(clip_view(rgb, 16), transforms.Compose(steps)(image.convert("RGB")))


@pytest.mark.parametrize("damage", ["empty", "text", "cut"])
def test_damaged_images_are_named(damage, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    path = tmp_path / "class/one.jpg"
    path.parent.mkdir()
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    contents = {"empty": b"", "text": b"no image", "cut": whole[: len(whole) // 2]}
    path.write_bytes(contents[damage])
    with pytest.raises(ValueError, match=r"class/one\.jpg cannot be read: .*doctor"):
        ImageFiles(tmp_path)(["class/one.jpg"], 8)
    with pytest.raises(FileNotFoundError, match=r"no image .*class/two\.jpg.*doctor"):
        ImageFiles(tmp_path)(["class/two.jpg"], 8)


# ----------------------------------------------------------------------------------- public subsets


def golden_dataset(split: str) -> ImageDataset:
    lists = GOLDEN["splits"][split]
    names = {label: name for side in lists.values() for _, label, name in side}
    train, val, test = (
        tuple(Sample(key, label) for key, label, _ in lists[side])
        for side in ("train", "val", "test")
    )
    return ImageDataset(
        split,
        tuple(names[label] for label in sorted(names)),
        train,
        test,
        read=ImageFiles(Path("nowhere")),
        val=val,
        draw=partial(public_draw, train, val),
    )


def part_of(dataset: ImageDataset, classes: str) -> ImageDataset:
    return dataset if classes == "all" else dataset.halves()[classes == "new"]


@pytest.mark.parametrize(
    "run", GOLDEN["fewshot"], ids=lambda r: f"{r['split']}-{r['shots']}-{r['seed']}-{r['classes']}"
)
def test_subsets_are_those_of_public_code(run):
    dataset = part_of(golden_dataset(run["split"]), run["classes"])

    def named(samples):
        return [[s.key, s.label, dataset.class_names[s.label]] for s in samples]

    subset = draw_long_tailed(dataset, 1.0, run["seed"], run["shots"])
    assert named(subset.samples) == run["train"]
    assert named(dataset.draw(run["seed"], run["shots"])[1]) == run["val"]
    assert named(dataset.test) == run["test"]
    assert list(dataset.class_names) == run["classnames"]


def test_a_long_tail_takes_the_first_of_the_public_list():
    dataset = golden_dataset("odd").halves()[0]
    full, cut = (draw_long_tailed(dataset, tau, 1, 8) for tau in (1.0, 0.1))
    assert cut.counts == (4, 3, 1, 1)  # 8 * .1^(k/3): 8, 3.7, 1.7, .8; class 0 has four images
    assert len(full.samples) == 25
    for label, count in enumerate(cut.counts):
        own = [s for s in cut.samples if s.label == label]
        assert own == [s for s in full.samples if s.label == label][:count]


def test_drawing_leaves_the_global_generator_alone():
    random.seed(5)
    state = random.getstate()
    draw_long_tailed(golden_dataset("even"), 0.25, 1)
    assert random.getstate() == state


def test_a_data_set_can_go_to_another_process(whole_root, monkeypatch):
    use(monkeypatch, whole_root)
    base = open_task("dtd", "base_to_new").learned
    copy = pickle.loads(pickle.dumps(base))
    assert copy == base
    assert copy.draw(1, 2) == base.draw(1, 2)


# -------------------------------------------------------------------------------------------- roles


def test_base_and_new_halves_are_drawn_from_the_whole(whole_root, monkeypatch):
    use(monkeypatch, whole_root)
    whole = open_dataset("eurosat")
    roles = open_task("eurosat", "base_to_new").tests
    assert list(roles) == ["base", "new"]
    assert roles["base"].class_names + roles["new"].class_names == CLEAN
    everything = draw_long_tailed(whole, 1.0, 2, 2).samples
    base, new = (draw_long_tailed(half, 1.0, 2, 2).samples for half in roles.values())
    assert base == tuple(s for s in everything if s.label < 3)
    assert new == tuple(Sample(s.key, s.label - 3) for s in everything if s.label >= 3)
    assert len(base) + len(new) == len(everything) == 10


def test_roles_are_cut_once_for_all_runs(whole_root, monkeypatch):
    """Run after run asks for ImageNet's halves; each data root has its own."""
    use(monkeypatch, whole_root)
    first = open_task("imagenet", "base_to_new")
    again = open_task("imagenet", "base_to_new")
    assert list(again.tests) == ["base", "new"]
    assert again.learned is first.learned


def test_few_shot_learns_all_classes(whole_root, monkeypatch):
    use(monkeypatch, whole_root)
    assert open_task("ucf101", "few_shot") == Task("all", {"all": open_dataset("ucf101")})


def test_transfer_goes_from_imagenet_to_everything_else(whole_root, monkeypatch):
    use(monkeypatch, whole_root)
    roles = open_task("imagenet", "transfer").tests
    others = [name for name in PAPER_DATASETS if name != "imagenet"]
    assert len(others) == 10
    expected = {"source": "imagenet"} | {f"target {name}": name for name in others}
    expected |= {f"domain {name}": name for name in VARIANTS}
    assert {role: dataset.name for role, dataset in roles.items()} == expected
    assert list(roles) == list(expected)
    assert len(roles["source"].class_names) == 12


@pytest.mark.parametrize(
    ("name", "protocol", "message"),
    [
        ("dtd", "transfer", "'dtd' cannot be the source of transfer: .* only 'imagenet'"),
        ("dtd", "tuning", "'dtd' has 3 base classes. Tuning needs four or more"),
        ("imagenet", "tuning", "'imagenet' has no validation images of class 'name 0'"),
        ("imagenet_a", "base_to_new", "'imagenet_a' has test images only.*domain.*'imagenet'"),
        ("imagenet_v2", "transfer", "'imagenet_v2' has test images only"),
    ],
)
def test_roles_that_cannot_be(name, protocol, message, whole_root, monkeypatch):
    use(monkeypatch, whole_root)
    with pytest.raises(ValueError, match=message):
        open_task(name, protocol)


def test_the_data_root_is_no_part_of_a_run(whole_root, monkeypatch, tmp_path):
    spec = PAPER.spec("dtd", METHODS["zero_shot"](), 1.0, 1)
    before = spec.run_id
    use(monkeypatch, whole_root)
    open_task("dtd", "base_to_new")
    assert spec.run_id == before
    assert str(whole_root) not in json.dumps(spec.as_dict())


# ------------------------------------------------------------------------------ what can be missing


def test_no_data_root(monkeypatch, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Set CPTLAB_DATA or give --data-root.*doctor"):
        open_dataset("dtd")
    use(monkeypatch, tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"no data root .*none\. Make that folder"):
        open_dataset("dtd")


@pytest.mark.parametrize("name", WITH_JSON)
def test_a_missing_split_file_is_never_made_up(name, root):
    lists = tiny_root(root, [name]) / ROWS[name].folder / ROWS[name].lists
    lists.unlink()
    with pytest.raises(FileNotFoundError) as caught:
        open_dataset(name)
    message = str(caught.value)
    assert message.startswith(f"Data set {name!r} needs {lists}, which is not there.")
    assert "DATASETS.md" in message and "No split is made up" in message


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("dtd", "dtd"),
        ("dtd", "dtd/images"),
        ("imagenet", "imagenet/classnames.txt"),
        ("imagenet", "imagenet/images/val"),
        ("fgvc_aircraft", "fgvc_aircraft/images_variant_val.txt"),
        ("imagenet_r", "imagenet-rendition/imagenet-r"),
    ],
)
def test_missing_parts_are_named(name, gone, root):
    path = tiny_root(root, [name]) / gone
    path.rename(root / "elsewhere")
    with pytest.raises(FileNotFoundError) as caught:
        open_dataset(name)
    assert str(caught.value).startswith(f"Data set {name!r} needs {path}, which is not there.")


def test_transfer_names_everything_that_is_missing(root):
    tiny_root(root, ["imagenet", "dtd"])
    with pytest.raises(ValueError) as caught:
        open_task("imagenet", "transfer")
    lines = str(caught.value).splitlines()
    assert len(lines) == len(ROWS) - 2
    assert all("which is not there" in line for line in lines)


def edited(edit) -> str:
    lists = {"train": [["a.jpg", 0, "a"], ["b.jpg", 1, "b"]], "val": [], "test": []}
    edit(lists)
    return json.dumps(lists)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "JSONDecodeError"),
        ("[]", "TypeError"),
        (edited(lambda lists: lists.pop("val")), "KeyError: 'val'"),
        (edited(lambda lists: lists["test"].append(["c.jpg", 0])), "ValueError"),
        (edited(lambda lists: lists["test"].append(["c.jpg", "x", "c"])), "ValueError"),
        (edited(lambda lists: lists["test"].append(["c.jpg", 1, "c"])), "label 1 is both 'b' and"),
        (edited(lambda lists: lists["test"].append(["c.jpg", 3, "c"])), "not 0, 1, ... without"),
    ],
)
def test_damaged_split_files(content, reason, root):
    tiny_root(root, ["dtd"])
    path = root / "dtd" / ROWS["dtd"].lists
    path.write_text(content)
    with pytest.raises(ValueError) as caught:
        open_dataset("dtd")
    assert str(caught.value).startswith(f"{path} is damaged (")
    assert reason in str(caught.value)


def test_folders_that_fit_no_class_name(root):
    tiny_root(root, ["imagenet", "imagenet_v2", "imagenet_r", "fgvc_aircraft"])
    (root / "imagenet/images/train/n99999999").mkdir()
    with pytest.raises(ValueError, match="n99999999 is in one of them only"):
        open_dataset("imagenet")
    (root / "imagenet/images/val/n99999999").mkdir()
    with pytest.raises(ValueError, match="no line for class folder n99999999"):
        open_dataset("imagenet")
    (root / "imagenetv2" / ROWS["imagenet_v2"].images / "12").mkdir()
    with pytest.raises(ValueError, match="named 0 to 11; '12' is missing or too many"):
        open_dataset("imagenet_v2")
    with (root / "fgvc_aircraft/images_variant_test.txt").open("a") as file:
        file.write("123 Concorde\n")
    with pytest.raises(ValueError, match="unknown variant 'Concorde'"):
        open_dataset("fgvc_aircraft")


def test_a_class_that_nothing_is_listed_of(root):
    """Whoever learns from it is told; `cptlab doctor` tells before."""
    tiny_root(root, ["dtd"])
    path = root / "dtd" / ROWS["dtd"].lists
    lists = json.loads(path.read_text())
    lists["train"] = [item for item in lists["train"] if item[1] != 2]
    path.write_text(json.dumps(lists))
    with pytest.raises(
        ValueError, match="Class 'Boeing 737-200' of data set 'dtd' has no training"
    ):
        draw_long_tailed(open_dataset("dtd"), 1.0, 1)


@pytest.mark.parametrize(
    ("name", "images"),
    [
        ("caltech101", 9144 - 467 - 435),  # without BACKGROUND_Google and Faces_easy
        ("oxford_pets", 3680 + 3669),
        ("stanford_cars", 8144 + 8041),
        ("flowers102", 8189),
        ("food101", 101 * 1000),
        ("fgvc_aircraft", 10_000),
        ("sun397", 397 * 100),
        ("dtd", 47 * 120),
        ("eurosat", 27_000),
        ("ucf101", 13_320),
    ],
)
def test_published_sides_add_up_to_the_images_that_exist(name, images):
    assert sum(LEARNED[name].published) == images


# --------------------------------------------------------------------------------------- whole runs


def test_a_run_learns_the_public_subset(whole_root, monkeypatch, tmp_path):
    use(monkeypatch, whole_root)
    spec = SMOKE.spec("dtd", SMOKE.make(METHODS["coop"]), 0.5, 2)
    runs.execute([spec], tmp_path)
    result = results.load_result(tmp_path, spec)
    base = open_task("dtd", "base_to_new").learned
    drawn = draw_long_tailed(base, 0.5, 2)
    assert result.details["subset"] == {"samples": len(drawn.samples), "checksum": drawn.checksum}
    assert set(result.classes["name"]) == set(CLEAN)
    assert {"base", "new", "H"} <= result.metrics.keys()


def test_a_run_of_transfer_meets_every_data_set(whole_root, monkeypatch, tmp_path):
    use(monkeypatch, whole_root)
    plain = SMOKE.spec("imagenet", METHODS["zero_shot"](), 1.0, 1)
    spec = dataclasses.replace(plain, protocol="transfer")
    runs.execute([spec], tmp_path)
    metrics = results.load_result(tmp_path, spec).metrics
    assert {f"domain {name}" for name in VARIANTS} <= metrics.keys()
    assert sum(name.startswith("target ") for name in metrics) == 10
    assert {"source", "targets", "domains"} <= metrics.keys()
