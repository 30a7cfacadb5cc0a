"""`wsloc boxes`: where the network looks in each image, as boxes, overlays and maps."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsloc.cli.console import Talk
from wsloc.cli.ficklenet_options import DrawsOption, DropRateOption, InferModeOption, ShowDrawsOption
from wsloc.cli.image_inputs import images_apart
from wsloc.cli.map_options import (
    BoxesPerClassOption,
    BoxOption,
    ClassOption,
    LabelsOption,
    LayerOption,
    MapOption,
    MapThresholdOption,
    MassOption,
    MinProbabilityOption,
    MirrorOption,
    OutputStrideOption,
    ScalesOption,
    layer_map,
)
from wsloc.cli.network import load_localizer, network_source
from wsloc.cli.options import (
    RESULTS,
    AnewOption,
    CheckpointOption,
    ClassNamesOption,
    Images,
    ImageSizeOption,
    JsonOption,
    ModelOption,
    OutputFolderOption,
    QuietOption,
    ResizeOption,
    VerboseOption,
    WeightsOption,
)
from wsloc.cli.rib_options import (
    RibClassifierLearningRateOption,
    RibImagesOption,
    RibLearningRateOption,
    RibOthersOption,
    RibPowerOption,
    RibSideBySideOption,
    RibStepsOption,
    RibStopLevelOption,
    RibStopLogitOption,
    RibStopShareOption,
    RibSumOption,
    RibTauOption,
    RibWeightDecayOption,
)
from wsloc.cli.running_options import (
    DEFAULT_WORKERS,
    BatchSizeOption,
    CompileOption,
    DeviceOption,
    Precision,
    PrecisionOption,
    ProfileOption,
    RandomSeedOption,
    ShardOption,
    WorkersOption,
)
from wsloc.errors import UsageError
from wsloc.running.ranks import launched
from wsloc.running.stages import profile_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsloc.evaluation.shards import ShardSummary
    from wsloc.runner import RunSummary
    from wsloc.seeder import SeedSummary

EXIT_SOME_FAILED = 3
FAILURES_SHOWN = 20
# How much is said does not belong to what the results are.
NOT_IN_MANIFEST = ("as_json", "quiet", "verbose")


def boxes(
    images: Images,
    checkpoint: CheckpointOption = None,
    model: ModelOption = None,
    weights: WeightsOption = "DEFAULT",
    class_names: ClassNamesOption = None,
    map_name: MapOption = None,
    layer: LayerOption = None,
    classes: ClassOption = None,
    labels: LabelsOption = None,
    box: BoxOption = None,
    mass: MassOption = 0.98,
    map_threshold: MapThresholdOption = 0.2,
    boxes_per_class: BoxesPerClassOption = 1,
    min_probability: MinProbabilityOption = 0.0,
    output_stride: OutputStrideOption = None,
    scales: ScalesOption = None,
    flip: MirrorOption = None,
    draws: DrawsOption = None,
    drop_rate: DropRateOption = None,
    infer_mode: InferModeOption = None,
    show_draws: ShowDrawsOption = 0,
    rib_steps: RibStepsOption = None,
    rib_learning_rate: RibLearningRateOption = None,
    rib_classifier_learning_rate: RibClassifierLearningRateOption = None,
    rib_weight_decay: RibWeightDecayOption = None,
    rib_power: RibPowerOption = None,
    rib_tau: RibTauOption = None,
    rib_sum: RibSumOption = None,
    rib_stop_logit: RibStopLogitOption = None,
    rib_stop_share: RibStopShareOption = None,
    rib_stop_level: RibStopLevelOption = None,
    rib_side_by_side: RibSideBySideOption = None,
    rib_images: RibImagesOption = None,
    rib_others: RibOthersOption = None,
    output: OutputFolderOption = Path("wsloc-boxes"),
    overwrite: AnewOption = False,
    overlays: Annotated[
        bool,
        typer.Option(
            "--overlays/--no-overlays",
            help="Draw maps and boxes over the pictures.",
            rich_help_panel=RESULTS,
        ),
    ] = True,
    formats: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="LIST",
            help="By commas: jsonl (always written), csv, coco, voc, yolo, npz (the maps).",
            rich_help_panel=RESULTS,
        ),
    ] = "jsonl",
    image_size: ImageSizeOption = None,
    resize: ResizeOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = Precision.auto,
    batch_size: BatchSizeOption = 16,
    workers: WorkersOption = DEFAULT_WORKERS,
    shard: ShardOption = None,
    random_seed: RandomSeedOption = 0,
    compiled: CompileOption = False,
    profile: ProfileOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Localize classes in images: boxes, overlays and activation maps, from image-level labels alone."""
    arguments = {name: value for name, value in locals().items() if name not in NOT_IN_MANIFEST}
    # torch is loaded here, not at the top: `wsloc --help` must answer at once.
    from wsloc.inputs.class_labels import read_labels, resolve_choice
    from wsloc.outputs.boxes_layout import BOXES
    from wsloc.outputs.run_results import earlier_pictures
    from wsloc.request import Request
    from wsloc.runner import RunOptions, run_boxes
    from wsloc.running.ranks import joined
    from wsloc.running.shards import parse_shard

    source, weights_file = network_source(checkpoint, model, weights)
    if labels is not None and classes:
        raise UsageError("--labels and --class exclude one another")
    if mass == 0:
        raise UsageError("--mass is a fraction above 0")
    options = RunOptions(
        folder=output,
        formats=tuple(name.strip() for name in formats.split(",") if name.strip()),
        overlays=overlays,
        batch_size=batch_size,
        workers=workers,
        overwrite=overwrite,
        shard=parse_shard(shard),
        arguments=arguments,
        checkpoint=weights_file,
        model=model,
        profile=profile,
    )
    files = images_apart(images, output, partial(earlier_pictures, BOXES, output))
    localizer = load_localizer(source, arguments, profile=profile)
    request = Request(
        classes=resolve_choice(classes or "top1", localizer.classes)
        if labels is None
        else read_labels(labels, localizer.classes),
        map=layer_map(map_name, layer),
        box=None if box is None else box.value,
        mass=mass,
        map_threshold=map_threshold,
        boxes_per_class=boxes_per_class,
        min_probability=min_probability,
        show_draws=show_draws,
    )
    map_used, _ = localizer.kind(request)
    talk = Talk(as_json=as_json, quiet=quiet or launched()[0] > 0, verbose=verbose)
    if model is not None and weights == "none":
        talk.note(f"{model} has random weights: its boxes mean nothing (for timing and tests)")
    talk.detail(f"map {map_used} on {localizer.device}, {len(files)} images")
    with joined() as ranks, talk.progress("localizing", len(files)) as advance:
        summary = run_boxes(localizer, files, request, options, advance, ranks=ranks)
    if summary is None:  # the leading process speaks
        return
    talk.note_if(localizer.fitting.note)
    report_boxes(talk, summary, output)
    if summary.failures:
        raise typer.Exit(EXIT_SOME_FAILED)


