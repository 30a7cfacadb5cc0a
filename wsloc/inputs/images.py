"""Image files: found under what a command line names, and decoded upright in RGB."""

from __future__ import annotations

import logging
import os
import stat
import threading
import warnings
from collections import Counter
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL import ImageFile as PillowFile

from wsloc.errors import DataError, ImageError
from wsloc.records import ImageFile
from wsloc.words import printable as printable  # noqa: PLC0414 - public here
from wsloc.words import utf8

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
PILLOW_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
PIXEL_LIMIT = 178_956_970  # Pillow's own bound for a decompression bomb: 512 MiB of RGB
STRIP = 1 << 22  # pixels that are laid over white at once
ALPHA_MODES = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})
DEEP_MODES = frozenset({"I;16", "I;16B", "I;16L", "I;16N", "I", "F"})
# What makes a picture with each EXIF orientation upright; 1 is upright.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = (TURNS[5], TURNS[6], TURNS[7], TURNS[8])  # width and height change places
_STDERR = threading.Lock()
# Without a handler of its own, what Pillow logs of a damaged file would land on stderr.
logging.getLogger("PIL").addHandler(logging.NullHandler())


class _Found(NamedTuple):
    """An image file, the path it was given by, and its short name (relative to the folder given)."""

    path: Path
    given: str
    name: str


def find_images(places: Sequence[str | Path]) -> list[ImageFile]:
    """The images that a command line names, each once, in the order given; folders sorted, with sub-folders.

    An image's id is its path relative to the folder given, or a lone file's name; images whose ids would be the
    same get the paths they were given by. Bytes of a file name that are no UTF-8 stand in the id in hexadecimal
    (a backslash, x, two digits), so that every id can be written to any file. Hidden files and folders
    (`._x.jpg`) inside folders are passed over; a folder reached twice, through links, is searched once.

    Args:
        places: files, folders (searched for image extensions, any case; other files are passed over), or
            `@list.txt` with one path a line (relative to the list; empty lines and `#` comments passed over).
            Named files and list entries are taken whatever their extension, and a list entry even if there is
            no such file: it fails when it is decoded.

    Raises:
        ImageError: if a place does not exist, a folder cannot be searched, or no image is found at all.
        DataError: if a list cannot be read.
    """
    real_folder = cache(os.path.realpath)  # most images share theirs; links to files are files of their own
    found: dict[Path, _Found] = {}
    for candidate in _candidates(places):
        found.setdefault(Path(real_folder(candidate.path.parent), candidate.path.name), candidate)
    if not found:
        raise ImageError(
            f"no image found in {', '.join(str(place) for place in places) or 'nothing'}: folders are searched "
            f"for {', '.join(sorted(EXTENSIONS))}, lists hold one path a line"
        )
    ids = [candidate.name for candidate in found.values()]
    for longer in ([candidate.given for candidate in found.values()], [path.as_posix() for path in found]):
        count = Counter(ids)
        ids = [name if count[name] == 1 else long for name, long in zip(ids, longer, strict=True)]
    return [
        ImageFile(utf8(image), candidate.path) for image, candidate in zip(ids, found.values(), strict=True)
    ]


def _candidates(places: Sequence[str | Path]) -> Iterator[_Found]:
    """Every image named or found, repeated ones too."""
    for place in places:
        path = Path(place)
        if str(place).startswith("@"):
            yield from _listed(Path(str(place)[1:]))
        elif not _exists(path):
            raise ImageError(f"{printable(path)} is not there: name an image, a folder, or @list.txt")
        elif path.is_dir():
            for file in _walk(path):
                yield _Found(file, file.as_posix(), file.relative_to(path).as_posix())
        else:
            yield _Found(path, path.as_posix(), path.name)


