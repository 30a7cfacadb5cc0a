from __future__ import annotations

import errno
import io
import json
import logging
import os
import resource
import struct
import threading
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import ExifTags, Image

from wsloc.errors import DataError, ImageError
from wsloc.inputs.images import (
    PIXEL_LIMIT,
    decode,
    find_images,
    load_pixels,
    opened,
    picture_size,
    printable,
    upright_rgb,
)

if TYPE_CHECKING:
    from collections.abc import Callable

RED, BLUE, WHITE, BLACK = (255, 0, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
Colour = tuple[int, int, int]


# Finding


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def ids(*places: str | Path) -> list[str]:
    return [file.image for file in find_images(places)]


def test_folders_are_searched_with_their_sub_folders_and_sorted_name_by_name(tmp_path: Path) -> None:
    wanted = ["a-b/1.jpg", "a/2.JPEG", "a/c/3.Png", "a.jpg", "b.webp", "c.bmp", "d.tif", "e.TIFF"]
    others = ["a/notes.txt", "b.gif", "jpg", ".hidden.jpg", "._b.webp", ".cache/x.jpg", "annotations.json"]
    touch(*(tmp_path / name for name in wanted + others))
    found = find_images([tmp_path])
    expected = ["a/2.JPEG", "a/c/3.Png", "a-b/1.jpg", "a.jpg", "b.webp", "c.bmp", "d.tif", "e.TIFF"]
    assert [file.image for file in found] == expected
    assert [file.path for file in found] == [tmp_path / name for name in expected]


def test_named_files_are_taken_whatever_their_extension_and_in_the_order_given(tmp_path: Path) -> None:
    touch(tmp_path / "z.dat", tmp_path / "a.jpg", tmp_path / "folder" / "m.png")
    assert ids(tmp_path / "z.dat", tmp_path / "folder", str(tmp_path / "a.jpg")) == [
        "z.dat",
        "m.png",
        "a.jpg",
    ]


def test_lists_are_relative_to_themselves_and_may_have_a_bom_crlf_and_comments(tmp_path: Path) -> None:
    touch(tmp_path / "lists" / "b.jpg", tmp_path / "a.x")
    text = f"\ufeff# mine\r\n\r\n b.jpg \r\n../a.x\r\n{tmp_path}/lists/b.jpg\r\ngone.jpg\n"
    (tmp_path / "lists" / "all.txt").write_text(text, encoding="utf-8", newline="")
    found = find_images([f"@{tmp_path}/lists/all.txt"])
    assert [file.image for file in found] == ["b.jpg", "a.x", "gone.jpg"]
    assert [file.path.exists() for file in found] == [True, True, False]  # gone.jpg fails when it is decoded


def test_an_image_reached_twice_is_taken_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "d" / "a.jpg", tmp_path / "d" / "b.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "d")
    monkeypatch.chdir(tmp_path)
    assert ids("d/b.jpg", "d", "./d//a.jpg", "link", "d/../d/a.jpg", tmp_path / "d") == ["b.jpg", "a.jpg"]


def test_a_link_to_a_file_is_an_image_of_its_own(tmp_path: Path) -> None:
    """Data sets with two labels an image are laid out with links."""
    touch(tmp_path / "cat" / "1.jpg")
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog" / "1.jpg").symlink_to(tmp_path / "cat" / "1.jpg")
    assert ids(tmp_path) == ["cat/1.jpg", "dog/1.jpg"]


def test_parents_of_links_are_those_of_the_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "x.jpg", tmp_path / "far" / "x.jpg")
    (tmp_path / "far" / "d").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far" / "d")
    monkeypatch.chdir(tmp_path)
    found = find_images(["link/../x.jpg", "x.jpg"])
    assert [file.path.resolve() for file in found] == [tmp_path / "far" / "x.jpg", tmp_path / "x.jpg"]


def test_names_that_clash_become_the_paths_as_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "a" / "x.jpg", tmp_path / "b" / "x.jpg", tmp_path / "b" / "y.jpg")
    monkeypatch.chdir(tmp_path)
    assert ids("a/x.jpg", "b/x.jpg", "b/y.jpg") == ["a/x.jpg", "b/x.jpg", "y.jpg"]
    assert ids("a", "b") == ["a/x.jpg", "b/x.jpg", "y.jpg"]
    (tmp_path / "list.txt").write_text("a/x.jpg\n")
    assert ids("@list.txt", "b/x.jpg") == ["a/x.jpg", "b/x.jpg"]


