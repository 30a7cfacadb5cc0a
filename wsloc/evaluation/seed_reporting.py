"""From scored seeds to a report, and to its files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from wsloc.evaluation.mask_figures import absent_classes, background_row, class_means, figures_by_number
from wsloc.evaluation.report_folder import write_report
from wsloc.evaluation.reporting import unmatched
from wsloc.evaluation.seed_cases import seed_cases
from wsloc.inputs.annotations.matching import first_names
from wsloc.outputs.images_csv import ImageRow, images_csv
from wsloc.outputs.manifest import versions
from wsloc.outputs.report_records import ClassFigures, EvaluationRun, Report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from wsloc.evaluation.annotated import Annotated
    from wsloc.evaluation.seed_scores import SeedScores
    from wsloc.inputs.annotations.matching import Matching
    from wsloc.inputs.mask_classes import MaskClass
    from wsloc.metrics.segmentation import MaskFigures

SHOWN = 5
PROTOCOL = {
    "Mean IoU": (
        "one confusion matrix of all pixels; where the truth is void (255) nothing is counted; the mean is over the "
        "background and every class of which either side has a pixel"
    ),
    "Ignored pixels": (
        "a pixel that the seeds ignore (255) is claimed for no class: it is a miss of the class that it is of, and "
        "no false alarm. Mean IoU where labelled leaves such pixels out altogether; coverage is the share of the "
        "others"
    ),
    "Classes": "matched by id or name; classes of the annotations that the seeds lack count as background",
    "Comparison": (
        "these are figures of the seeds themselves: they are not comparable with the mean IoU of a segmentation "
        "network that was trained on seeds, which papers report"
    ),
    "Failures": (
        "an annotated image without seeds, or whose seeds cannot be read, are of another size than its mask or hold "
        "values of no class, counts as ignored all over; seeds of images that are not annotated are passed over"
    ),
}


@dataclass(frozen=True, slots=True)
class SeedEvaluation:
    """An evaluation of seeds that has run: its report, and what its files are written from."""

    report: Report
    scores: SeedScores
    classes: Sequence[MaskClass] = field(repr=False)

    def write(self, folder: Path) -> None:
        """Write report.json, report.html and images.csv: all of them, or none.

        Raises:
            OutputError: if one of them cannot be written.
        """
        write_report(folder, self.report, self._write_images)

    def _write_images(self, folder: Path) -> None:
        """A row for each image and class that either side has a pixel of."""
        with images_csv(folder, ["iou", "ignored"]) as write:
            for image in self.scores.images:
                ignored = {} if np.isnan(image.ignored) else {"ignored": image.ignored}
                for number, iou in image.classes:
                    entry = self.classes[number - 1]
                    figures = [{"iou": iou, **ignored}]
                    write(ImageRow(image.sample.image, entry.class_id, entry.class_name, figures))
            for failure in self.scores.failures:
                write(ImageRow(failure.image, "", "", error=failure.error))


def seed_evaluation_of(
    scores: SeedScores,
    classes: Sequence[MaskClass],
    name: str,
    annotated: Annotated,
    *,
    matchings: Sequence[Matching],
    arguments: Mapping[str, Any] | None,
    notes: Sequence[str] = (),
) -> SeedEvaluation:
    """Figures and report of seeds.

    Args:
        scores: filled.
        classes: of the seeds, in the order of the numbers, from 1 on.
        name: of the seeds.
        annotated: what was scored against.
        matchings: of annotations with seeds, and with pictures beside them.
        arguments: of the command.
        notes: what a reader must know.
    """
    figures = scores.figures()
    run = EvaluationRun(
        map=name,
        box="",
        metrics={
            **class_means(figures),
            "miou_labelled": scores.matrix.labelled_figures().miou(),
            "coverage": scores.matrix.coverage(),
        },
        per_class=_per_class(scores, figures, classes),
        cases=seed_cases(scores, classes),
    )
    report = Report(
        title=f"wsloc eval: {annotated.path.name}",
        protocol=tuple(PROTOCOL.items()),
        counts={
            "annotated": len(scores.images) + len(scores.failures),
            "failed": len(scores.failures),
        },
        runs=(run,),
        notes=(
            *notes,
            *(note for matching in matchings for note in matching.notes()),
            *_class_notes(figures, classes),
        ),
        failures=tuple(scores.failures),
        unmatched=unmatched(matchings),
        arguments=dict(arguments or {}),
        versions=versions(),
    )
    return SeedEvaluation(report, scores, classes)


def _per_class(
    scores: SeedScores, figures: MaskFigures, classes: Sequence[MaskClass]
) -> tuple[ClassFigures, ...]:
    """The background, and every class that an image is labelled with or the seeds claim a pixel for."""
    background, *rows = figures_by_number(figures)
    found = [background_row(int(scores.labelled[0]), background)]
    for number, (entry, row) in enumerate(zip(classes, rows, strict=True), start=1):
        if row or scores.labelled[number]:
            found.append(ClassFigures(entry.class_id, entry.class_name, int(scores.labelled[number]), row))
    return tuple(found)


def _class_notes(figures: MaskFigures, classes: Sequence[MaskClass]) -> list[str]:
    """Which classes the mean is not over, or only with an IoU of 0."""
    claimed, absent = absent_classes(figures, [entry.class_name for entry in classes])
    lines = []
    if claimed:
        lines.append(
            f"classes that the seeds claim and no true mask has, their IoU is 0 ({len(claimed)}): "
            f"{first_names(claimed, SHOWN)}"
        )
    if absent:
        lines.append(
            f"classes without a pixel on either side, absent from the means ({len(absent)}): "
            f"{first_names(absent, SHOWN)}"
        )
    return lines
