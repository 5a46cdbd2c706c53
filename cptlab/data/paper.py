"""The paper's data sets, one row each: where they lie below the data root, and published sizes.

Layout, split files and templates are those of the CoOp family, so that results can be compared with
published ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from cptlab.data import layouts
from cptlab.data.dataset import ImageDataset
from cptlab.data.few_shot import public_draw
from cptlab.data.images import ImageFiles
from cptlab.data.layouts import Lists
from cptlab.data.root import data_root

GUIDE = "https://github.com/KaiyangZhou/CoOp/blob/main/DATASETS.md"
"""The page that says where to get every file."""


@dataclass(frozen=True)
class PaperSet:
    """Where one data set lies and what it should hold.

    folder: below the data root. images: below that, what sample keys are relative to. lists: the
    file with the splits or the class names. published: training, validation and test images, None
    where there is no such list. read: reader of the layout.
    """

    folder: str
    images: str
    lists: str
    n_classes: int
    published: tuple[int | None, int | None, int]
    template: str = "a photo of a {}."
    read: Callable[[Path, str, str], Lists] = layouts.split_json


# fmt: off
LEARNED = {
    "imagenet": PaperSet(
        "imagenet", "images", "classnames.txt",
        1000, (1_281_167, None, 50_000), read=layouts.imagenet),
    "caltech101": PaperSet(
        "caltech-101", "101_ObjectCategories", "split_zhou_Caltech101.json",
        100, (4128, 1649, 2465)),
    "oxford_pets": PaperSet(
        "oxford_pets", "images", "split_zhou_OxfordPets.json",
        37, (2944, 736, 3669), "a photo of a {}, a type of pet."),
    "stanford_cars": PaperSet(
        "stanford_cars", ".", "split_zhou_StanfordCars.json",
        196, (6509, 1635, 8041)),
    "flowers102": PaperSet(
        "oxford_flowers", "jpg", "split_zhou_OxfordFlowers.json",
        102, (4093, 1633, 2463), "a photo of a {}, a type of flower."),
    "food101": PaperSet(
        "food-101", "images", "split_zhou_Food101.json",
        101, (50_500, 20_200, 30_300), "a photo of {}, a type of food."),
    "fgvc_aircraft": PaperSet(
        "fgvc_aircraft", "images", "variants.txt",
        100, (3334, 3333, 3333), "a photo of a {}, a type of aircraft.", layouts.aircraft),
    "sun397": PaperSet(
        "sun397", "SUN397", "split_zhou_SUN397.json",
        397, (15_880, 3970, 19_850)),
    "dtd": PaperSet(
        "dtd", "images", "split_zhou_DescribableTextures.json",
        47, (2820, 1128, 1692), "{} texture."),
    "eurosat": PaperSet(
        "eurosat", "2750", "split_zhou_EuroSAT.json",
        10, (13_500, 5400, 8100), "a centered satellite photo of {}."),
    "ucf101": PaperSet(
        "ucf101", "UCF-101-midframes", "split_zhou_UCF101.json",
        101, (7639, 1898, 3783), "a photo of a person doing {}."),
}
"""The paper's eleven data sets."""

VARIANTS = {
    "imagenet_v2": PaperSet(
        "imagenetv2", "imagenetv2-matched-frequency-format-val", "classnames.txt",
        1000, (None, None, 10_000), read=layouts.numbered_folders),
    "imagenet_sketch": PaperSet(
        "imagenet-sketch", "images", "classnames.txt",
        1000, (None, None, 50_889), read=layouts.wnid_folders),
    "imagenet_a": PaperSet(
        "imagenet-adversarial", "imagenet-a", "classnames.txt",
        200, (None, None, 7500), read=layouts.wnid_folders),
    "imagenet_r": PaperSet(
        "imagenet-rendition", "imagenet-r", "classnames.txt",
        200, (None, None, 30_000), read=layouts.wnid_folders),
}
"""ImageNet's classes under a shift of domain: test images only."""
# fmt: on

ROWS = LEARNED | VARIANTS


def paper_dataset(name: str) -> ImageDataset:
    """One of the paper's data sets below the data root; read once per process.

    Raises FileNotFoundError, naming the file and where to get it, if something is not there;
    ValueError if a list is damaged.
    """
    return _dataset(name, data_root())


def paper_transfer(name: str) -> dict[str, ImageDataset]:
    """ImageNet with all classes as "source", the ten others as "target ..." and its variants as
    "domain ...".

    Raises ValueError for another source, or with everything that is not there or damaged, at once.
    """
    if name != "imagenet":
        raise ValueError(
            f"{name!r} cannot be the source of transfer: of the paper's data sets only 'imagenet' "
            "is one. Choose it, another protocol, or name the data sets to test on (--target; in "
            "Python: targets)."
        )
    targets = [other for other in LEARNED if other != name]
    roles = {"source": name} | {f"target {other}": other for other in targets}
    roles |= {f"domain {variant}": variant for variant in VARIANTS}
    return dict(zip(roles, open_all(list(roles.values())), strict=True))


def open_all(names: Sequence[str]) -> list[ImageDataset]:
    """Several of the paper's data sets; ValueError says what is wrong with each of them."""
    root, opened, problems = data_root(), [], []
    for name in names:
        try:
            opened.append(_dataset(name, root))
        except (ValueError, OSError) as error:
            problems.append(str(error))
    if problems:
        raise ValueError("\n".join(problems))
    return opened


def read_lists(name: str, root: Path) -> Lists:
    """Class names and samples of one data set, as they are on disk now. Raises as above."""
    row = ROWS[name]
    folder = root / row.folder
    try:
        for path in (folder, folder / row.images, folder / row.lists):
            path.stat()
        return row.read(folder, row.images, row.lists)
    except (FileNotFoundError, NotADirectoryError) as error:
        split = " (No split is made up here: its test images would be others.)"
        raise FileNotFoundError(
            f"Data set {name!r} needs {error.filename}, which is not there. {GUIDE} says where "
            f"to get it.{split if str(error.filename).endswith('.json') else ''}"
        ) from None


def image_files(name: str, root: Path) -> ImageFiles:
    """Reader of one data set's images: as public code reads them, so that numbers compare."""
    return ImageFiles(root / ROWS[name].folder / ROWS[name].images, published=True)


# Lists of a million images take seconds, and every run of a batch asks for them.
@lru_cache(maxsize=len(ROWS))
def _dataset(name: str, root: Path) -> ImageDataset:
    lists, files = read_lists(name, root), image_files(name, root)
    return ImageDataset(
        name=name,
        class_names=lists.class_names,
        train=lists.train,
        test=lists.test,
        read=files,
        crops=files.crops,
        template=ROWS[name].template,
        val=lists.val,
        draw=partial(public_draw, lists.train, lists.val),
    )
