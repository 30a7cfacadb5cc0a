"""Metadata of the WSOL benchmark: text files about one split. Boxes have 0-based INCLUSIVE corners.

ROOT/image_ids.txt      image
ROOT/class_labels.txt   image,class_index
ROOT/image_sizes.txt    image,width,height                      may be absent
ROOT/localization.txt   image,x0,y0,x1,y1                       may be absent; several rows an image
                     or image,mask_path,ignore_path             the latter empty from an image's second row on

Source: Choe et al., Evaluating Weakly Supervised Object Localization Methods Right, CVPR 2020.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wsloc.errors import DataError
from wsloc.inputs.annotations.parsing import inclusive_box, numbered_lines, positive_size
from wsloc.inputs.number_kinds import whole_of
from wsloc.records import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wsloc.inputs.annotations.parsing import ImageSize
    from wsloc.records import Box

IDS, LABELS, SIZES, LOCATIONS = "image_ids.txt", "class_labels.txt", "image_sizes.txt", "localization.txt"


class _Masks(NamedTuple):
    """Of one image."""

    paths: tuple[Path, ...] = ()
    ignored: Path | None = None


def matches(root: Path) -> bool:
    """Whether `root` is a split's folder, or holds such folders."""
    return root.is_dir() and bool(_splits(root))


def read(root: Path) -> list[Sample]:
    """A sample an image, in the order of image_ids.txt; its class index, in digits, is the label.

    Rows about images that are not in image_ids.txt are passed over, as a shortened list leaves many.

    Args:
        root: the split's folder, or one that holds only one split. Masks are looked for in the split's folder,
            in `masks` there, and beside it.

    Raises:
        DataError: if a file is missing, a row is malformed, or an image lacks its row (file and line are named).
    """
    root = _only_split(root)
    images = dict(_unique(root / IDS))
    labels = {image: _label(text, where) for image, text, where in _table(root / LABELS)}
    sizes = {image: _size(text, where) for image, text, where in _table(root / SIZES, optional=True)}
    boxes, masks = _read_locations(root, sizes)
    for path, rows in ((root / LABELS, labels), (root / SIZES, sizes), (root / LOCATIONS, boxes or masks)):
        missing = [image for image in images if image not in rows]
        if missing and (rows or path.name == LABELS):
            raise DataError(
                f"{path}: it has no row for {missing[0]} ({len(missing)} of {len(images)} lack theirs)"
            )
    return [
        Sample(
            image,
            None,
            labels=(labels[image],),
            image_size=sizes.get(image),
            boxes=tuple((labels[image], box) for box in boxes.get(image, ())),
            masks=masks.get(image, _Masks()).paths,
            ignore_mask=masks.get(image, _Masks()).ignored,
        )
        for image in images
    ]


def _splits(root: Path) -> list[Path]:
    """The folder itself, or those in it."""
    if (root / IDS).is_file():
        return [root]
    return sorted(path.parent for path in root.glob(f"*/{IDS}"))


def _only_split(root: Path) -> Path:
    splits = _splits(root)
    if not splits:
        raise DataError(f"{root}: no {IDS} in it")
    if len(splits) > 1:
        raise DataError(f"{root}: name one of its splits: {', '.join(str(split) for split in splits)}")
    return splits[0]


def _unique(path: Path) -> Iterator[tuple[str, int]]:
    """Image and line number of each row of image_ids.txt."""
    seen: set[str] = set()
    for number, image in numbered_lines(path):
        if image in seen:
            raise DataError(f"{path}:{number}: {image} stands there twice")
        seen.add(image)
        yield image, number
    if not seen:
        raise DataError(f"{path}: holds no images")


def _table(path: Path, *, optional: bool = False) -> Iterator[tuple[str, str, str]]:
    """Image, the rest of the row, and file:line, for files with one row an image."""
    if optional and not path.is_file():
        return
    seen: set[str] = set()
    for number, line in numbered_lines(path):
        image, _, rest = (part.strip() for part in line.partition(","))
        where = f"{path}:{number}"
        if image in seen:
            raise DataError(f"{where}: {image} stands there twice")
        seen.add(image)
        yield image, rest, where


def _label(text: str, where: str) -> str:
    number = whole_of(text)
    if number is None:
        raise DataError(f"{where}: expected `image,class_index`, found the class `{text[:80]}`")
    return str(number)


def _size(text: str, where: str) -> ImageSize:
    width, _, height = (field.strip() for field in text.partition(","))
    return positive_size(width, height, where)


def _read_locations(
    root: Path, sizes: dict[str, ImageSize]
) -> tuple[dict[str, list[Box]], dict[str, _Masks]]:
    """Boxes of each image, or its masks."""
    path = root / LOCATIONS
    boxes: dict[str, list[Box]] = {}
    masks: dict[str, _Masks] = {}
    bases = (root, root / "masks", root.parent)
    for number, line in numbered_lines(path) if path.is_file() else ():
        where = f"{path}:{number}"
        image, *fields = [field.strip() for field in line.split(",")]
        if len(fields) == 4 and not masks:
            boxes.setdefault(image, []).append(inclusive_box(fields, where, sizes.get(image)))
        elif len(fields) == 2 and fields[0] and not boxes:
            masks[image] = _with_mask(masks.get(image, _Masks()), fields, bases, where)
        else:
            raise DataError(
                f"{where}: expected `image,x0,y0,x1,y1`, or `image,mask,ignore` in every row, found `{line[:80]}`"
            )
    return boxes, masks


def _with_mask(masks: _Masks, fields: list[str], bases: tuple[Path, ...], where: str) -> _Masks:
    """One more row of an image; the picture of what is not scored stands in one of them."""
    mask, ignored = (_find(name, bases, where) if name else None for name in fields)
    if masks.ignored is not None and ignored not in (None, masks.ignored):
        raise DataError(f"{where}: the image has two different ignore masks")
    return _Masks((*masks.paths, mask) if mask else masks.paths, masks.ignored or ignored)


def _find(name: str, bases: tuple[Path, ...], where: str) -> Path:
    for base in bases:
        if (base / name).is_file():
            return base / name
    raise DataError(f"{where}: the mask {name} is in none of {', '.join(str(base) for base in bases)}")
