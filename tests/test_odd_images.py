"""What becomes of odd images: depths, transparent colours, bounds, and damage."""

import os
import struct
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_image_reader import ROUTES, SIDE, classified, learned, picture
from tiny_data_root import image

from cptlab.data import reader
from cptlab.data.images import LONG, ImageFiles, clip_view
from cptlab.data.own import own_files
from cptlab.data.paper import image_files
from cptlab.data.reader import Unreadable, is_image, read_rgb


def png(depth: int, colour: int, row: bytes, width: int, key: bytes) -> bytes:
    """A PNG file of one row with a transparent colour."""
    size = struct.pack(">IIBBBBB", width, 1, depth, colour, 0, 0, 0)
    chunks = {b"IHDR": size, b"tRNS": key, b"IDAT": zlib.compress(b"\0" + row), b"IEND": b""}
    parts = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks.items()
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(bits: int, white_is_zero: bool, row: bytes, kind: int = 1) -> bytes:
    """A grey TIFF file of two pixels; kind: 1 unsigned, 2 signed, 3 floats."""
    photometric = 0 if white_is_zero else 1
    tags = {256: 2, 257: 1, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: 1}
    tags |= {279: len(row), 339: kind}
    row += b"\0" * (len(row) % 2)
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items()]
    head = b"II*\0" + struct.pack("<I", 8 + len(row)) + row
    return head + struct.pack("<H", len(tags)) + b"".join(entries) + b"\0\0\0\0"


@pytest.mark.parametrize(
    ("content", "right"),
    [
        (png(2, 0, bytes([0b00011011]), 4, b"\0\1"), [0, 255, 170, 255]),
        (png(4, 0, bytes([0x03, 0x0F]), 4, b"\0\3"), [0, 255, 0, 255]),
        (png(4, 0, bytes([0x03, 0x0F]), 4, b"\0\0"), [255, 51, 255, 255]),
        (png(16, 0, b"\x10\x01\x10\x02", 2, b"\x10\x01"), [255, 16]),
        (png(16, 2, b"\x80\0" * 3 + b"\0\0" * 3, 2, b"\x80\0" * 3), [255, 0]),
        (tiff(12, False, b"\xff\xf0\x80"), [255, 8]),
        (tiff(16, False, b"\xff\xff\x01\x10"), [255, 16]),
        (tiff(16, True, b"\xff\xff\x01\x10"), [0, 239]),
        (tiff(8, True, b"\xff\x10"), [0, 239]),
        (b"P5 2 1 4095\n\x0f\xff\x08\x00", [255, 128]),
        (b"P5 2 1 65535\n\xff\xff\x80\x00", [255, 128]),
        (b"P6 1 1 1023\n" + b"\x03\xff" * 3, [255]),
    ],
)
def test_depths_and_transparent_colours(content, right):
    assert np.asarray(read_rgb(BytesIO(content)))[0].tolist() == [[grey] * 3 for grey in right]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            tiff(8, False, b"\xff\x10", kind=2),
            "signed values have no fixed black; save it with uns",
        ),
        (tiff(16, False, b"\xff\xff\x01\x10", kind=2), "signed values have no fixed black"),
        (tiff(32, False, b"\0" * 8, kind=2), "32-bit values have no fixed range; save it with 8"),
        (tiff(32, False, b"\0" * 8, kind=3), "32-bit values have no fixed range"),
    ],
)
def test_values_without_black_and_white_are_refused_by_the_header(content, reason):
    with Image.open(BytesIO(content)) as opened:
        assert opened.size == (2, 1)  # Pillow itself reads it
    with pytest.raises(Unreadable, match=reason) as caught, reader.opened(BytesIO(content)):
        pass
    assert caught.value.refused


def test_sixteen_bits_of_grey_are_as_bright_as_eight(tmp_path):
    ramp = np.tile(np.linspace(0, 1, 64), (64, 1))
    Image.fromarray((ramp * 65535).astype("uint16")).save(tmp_path / "16.png")
    Image.fromarray((ramp * 65535).astype("uint16")).save(tmp_path / "16.tif")
    Image.fromarray((ramp * 255).astype("uint8")).save(tmp_path / "8.png")
    deep, also, plain = ImageFiles(tmp_path)(["16.png", "16.tif", "8.png"], 64)
    assert deep.mean() == pytest.approx(0.498, abs=0.003)
    assert torch.equal(deep, also)
    assert (deep - plain).abs().max() <= 1 / 255


