"""voc/<image>.xml: one file an image, as the PASCAL VOC data sets have them."""

from __future__ import annotations

import math
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from wsloc.files import write_text
from wsloc.outputs.class_names import unique_names
from wsloc.outputs.paths import output_path, refuse_clashes, stem
from wsloc.outputs.predictions import localizations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from wsloc.outputs.predictions import Records
    from wsloc.records import Box, Classes, Localization

# What XML 1.0 has no way to write: control characters, and the surrogates of names that are no UTF-8.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(records: Records, classes: Classes, folder: Path) -> None:
    """Write `folder/voc/<image id without extension>.xml`, one an image; those that failed have none.

    VOC counts pixels from 1 and includes both corners: `xmin` = floor(x0) + 1 and `xmax` = ceil(x1) are the
    first and last pixel column that the box touches (y alike), so that rounding never loses a pixel, nor the
    box. `name` is the class name (with its id where two classes have one name); `score`, the probability, is
    an addition that readers of VOC pass over.

    Args:
        records: gives the records, as often as it is called.
        classes: of the network.
        folder: where the folder `voc` goes.

    Raises:
        OutputError: if a file cannot be written, two images would have one file, or a record holds NaN.
    """
    target = folder / "voc"
    names = unique_names(classes)
    check(lambda: (record.image for record in localizations(records())), folder)
    for record in localizations(records()):
        tree = _annotation(record, names)
        ET.indent(tree, "\t")
        write_text(
            output_path(target, stem(record.image), ".xml"), ET.tostring(tree, encoding="unicode") + "\n"
        )


def check(images: Callable[[], Iterable[str]], folder: Path) -> None:
    """Refuse image ids that would share a file; `write` does so too, but only when a run is over.

    Args:
        images: gives the ids, as often as it is called.
        folder: where the folder `voc` goes.

    Raises:
        OutputError: naming two images that differ in nothing but their extension.
    """
    refuse_clashes(images, folder / "voc", ".xml")


def voc_corners(box: Box, image_size: tuple[int, int]) -> tuple[int, int, int, int]:
    """(xmin, ymin, xmax, ymax), 1-based and inclusive, of every pixel that a box touches.

    Args:
        box: xyxy, half-open, image frame.
        image_size: (height, width), which the corners never leave.
    """
    height, width = image_size
    xmin = min(max(math.floor(box[0]) + 1, 1), width)
    ymin = min(max(math.floor(box[1]) + 1, 1), height)
    return xmin, ymin, max(xmin, min(math.ceil(box[2]), width)), max(ymin, min(math.ceil(box[3]), height))


def _annotation(record: Localization, names: tuple[str, ...]) -> ET.Element:
    """The tree of one image."""
    image = PurePosixPath(record.image)
    root = ET.Element("annotation")
    _add(root, "folder", "" if str(image.parent) == "." else str(image.parent))
    _add(root, "filename", image.name)
    _add(ET.SubElement(root, "source"), "database", "wsloc")
    size = ET.SubElement(root, "size")
    for tag, value in (("width", record.width), ("height", record.height), ("depth", 3)):
        _add(size, tag, value)
    _add(root, "segmented", 0)
    for prediction in record.predictions:
        thing = ET.SubElement(root, "object")
        _add(thing, "name", names[prediction.class_index])
        _add(thing, "pose", "Unspecified")
        _add(thing, "truncated", 0)
        _add(thing, "difficult", 0)
        _add(thing, "score", float(prediction.probability))
        corners = voc_corners(prediction.box, (record.height, record.width))
        edges = ET.SubElement(thing, "bndbox")
        for tag, corner in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True):
            _add(edges, tag, corner)
    return root


def _add(parent: ET.Element, tag: str, value: str | float) -> None:
    """A child that holds text; characters that XML cannot hold become U+FFFD."""
    ET.SubElement(parent, tag).text = _NOT_XML.sub("\ufffd", str(value))
