"""ImageNet's boxes, an XML file an image: 0-based INCLUSIVE corners, so x1 + 1 is the half-open edge.

ROOT/**/<image>.xml     <filename> without extension; <object>s with their wnid as <name>
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsloc.errors import DataError
from wsloc.inputs.annotations.xml_files import find_xml, first_xml, is_imagenet, read_xml
from wsloc.records import Sample

if TYPE_CHECKING:
    from pathlib import Path


def matches(root: Path) -> bool:
    """Whether `root` is or holds, sub-folders included, ImageNet's XML files rather than VOC's."""
    return first_xml(root) is not None and is_imagenet(root)


def read(root: Path) -> list[Sample]:
    """A sample a file: wnids as labels, the size, and every object's box; no paths of pictures.

    Ids are the `<filename>`s; some files of the training part have a `%s` there, which the XML's own name
    stands in for. An image without objects has no label.

    Args:
        root: a folder, searched with its sub-folders, or one file.

    Raises:
        DataError: if there is no XML, a file is malformed, or two are for one image.
    """
    samples: dict[str, Sample] = {}
    origins: dict[str, Path] = {}
    for file in find_xml(root):
        annotation = read_xml(file)
        image = annotation.filename
        if not image or "%" in image:
            image = file.stem
        if image in samples:
            raise DataError(f"{file}: it is for the image {image}, and so is {origins[image]}")
        origins[image] = file
        samples[image] = Sample(image, None, annotation.labels, annotation.image_size, annotation.boxes)
    return list(samples.values())
