"""What the values of a label map mean: VOC's numbering, or a `classes.json` that lies beside the masks.

    {"schema_version": 1, "background": 0, "ignore": 255,
     "classes": [{"value": 8, "class_id": "cat", "class_name": "cat"}, ...]}

0 is the background and 255 void or ignore in both. Further keys are passed over.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wsloc.errors import DataError
from wsloc.inputs.number_kinds import is_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILE_NAME = "classes.json"
BACKGROUND, IGNORE = 0, 255
SCHEMA_VERSION = 1
# In the order of their values, 1 to 20 (Everingham et al., IJCV 2010).
VOC_NAMES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *(
        "diningtable",
        "dog",
        "horse",
        "motorbike",
        "person",
        "pottedplant",
        "sheep",
        "sofa",
        "train",
        "tvmonitor",
    ),
)


@dataclass(frozen=True, slots=True)
class MaskClass:
    """A class in a label map.

    Attributes:
        value: of its pixels, 1 to 254.
        class_id: machine name.
        class_name: words.
    """

    value: int
    class_id: str
    class_name: str


VOC_CLASSES = tuple(MaskClass(value, name, name) for value, name in enumerate(VOC_NAMES, start=1))


def read_mask_classes(path: Path) -> tuple[MaskClass, ...]:
    """The classes of a `classes.json`, as they stand there.

    Raises:
        DataError: if the file cannot be read, is of a newer schema, numbers background or ignore otherwise, or
            has no class, a value outside 1-254, or a value or class twice.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        classes = _classes(content)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, or not what is expected
        raise DataError(f"{path}: is no list of mask classes: {error}") from error
    return classes


def _classes(content: Any) -> tuple[MaskClass, ...]:
    """The classes of the parsed file; ValueError says what is wrong with it."""
    entries = content.get("classes") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise ValueError('an object with a list "classes" is expected, of one class at least')
    for key, value in (("schema_version", SCHEMA_VERSION), ("background", BACKGROUND), ("ignore", IGNORE)):
        if content.get(key, value) != value:
            raise ValueError(f"its {key} is {content[key]}, and {value} is expected")
    classes = tuple(_class(entry if isinstance(entry, dict) else {}) for entry in entries)
    _require_once("value", [entry.value for entry in classes])
    _require_once("class_id", [entry.class_id for entry in classes])
    return classes


def _class(entry: dict[str, Any]) -> MaskClass:
    value, class_id = entry.get("value"), entry.get("class_id")
    if not (is_whole(value) and BACKGROUND < int(value or 0) < IGNORE):
        raise ValueError(f"the value {value} is not in 1-254")
    if not isinstance(class_id, str) or not class_id:
        raise ValueError(f"the value {value} has no class_id")
    return MaskClass(int(value or 0), class_id, str(entry.get("class_name") or class_id))


def _require_once(what: str, values: Sequence[object]) -> None:
    twice = [value for value, times in Counter(values).items() if times > 1]
    if twice:
        raise ValueError(f"the {what} {twice[0]} stands there twice")
