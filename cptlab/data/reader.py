"""One image file, whatever its kind, as upright 8-bit RGB: the same pixels wherever it is read.

docs/images.md says what becomes of each kind of image, and why.
"""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from cptlab.checks import shown

warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # MAX_PIXELS refuses

Source = str | Path | BytesIO | Image.Image
"""The path of a file, the content of one, or an image that Pillow has opened."""

Key = int | bytes | tuple[int, ...] | None
"""Colour, or alpha of each colour of a palette, as Pillow gives transparency."""

MAX_PIXELS = 89_478_485
"""Of an image: above it Pillow warns of decompression bombs. A reader then needs some 0.7 GiB."""
MAX_BYTES = 2**30
"""Of a file: some decoders read it whole."""

NOT_READ = {
    *("EPS", "WMF"),  # drawings: they take other programs to run
    *("FITS", "MCIDAS", "SPIDER"),  # measurements of no fixed range
    *("BUFR", "GRIB", "HDF5", "MPEG"),  # Pillow knows them by name only
}
"""Formats of Pillow's that are no images here."""

LAYERS = ("LA", "La", "P", "PA", "RGBA", "RGBa")
"""Modes that may have alpha; a palette may hold it, too."""
SIGNED = 2
"""Of the tag SampleFormat (339) of TIFF files."""
BITS_16 = ("I;16", "I;16B", "I;16L", "I;16N")
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what makes the image upright."""


class Unreadable(ValueError):
    """An image that cannot be read; its text names the image.

    reason: why, alone. refused: whether it is whole, but not of a kind that is read here.
    """

    def __init__(self, name: str, reason: str, refused: bool = False) -> None:
        super().__init__(f"{shown(name)} cannot be read: {reason}")
        self.reason, self.refused = reason, refused


@cache
def formats() -> tuple[str, ...]:
    """Names of the formats that are read, as this machine's Pillow has them."""
    Image.init()
    return tuple(name for name in Image.OPEN if name not in NOT_READ)


@cache
def _suffixes() -> frozenset[str]:
    known = set(formats())
    return frozenset(end for end, name in Image.registered_extensions().items() if name in known)


def is_image(name: str) -> bool:
    """Whether a file is an image by the end of its name, in any case."""
    return os.path.splitext(name)[1].lower() in _suffixes()


def read_rgb(source: Source, name: str | None = None, published: bool = False) -> Image.Image:
    """An image as upright 8-bit RGB, on white where it is transparent; of an animated one the first
    image.

    name: what messages call it; a file's path, if left out. published: as the CoOp family's public
    code reads the paper's data sets, which neither turns an image nor looks at transparency.

    Raises FileNotFoundError if there is no such file, and Unreadable for all else.
    """
    with opened(source, name) as image:
        if published:
            return image.convert("RGB")
        key = _key(image)  # loading forgets the file's depth
        image.load()
        return _upright(image, _rgb(image, key))


@contextmanager
def opened(source: Source, name: str | None = None) -> Generator[Image.Image]:
    """An image whose header is read and of a kind that can be; arguments and errors of `read_rgb`,
    also where they come up in the block: decoders raise whatever they like.
    """
    name = name or (str(source) if isinstance(source, str | Path) else "This image")
    try:
        if isinstance(source, Image.Image):
            _refuse(source, name)
            yield source
            return
        _refuse_file(source, name)
        with Image.open(source, formats=formats()) as image:
            _refuse(image, name)
            yield image
    except (FileNotFoundError, Unreadable):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Unreadable(name, TOO_LARGE, refused=True) from error
    except Exception as error:
        raise Unreadable(name, _reason(error)) from error


TOO_LARGE = f"it has more than {MAX_PIXELS // 10**6} million pixels"


def _refuse_file(source: str | Path | BytesIO, name: str) -> None:
    """Before anything is read: a pipe would wait for ever."""
    if isinstance(source, BytesIO):
        size = source.getbuffer().nbytes
    else:
        found = os.stat(source)
        if not stat.S_ISREG(found.st_mode):
            raise Unreadable(name, "it is no file", refused=True)
        size = found.st_size
    if size > MAX_BYTES:
        raise Unreadable(name, "its file has more than 1 GiB", refused=True)


