"""ImageNet's challenge as a table of facts: its 1000 classes, and how its validation images are called."""

from __future__ import annotations

from importlib.resources import files

from wsloc.records import Classes

VALIDATION_NAME = "ILSVRC2012_val_{:08d}"  # of the n-th validation image, from 1, without its extension


def imagenet_classes() -> Classes:
    """The 1000 classes of ImageNet's challenge, in the order of torchvision's outputs (sorted wnids)."""
    table = files("wsloc.inputs").joinpath("imagenet_classes.txt").read_text(encoding="utf-8")
    ids, names = zip(*(line.split("\t") for line in table.splitlines()), strict=True)
    return Classes(ids, names)