def test_ids_are_unique_even_where_a_path_as_given_is_another_ones_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "tree" / "a" / "x.jpg", tmp_path / "a" / "x.jpg", tmp_path / "b" / "x.jpg")
    monkeypatch.chdir(tmp_path)
    found = ids("tree", "a/x.jpg", "b/x.jpg")
    assert found == [f"{tmp_path}/tree/a/x.jpg", f"{tmp_path}/a/x.jpg", "b/x.jpg"]


def test_loops_of_folders_end(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "1.jpg", tmp_path / "b" / "2.jpg")
    for link, target in (("a/up", "."), ("a/b", "b"), ("b/a", "a"), ("self", "self")):
        (tmp_path / link).symlink_to(tmp_path / target)
    assert sorted(file.path.name for file in find_images([tmp_path])) == ["1.jpg", "2.jpg"]


def test_dangling_links_are_listed_so_that_they_are_reported(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    for places in ([tmp_path], [tmp_path / "gone.jpg", tmp_path / "loop.jpg"]):
        found = find_images(places)
        assert [file.image for file in found] == ["gone.jpg", "loop.jpg"]
        for file in found:
            with pytest.raises(ImageError, match=file.image):
                decode(file.path)


@pytest.mark.parametrize("place", ["nowhere", "nowhere/x.jpg", "notes.txt/x.jpg", "x" * 300])
def test_a_place_that_is_not_there_is_an_error(tmp_path: Path, place: str) -> None:
    touch(tmp_path / "notes.txt")
    with pytest.raises(
        ImageError, match=r"is not there: name an image|cannot be looked up \(File name too long"
    ):
        find_images([tmp_path / place])


def test_nothing_found_is_an_error_that_names_the_place(tmp_path: Path) -> None:
    touch(tmp_path / "notes.txt")
    (tmp_path / "x.jpg").mkdir()
    (tmp_path / "list.txt").write_text("# nothing\n")
    for place in (tmp_path, tmp_path / "x.jpg", f"@{tmp_path}/list.txt"):
        with pytest.raises(ImageError, match=r"no image found in .*\.webp") as caught:
            find_images([place])
        assert str(place) in str(caught.value)


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "closed" / "b.jpg")
    scandir = os.scandir

    def refusing(path: Any) -> Any:
        if Path(path).name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(ImageError, match=r"closed: cannot be searched \(Permission denied\)"):
        find_images([tmp_path])


@pytest.mark.parametrize("content", [None, "a.jpg\n".encode("utf-16")], ids=["missing", "UTF-16"])
def test_a_list_that_cannot_be_read_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(DataError, match=r"cannot read the list .*list\.txt: (No such|it is no UTF-8)"):
        find_images([f"@{tmp_path / 'list.txt'}"])


def test_file_names_that_are_no_utf8_get_ids_that_can_be_written(tmp_path: Path) -> None:
    names = [b"caf\xe9.jpg", b"caf\xe8.jpg", "café.jpg".encode()]
    try:
        for name in names:
            Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    found = find_images([tmp_path])
    assert {file.image for file in found} == {"caf\\xe9.jpg", "caf\\xe8.jpg", "café.jpg"}
    json.dumps([file.image for file in found], ensure_ascii=False).encode()
    (tmp_path / "list.txt").write_bytes(b"caf\xe9.jpg\n")
    (listed,) = find_images([f"@{tmp_path / 'list.txt'}"])
    assert (listed.image, listed.path.exists()) == ("caf\\xe9.jpg", True)
    with pytest.raises(ImageError, match="is not an image") as caught:
        decode(listed.path)
    str(caught.value).encode()


def test_printable_is_one_line() -> None:
    assert printable(Path("a\nb\tc\x1b[0m/d é\udce9")) == r"a\nb\tc\x1b[0m/d é\xe9"


# Decoding


