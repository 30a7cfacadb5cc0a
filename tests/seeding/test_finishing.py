from __future__ import annotations

from typing import TYPE_CHECKING

from tests.outputs.seed_files.examples import VOC, seeds
from wsloc.outputs.predictions import json_line
from wsloc.outputs.seed_files.formats import SEED_FORMATS
from wsloc.outputs.seed_files.seed_log import line_values, read_seed_log, seed_line
from wsloc.records import Failure
from wsloc.seeding.finishing import finish_seeds

if TYPE_CHECKING:
    from pathlib import Path

LINES = [json_line(line_values(found)) for found in (seed_line(seeds(), VOC), Failure("c.jpg", "is empty"))]


def test_all_files_of_a_run(tmp_path: Path) -> None:
    tally = finish_seeds(tmp_path, [b"".join(LINES)], VOC, SEED_FORMATS)
    assert {path.name for path in tmp_path.iterdir()} == {
        "seeds.jsonl",
        "classes.json",
        "list.txt",
        "coco.json",
        "localization_cues.pickle",
    }
    assert (tally.images, tally.coverage.images, tally.failures) == (2, 1, (Failure("c.jpg", "is empty"),))
    assert len(list(read_seed_log(tmp_path / "seeds.jsonl"))) == 2


def test_a_shard_has_its_log_alone(tmp_path: Path) -> None:
    tally = finish_seeds(tmp_path, LINES, VOC, None)
    assert [path.name for path in tmp_path.iterdir()] == ["seeds.jsonl"]
    assert tally.images == 2
