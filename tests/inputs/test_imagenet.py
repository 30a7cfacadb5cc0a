"""The table of ImageNet's classes, and the file it comes from."""

from __future__ import annotations

import re

from wsloc.inputs.imagenet import VALIDATION_NAME, imagenet_classes
from wsloc.networks import backbones


def test_the_table() -> None:
    classes = imagenet_classes()
    assert len(classes.ids) == len(classes.names) == len(set(classes.ids)) == 1000
    assert list(classes.ids) == sorted(classes.ids)
    assert all(re.fullmatch(r"n\d{8}", wnid) for wnid in classes.ids)
    assert (classes.ids[0], classes.names[0]) == ("n01440764", "tench")
    assert (classes.ids[-1], classes.names[-1]) == ("n15075141", "toilet tissue")
    assert all(name == name.strip() and name for name in classes.names)


def test_networks_have_the_same() -> None:
    assert backbones.imagenet_classes() == imagenet_classes()


def test_names_of_validation_images() -> None:
    assert VALIDATION_NAME.format(1) == "ILSVRC2012_val_00000001"
    assert VALIDATION_NAME.format(50_000) == "ILSVRC2012_val_00050000"