def test_the_papers_images_are_those_of_public_code(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = picture("RGBA")
    image.save(tmp_path / "1.png", exif=exif)
    (plain,) = ImageFiles(tmp_path, published=True)(["1.png"], SIDE)
    assert torch.equal(plain, clip_view(image.convert("RGB"), SIDE))
    assert not torch.equal(plain, ImageFiles(tmp_path)(["1.png"], SIDE)[0])
    assert image_files("dtd", tmp_path).published and not own_files(tmp_path).published


# ------------------------------------------------------------------------------- bounds and damage


def test_a_line_of_pixels_is_cut_before_it_is_resized(tmp_path, monkeypatch):
    line = np.repeat(np.arange(40_000) // 161 % 256, 3).reshape(-1, 1, 3).astype(np.uint8)
    sizes, resize = [], Image.Image.resize

    def noted(self, size, *options, **named):
        sizes.append(size)
        return resize(self, size, *options, **named)

    monkeypatch.setattr(Image.Image, "resize", noted)
    lines = {tmp_path / "down.png": line, tmp_path / "across.png": line.swapaxes(0, 1)}
    for path, turned in lines.items():
        Image.fromarray(turned).save(path)
        (view,) = ImageFiles(tmp_path)([path.name], 224)
        assert view.shape == (3, 224, 224)
        assert view.mul(255).unique().tolist() == [20_000 // 161]
        ImageFiles(tmp_path).crops([path.name], 224, [1])
    assert sizes and max(width * height for width, height in sizes) <= LONG * 224**2


def test_long_images_are_as_in_clip_up_to_the_bound():
    noise = np.random.default_rng(0).integers(0, 256, (10 * LONG, 10, 3), dtype=np.uint8)
    assert torch.equal(
        clip_view(Image.fromarray(noise), 10), torch.from_numpy(noise[75:85]).permute(2, 0, 1) / 255
    )
    longer = np.pad(noise, ((50, 50), (0, 0), (0, 0)))
    assert torch.equal(
        clip_view(Image.fromarray(longer), 16), clip_view(Image.fromarray(noise), 16)
    )


def test_what_is_too_large_is_refused_by_its_header(tmp_path):
    size = struct.pack(">IIBBBBB", 10_000, 9_000, 8, 0, 0, 0, 0)
    for name, header in (("90", size), ("400", struct.pack(">I", 40_000) + size[4:])):
        chunk = b"IHDR" + header
        content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
        content += struct.pack(">I", zlib.crc32(chunk)) + struct.pack(">I", 0) + b"IDAT"
        (tmp_path / f"{name}.png").write_bytes(content)
    with (tmp_path / "file.bmp").open("wb") as file:
        file.truncate(reader.MAX_BYTES + 1)  # takes no space on the disk
    reasons = {"90.png": "more than 89 million pixels", "400.png": "more than 89 million pixels"}
    for name, reason in (reasons | {"file.bmp": "more than 1 GiB"}).items():
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            refused(tmp_path / name, reason)


def refused(path: Path, reason: str) -> None:
    """Every route names the file and says why."""
    for route in ROUTES[:3] if path.stat().st_size < 2**20 else (learned, classified):
        with pytest.raises(ValueError, match=f"{path.name} cannot be read: .*{reason}"):
            route(path, SIDE)
    for decode in (False, True):
        assert reason in ImageFiles(path.parent).check(path.name, decode)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    for name in ("pipe.png", "folder.png"):
        with pytest.raises(ValueError, match=f"{name} cannot be read: it is no file"):
            learned(tmp_path / name, SIDE)


def test_a_damaged_avif_file_is_named(tmp_path):
    if ".avif" not in Image.registered_extensions():
        pytest.skip("this Pillow has no AVIF")
    path = tmp_path / "torn.avif"
    Image.new("RGB", (64, 64), "red").save(path)
    content = path.read_bytes()[:-12] + b"x" * 12
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"torn\.avif cannot be read: "):
        ImageFiles(tmp_path)([path.name], 8)
    assert ImageFiles(tmp_path).check(path.name, decode=True) == "images that cannot be read"


@pytest.mark.parametrize(
    "error", [RuntimeError("odd"), zlib.error("odd"), KeyError("odd"), AssertionError()]
)
def test_whatever_a_decoder_raises_names_the_file(error, tmp_path, monkeypatch):
    def load(self):
        raise error

    path = image(tmp_path / "a.png")
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", load)
    with pytest.raises(Unreadable, match=r"a\.png cannot be read: .*(odd|AssertionError)"):
        read_rgb(path)


def test_a_damaged_orientation_is_none(tmp_path):
    path = image(tmp_path / "a.jpg")
    with Image.open(path) as plain:
        plain.save(tmp_path / "b.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12")
        right = np.asarray(plain)
    assert np.abs(np.asarray(read_rgb(tmp_path / "b.jpg")) - right.astype(int)).max() <= 2


def test_drawings_and_measurements_are_no_images(tmp_path):
    for name in (
        "a.eps",
        "a.ps",
        "a.wmf",
        "a.fits",
        "a.h5",
        "a.mpg",
        "a.pdf",
        "a.txt",
        "Thumbs.db",
        "desktop.ini",
        "png",
        "README",
    ):
        assert not is_image(name), name
    for name in (
        "a.jfif",
        "a.JPEG",
        "a.tiff",
        "a.jp2",
        "a.tga",
        "a.b.webp",
        "é.gif",
        "caf\udce9.png",
    ):
        assert is_image(name), name
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", "EPS")  # to draw it would start Ghostscript
    with pytest.raises(Unreadable, match="no image of a known kind"):
        read_rgb(tmp_path / "a.png")
