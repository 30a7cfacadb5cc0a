"""What seeds cover, as manifest.json and `--json` have it."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from wsloc.metrics.seed_coverage import ClassCoverage, Coverage

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def read_coverage(values: Mapping[str, Any]) -> Coverage:
    """The coverage that such values tell.

    Raises:
        KeyError: if one of them is missing.
    """
    names = [item.name for item in fields(ClassCoverage)]
    classes = tuple(ClassCoverage(**{name: entry[name] for name in names}) for entry in values["classes"])
    return Coverage(**{item.name: values[item.name] for item in fields(Coverage)} | {"classes": classes})
