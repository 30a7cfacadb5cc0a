"""XML annotations, one file an image: what ImageNet's and VOC's have in common."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from xml.etree import ElementTree as ET

from wsloc.errors import DataError
from wsloc.inputs.annotations.parsing import inclusive_box, positive_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsloc.inputs.annotations.parsing import ImageSize
    from wsloc.records import Box

CORNERS = ("xmin", "ymin", "xmax", "ymax")
WNID = re.compile(r"n\d{8}")
_IMAGENET_FILE = re.compile(r"(ILSVRC20\d\d_|n\d{8}_)", re.IGNORECASE)
_FOLDERS_LOOKED_AT = 64  # to find out what a folder holds; a data set of pictures may have thousands
_FILES_LOOKED_AT = 256  # likewise, where the first ones do not tell


@dataclass(frozen=True, slots=True)
class XmlAnnotation:
    """What one XML file says.

    Attributes:
        filename: the picture's name as it stands there, or "" where it does not.
        image_size: (height, width) in pixels, or None.
        boxes: `(name, box)` of each object; boxes xyxy, half-open, image frame.
    """

    filename: str
    image_size: ImageSize | None
    boxes: tuple[tuple[str, Box], ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The objects' names, each once."""
        return tuple(dict.fromkeys(name for name, _ in self.boxes))


def find_xml(root: Path) -> list[Path]:
    """Every XML file under a folder, hidden ones aside, sorted; a file stands for itself.

    Raises:
        DataError: if there is none, or a folder cannot be searched.
    """
    found = [root] if root.is_file() else sorted(_walk(root))
    if not found:
        raise DataError(f"{root}: no XML annotations in it")
    return [Path(file) for file in found]


def first_xml(root: Path) -> Path | None:
    """The XML file that tells which format a folder is in, looked for in its first sub-folders; None without."""
    if root.is_file():
        return root if root.suffix.lower() == ".xml" else None
    return next((Path(file) for file in _walk(root, _FOLDERS_LOOKED_AT)), None)


def _walk(root: Path, folders_at_most: int | None = None) -> Iterator[str]:
    """XML files as text (50,000 are sorted quicker so), folder by folder."""
    for parent, folders, names in islice(os.walk(root, onerror=_refuse), folders_at_most):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(".xml") and not name.startswith("."):
                yield os.path.join(parent, name)  # noqa: PTH118 - as above: paths are slow by the thousand


def _refuse(error: OSError) -> NoReturn:
    """A folder that cannot be listed must not look like an empty one."""
    raise DataError(f"{error.filename}: cannot be searched ({error.strerror})") from error


def is_imagenet(root: Path) -> bool:
    """Whether a file or folder is ImageNet's, by files' names or because wnids stand where VOC has words.

    A file that is malformed or without objects does not tell, so the first one that does is looked for: taken for
    VOC's, ImageNet's boxes would be a pixel off.
    """
    files = [str(root)] if root.is_file() else _walk(root, _FOLDERS_LOOKED_AT)
    told = (_looks_like_imagenet(Path(file)) for file in islice(files, _FILES_LOOKED_AT))
    return next((answer for answer in told if answer is not None), False)


def _looks_like_imagenet(path: Path) -> bool | None:
    """What one file tells, or None."""
    if _IMAGENET_FILE.match(path.name):
        return True
    try:
        names = [name for name, _ in read_xml(path).boxes]
    except DataError:
        return None
    return all(WNID.fullmatch(name) for name in names) if names else None


def read_xml(path: Path, *, first: int = 0) -> XmlAnnotation:
    """One file's annotation.

    Args:
        path: the file; `<annotation>` is its root, with `<filename>`, `<size>` and any number of `<object>`s.
        first: how the format counts the first pixel, 0 (ImageNet) or 1 (VOC); corners are inclusive.

    Raises:
        DataError: if it is no such XML, or an object lacks its name or a sound box (file and object are named).
    """
    root = _parse(path)
    size = root.find("size")
    image_size = (
        None
        if size is None
        else positive_size(size.findtext("width"), size.findtext("height"), f"{path}: <size>")
    )
    boxes = tuple(
        _read_object(element, f"{path}: object {number}", image_size, first)
        for number, element in enumerate(root.iterfind("object"), start=1)
    )
    return XmlAnnotation((root.findtext("filename") or "").strip(), image_size, boxes)


def _parse(path: Path) -> ET.Element:
    try:
        root = ET.parse(path).getroot()  # noqa: S314 - expat itself bounds what entities grow to
    except ET.ParseError as error:
        raise DataError(f"{path}:{error.position[0]}: no well-formed XML ({error})") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except (LookupError, ValueError) as error:  # an encoding that Python does not know
        raise DataError(f"cannot read {path}: {error}") from error
    if root.tag != "annotation":
        raise DataError(f"{path}: <annotation> is expected at its root, not <{root.tag}>")
    return root


def _read_object(
    element: ET.Element, where: str, image_size: ImageSize | None, first: int
) -> tuple[str, Box]:
    name = (element.findtext("name") or "").strip()
    if not name:
        raise DataError(f"{where}: it has no <name>")
    corners = [(element.findtext(f"bndbox/{corner}") or "").strip() for corner in CORNERS]
    if not all(corners):
        missing = CORNERS[corners.index("")]
        raise DataError(f"{where} ({name}): its <bndbox> has no <{missing}>")
    return name, inclusive_box(corners, f"{where} ({name})", image_size, first=first)