def report_done_and_failed(
    talk: Talk, summary: RunSummary | SeedSummary | ShardSummary, output: Path
) -> None:
    """What was done before, and what could not be used, on stderr."""
    if summary.skipped == summary.images:
        talk.note(f"nothing is left to do: {output} holds this run; --overwrite does it anew")
    elif summary.skipped:
        talk.note(f"{summary.skipped} of {summary.images} images were done before")
    for failure in summary.failures[:FAILURES_SHOWN]:
        talk.error(f"failed: {failure.error}")
    if len(summary.failures) > FAILURES_SHOWN:
        talk.error(f"failed: {len(summary.failures) - FAILURES_SHOWN} more, see {summary.manifest}")


def report_profile(talk: Talk, profile: Mapping[str, float], seconds: float) -> None:
    """Where the time of a run went, if that was asked for, on stderr."""
    rank, processes = launched()
    of = f" of process {rank}" if processes > 1 else ""
    for line in profile_lines(profile, seconds, of) if profile else ():
        talk.note(line)


def report_boxes(talk: Talk, summary: RunSummary, output: Path) -> None:
    """Failures and notes on stderr; the table and totals, or the JSON document, on stdout."""
    report_done_and_failed(talk, summary, output)
    if summary.without_mass:
        talk.note(f"empty maps: {summary.without_mass}; their box is the whole image, with mass 0")
    if summary.flat:
        talk.note(
            f"maps with one value everywhere: {summary.flat}; their boxes say nothing of where "
            "(a grid of 1 x 1 cell, or a blank picture)"
        )
    report_profile(talk, summary.profile, summary.seconds)
    rows = [
        [
            record.image,
            prediction.class_name,
            f"{prediction.probability:.1%}",
            ", ".join(f"{edge:.0f}" for edge in prediction.box),
            f"{prediction.mass:.1%}",
        ]
        for record in summary.first
        for prediction in record.predictions
    ]
    done = summary.images - len(summary.failures)
    title = f"{summary.map} boxes" + (
        f" (the first {len(summary.first)} images)" if done > len(summary.first) else ""
    )
    if rows:
        talk.table(title, ["image", "class", "probability", "box (x0, y0, x1, y1)", "mass inside"], rows)
    talk.line(f"{done} of {summary.images} images in {summary.seconds:.1f} s -> {output}")
    talk.document(
        {
            "output": str(output),
            "manifest": str(summary.manifest),
            "map": summary.map,
            "images": summary.images,
            "skipped": summary.skipped,
            "failed": len(summary.failures),
            "failures": [{"image": failure.image, "error": failure.error} for failure in summary.failures],
            "classes": summary.classes,
            "without_mass": summary.without_mass,
            "flat": summary.flat,
            "seconds": round(summary.seconds, 3),
            **({"profile": summary.profile} if summary.profile else {}),
        }
    )
