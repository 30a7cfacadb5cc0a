"""What `wsloc eval` shows of its figures: a table for people, or one document."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from wsloc.cli.boxes import EXIT_SOME_FAILED, report_done_and_failed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from wsloc.cli.console import Talk
    from wsloc.evaluation.reporting import Evaluation
    from wsloc.evaluation.seed_reporting import SeedEvaluation
    from wsloc.evaluation.shards import ShardSummary
    from wsloc.records import Failure

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


def report_evaluation(
    talk: Talk,
    evaluation: Evaluation | SeedEvaluation,
    output: Path,
    profile: Mapping[str, float] | None = None,
) -> None:
    """The table, or the JSON document, on stdout; notes and failures on stderr.

    Args:
        talk: the command's voice.
        evaluation: what is told of.
        output: where its report is.
        profile: seconds by stage, for the document.

    Raises:
        typer.Exit: with the code for it, if some images failed.
    """
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
    values = {key: value for key, value in report_values(report).items() if key != "schema_version"}
    talk.document({**values, **({"profile": profile} if profile else {})})
    _exit(report.failures)


def report_shard(talk: Talk, summary: ShardSummary, output: Path, profile: Mapping[str, float]) -> None:
    """What a shard came to, and how to go on; arguments and errors as of `report_evaluation`."""
    report_done_and_failed(talk, summary, output)
    talk.line(
        f"shard {summary.shard}: {summary.images} images, {len(summary.failures)} failed -> {output}; "
        "`wsloc merge` makes the report of all shards"
    )
    talk.document(
        {
            "output": str(output),
            "manifest": str(summary.manifest),
            "shard": str(summary.shard),
            "images": summary.images,
            "skipped": summary.skipped,
            "failed": len(summary.failures),
            "failures": [{"image": failure.image, "error": failure.error} for failure in summary.failures],
            "seconds": round(summary.seconds, 3),
            **({"profile": profile} if profile else {}),
        }
    )
    _exit(summary.failures)


def _exit(failures: Sequence[Failure]) -> None:
    if failures:
        raise typer.Exit(EXIT_SOME_FAILED)