def _refuse(image: Image.Image, name: str) -> None:
    """By what the header says, so that `cptlab doctor` finds it without decoding."""
    if image.width * image.height > MAX_PIXELS:
        raise Unreadable(name, TOO_LARGE, refused=True)
    if not image.width * image.height:
        raise Unreadable(name, "it has no pixels", refused=True)
    if _is_signed(image):
        reason = "signed values have no fixed black; save it with unsigned ones of 8 or 16 bits"
        raise Unreadable(name, reason, refused=True)
    if image.mode == "F" or (image.mode == "I" and not _is_16_bit(image)):
        reason = "32-bit values have no fixed range; save it with 8 or 16 bits"
        raise Unreadable(name, reason, refused=True)


def _is_signed(image: Image.Image) -> bool:
    """Whether a TIFF file has whole numbers below 0, of up to 16 bits; Pillow gives them in modes
    of other values.
    """
    tags = getattr(image, "tag_v2", {})
    return SIGNED in tags.get(339, ()) and max(tags.get(258, (1,))) <= 16


def _is_16_bit(image: Image.Image) -> bool:
    """Whether grey values are 0 to 65535; in PNG and PGM files Pillow may widen them to "I"."""
    return image.mode in BITS_16 or (image.mode == "I" and image.format in ("PNG", "PPM"))


def _rgb(image: Image.Image, key: Key) -> Image.Image:
    if _is_16_bit(image):
        return _from_16_bits(image, key)
    if image.mode not in LAYERS and key is None:
        return image.convert("RGB")
    if image.mode == "La":
        image = image.convert("LA")  # there is no direct way
    if key is not None:
        image = image.copy()
        image.info["transparency"] = key
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def _key(image: Image.Image) -> Key:
    """The colour that stands for transparent; Pillow leaves it in the depth of a PNG file."""
    key = image.info.get("transparency")
    tile = getattr(image, "tile", None)  # of files that are not loaded
    depth = str(tile[0][3]) if tile else ""
    if depth in ("L;2", "L;4"):
        return key and key * {"L;2": 85, "L;4": 17}[depth]
    return tuple(part >> 8 for part in key) if key and depth == "RGB;16B" else key


def _from_16_bits(image: Image.Image, key: Key) -> Image.Image:
    """The upper eight bits, as decoders themselves do with 16-bit colours."""
    values = np.asarray(image)
    tags = getattr(image, "tag_v2", {})  # of TIFF files
    (bits,) = tags.get(258, (16,))  # or 12
    grey = (values >> (bits - 8)).astype(np.uint8)
    if tags.get(262) == 0:  # white is 0; Pillow turns this round for 8 bits only
        grey = 255 - grey
    if key is not None:
        grey[values == key] = 255
    return Image.fromarray(grey).convert("RGB")


def has_plain_pixels(image: Image.Image) -> bool:
    """Whether 8-bit RGB is what Pillow alone makes of an image: no transparency, no more bits."""
    if image.mode == "P" and (image.palette is None or image.palette.mode != "RGB"):
        return False
    return image.mode in ("1", "L", "P", "RGB", "CMYK", "YCbCr") and _key(image) is None


def _upright(image: Image.Image, rgb: Image.Image) -> Image.Image:
    """The pixels of an image, turned as its EXIF orientation says."""
    turn = TURNS.get(orientation(image))
    return rgb if turn is None else rgb.transpose(turn)


def orientation(image: Image.Image) -> int:
    """As EXIF numbers them, 1 to 8; 1, upright, if nothing is said or nothing can be read."""
    try:
        stated = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # EXIF data may be damaged in as many ways as images, which are whole
        return 1
    return stated if stated in TURNS else 1


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "it is no image of a known kind"
    system = isinstance(error, OSError) and error.strerror
    return system or str(error) or type(error).__name__
