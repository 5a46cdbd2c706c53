"""Miniature copies of the paper's data sets, with images of a few pixels, in their real layouts."""

import dataclasses
import json
import random
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from cptlab.data import paper, tasks
from cptlab.data.layouts import SIDES
from cptlab.data.paper import ROWS

NAMES = ("blue_whale", "crane", "Boeing_737-200", "old_oak", "tea pot")
PER_CLASS = {"train": 3, "val": 1, "test": 2}
WNIDS = {f"n{label:08d}": f"name {label}" for label in range(12)}
"""Lines of `classnames.txt`; twelve, because 10 sorts before 2 as text."""
SOME_WNIDS = ("n00000002", "n00000007", "n00000011")
"""The classes of ImageNet-A and -R: not the first ones."""
WITH_JSON = [name for name, row in ROWS.items() if row.lists.endswith(".json")]


def image(path: Path, seed: int = 0, size: tuple[int, int] = (12, 10)) -> Path:
    """An image file in one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = tuple(random.Random(seed).randrange(256) for _ in range(3))
    Image.new("RGB", size, colour).save(path)
    return path


def tiny_root(root: Path, names: Sequence[str] = tuple(ROWS)) -> Path:
    """A data root with these data sets."""
    for name in names:
        folder = root / ROWS[name].folder
        if name in WITH_JSON:
            _with_json(folder, ROWS[name].images, ROWS[name].lists)
        elif name == "fgvc_aircraft":
            _aircraft(folder)
        else:
            _imagenet(name, folder, ROWS[name].images)
    return root


def published(name: str) -> tuple[int, tuple[int | None, int | None, int]]:
    """K and the numbers of images of a miniature copy."""
    if name == "imagenet_v2":
        return 12, (None, None, 24)
    if name in ("imagenet_a", "imagenet_r"):
        return 3, (None, None, 6)
    if name == "imagenet_sketch":
        return 12, (None, None, 24)
    if name == "imagenet":
        return 12, (36, None, 24)
    return len(NAMES), tuple(len(NAMES) * PER_CLASS[side] for side in SIDES)


def publish(monkeypatch) -> None:
    """Let the miniature copies' numbers be the published ones; forget what was read before."""
    for name, row in list(ROWS.items()):
        n_classes, sizes = published(name)
        row = dataclasses.replace(row, n_classes=n_classes, published=sizes)
        monkeypatch.setitem(ROWS, name, row)
    paper._dataset.cache_clear()
    tasks._paper_task.cache_clear()


def use(monkeypatch, root: Path) -> None:
    """Make this the data root."""
    monkeypatch.setenv("CPTLAB_DATA", str(root))


def own_folder(root: Path, classes: Sequence[str], per_class: int = 4) -> Path:
    """A folder of class sub-folders."""
    for c, name in enumerate(classes):
        for i in range(per_class):
            image(root / name / f"{name} {i}.png", c)
    return root


def _with_json(folder: Path, images: str, lists: str) -> None:
    sides = {}
    for side, count in PER_CLASS.items():
        items = []
        for label, name in enumerate(NAMES):
            for i in range(count):
                key = f"{name}/{side}_{i}.jpg"
                if images == ".":  # Stanford Cars
                    key = f"cars_{'test' if side == 'test' else 'train'}/{label}_{side}_{i}.jpg"
                image(folder / images / key, label)
                items.append([key, label, name])
        random.Random(side).shuffle(items)  # real lists are not in the order of labels either
        sides[side] = items
    (folder / lists).write_text(json.dumps(sides))


def _aircraft(folder: Path) -> None:
    (folder / "images").mkdir(parents=True)
    (folder / "variants.txt").write_text("".join(f"{name}\n" for name in NAMES))
    number = 1_000_000
    for side, count in PER_CLASS.items():
        lines = []
        for label, name in enumerate(NAMES):
            for _ in range(count):
                number += 1
                image(folder / "images" / f"{number}.jpg", label)
                lines.append(f"{number} {name}\n")
        (folder / f"images_variant_{side}.txt").write_text("".join(lines[::-1]))


def _imagenet(name: str, folder: Path, images: str) -> None:
    parts = {"imagenet": {"train": 3, "val": 2}}.get(name, {".": 2})
    numbered = [str(label) for label in range(len(WNIDS))]
    classes = {
        "imagenet_v2": numbered,
        "imagenet_a": SOME_WNIDS,
        "imagenet_r": SOME_WNIDS,
    }.get(name, list(WNIDS))
    for part, count in parts.items():
        for label, wnid in enumerate(classes):
            for i in range(count):
                image(folder / images / part / wnid / f"{part.strip('.')}{i}.jpg", label)
    (folder / "classnames.txt").write_text("".join(f"{w} {n}\n" for w, n in WNIDS.items()))
    if name in ("imagenet_a", "imagenet_r"):
        (folder / images / "README.txt").write_text("not a class")
