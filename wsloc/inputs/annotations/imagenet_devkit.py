"""ImageNet's validation labels from the development kit: a number a line, in the kit's own order of classes.

That order (1 is n02119789, the kit fox) is not the sorted wnids' that networks are trained in, so a list that
says which wnid each number is must lie beside it:

data/ILSVRC2012_validation_ground_truth.txt     a number from 1, line n for ILSVRC2012_val_0000000n
data/map_clsloc.txt                             wnid number words     (in the kits from 2014 on)
data/synsets.txt                                number wnid words, or a wnid a line in the kit's order
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wsloc.errors import DataError
from wsloc.inputs.annotations.parsing import numbered_lines
from wsloc.inputs.annotations.xml_files import WNID
from wsloc.inputs.imagenet import VALIDATION_NAME
from wsloc.inputs.number_kinds import whole_of
from wsloc.records import Sample

if TYPE_CHECKING:
    from pathlib import Path

TRUTH = "validation_ground_truth.txt"  # how the file's name ends
DETECTION = "_det_"  # marks the other challenge's
SYNSET_LISTS = ("map_clsloc.txt", "synsets.txt", "synset_list.txt")
CLASSES = 1000


def matches(root: Path) -> bool:
    """Whether `root` is the ground truth's file, or a kit or its data folder."""
    return root.name.endswith(TRUTH) if root.is_file() else _find_truth(root) is not None


def read(root: Path) -> list[Sample]:
    """A sample a line, with its wnid as label; no boxes, no sizes, no paths of pictures.

    Args:
        root: the ground truth's file, whatever its name, or the kit or its data folder.

    Raises:
        DataError: if there is no ground truth or no synset list, the list is in the wrong order, or a line is
            malformed (file and line are named).
    """
    truth = root if root.is_file() else _find_truth(root)
    if truth is None:
        raise DataError(f"{root}: no ILSVRC2012_{TRUTH} in it")
    synsets = _find_synsets(truth)
    wnids = read_synsets(synsets)
    samples: list[Sample] = []
    for number, line in numbered_lines(truth):
        image = len(samples) + 1
        if number != image:
            raise DataError(f"{truth}:{image}: the line is empty, but each stands for an image")
        class_number = whole_of(line)
        if class_number is None:
            raise DataError(f"{truth}:{number}: expected a class's number, found `{line[:60]}`")
        if class_number not in wnids:
            raise DataError(f"{truth}:{number}: class {line} is not in {synsets}")
        samples.append(Sample(VALIDATION_NAME.format(image), None, labels=(wnids[class_number],)))
    if not samples:
        raise DataError(f"{truth}: holds no images")
    return samples


def _find_truth(root: Path) -> Path | None:
    found = (
        path
        for folder in (root, root / "data")
        for path in sorted(folder.glob(f"ILSVRC*{TRUTH}"))
        if DETECTION not in path.name
    )
    return next(found, None)


def _find_synsets(truth: Path) -> Path:
    places = (truth.parent, truth.parent.parent, truth.parent / "data")
    for path in (place / name for place in places for name in SYNSET_LISTS):
        if path.is_file():
            return path
    found_matlab = (truth.parent / "meta.mat").is_file()
    excuse = " (meta.mat is MATLAB's, which is not read)" if found_matlab else ""
    raise DataError(
        f"{truth}: its numbers follow the kit's own order of classes, so a list that says which wnid each is "
        f"must lie beside it{excuse}: map_clsloc.txt of a later kit, or synsets.txt with `number wnid` a line"
    )


def read_synsets(path: Path) -> dict[int, str]:
    """Number -> wnid; lines without numbers are counted from 1."""
    wnids: dict[int, str] = {}
    without_number = 0
    for number, line in numbered_lines(path):
        index, wnid = _read_entry(line, f"{path}:{number}")
        if index is None:
            without_number += 1
            index = without_number
        if index < 1 or index in wnids or (without_number and len(wnids) + 1 != without_number):
            raise DataError(
                f"{path}:{number}: each class needs a number of its own, from 1, or all of them none"
            )
        wnids[index] = wnid
    _require_own_order(path, wnids)
    return wnids


def _read_entry(line: str, where: str) -> tuple[int | None, str]:
    """`number wnid ...`, `wnid number ...` or `wnid ...`, parted by blanks or a comma."""
    first, second = [*re.split(r"[\s,]+", line, maxsplit=2), ""][:2]
    if whole_of(first) is not None and WNID.fullmatch(second):
        return whole_of(first), second
    if WNID.fullmatch(first):
        return whole_of(second), first
    raise DataError(f"{where}: expected `wnid`, `number wnid` or `wnid number`, found `{line[:60]}`")


def _require_own_order(path: Path, wnids: dict[int, str]) -> None:
    """The mistake to expect: a list in the order of networks' outputs, of which there are many about."""
    in_order = [wnids[index] for index in sorted(wnids)]
    if len(set(in_order)) != len(in_order):
        raise DataError(f"{path}: a wnid stands there twice")
    if len(in_order) == CLASSES and in_order == sorted(in_order):
        raise DataError(
            f"{path}: its wnids are sorted, but the kit's order is another (1 is n02119789): take "
            "map_clsloc.txt of a later kit, or a list made from meta.mat"
        )
