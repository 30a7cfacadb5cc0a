"""From filled scores to a report, and to its files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wsloc.evaluation.figures import evaluation_run, run_figures
from wsloc.evaluation.left_out import left_out
from wsloc.evaluation.protocol import common_protocol
from wsloc.evaluation.report_folder import write_report
from wsloc.outputs.images_csv import ImageRow, images_csv
from wsloc.outputs.manifest import versions
from wsloc.outputs.report_records import Report, Unmatched

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from wsloc.evaluation.annotated import Annotated
    from wsloc.evaluation.figures import RunFigures
    from wsloc.evaluation.protocol import Words
    from wsloc.evaluation.run_keys import RunKey
    from wsloc.evaluation.scores import Scores
    from wsloc.inputs.annotations.matching import Matching
    from wsloc.outputs.report_records import ChosenOn


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An evaluation that has run: its report, and what its files are written from."""

    report: Report
    scores: Scores
    figures: Mapping[RunKey, RunFigures] = field(repr=False)

    def write(self, folder: Path) -> None:
        """Write report.json, report.html and images.csv: all of them, or none.

        Raises:
            OutputError: if one of them cannot be written.
        """
        write_report(folder, self.report, self._write_images)

    def _write_images(self, folder: Path) -> None:
        scores, names = self.scores, self.scores.classes
        columns = ["iou", *dict.fromkeys(key for run in self.figures.values() for key in run.by_image)]
        columns = ["iou", *(key.removesuffix("_error") + "_right" for key in columns[1:])]
        errors = {failure.image: failure.error for failure in scores.failures}
        with images_csv(folder, columns, [run.label for run in scores.runs]) as write:
            for row, image in enumerate(scores.ids):
                for place, label in enumerate(scores.labels(row), start=scores.truth.labels_of(row).start):
                    values = [_row_figures(run, row, place) for run in self.figures.values()]
                    error = errors.get(image, "")
                    write(ImageRow(image, names.ids[label], names.names[label], values, error))


def _row_figures(run: RunFigures, row: int, place: int) -> dict[str, Any]:
    values: dict[str, Any] = {
        key.removesuffix("_error") + "_right": not wrong[row]
        for key, (wrong, counted) in run.by_image.items()
        if counted[row]
    }
    if run.overlaps is not None and run.counted[place]:
        values["iou"] = float(run.overlaps[place])
    return values


def evaluation_of(
    scores: Scores,
    runs: Mapping[RunKey, ChosenOn],
    matchings: Sequence[Matching],
    annotated: Annotated,
    *,
    blacklist: frozenset[str],
    protocol: Words,
    arguments: Mapping[str, Any] | None,
    random_seed: int,
    notes: tuple[str, ...] = (),
) -> Evaluation:
    """Figures and report of filled scores.

    Args:
        scores: filled.
        runs: which to report, in this order, and what their rules were chosen on.
        matchings: of annotations with what was scored, and with pictures beside it.
        annotated: what was scored against.
        blacklist: ids of images that are left out of localization.
        protocol: of the source, in words.
        arguments: of the command.
        random_seed: of the bootstrap.
        notes: what else a reader must know.
    """
    figures = {run: run_figures(scores, run, blacklist) for run in runs}
    counts = {"annotated": len(scores.ids), "failed": len(scores.failures), "blacklisted": len(blacklist)}
    counts["with_boxes"] = int(scores.truth.image_has_box().sum())
    report = Report(
        title=f"wsloc eval: {annotated.path.name}",
        protocol=(*protocol, *common_protocol(annotated.blacklist, len(blacklist))),
        counts=counts,
        runs=tuple(
            evaluation_run(scores, run, figures[run], chosen_on, random_seed)
            for run, chosen_on in runs.items()
        ),
        notes=(
            *notes,
            *(note for matching in matchings for note in matching.notes()),
            *(line for run in runs for line in left_out(scores, run, figures[run])),
        ),
        failures=tuple(scores.failures),
        unmatched=unmatched(matchings),
        arguments=dict(arguments or {}),
        versions=versions(),
    )
    return Evaluation(report, scores, figures)


def unmatched(matchings: Sequence[Matching]) -> tuple[Unmatched, ...]:
    """What is left on either side of some matchings, with the first ten names."""
    return tuple(
        Unmatched(words, len(names), tuple(names[:10]))
        for matching in matchings
        for words, names in matching.sides()
    )
