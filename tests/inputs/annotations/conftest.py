"""Annotations to read: XML as ImageNet and VOC have it, and the folder of real data sets where there is one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

Object = tuple[str, tuple[object, object, object, object]]


def xml(filename: str, objects: tuple[Object, ...], size: tuple[object, object] | None = (500, 375)) -> str:
    """An annotation with (width, height) and named corners."""
    extent = f"<size><width>{size[0]}</width><height>{size[1]}</height></size>" if size else ""
    boxes = "".join(
        f"<object><name>{name}</name><difficult>1</difficult><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin>"
        f"<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for name, (x0, y0, x1, y1) in objects
    )
    return f"<annotation><filename>{filename}</filename>{extent}{boxes}</annotation>"


@pytest.fixture
def make_xml() -> Callable[..., str]:
    return xml


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """A data set in the folder that the environment variable WSLOC_DATA names."""

    def find(name: str) -> Path:
        if "WSLOC_DATA" not in os.environ:
            pytest.skip("WSLOC_DATA names no folder with real data sets")
        path = Path(os.environ["WSLOC_DATA"], name)
        if not path.exists():
            pytest.skip(f"there is no {path}")
        return path

    return find
