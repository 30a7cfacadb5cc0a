"""PASCAL VOC's development kit: 1-based INCLUSIVE corners, so x0 - 1 and x1 are the half-open edges.

ROOT/Annotations/<image>.xml                 <filename>, <size>, <object>s with their class as <name>
ROOT/JPEGImages/<image>.jpg                  may be absent
ROOT/SegmentationClass/<image>.png           class values, 255 is void; for some images, or absent
ROOT/classes.json                            what these values mean, where the objects are not called as VOC's are
ROOT/ImageSets/<Main|Segmentation>/<x>.txt   images of a split
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from wsloc.errors import DataError
from wsloc.inputs.annotations.parsing import numbered_lines
from wsloc.inputs.annotations.xml_files import find_xml, first_xml, is_imagenet, read_xml
from wsloc.inputs.mask_classes import FILE_NAME, VOC_CLASSES, VOC_NAMES, read_mask_classes
from wsloc.records import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ANNOTATIONS, PICTURES, MASKS, LISTS = "Annotations", "JPEGImages", "SegmentationClass", "ImageSets"
ABSENT = "-1"  # beside an image in a list about one class


def matches(root: Path) -> bool:
    """Whether `root` is a kit, a folder of XML files that are not ImageNet's, or a list in ImageSets."""
    if root.is_file() and _is_list(root):
        return True
    folder = _annotations(root)
    found = first_xml(folder)
    return found is not None and found in (folder, folder / found.name) and not is_imagenet(folder)


def read(root: Path) -> list[Sample]:
    """A sample an image: its objects' names as labels, each with its box; objects marked difficult too.

    Ids are the `<filename>`s, so with extension.

    Args:
        root: the kit, its Annotations, or a folder with only XML files: every annotated image; or a list in
            ImageSets: its images (in a list about one class, those that have it).

    Raises:
        DataError: if there are no annotations, one is malformed (file and object or line are named), a listed
            image has none, or two are for one image.
    """
    kit, files = _listed(root) if root.is_file() and _is_list(root) else _all(root)
    has_pictures = (kit / PICTURES).is_dir()
    masks = {mask.name: mask for mask in (kit / MASKS).glob("*.png")}
    samples: dict[str, Sample] = {}
    for file in files:
        annotation = read_xml(file, first=1)
        image = annotation.filename or f"{file.stem}.jpg"
        if image in samples:
            raise DataError(f"{file}: another file is for {image} already")
        mask = masks.get(f"{file.stem}.png")
        samples[image] = Sample(
            image,
            kit / PICTURES / image if has_pictures else None,
            annotation.labels,
            annotation.image_size,
            annotation.boxes,
            masks=(mask,) if mask else (),
        )
    numbering = _numbering(kit, samples.values()) if masks else ()
    return [replace(sample, mask_labels=numbering if sample.masks else ()) for sample in samples.values()]


def _numbering(kit: Path, samples: Iterable[Sample]) -> tuple[tuple[int, str], ...]:
    """What the masks' values mean: as the kit says, else VOC's where all objects are called so, else not known."""
    if (kit / FILE_NAME).is_file():
        return tuple((entry.value, entry.class_id) for entry in read_mask_classes(kit / FILE_NAME))
    if {label for sample in samples for label in sample.labels} <= set(VOC_NAMES):
        return tuple((entry.value, entry.class_id) for entry in VOC_CLASSES)
    return ()


def _is_list(path: Path) -> bool:
    return path.suffix.lower() == ".txt" and path.parent.parent.name == LISTS


def _annotations(root: Path) -> Path:
    """The folder with the XML files: of a kit, of a folder with one kit in it (VOCdevkit), or `root` itself."""
    if (root / ANNOTATIONS).is_dir():
        return root / ANNOTATIONS
    kits = sorted(root.glob(f"VOC*/{ANNOTATIONS}"))
    return kits[0] if len(kits) == 1 else root


def _all(root: Path) -> tuple[Path, list[Path]]:
    """The kit's folder and all of its XML files."""
    folder = _annotations(root)
    return (folder.parent if folder.name == ANNOTATIONS else folder), find_xml(folder)


def _listed(path: Path) -> tuple[Path, list[Path]]:
    """The kit's folder and the XML files of the images in a list."""
    kit = path.parent.parent.parent
    files: dict[Path, None] = {}
    for number, line in numbered_lines(path):
        name, *marks = line.split()
        if marks[:1] == [ABSENT]:
            continue
        file = kit / ANNOTATIONS / f"{PurePath(name).stem}.xml"
        if not file.is_file():
            raise DataError(f"{path}:{number}: {name} has no annotation: {file} is not there")
        files[file] = None
    if not files:
        raise DataError(f"{path}: holds no images")
    return kit, list(files)