def _exists(path: Path) -> bool:
    """Whether something of that name is there, be it a link to nothing.

    Raises:
        ImageError: if that cannot be found out (no permission, name too long).
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise ImageError(f"{printable(path)}: cannot be looked up ({error.strerror})") from error
    return True


def _walk(folder: Path) -> list[Path]:
    """Every image under a folder, sorted by path, name by name."""
    files: list[Path] = []
    searched: set[str] = set()  # links may lead back up
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=_refuse):
        real = os.path.realpath(parent)
        if real in searched:
            folders.clear()
            continue
        searched.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [
            Path(parent, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in EXTENSIONS
        ]
    return sorted(files, key=lambda file: file.parts)


def _refuse(error: OSError) -> NoReturn:
    """A folder that cannot be listed must not look like an empty one."""
    raise ImageError(f"{printable(error.filename)}: cannot be searched ({error.strerror})") from error


def _listed(path: Path) -> Iterator[_Found]:
    """The entries of a list file, relative ones taken from the list's own folder."""
    try:
        text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")  # as file names are read
    except OSError as error:
        raise DataError(f"cannot read the list {printable(path)}: {error.strerror}") from error
    if "\0" in text:
        raise DataError(f"cannot read the list {printable(path)}: it is no UTF-8 text")
    for line in text.split("\n"):
        entry = line.strip()
        if entry and not entry.startswith("#"):
            file = path.parent / entry
            yield _Found(file, Path(entry).as_posix(), file.name or entry)


def picture_size(path: Path) -> tuple[int, int]:
    """(height, width) in pixels of the picture that `decode` gives, from the file's header where that says it.

    Raises:
        ImageError: if that cannot be read.
    """
    with opened(path) as file:
        if file.format != "TIFF":  # turned while it is loaded
            sideways = _turn(file) in SIDEWAYS
            return (file.width, file.height) if sideways else (file.height, file.width)
    picture = decode(path)
    return picture.height, picture.width


