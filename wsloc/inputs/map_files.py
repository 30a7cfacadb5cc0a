"""Activation maps from any system: one file an image (npy, npz or png), found by the image's id and read."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from PIL import Image

from wsloc.errors import DataError, MapError, WslocError
from wsloc.inputs.images import EXTENSIONS, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import numpy.typing as npt
    from numpy.lib.npyio import NpzFile

MAP_EXTENSIONS = (".npy", ".npz", ".png")
KEYS = ("map", "arr_0")  # of an archive's only map; arr_0 is what numpy.savez calls it
# How well a file's name fits an image, best first.
AS_IS, CASE, EXTENSION, FOLDER = range(4)


def find_maps(
    folder: Path, image_ids: Sequence[str], *, extensions: Sequence[str] = MAP_EXTENSIONS, thing: str = "map"
) -> dict[str, Path]:
    """Find each image's map file: `<image id>.npy|npz|png`, in sub-folders as the id has.

    The id's own extension may be there or not, and case is forgiven; failing that, another extension of pictures
    (`a.jpg.npy` for `a.JPEG` or `a`), then more or fewer folders in front (`a.npy` for `val/a.jpg`, or the other
    way round), as long as that leaves no choice. Hidden files and folders are passed over.

    Args:
        folder: searched with its sub-folders.
        image_ids: what the images are called.
        extensions: of the files, with the dot and in lower case.
        thing: what the files are (`map`, `mask`), for messages.

    Returns:
        image id -> its file, in the order of the ids; images without a map are left out.

    Raises:
        DataError: if the folder cannot be searched, an image has two maps, a map could be that of two images, or
            no image has any.
    """
    if not folder.is_dir():
        raise DataError(f"{printable(folder)}: is no folder; {thing}s are looked for in a folder")
    names = _map_names(folder, extensions)
    files_of = _by_bare_name(names)
    claims: dict[str, dict[str, int]] = {}  # file -> images it fits, and how well
    for image in dict.fromkeys(image_ids):
        name = _normal(image)
        ranked = [
            (rank, file) for file in files_of.get(_bare(name), ()) if (rank := _rank(names[file], name)) >= 0
        ]
        best = min((rank for rank, _ in ranked), default=0)
        fitting = sorted(file for rank, file in ranked if rank == best)
        if len(fitting) > 1:
            first, second = (printable(folder / file) for file in fitting[:2])
            raise DataError(
                f"{image}: has two {thing}s, {first} and {second}: keep the one that is to be scored"
            )
        for file in fitting:
            claims.setdefault(file, {})[image] = best
    owners = {
        owner: folder / file
        for file, images in claims.items()
        for owner in _owner(folder / file, images, thing)
    }
    if not owners:
        raise DataError(_nothing_found(folder, names, image_ids, extensions, thing))
    return {image: owners[image] for image in image_ids if image in owners}


def other_maps(
    folder: Path, found: Iterable[Path], extensions: Sequence[str] = MAP_EXTENSIONS
) -> tuple[str, ...]:
    """The map files of a folder that are none of those found, as paths relative to it.

    Raises:
        DataError: if the folder cannot be searched.
    """
    known = {path.relative_to(folder).as_posix() for path in found}
    return tuple(printable(file) for file in _map_names(folder, extensions) if file not in known)


def _owner(path: Path, images: dict[str, int], thing: str) -> list[str]:
    """The one image that a file is the map of, or none where only the folders would tell which."""
    best = min(images.values())
    fitting = [image for image, rank in images.items() if rank == best]
    if len(fitting) > 1 and best < FOLDER:
        raise DataError(
            f"{printable(path)}: could be the {thing} of {fitting[0]} or {fitting[1]}: give it the extension of its "
            "image"
        )
    return fitting if len(fitting) == 1 else []


def _map_names(folder: Path, extensions: Sequence[str]) -> dict[str, str]:
    """Every map file under a folder, as POSIX path relative to it -> the same without the map's extension."""
    names: dict[str, str] = {}
    root = os.fspath(folder)
    for parent, folders, files in os.walk(root, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inner = os.path.relpath(parent, root).replace(os.sep, "/")
        for file in sorted(files):
            stem, dot, extension = file.rpartition(".")
            if (dot + extension).lower() in extensions and stem and not file.startswith("."):
                prefix = "" if inner == "." else f"{inner}/"
                names[prefix + file] = prefix + stem
    return names


def _refuse(error: OSError) -> NoReturn:
    """A folder that cannot be listed must not look like an empty one."""
    raise DataError(f"{printable(error.filename)}: cannot be searched ({error.strerror})") from error


def _by_bare_name(names: dict[str, str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for file, name in names.items():
        groups.setdefault(_bare(name), []).append(file)
    return groups


def _normal(image: str) -> str:
    """An image id as its files are called: `..` is `__` there, and no slash leads."""
    parts = image.replace("\\", "/").split("/")
    return "/".join("__" if part == ".." else part for part in parts if part not in ("", "."))


def _stem(name: str) -> str:
    """A name without its own extension, if it has one that pictures have: `v1.5` keeps its dot."""
    start, dot, extension = name.rpartition(".")
    return start if start and not start.endswith("/") and (dot + extension).lower() in EXTENSIONS else name


def _bare(name: str) -> str:
    return _stem(name).rpartition("/")[2].casefold()


def _rank(name: str, image: str) -> int:
    """How well a file's name, without the map's extension, fits an image's id; -1 if it does not."""
    if name in (image, _stem(image)):
        return AS_IS
    lowered = image.casefold()
    if name.casefold() in (lowered, _stem(lowered)):
        return CASE
    file, wanted = _stem(name.casefold()), _stem(lowered)
    if file == wanted:
        return EXTENSION
    return FOLDER if file.endswith(f"/{wanted}") or wanted.endswith(f"/{file}") else -1


def _nothing_found(
    folder: Path, names: dict[str, str], image_ids: Sequence[str], extensions: Sequence[str], thing: str
) -> str:
    if not image_ids:
        return f"{printable(folder)}: there is no image to find a {thing} for"
    wanted = image_ids[0] + " or ".join(filter(None, (", ".join(extensions[:-1]), extensions[-1])))
    if not names:
        return f"{printable(folder)}: no {thing} file in it; looked for {wanted}"
    file = next(iter(names))
    count = f"none of its {len(names):,} {thing} files is of an image"
    return f"{printable(folder)}: {count}; looked for {wanted}, found {file}"


def read_map(
    path: Path, class_index: int | None = None, *, label: str | None = None
) -> npt.NDArray[np.float64]:
    """The activation map of a file, its values as they stand there.

    npy: an array (H, W). npz: what `wsloc boxes --format npz` writes (each map divided by its own maximum, as it
    stands there), or an archive whose map is called `map` or `arr_0` or is its only array. png: gray of 8 or fewer
    bits divided by 255, of 16 bits by 65535; colours only where all three are the same. Nothing is unpickled.

    Args:
        path: the file; its content decides between npy and npz.
        class_index: which map to take where a file that wsloc wrote holds one for each of several classes: an
            output of the network that made it, whatever order other data have their classes in.
        label: the same by class id (wnid or folder), class index in digits, or class name; in the place of
            `class_index`.

    Returns:
        (H, W), finite; float64, so that no value of any file is rounded. Values outside 0-1 are not refused here.

    Raises:
        DataError: if the file is not there, cannot be read or is damaged, holds no map, or none of that class.
        MapError: if the map is not 2-D or empty, or holds NaN, infinity or no real numbers.
    """
    shown = printable(path)
    wanted = class_index if label is None else label
    if not path.is_file():
        raise DataError(f"{shown}: there is no such map file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a file's flaws are errors below, or do not matter
            values = _read_png(path) if path.suffix.lower() == ".png" else _read_numpy(path, wanted)
    except WslocError as error:
        raise type(error)(f"{shown}: {error}") from error
    except Exception as error:  # zip, zlib, NumPy and Pillow raise anything
        raise DataError(f"{shown}: {_reason(error)}") from error
    return _checked(values, shown)


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "does not fit into memory, or is damaged"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read ({error.strerror})"
    if "pickle" in str(error):
        return "holds pickled objects, which are not read: save a plain array of numbers"
    return "is damaged, cut short, or not what its extension says: npy, npz and png maps are read"


def _checked(values: npt.NDArray[Any], shown: str) -> npt.NDArray[np.float64]:
    if values.dtype.kind not in "biuf":
        raise MapError(f"{shown}: a map holds real numbers, not {values.dtype}")
    if values.ndim != 2 or not values.size:
        raise MapError(f"{shown}: a map has two dimensions (rows, columns), not the shape {values.shape}")
    with np.errstate(over="ignore", invalid="ignore"):  # of wider floats
        numbers = values.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise MapError(f"{shown}: the map holds NaN or infinity")
    return numbers


def _read_numpy(path: Path, wanted: int | str | None) -> npt.NDArray[Any]:
    with path.open("rb") as stream:  # by its path, NumPy leaves a damaged archive open
        loaded = np.load(stream, allow_pickle=False)
        return loaded if isinstance(loaded, np.ndarray) else _of_archive(loaded, wanted)


def _of_archive(archive: NpzFile, wanted: int | str | None) -> npt.NDArray[Any]:
    names = archive.files
    if {"maps", "class_index"} <= set(names):
        ids, words = (
            [str(text) for text in archive[key].ravel()] if key in names else []
            for key in ("class_id", "class_name")
        )
        return _of_class(archive["maps"], archive["class_index"], ids, words, wanted)
    key = next((key for key in KEYS if key in names), names[0] if len(names) == 1 else None)
    if key is None:
        raise DataError(f"which array is the map? It holds {_listed(names)}; call it `{KEYS[0]}`")
    array = archive[key]
    if not isinstance(array, np.ndarray):  # NumPy gives the bytes of an entry that is no array
        raise DataError(f"its entry {printable(key)} is no array of NumPy's")
    return array


def _of_class(
    maps: npt.NDArray[Any],
    class_index: npt.NDArray[Any],
    ids: list[str],
    words: list[str],
    wanted: int | str | None,
) -> npt.NDArray[Any]:
    """The map of a class from those (P, H, W) that wsloc wrote; one without class is that of all of them."""
    count = len(maps) if maps.ndim == 3 else 0
    if not count or class_index.shape not in ((count,), (0,)) or class_index.dtype.kind not in "iu":
        raise DataError(f"maps of shape {maps.shape} and {class_index.shape} classes do not go together")
    indices = [str(index) for index in class_index]
    if count == 1 and (not indices or wanted is None):
        return np.asarray(maps[0])
    if not indices:
        raise DataError(f"holds {count} maps without a class: one is expected")
    called = ids if isinstance(wanted, str) and not wanted.isdecimal() else indices
    if wanted is None:
        raise DataError(f"holds maps of the classes {_listed(called)}: one class has to be asked for")
    # A class may be called by a number, so that ids come first, if it is not asked for by index.
    for names in (indices,) if isinstance(wanted, int) else (ids, indices):
        if str(wanted) in names and len(names) == count:
            return np.asarray(maps[names.index(str(wanted))])
    spelled = [word.casefold() for word in words]
    if isinstance(wanted, str) and len(spelled) == count and spelled.count(wanted.casefold()) == 1:
        return np.asarray(maps[spelled.index(wanted.casefold())])
    raise DataError(
        f"holds no map of class {wanted}, only of {_listed(called)}: make the maps of the true classes, with --labels, "
        "or score some classes alone, with --classes"
    )


def _listed(values: Iterable[object], most: int = 8) -> str:
    words = [str(value) for value in values]
    return ", ".join(words[:most]) + (", ..." if len(words) > most else "") if words else "nothing"


def _read_png(path: Path) -> npt.NDArray[np.float64]:
    with Image.open(path, formats=("PNG",)) as file:
        deep_colour = any("16B" in str(tile[3]) for tile in file.tile) and not file.mode.startswith("I")
        file.load()
        if file.mode.startswith("I"):  # Pillow gives 16-bit gray as I;16, older ones as I
            return np.asarray(file).astype(np.float64) / 65535
        if deep_colour:  # Pillow drops half of their bits
            raise DataError("is a PNG of 16-bit colours: save the map as 16-bit gray")
        picture: Image.Image = file
        if picture.mode == "1":
            picture = picture.convert("L")
        elif picture.mode != "L":
            picture = picture.convert("RGBA")
        return _gray(np.asarray(picture)).astype(np.float64) / 255


def _gray(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Bytes (H, W), from the same or from RGBA (H, W, 4) that is gray all over."""
    if pixels.ndim == 2:
        return pixels
    gray = pixels[..., 0]
    if (pixels[..., :3] != gray[..., None]).any():
        raise DataError("is a picture in colours, not a map: a map is a gray PNG")
    if (pixels[..., 3] != 255).any():
        raise DataError("is a transparent picture, not a map: a map is a gray PNG")
    return gray
