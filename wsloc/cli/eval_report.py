"""What `wsloc eval` shows of its figures: a table for people, or one document."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from wsloc.cli.console import Talk
    from wsloc.evaluation.reporting import Evaluation
    from wsloc.evaluation.seed_reporting import SeedEvaluation

# Short and on several lines, so that twenty runs of ten figures fit on a terminal; reports have the whole names.
HEADINGS = {
    "top1_classification_error": "Top-1\nclass\nerror",
    "top5_classification_error": "Top-5\nclass\nerror",
    "top1_localization_error": "Top-1\nLoc\nerror",
    "top5_localization_error": "Top-5\nLoc\nerror",
    "gt_known_localization_error": "GT-known\nLoc\nerror",
    "max_box_acc": "Max\nBox\nAcc",
    "max_box_acc_v2": "Max\nBox\nAccV2",
    "box_acc_tuned": "Box\nAcc\ntuned",
    "px_ap": "\n\nPxAP",
    "miou": "\nmask\nmIoU",
    "best_miou": "mask\nmIoU\nbest",
    "miou_tuned": "mask\nmIoU\ntuned",
    "miou_labelled": "mask mIoU\nwhere\nlabelled",
    "mask_precision": "mask\npreci-\nsion",
    "mask_recall": "\nmask\nrecall",
    "coverage": "\ncover-\nage",
    "mean_iou": "\nmean\nIoU",
    "ten_crop_top1_classification_error": "Top-1\nten\ncrops",
    "ten_crop_top5_classification_error": "Top-5\nten\ncrops",
}


def report_evaluation(talk: Talk, evaluation: Evaluation | SeedEvaluation, output: Path) -> None:
    """The table, or the JSON document, on stdout; notes and failures on stderr."""
    from wsloc.outputs.report_json import report_values
    from wsloc.outputs.report_records import figure_of, in_order
    from wsloc.outputs.report_tables import shown

    report = evaluation.report
    for note in report.notes:
        talk.note(note)
    for failure in report.failures[:10]:
        talk.note(f"failed: {failure.error}")
    if len(report.failures) > 10:
        talk.note(f"and {len(report.failures) - 10} more failures: see report.json")
    keys = in_order(key for run in report.runs for key in run.metrics)
    rows = [
        [run.label, *(shown(figure_of(key), run.metrics.get(key)) for key in keys)] for run in report.runs
    ]
    headings = [
        "map, box" if any(run.box for run in report.runs) else "map",
        *(HEADINGS.get(key, figure_of(key).name) for key in keys),
    ]
    talk.figures(f"{report.title} (percent, of errors the lower the better; IoU 0-1)", headings, rows)
    talk.line(
        f"{report.counts['annotated']} images, {len(report.failures)} failed -> {output / 'report.html'}"
    )
    talk.document({key: value for key, value in report_values(report).items() if key != "schema_version"})
