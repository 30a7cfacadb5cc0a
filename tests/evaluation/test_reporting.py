from __future__ import annotations

import csv
import json
from pathlib import Path

from wsloc.evaluation.annotated import Annotated
from wsloc.evaluation.reporting import Evaluation, evaluation_of
from wsloc.evaluation.run_keys import RunKey
from wsloc.evaluation.scores import Scores
from wsloc.inputs.annotations.matching import Matching
from wsloc.outputs.report_records import ChosenOn
from wsloc.records import Box, Classes, Sample

BOX: Box = (0.0, 0.0, 10.0, 10.0)
RUN = RunKey("file", None)


def evaluated(listed: frozenset[str] = frozenset()) -> Evaluation:
    """Three images of a dog: one is found, one is taken for a cat, one has failed."""
    pairs = [(name, Sample(name, None, ("dog",), (20, 20), (("dog", BOX),))) for name in "abc"]
    scores = Scores(pairs, Classes(("n1", "n2"), ("cat", "dog")), [RUN], with_maps=False)
    for row, guess in enumerate(([1], [0])):
        scores.guesses[RUN].put(row, guess, [BOX])
        scores.known[RUN][row] = BOX
    scores.fail(2, "c: cannot be read")
    matchings = [
        Matching(tuple(pairs), ("d",), things="predictions"),
        Matching((), (), ("e", "f"), "pictures"),
    ]
    return evaluation_of(
        scores,
        {RUN: ChosenOn.NOTHING},
        matchings,
        Annotated(Path("somewhere/truth.csv"), blacklist=Path("list.txt") if listed else None),
        blacklist=listed,
        protocol=(("Classification", "as it stands there"),),
        arguments={"seed": 3},
        random_seed=3,
        notes=("first of all",),
    )


def test_a_report_says_what_was_scored_and_what_was_not() -> None:
    report = evaluated().report
    assert report.title == "wsloc eval: truth.csv"
    assert report.counts == {"annotated": 3, "failed": 1, "blacklisted": 0, "with_boxes": 3}
    assert report.protocol[0] == ("Classification", "as it stands there")
    assert [name for name, _ in report.protocol] == ["Classification", "Intervals"]
    assert report.notes[:3] == (
        "first of all",
        "1 annotated but not among the predictions: d",
        "2 among the pictures but not annotated: e, f",
    )
    assert report.notes[3].startswith("file: no Top-5 figures")
    assert [(side.count, side.first) for side in report.unmatched] == [(1, ("d",)), (2, ("e", "f"))]
    assert report.runs[0].metrics["top1_localization_error"] == 2 / 3
    assert report.runs[0].metrics["gt_known_localization_error"] == 1 / 3
    assert report.arguments == {"seed": 3}


def test_a_blacklist_is_counted_and_said() -> None:
    report = evaluated(frozenset("b")).report
    assert report.counts["blacklisted"] == 1
    assert "Blacklist" in dict(report.protocol)
    assert report.runs[0].metrics["top1_localization_error"] == 1 / 2


def test_a_row_for_each_image_and_label(tmp_path: Path) -> None:
    evaluated(frozenset("b")).write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"images.csv", "report.html", "report.json"}
    assert json.loads((tmp_path / "report.json").read_text())["notes"][0] == "first of all"
    with (tmp_path / "images.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert [row[0] for row in rows[1:]] == ["a", "b", "c"]
    assert ["c: cannot be read" in row for row in rows[1:]] == [False, False, True]