def halves(mode: str, left: Any, right: Any) -> Image.Image:
    """A picture of 16 x 8 pixels, its left half of one colour and its right half of another."""
    picture = Image.new(mode, (16, 8), left)
    picture.paste(right, (8, 0, 16, 8))
    return picture


def palette(transparent: bool) -> Image.Image:
    picture = halves("P", 0, 1)
    picture.putpalette([*RED, *BLUE])
    if transparent:
        picture.info["transparency"] = 1
    return picture


def saved(picture: Image.Image, pillow_format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, pillow_format, **options)
    return stream.getvalue()


def deep(dtype: str, left: float, right: float) -> Image.Image:
    values = np.full((8, 16), right, dtype)
    values[:, :8] = left
    return Image.fromarray(values)


def gray(level: int) -> Colour:
    return (level, level, level)


RGB = halves("RGB", RED, BLUE)


def frames(pillow_format: str, **options: Any) -> bytes:
    """The picture and a white one behind it; a fresh one, since Pillow leaves its options in what it saves."""
    white = halves("RGB", WHITE, WHITE)
    return saved(RGB.copy(), pillow_format, save_all=True, append_images=[white], **options)


# file name: content, colour of the left half, of the right half
PICTURES: dict[str, tuple[bytes, Colour, Colour]] = {
    "rgb.jpg": (saved(RGB, "JPEG", quality=95, subsampling=0), RED, BLUE),
    "progressive.jpg": (saved(RGB, "JPEG", quality=95, subsampling=0, progressive=True), RED, BLUE),
    "gray.jpg": (saved(halves("L", 200, 50), "JPEG"), gray(200), gray(50)),
    "cmyk.jpg": (saved(halves("CMYK", (0, 255, 255, 0), (255, 255, 0, 0)), "JPEG", quality=95), RED, BLUE),
    "frames.jpg": (frames("MPO", quality=95, subsampling=0), RED, BLUE),
    "rgb.png": (saved(RGB, "PNG"), RED, BLUE),
    "png-named.JPEG": (saved(RGB, "PNG"), RED, BLUE),
    "frames.png": (frames("PNG"), RED, BLUE),
    "colour-key.png": (saved(RGB, "PNG", transparency=BLUE), RED, WHITE),
    "gray.png": (saved(halves("L", 200, 50), "PNG"), gray(200), gray(50)),
    "gray-key.png": (saved(halves("L", 200, 50), "PNG", transparency=50), gray(200), WHITE),
    "bits.png": (saved(halves("1", 1, 0), "PNG"), WHITE, BLACK),
    "palette.png": (saved(palette(transparent=False), "PNG"), RED, BLUE),
    "palette-transparent.png": (saved(palette(transparent=True), "PNG"), RED, WHITE),
    "palette-alpha.png": (
        saved(palette(transparent=False), "PNG", transparency=b"\xff\x80"),
        RED,
        (127, 127, 255),
    ),
    "rgba.png": (saved(halves("RGBA", (*RED, 255), (*BLUE, 0)), "PNG"), RED, WHITE),
    "la.png": (saved(halves("LA", (200, 255), (0, 128)), "PNG"), gray(200), gray(127)),
    "deep.png": (saved(deep("u2", 51400, 12850), "PNG"), gray(200), gray(50)),
    "deep.tif": (saved(deep("u2", 51400, 12850), "TIFF"), gray(200), gray(50)),
    "deep-big-endian.tif": (saved(deep(">u2", 51400, 12850), "TIFF"), gray(200), gray(50)),
    "int32.tif": (saved(deep("i4", 51400, -5), "TIFF"), gray(200), BLACK),
    "int32-bytes.tif": (saved(deep("i4", 200, 50), "TIFF"), gray(200), gray(50)),
    "int32-wide.tif": (saved(deep("i4", 2_000_000, 500_000), "TIFF"), WHITE, gray(64)),
    "float.tif": (saved(deep("f4", 0.8, 0.2), "TIFF"), gray(204), gray(51)),
    "float-bytes.tif": (saved(deep("f4", 200.0, 50.0), "TIFF"), gray(200), gray(50)),
    "float-wide.tif": (saved(deep("f4", 8e6, 2e6), "TIFF"), WHITE, gray(64)),
    "float-nan.tif": (saved(deep("f4", 1.0, np.nan), "TIFF"), WHITE, BLACK),
    "float-zero.tif": (saved(deep("f4", 0.0, -3.0), "TIFF"), BLACK, BLACK),
    "rgb.tiff": (saved(RGB, "TIFF", compression="tiff_lzw"), RED, BLUE),
    "frames.tif": (frames("TIFF"), RED, BLUE),
    "bits.tif": (saved(halves("1", 1, 0), "TIFF", compression="group4"), WHITE, BLACK),
    "cmyk.tif": (saved(halves("CMYK", (0, 255, 255, 0), (255, 255, 0, 0)), "TIFF"), RED, BLUE),
    "rgb.webp": (saved(RGB, "WEBP", lossless=True), RED, BLUE),
    "rgba.webp": (saved(halves("RGBA", (*RED, 255), (*BLUE, 0)), "WEBP", lossless=True), RED, WHITE),
    "frames.webp": (frames("WEBP", lossless=True), RED, BLUE),
    "rgb.bmp": (saved(RGB, "BMP"), RED, BLUE),
    "palette.bmp": (saved(palette(transparent=False), "BMP"), RED, BLUE),
}


