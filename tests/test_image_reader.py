"""One reader of images: every kind that Pillow writes gives the right pixels on every route."""

import colorsys
import random
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from cptlab.data import reader
from cptlab.data.images import ImageFiles, clip_view, crop_view
from cptlab.data.reader import Unreadable
from cptlab.lab.explore.prediction import read_image
from cptlab.lab.runs import classify as classification

SIDE = 16
MODES = (
    *("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"),
    *("LAB", "I", "F", *reader.BITS_16),
)
TURNING = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "MPO")
ANIMATED = ("GIF", "PNG", "WEBP", "TIFF", "AVIF", "MPO")


# --------------------------------------------------------------------------------- what is written


def picture(mode: str, seed: int = 0) -> Image.Image:
    """A smooth image of four different corners; colours and, where there is one, alpha vary."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / (SIDE - 1)
    chance = np.random.default_rng(seed)
    planes = [a * x + b * y + (1 - a - b) * x * y for a, b in chance.uniform(0.1, 0.5, (4, 2))]
    if mode in reader.BITS_16:
        kind = ">u2" if mode == "I;16B" else "<u2"
        return Image.frombytes(mode, (SIDE, SIDE), (planes[0] * 65535).astype(kind).tobytes())
    if mode in ("I", "F"):
        values = planes[0] * 65535 if mode == "I" else planes[0]
        return Image.fromarray(values.astype("int32" if mode == "I" else "float32"))
    colours = [Image.fromarray((255 * plane).astype(np.uint8)) for plane in planes]
    if mode == "LAB":  # colours that RGB has
        near = [((plane - 0.5) * 40).astype(np.int8).view(np.uint8) for plane in planes[1:3]]
        return Image.merge("LAB", [colours[0], *map(Image.fromarray, near)])
    if mode in ("1", "P"):
        return Image.merge("RGB", colours[:3]).convert(mode)
    if mode == "PA":
        palette = Image.merge("RGB", colours[:3]).convert("P").convert("PA")
        palette.putalpha(colours[3])
        return palette
    if mode in ("La", "RGBa"):
        return picture(mode.upper(), seed).convert(mode)
    if mode in ("L", "LA"):
        return colours[0] if mode == "L" else Image.merge("LA", colours[:2])
    return Image.merge(mode, colours[: len(Image.new(mode, (1, 1)).getbands())])


def written(folder: Path) -> list[Path]:
    """Every mode in every format; transparent colours; all orientations; more than one frame."""
    Image.init()
    ends = {name: end for end, name in Image.registered_extensions().items()}
    ends |= {"MPO": ".mpo", "PNG": ".png", "JPEG": ".jpg", "TIFF": ".tif"}
    names = [name for name in Image.SAVE if name in {*reader.formats(), "MPO"}]

    def save(image: Image.Image, kind: str, label: str, **options: object) -> None:
        path = folder / f"{label}-{kind}{ends[kind]}"
        try:
            image.save(path, kind, **options)
            with Image.open(path) as again:  # Pillow writes a few that it does not read
                again.load()
        except Exception:
            path.unlink(missing_ok=True)

    for kind in names:
        for mode in MODES:
            image = picture(mode)
            save(image, kind, mode.replace(";", "_"))
            if kind in ANIMATED and mode in ("L", "P", "RGB", "RGBA", "I;16"):
                frames = {"save_all": True, "append_images": [picture(mode, 1)]}
                save(image, kind, f"{mode.replace(';', '_')}-two", **frames)
            first = image.getpixel((0, SIDE - 1))
            if kind in ("PNG", "GIF", "WEBP") and mode in ("1", "L", "P", "RGB", "I;16"):
                save(image, kind, f"{mode.replace(';', '_')}-key", transparency=first)
        save(picture("P"), kind, "P-alphas", transparency=bytes(range(256)))
        for turn in range(1, 10) if kind in TURNING else ():
            exif = Image.Exif()
            exif[0x0112] = turn
            for mode in ("L", "RGB", "RGBA", "I;16"):
                save(picture(mode), kind, f"{mode.replace(';', '_')}-turn{turn}", exif=exif)
    return sorted(folder.iterdir())


# ----------------------------------------------------------------------- what it should be read as


def expected(path: Path) -> tuple[np.ndarray, int] | None:
    """Pixels from the values as they are stored, by formulas; and by how much they may be off.

    None for what has no fixed range.
    """
    with Image.open(path) as image:
        image.load()
        stored, mode, key = (
            np.asarray(image).astype(float),
            image.mode,
            image.info.get("transparency"),
        )
        palette = np.array(image.getpalette("RGBA") or [0] * 4).reshape(-1, 4)
        turn = image.getexif().get(0x0112, 1)
        kind = image.format
    off, alpha = 0, None
    if mode == "F" or (mode == "I" and kind not in ("PNG", "PPM")):
        return None
    if mode.startswith("I"):
        alpha = None if key is None else 255.0 * (stored != key)
        colour = np.stack([stored // 256] * 3, -1)
    elif mode in ("1", "L"):
        stored = stored * (255 if mode == "1" else 1)
        alpha = None if key is None else 255.0 * (stored != key)
        colour = np.stack([stored] * 3, -1)
    elif mode in ("LA", "PA", "P"):
        index = stored if mode == "P" else stored[..., 0]
        colour = np.stack([index] * 3, -1)
        if "P" in mode:
            palette = np.pad(palette, ((0, 256 - len(palette)), (0, 0)))
            if isinstance(key, bytes):
                palette[:, 3] = 255
                palette[: len(key), 3] = list(key)
            elif key is not None:
                palette[:, 3] = 255 * (np.arange(256) != key)
            looked = palette[index.astype(int)]
            colour, alpha = looked[..., :3].astype(float), looked[..., 3].astype(float)
        if mode != "P":
            alpha = stored[..., 1]
    elif mode in ("RGB", "RGBA"):
        colour = stored[..., :3]
        if mode == "RGBA":
            alpha = stored[..., 3]
        elif key is not None:
            alpha = 255.0 * (stored != key).any(-1)
    else:
        colour, off = COLOURS[mode](stored), 2 if mode == "LAB" else 1
    if alpha is not None:
        share = alpha[..., None] / 255
        colour, off = colour * share + 255 * (1 - share), 1
    return upright(colour, turn), off


def upright(pixels: np.ndarray, turn: int) -> np.ndarray:
    """By the table of the EXIF standard: where row 0 and column 0 of the stored image are shown."""
    turned = {
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.swapaxes(0, 1),
        6: pixels.swapaxes(0, 1)[:, ::-1],
        7: pixels[::-1, ::-1].swapaxes(0, 1),
        8: pixels.swapaxes(0, 1)[::-1],
    }
    return turned.get(turn, pixels)


def _cmyk(stored: np.ndarray) -> np.ndarray:
    return (255 - stored[..., :3]) * (255 - stored[..., 3:]) / 255


def _ycbcr(stored: np.ndarray) -> np.ndarray:
    y, cb, cr = stored[..., 0], stored[..., 1] - 128, stored[..., 2] - 128
    return np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], -1).clip(
        0, 255
    )


def _hsv(stored: np.ndarray) -> np.ndarray:
    rows = stored.reshape(-1, 3) / 255
    return 255 * np.array([colorsys.hsv_to_rgb(*row) for row in rows]).reshape(stored.shape)


def _lab(stored: np.ndarray) -> np.ndarray:
    """CIE L*a*b* under D50, with a Bradford adaptation to sRGB."""
    light, a, b = stored[..., 0] / 2.55, stored[..., 1], stored[..., 2]
    a, b = ((part + 128) % 256 - 128 for part in (a, b))  # signed bytes
    y = (light + 16) / 116
    f = np.stack([y + a / 500, y, y - b / 200], -1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * [0.9642, 1, 0.8249]
    matrix = [[3.1339, -1.6169, -0.4906], [-0.9788, 1.9161, 0.0335], [0.0719, -0.2290, 1.4052]]
    linear = np.clip(xyz @ np.array(matrix).T, 0, 1)
    return 255 * np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)


COLOURS = {
    "CMYK": _cmyk,
    "YCbCr": _ycbcr,
    "HSV": _hsv,
    "LAB": _lab,
    "RGBX": lambda stored: stored[..., :3],
}


# ------------------------------------------------------------------------------------------ routes


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[Path, tuple[np.ndarray, int] | None]:
    """Files that Pillow wrote, and what each should be read as."""
    found = {path: expected(path) for path in written(tmp_path_factory.mktemp("images"))}
    print(f"{len(found)} inputs, {sum(e is None for e in found.values())} of no fixed range")
    return found


def learned(path: Path, size: int) -> torch.Tensor:
    """As in training without crops, and in evaluation."""
    return ImageFiles(path.parent)([path.name], size)[0]


def uploaded(path: Path, size: int) -> torch.Tensor:
    return clip_view(read_image(path.read_bytes(), path.name), size)


def classified(path: Path | Image.Image, size: int) -> torch.Tensor:
    """The pixels that reach the model of `Result.classify`; ValueError with the problem, if any."""
    seen = []

    class Model:
        backbone = SimpleNamespace(
            image_size=size, device=torch.device("cpu"), mean=[0, 0, 0], std=[1, 1, 1]
        )
        bind = staticmethod(lambda names: SimpleNamespace(use=None))
        compare = staticmethod(lambda features, classes: torch.zeros(1, 1, 2))

        @staticmethod
        def image_features(images, use):
            seen.append(images[0, 0])
            return torch.zeros(1, 1, 2)

    frame = classification.classify(Model, path, ["a", "b"])
    if frame["problem"][0]:
        raise Unreadable(str(path), frame["problem"][0], refused=True)
    return seen[0]


def classified_when_opened(path: Path, size: int) -> torch.Tensor:
    with Image.open(path) as image:
        return classified(image, size)


def classified_when_loaded(path: Path, size: int) -> torch.Tensor:
    with Image.open(path) as image:
        image.load()
        return classified(image, size)


ROUTES = (learned, uploaded, classified, classified_when_opened, classified_when_loaded)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.__name__)
@pytest.mark.filterwarnings("ignore:1 of 1 images")
def test_every_kind_of_image_on_every_route(files, route):
    wrong = {}
    for path, right in files.items():
        if right is None:
            with pytest.raises(ValueError, match="32-bit values have no fixed range"):
                route(path, SIDE)
            continue
        pixels, off = right
        read = route(path, min(pixels.shape[:2])).permute(1, 2, 0).numpy() * 255
        if (error := np.abs(read - pixels).max()) > off + 1e-3:
            wrong[path.name] = error
    assert wrong == {}
    assert len(files) > 300


def test_random_views_are_of_the_same_pixels(files):
    for path, right in files.items():
        if right is not None:
            image = Image.fromarray(right[0].round().astype(np.uint8))
            read = ImageFiles(path.parent).crops([path.name], SIDE, [3])[0]
            off = (read - crop_view(image, SIDE, 3)).abs().max()
            assert off <= (1.3 * right[1] + 1) / 255, path.name


def test_doctor_says_what_reading_would(files):
    for path, right in files.items():
        for decode in (False, True):
            told = ImageFiles(path.parent).check(path.name, decode)
            assert ("32-bit values" in told) == (right is None), path.name
            assert bool(told) == (right is None), path.name


@pytest.mark.filterwarnings("ignore:1 of 1 images")
def test_damage_to_any_kind_is_named_and_doctor_finds_it(files, tmp_path):
    """Twelve bytes overwritten behind the middle, as in a copy that went wrong."""
    named = 0
    for seed, path in enumerate(sorted(files)):
        content, chance = bytearray(path.read_bytes()), random.Random(seed)
        start = chance.randrange(len(content) // 2, len(content))
        content[start : start + 12] = chance.randbytes(12)
        torn = tmp_path / path.name
        torn.write_bytes(content)
        told, problems = ImageFiles(tmp_path).check(torn.name, decode=True), []
        for route in ROUTES[:3]:
            try:
                route(torn, SIDE)  # some formats do not notice
            except ValueError as error:
                assert f"{torn.name} cannot be read: " in str(error)
                problems.append(error)
        assert len(problems) == (3 if told else 0), torn.name
        named += bool(told)
        torn.unlink()
    assert named > len(files) / 4