def decode(path: Path) -> Image.Image:
    """The picture of a file, upright (EXIF orientation applied), 8-bit RGB; of several frames the first.

    Grayscale, palette, alpha (over white), 16-bit, floating-point and CMYK pictures are converted; the content
    decides the format, not the extension.

    Raises:
        ImageError: if the file is missing, unreadable, empty, truncated, no image, no regular file (a pipe must
            not be waited for), or larger than 178,956,970 pixels.
    """
    with opened(path) as file:
        return _upright_rgb(file)


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """A picture file as Pillow has it, which is to be read inside the block.

    Raises:
        ImageError: for whatever Pillow raises, inside the block too; as `decode`.
    """
    try:
        _require_content(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the file's own flaws are reported as errors or not at all
            with Image.open(path, formats=PILLOW_FORMATS) as file:
                if file.width * file.height > PIXEL_LIMIT:
                    raise Image.DecompressionBombError  # noqa: TRY301 - Pillow's own, where its limit was raised
                yield file
    except ImageError:
        raise
    except Exception as error:  # decoders raise anything (struct.error, SyntaxError, EOFError...)
        raise ImageError(f"{printable(path)}: {_reason(error)}") from error


def _require_content(path: Path) -> None:
    """Refuse what must not even be opened: reading a pipe would wait for ever."""
    status = path.stat()
    reason = ""
    if stat.S_ISDIR(status.st_mode):
        reason = "is a folder, not an image file"
    elif not stat.S_ISREG(status.st_mode):
        reason = "is a pipe, socket or device, not an image file"
    elif status.st_size == 0:
        reason = "is empty"
    if reason:
        raise ImageError(f"{printable(path)}: {reason}")


def _reason(error: Exception) -> str:
    """Why a picture could not be decoded, in one line."""
    if isinstance(error, Image.DecompressionBombError):
        return f"has more than {PIXEL_LIMIT:,} pixels: make it smaller first"
    if isinstance(error, UnidentifiedImageError):
        return "is not an image that can be read, or cut short (JPEG, PNG, WebP, BMP and TIFF are read)"
    if isinstance(error, FileNotFoundError):
        return "is not there"
    if isinstance(error, MemoryError):
        return "does not fit into memory"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be opened ({error.strerror})"
    return f"cannot be decoded ({(str(error).splitlines() or [type(error).__name__])[0]})"


def upright_rgb(picture: Image.Image) -> Image.Image:
    """A picture of any Pillow mode, EXIF orientation applied, as 8-bit RGB; alpha is laid over white.

    The picture itself is left as it is, and given back where there is nothing to do.

    Raises:
        ImageError: if it is read from a file only now, and that file is damaged, or if its mode has no colours.
    """
    try:
        return _upright_rgb(picture)
    except Exception as error:
        raise ImageError(f"the picture {_reason(error)}") from error


def _upright_rgb(picture: Image.Image) -> Image.Image:
    # What a PNG's header says counts, as for `picture_size`; behind the pixels there may be another EXIF chunk.
    # Pillow turns a TIFF while it loads it, and takes its orientation away.
    early = picture.format != "TIFF" and "exif" in picture.info
    turn = _turn(picture) if early else None
    load_pixels(picture)
    if not early:
        turn = _turn(picture)
    picture = _rgb(picture)
    return picture if turn is None else picture.transpose(turn)


def _turn(picture: Image.Image) -> Image.Transpose | None:
    """What makes a picture upright, or None where it is."""
    try:
        return TURNS.get(int(picture.getexif().get(ExifTags.Base.Orientation, 1)))
    except Exception:  # noqa: BLE001 - broken EXIF raises anything, and says nothing about the pixels
        return None


def load_pixels(picture: Image.Image) -> None:
    """Read the pixels of a lazily opened picture, without a word of the C library on stderr."""
    if isinstance(picture, PillowFile.ImageFile) and any(tile[0] == "libtiff" for tile in picture.tile):
        with _silent_stderr():
            picture.load()
    else:
        picture.load()


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Keep libtiff quiet: it tells its troubles to file descriptor 2, beside the error that Pillow raises."""
    with _STDERR:
        try:
            saved = os.dup(2)
        except OSError:  # there is no stderr: nothing to silence
            yield
            return
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            os.close(null)


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode in DEEP_MODES:
        return Image.fromarray(_to_bytes(np.asarray(picture))).convert("RGB")
    if picture.mode in ALPHA_MODES or "transparency" in picture.info:
        return _over_white(picture)
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _over_white(picture: Image.Image) -> Image.Image:
    """A picture with alpha, or a colour that is transparent, over white; in strips, as a copy of all of it is large."""
    canvas = Image.new("RGB", picture.size)
    rows = max(1, STRIP // picture.width)
    for top in range(0, picture.height, rows):
        edges = (0, top, picture.width, min(top + rows, picture.height))
        strip = picture.crop(edges).convert("RGBA")
        white = Image.new("RGBA", strip.size, "white")
        canvas.paste(Image.alpha_composite(white, strip).convert("RGB"), edges)
    return canvas


def _to_bytes(values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Deep gray values (h, w) as bytes.

    16-bit values are divided by 257. Wider integers count as of 0-255 or 0-65535, floats as of 0-1 or 0-255, and
    whatever leaves those ranges is scaled by its own maximum; negative values, NaN and infinity are black.
    """
    if values.dtype.itemsize == 2:
        table: npt.NDArray[np.uint8] = (np.arange(65536) / 257).round().astype(np.uint8)
        return table[values.astype(np.uint16, copy=False)]
    numbers = values.astype(np.float32)
    numbers[~np.isfinite(numbers)] = 0
    peak = float(numbers.max())
    ranges = (1.0, 255.0) if values.dtype.kind == "f" else (255.0, 65535.0)
    top = next((top for top in ranges if peak <= top), peak)
    numbers *= 255 / top  # in place, as what follows: a picture may be of 178 megapixels
    return np.rint(numbers.clip(0, 255, out=numbers), out=numbers).astype(np.uint8)
