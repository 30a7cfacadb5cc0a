"""Image files: found, decoded upright in RGB, and read in batches by worker processes."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from wsloc.errors import DataError, ImageError
from wsloc.records import ImageFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
PILLOW_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
PIXEL_LIMIT = 178_956_970  # Pillow's own bound for a decompression bomb: 512 MiB of RGB
ALPHA_MODES = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})
SIXTEEN_BIT_MODES = frozenset({"I;16", "I;16B", "I;16L", "I;16N", "I", "F"})


def find_images(places: Sequence[str | Path]) -> list[ImageFile]:
    """The images that a command line names, each once, in the order given; folders sorted, with sub-folders.

    Args:
        places: files, folders (searched for image extensions, any case; other files are passed over), or
            `@list.txt` with one path a line (relative to the list; empty lines and `#` comments passed over).
            Named files and list entries are taken whatever their extension.

    Raises:
        ImageError: if a place does not exist, or no image is found at all.
        DataError: if a list cannot be read.
    """
    found: dict[Path, str] = {}
    owners: dict[str, Path] = {}
    for given, path, name in _candidates(places):
        resolved = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would merge links that differ in name
        if resolved in found:
            continue
        image = name if name not in owners else given
        found[resolved] = image
        owners.setdefault(image, resolved)
    if not found:
        raise ImageError(
            f"no image found in {', '.join(str(place) for place in places)}: "
            f"folders are searched for {', '.join(sorted(EXTENSIONS))}"
        )
    return [ImageFile(image, path) for path, image in found.items()]


def _candidates(places: Sequence[str | Path]) -> Iterator[tuple[str, Path, str]]:
    """(path as given, path, short name) of every image named or found."""
    for place in places:
        text = str(place)
        if text.startswith("@"):
            for path in _listed(Path(text[1:])):
                yield (path.as_posix(), path, path.name)
            continue
        path = Path(text)
        if path.is_dir():
            for file in _walk(path):
                yield (file.as_posix(), file, file.relative_to(path).as_posix())
        elif path.exists():
            yield (path.as_posix(), path, path.name)
        else:
            raise ImageError(f"{text} is not there: name an image, a folder, or @list.txt")


def _walk(folder: Path) -> list[Path]:
    """Every image under a folder, sorted by path; hidden files and folders (`._x.jpg`, `.cache`) passed over."""
    files: list[Path] = []
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [
            Path(parent, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in EXTENSIONS
        ]
    return sorted(files, key=lambda file: file.relative_to(folder).parts)


def _listed(path: Path) -> Iterator[Path]:
    """The entries of a list file, relative ones taken from the list's own folder."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the list {path}: {error}") from error
    for line in lines:
        entry = line.strip()
        if entry and not entry.startswith("#"):
            yield path.parent / entry


def decode(path: Path) -> Image.Image:
    """The picture of a file, upright (EXIF orientation applied), 8-bit RGB.

    Grayscale, palette, alpha (over white), 16-bit (scaled by its own range's upper bound) and CMYK pictures
    are converted; the content decides the format, not the extension.

    Raises:
        ImageError: if the file is missing, empty, truncated, no image, or larger than 178,956,970 pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the file's own flaws are reported as errors or not at all
            with Image.open(path, formats=PILLOW_FORMATS) as file:
                if file.width * file.height > PIXEL_LIMIT:
                    raise ImageError(
                        f"{path}: {file.width} x {file.height} pixels are more than {PIXEL_LIMIT:,}: "
                        "make it smaller first"
                    )
                file.load()
                return upright_rgb(file)
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        reason = (
            "is empty" if path.is_file() and path.stat().st_size == 0 else "is not an image that can be read"
        )
        raise ImageError(f"{path}: {reason} (JPEG, PNG, WebP, BMP and TIFF are)") from error
    except FileNotFoundError as error:
        raise ImageError(f"{path}: is not there") from error
    except MemoryError as error:
        raise ImageError(f"{path}: does not fit into memory") from error
    except Exception as error:
        if isinstance(error, Image.DecompressionBombError):
            raise ImageError(
                f"{path}: has more than {PIXEL_LIMIT:,} pixels: make it smaller first"
            ) from error
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ImageError(f"{path}: cannot be decoded ({reason})") from error


def upright_rgb(picture: Image.Image) -> Image.Image:
    """A picture of any Pillow mode, EXIF orientation applied, as 8-bit RGB; alpha is laid over white."""
    picture = ImageOps.exif_transpose(picture)
    if picture.mode == "RGB":
        return picture
    if picture.mode in SIXTEEN_BIT_MODES:
        return Image.fromarray(_to_bytes(np.asarray(picture))).convert("RGB")
    if picture.mode in ALPHA_MODES or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        canvas = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(canvas, picture).convert("RGB")
    return picture.convert("RGB")


def _to_bytes(values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Deep gray values (h, w) as bytes: 0-65535 to 0-255 (wider integers and floats by their own maximum)."""
    numbers = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    top = 65535.0 if values.dtype.kind in "ui" and numbers.max(initial=0) <= 65535 else numbers.max(initial=0)
    if values.dtype.kind == "f" and numbers.max(initial=0) <= 255:
        top = 255.0 if numbers.max(initial=0) > 1 else 1.0
    return np.asarray(np.clip(numbers * (255 / max(top, 1e-12)), 0, 255).round(), dtype=np.uint8)
