from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wsloc.outputs.predictions import record_line, write_predictions
from wsloc.outputs.tally import SHOWN, tally_records
from wsloc.records import Failure

if TYPE_CHECKING:
    from pathlib import Path

    from wsloc.outputs.predictions import Record
    from wsloc.records import Localization


def test_records_are_counted(record: Localization, tmp_path: Path) -> None:
    best = record.predictions[0]
    empty = replace(record, image="empty.jpg", predictions=(replace(best, class_name="cat", mass=0.0),))
    many = [replace(record, image=f"{number}.jpg") for number in range(SHOWN)]
    records: list[Record] = [Failure("bad.jpg", "is empty"), empty, replace(record, predictions=()), *many]
    tally = tally_records(write_predictions(tmp_path, map(record_line, records)))
    assert tally.images == SHOWN + 3
    assert tally.failures == [Failure("bad.jpg", "is empty")]
    assert tally.classes == {best.class_name: SHOWN, "cat": 1}
    assert tally.without_mass == 1
    assert [shown.image for shown in tally.first[:2]] == ["empty.jpg", record.image]
    assert len(tally.first) == SHOWN
