from __future__ import annotations

import json

from tests.outputs.seed_files.examples import VOC
from wsloc.metrics.seed_coverage import SeedCoverage
from wsloc.outputs.seed_files.coverage import coverage_values, read_coverage


def test_classes_have_their_words() -> None:
    coverage = SeedCoverage(VOC.values)
    coverage.add([(20, 3), (8, 1)], 4, 2)
    values = json.loads(json.dumps(coverage_values(coverage.result(), VOC)))
    assert read_coverage(values) == coverage.result()
    assert (values["images"], values["pixels"]) == (1, 10)
    assert (values["foreground"], values["background"], values["ignore"]) == (0.4, 0.4, 0.2)
    assert [(entry["value"], entry["class_id"], entry["class_name"]) for entry in values["classes"]] == [
        (8, "a", "cat"),
        (20, "c", "tv/monitor"),
    ]
    assert [entry["share"] for entry in values["classes"]] == [0.25, 0.75]