@pytest.mark.parametrize("name", PICTURES)
def test_every_kind_of_picture_becomes_upright_rgb(tmp_path: Path, name: str) -> None:
    content, left, right = PICTURES[name]
    (tmp_path / name).write_bytes(content)
    picture = decode(tmp_path / name)
    assert (picture.mode, picture.size) == ("RGB", (16, 8))
    for x, colour in ((3, left), (12, right)):
        np.testing.assert_allclose(np.asarray(picture)[4, x], colour, atol=6)


def test_the_adobe_inverted_cmyk_sample_is_one() -> None:
    assert b"Adobe" in PICTURES["cmyk.jpg"][0]


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA", "I;16"])
def test_one_pixel_is_a_picture(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (1, 1)).save(tmp_path / "one.png")
    assert decode(tmp_path / "one.png").size == (1, 1)


def stored(upright: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """How a camera stores a picture, after the EXIF standard: where row 0 and column 0 are seen.

    1 top, left; 2 top, right; 3 bottom, right; 4 bottom, left; 5 left, top; 6 right, top; 7 right, bottom;
    8 left, bottom.
    """
    if orientation in (2, 3, 6, 7):
        upright = upright[:, ::-1]
    if orientation in (3, 4, 7, 8):
        upright = upright[::-1]
    return upright.swapaxes(0, 1) if orientation >= 5 else upright


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.webp", "raw.tif", "lzw.tif"])
def test_exif_orientation_is_applied(tmp_path: Path, name: str, orientation: int) -> None:
    upright = np.full((24, 40, 3), 0, np.uint8)
    upright[:8, :8] = WHITE  # top left
    upright[:8, 32:] = RED  # top right
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    options: dict[str, Any] = {"compression": "tiff_lzw"} if name == "lzw.tif" else {"quality": 95}
    Image.fromarray(stored(upright, orientation)).save(tmp_path / name, exif=exif, **options)
    for picture in (decode(tmp_path / name), upright_rgb(Image.open(tmp_path / name))):
        np.testing.assert_allclose(np.asarray(picture), upright, atol=80)
    assert picture_size(tmp_path / name) == (24, 40)


@pytest.mark.parametrize("later", [b"", b"MM\0*\0\0\0\x08\0\0"])
def test_exif_behind_the_pixels_does_not_unsay_the_header(tmp_path: Path, later: bytes) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    stream = io.BytesIO()
    Image.new("RGB", (24, 40)).save(stream, "PNG", exif=exif)
    content = stream.getvalue()
    chunk = struct.pack(">I", len(later)) + b"eXIf" + later
    chunk += struct.pack(">I", zlib.crc32(b"eXIf" + later))
    (tmp_path / "x.png").write_bytes(content[:-12] + chunk + content[-12:])  # before the last chunk
    assert picture_size(tmp_path / "x.png") == (24, 40)
    assert decode(tmp_path / "x.png").size == (40, 24)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_alpha_is_laid_over_white_in_strips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """The same, to the byte, as all at once."""
    values = np.random.default_rng(0).integers(0, 256, (23, 7, 4), dtype=np.uint8)
    picture = Image.fromarray(values)
    if mode == "P":
        picture = picture.convert("RGB").quantize(8)
        picture.save(tmp_path / "x.png", transparency=bytes(range(0, 256, 32)))
    else:
        picture.convert(mode).save(tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as file:
        whole = file.convert("RGBA")
    expected = Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole).convert("RGB")
    for pixels in (1, 20, 7 * 23, 1 << 22):
        monkeypatch.setattr("wsloc.inputs.images.STRIP", pixels)
        np.testing.assert_array_equal(np.asarray(decode(tmp_path / "x.png")), np.asarray(expected))


@pytest.mark.parametrize("value", [0, 9, 77, 65535])
def test_a_meaningless_orientation_is_ignored(tmp_path: Path, value: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = value
    RGB.save(tmp_path / "x.png", exif=exif)
    assert decode(tmp_path / "x.png").size == (16, 8)


def test_broken_exif_does_not_cost_the_picture(tmp_path: Path) -> None:
    RGB.save(tmp_path / "x.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff broken")
    assert decode(tmp_path / "x.jpg").size == (16, 8)


def test_a_size_needs_no_pixels_but_a_header(tmp_path: Path) -> None:
    RGB.save(tmp_path / "x.jpg")
    content = (tmp_path / "x.jpg").read_bytes()
    (tmp_path / "x.jpg").write_bytes(content[: len(content) - 20])
    assert picture_size(tmp_path / "x.jpg") == (8, 16)
    (tmp_path / "x.jpg").write_bytes(b"no picture")
    (tmp_path / "empty.jpg").touch()
    for name in ("x.jpg", "empty.jpg", "gone.jpg"):
        with pytest.raises(ImageError, match=name):
            picture_size(tmp_path / name)


def test_pictures_in_memory_are_left_as_they_are() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    picture = halves("RGBA", (*RED, 255), (*BLUE, 0))
    picture.info["exif"] = exif.tobytes()
    assert upright_rgb(picture).size == (8, 16)
    assert (picture.mode, picture.size, picture.getexif()[ExifTags.Base.Orientation]) == ("RGBA", (16, 8), 6)
    assert upright_rgb(RGB) is RGB
    with pytest.raises(ImageError, match="the picture cannot be decoded"):
        upright_rgb(Image.open(io.BytesIO(BIG["JPEG"][:-400])))


# Refusing


def bomb(side: int) -> bytes:
    """A PNG of a few bytes that claims to be `side` pixels wide and high."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


BIG = {kind: saved(Image.effect_noise((80, 60), 50).convert("RGB"), kind) for kind in ("JPEG", "PNG", "WEBP")}
DAMAGED: dict[str, tuple[bytes, str]] = {
    "empty.jpg": (b"", "is empty"),
    "text.jpg": (b"no picture\n" * 50, "is not an image that can be read"),
    "gif.jpg": (saved(RGB, "GIF"), r"is not an image that can be read, .*TIFF are read"),
    "cut.jpg": (BIG["JPEG"][:-400], r"cannot be decoded \(image file is truncated"),
    "cut.png": (BIG["PNG"][:-400], r"cannot be decoded \(image file is truncated"),
    "cut.webp": (BIG["WEBP"][:-400], "cannot be decoded"),
    "cut.bmp": (PICTURES["rgb.bmp"][0][:-40], r"cannot be decoded \(image file is truncated"),
    "cut.tif": (PICTURES["rgb.tiff"][0][:40], "(is not an image|cannot be decoded)"),
    "signature.png": (b"\x89PNG\r\n\x1a\n", "is not an image that can be read, or cut short"),
    "bomb.png": (bomb(30_000), r"has more than 178,956,970 pixels: make it smaller first"),
    "larger-bomb.png": (bomb(200_000), r"has more than 178,956,970 pixels: make it smaller first"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_refused_in_one_line(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    content, reason = DAMAGED[name]
    (tmp_path / name).write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ImageError, match=f"^{tmp_path / name}: {reason}") as caught:
        decode(tmp_path / name)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB; a bomb has gigabytes
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_the_pixel_limit_holds_where_pillows_is_lifted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    (tmp_path / "x.png").write_bytes(bomb(30_000))
    with pytest.raises(ImageError, match=f"has more than {PIXEL_LIMIT:,} pixels"):
        decode(tmp_path / "x.png")


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "pipe.jpg")
    for name, reason in (
        ("folder.jpg", "is a folder, not an image file"),
        ("pipe.jpg", "is a pipe, socket or device, not an image file"),
        ("link.jpg", "is a pipe, socket or device, not an image file"),
        ("gone.jpg", "is not there"),
    ):
        caught: list[str] = []
        thread = threading.Thread(target=lambda: caught.append(refusal(tmp_path / name)), daemon=True)  # noqa: B023 - joined at once
        thread.start()
        thread.join(30)
        assert caught == [f"{tmp_path / name}: {reason}"]


def refusal(path: Path) -> str:
    with pytest.raises(ImageError) as caught:
        decode(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), "cannot be opened (Permission denied)"),
        (MemoryError(), "does not fit into memory"),
        (SyntaxError("broken\nmarker"), "cannot be decoded (broken)"),
        (struct.error(), "cannot be decoded (error)"),
    ],
)
def test_whatever_a_decoder_raises_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def opened(*_: object, **__: object) -> Image.Image:
        raise error

    monkeypatch.setattr(Image, "open", opened)
    touch(tmp_path / "x\n.jpg")
    assert refusal(tmp_path / "x\n.jpg") == f"{tmp_path}/x\\n.jpg: {reason}"


def noise(mode: str) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


FUZZED: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: saved(noise("RGB"), "JPEG"),
    "png": lambda: saved(noise("P"), "PNG"),
    "webp": lambda: saved(noise("RGBA"), "WEBP"),
    "bmp": lambda: saved(noise("RGB"), "BMP"),
    "tiff": lambda: saved(noise("RGB"), "TIFF"),
    "tiff-lzw": lambda: saved(noise("RGB"), "TIFF", compression="tiff_lzw"),
    "tiff-deflate": lambda: saved(noise("RGB"), "TIFF", compression="tiff_adobe_deflate"),
    "tiff-jpeg": lambda: saved(noise("RGB"), "TIFF", compression="jpeg"),
    "tiff-fax": lambda: saved(noise("1"), "TIFF", compression="group4"),
}


@pytest.mark.parametrize("kind", FUZZED)
def test_damage_anywhere_is_a_picture_or_one_line_and_nothing_on_stderr(
    tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    content, random = FUZZED[kind](), np.random.default_rng(1)
    refused = 0
    for _ in range(40):
        damaged = bytearray(content)
        for place in random.integers(300, len(content), 8):  # behind most headers: no size of 100 megapixels
            damaged[place] = random.integers(256)
        path = tmp_path / f"x.{kind}"
        path.write_bytes(damaged[: random.integers(len(damaged) // 2, 2 * len(damaged))])
        try:
            assert decode(path).mode == "RGB"
        except ImageError as error:
            refused += 1
            assert str(error).startswith(f"{path}: ")  # noqa: PT017 - a picture is right, too
            assert "\n" not in str(error)  # noqa: PT017 - likewise
    assert refused > 3
    assert capfd.readouterr() == ("", "")


def test_stderr_speaks_again_after_libtiff(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.tif").write_bytes(PICTURES["rgb.tiff"][0])
    decode(tmp_path / "x.tif")
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_what_pillow_logs_of_a_file_stays_off_stderr(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.getLogger("PIL"), "propagate", False)  # pytest's own handlers would take it
    logging.getLogger("PIL.TiffImagePlugin").error("more samples than can be decoded")
    assert capfd.readouterr() == ("", "")


def test_what_goes_wrong_while_a_picture_is_read_names_it(tmp_path: Path) -> None:
    Image.new("L", (2, 2)).save(tmp_path / "a.png")

    def read() -> None:
        with opened(tmp_path / "a.png") as file:
            load_pixels(file)
            warnings.warn("a flaw", stacklevel=1)
            raise IndexError

    with pytest.raises(ImageError, match=r"a\.png: cannot be decoded \(IndexError\)"):
        read()
