"""`wsloc seeds`: pseudo-labels of pixels, from image-level labels, in the formats that trainers read."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsloc.cli.boxes import EXIT_SOME_FAILED, NOT_IN_MANIFEST, report_done_and_failed, report_profile
from wsloc.cli.console import Talk
from wsloc.cli.ficklenet_options import DrawsOption, DropRateOption, InferModeOption
from wsloc.cli.image_inputs import images_apart
from wsloc.cli.map_options import MapOption, MirrorOption, OutputStrideOption, ScalesOption
from wsloc.cli.network import load_localizer, network_source
from wsloc.cli.options import (
    AnewOption,
    CheckpointOption,
    ClassNamesOption,
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
from wsloc.cli.seeds_options import (
    AnnotationFormatOption,
    BackgroundOption,
    CrfOption,
    EveryClassOption,
    ForegroundOption,
    FormatsOption,
    LabelsFileOption,
    LabelsOfDataOption,
    OverlaysOption,
    labelled_samples,
    labels_of_files,
    pictures_of,
)
from wsloc.errors import UsageError

if TYPE_CHECKING:
    from wsloc.inputs.class_labels import ClassIndices
    from wsloc.inputs.image_labels import ImageLabels
    from wsloc.seeder import SeedSummary


def seeds(
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGES",
            help="Image files, folders (searched recursively) or @list.txt; without any, the pictures that --labels or "
            "--annotations name.",
            show_default=False,
        ),
    ] = None,
    checkpoint: CheckpointOption = None,
    model: ModelOption = None,
    weights: WeightsOption = "DEFAULT",
    class_names: ClassNamesOption = None,
    labels: LabelsFileOption = None,
    annotations: LabelsOfDataOption = None,
    annotation_format: AnnotationFormatOption = "auto",
    classes: EveryClassOption = None,
    map_name: MapOption = None,
    foreground: ForegroundOption = None,
    background: BackgroundOption = None,
    crf: CrfOption = False,
    output_stride: OutputStrideOption = None,
    scales: ScalesOption = None,
    flip: MirrorOption = None,
    draws: DrawsOption = None,
    drop_rate: DropRateOption = None,
    infer_mode: InferModeOption = None,
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
    output: OutputFolderOption = Path("wsloc-seeds"),
    overwrite: AnewOption = False,
    overlays: OverlaysOption = False,
    formats: FormatsOption = "png",
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
    """Make seeds, the pseudo-labels that segmentation networks are trained on, from image-level labels alone."""
    arguments = {name: value for name, value in locals().items() if name not in NOT_IN_MANIFEST}
    # torch is loaded here, not at the top: `wsloc --help` must answer at once.
    from wsloc.inputs.class_labels import resolve_choice
    from wsloc.outputs.run_results import earlier_pictures
    from wsloc.outputs.seed_files.layout import SEEDS
    from wsloc.regions.seed_rules import parse_background, parse_foreground
    from wsloc.running.ranks import joined, launched
    from wsloc.running.shards import parse_shard
    from wsloc.seeder import SeedOptions, run_seeds
    from wsloc.seeding.request import SeedRequest, plan_seeds

    source, weights_file = network_source(checkpoint, model, weights)
    labelled = labels or annotations
    if classes and labelled is not None:
        raise UsageError("--class excludes --labels and --annotations")
    options = SeedOptions(
        folder=output,
        formats=tuple(dict.fromkeys(name.strip() for name in formats.split(",") if name.strip())),
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
    rules = {
        "foreground": None if foreground is None else parse_foreground(foreground),
        "background": None if background is None else parse_background(background),
    }
    samples = labelled_samples(labels, annotations, annotation_format)
    files = (
        images_apart(images, output, partial(earlier_pictures, SEEDS, output))
        if images
        else pictures_of(samples, labelled)
    )
    localizer = load_localizer(source, arguments, profile=profile)
    talk = Talk(as_json=as_json, quiet=quiet or launched()[0] > 0, verbose=verbose)
    wanted: int | ClassIndices | ImageLabels | None = None
    if labelled is not None:
        wanted = labels_of_files(samples, files, localizer.classes, labelled, strict=labels is not None)
        for note in wanted.notes:
            talk.note(note)
        if not images:
            files = [file for file in files if file.image in wanted.by_image]
    elif classes:
        wanted = resolve_choice(classes, localizer.classes)
    request = SeedRequest(wanted, None if map_name is None else map_name.value, **rules, crf=crf)
    plan = plan_seeds(localizer, request)
    if model is not None and weights == "none":
        talk.note(f"{model} has random weights: its seeds mean nothing (for timing and tests)")
    talk.detail(
        f"map {plan.map}, foreground {plan.foreground}, background {plan.background} on {localizer.device}, "
        f"{len(files)} images"
    )
    with joined() as ranks, talk.progress("making seeds", len(files)) as advance:
        summary = run_seeds(localizer, files, request, options, advance, ranks=ranks)
    if summary is None:  # the leading process speaks
        return
    talk.note_if(localizer.fitting.note)
    report_seeds(talk, summary, output)
    if summary.failures:
        raise typer.Exit(EXIT_SOME_FAILED)


def report_seeds(talk: Talk, summary: SeedSummary, output: Path) -> None:
    """Failures and notes on stderr; the table and totals, or the JSON document, on stdout."""
    from wsloc.outputs.seed_files.coverage import coverage_values

    report_done_and_failed(talk, summary, output)
    coverage, classes = summary.coverage, summary.numbering.classes
    names = dict(zip(summary.numbering.values, classes.names, strict=True))
    rows = [
        [
            names[found.value],
            str(found.value),
            f"{found.images:,}",
            f"{found.without_pixels:,}",
            f"{found.pixels:,}",
            f"{found.share:.1%}",
            f"{found.mean_area:.1%}",
        ]
        for found in coverage.classes
    ]
    if rows:
        columns = [
            "class",
            "number",
            "images",
            "without\na pixel",
            "pixels",
            "of the\nforeground",
            "of its\nimages",
        ]
        talk.figures(f"Seeds of {summary.map}, {summary.foreground}", columns, rows)
    talk.line(
        f"{coverage.foreground:.1%} of all pixels are of a class, {coverage.background:.1%} background, "
        f"{coverage.ignore:.1%} ignored"
    )
    without = sum(found.without_pixels for found in coverage.classes)
    if without:
        talk.note(f"labels without a pixel: {without} (their maps are empty, or other classes' are higher)")
    done = summary.images - len(summary.failures)
    if summary.predicted:
        talk.note(
            f"predicted labels: {summary.predicted} of {done} images (give --labels where they are known)"
        )
    report_profile(talk, summary.profile, summary.seconds)
    talk.line(f"{done} of {summary.images} images in {summary.seconds:.1f} s -> {output}")
    talk.document(
        {
            "output": str(output),
            "manifest": str(summary.manifest),
            "map": summary.map,
            "foreground": summary.foreground,
            "background": summary.background,
            "crf": summary.crf,
            "images": summary.images,
            "skipped": summary.skipped,
            "failed": len(summary.failures),
            "failures": [{"image": failure.image, "error": failure.error} for failure in summary.failures],
            "predicted": summary.predicted,
            "numbering": "voc" if summary.numbering.is_voc else "class_index + 1",
            "coverage": coverage_values(coverage, summary.numbering),
            "seconds": round(summary.seconds, 3),
            **({"profile": summary.profile} if summary.profile else {}),
        }
    )
