"""What seeds cover, as manifest.json and `--json` have it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsloc.metrics.seed_coverage import Coverage
    from wsloc.outputs.seed_files.numbering import Numbering


def coverage_values(coverage: Coverage, numbering: Numbering) -> dict[str, Any]:
    """Plain values, each class with its id and name; shares are fractions, 0-1."""
    place = {value: index for index, value in enumerate(numbering.values)}
    ids, names = numbering.classes.ids, numbering.classes.names
    classes = [
        {
            "class_id": ids[place[found.value]],
            "class_name": names[place[found.value]],
            **asdict(found),
        }
        for found in coverage.classes
    ]
    return {**asdict(coverage), "classes": classes}
