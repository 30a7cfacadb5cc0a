from __future__ import annotations

from typing import TYPE_CHECKING

from tests.outputs.seed_files.examples import PLAIN, lines, seeds
from wsloc.outputs.seed_files.image_list import write_image_list
from wsloc.outputs.seed_files.seed_log import seed_line

if TYPE_CHECKING:
    from pathlib import Path


def test_a_row_an_image_without_extension(tmp_path: Path) -> None:
    write_image_list(lambda: iter(lines()), tmp_path)
    assert (tmp_path / "list.txt").read_text() == "one\ntwo\nsub/three\n"


def test_a_strange_name_does_not_become_two_rows(tmp_path: Path) -> None:
    write_image_list(lambda: iter([seed_line(seeds(image="a\nb 金.jpg"), PLAIN)]), tmp_path)
    assert (tmp_path / "list.txt").read_text(encoding="utf-8") == "a\\nb 金\n"
