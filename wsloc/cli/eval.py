"""`wsloc eval`: localization error and its kin, against box annotations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wsloc.cli.boxes import NOT_IN_MANIFEST, report_profile
from wsloc.cli.console import Talk
from wsloc.cli.eval_options import (
    asked_rules,
    listed_synsets,
    named_source,
    refuse_options_of_others,
)
from wsloc.cli.eval_report import report_evaluation, report_shard
from wsloc.cli.eval_run import asked_run
from wsloc.cli.ficklenet_options import DrawsOption, DropRateOption, InferModeOption
from wsloc.cli.map_options import (
    LayerOption,
    MapOption,
    MirrorOption,
    OutputStrideOption,
    ScalesOption,
    listed_classes,
)
from wsloc.cli.options import (
    MAPS,
    CheckpointOption,
    ImageSizeOption,
    JsonOption,
    ModelOption,
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

# What has no bearing on the figures; the report is the same, gone on with or begun anew.
NOT_IN_REPORT = (*NOT_IN_MANIFEST, "context", "overwrite", "profile")

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsloc.evaluation.reporting import Evaluation
    from wsloc.evaluation.seed_reporting import SeedEvaluation


def evaluate(
    context: typer.Context,
    annotations: Annotated[
        Path,
        typer.Option(
            "--annotations",
            metavar="PATH",
            help="Boxes, masks and labels to score against.",
            show_default=False,
        ),
    ],
    images: Annotated[
        list[str] | None,
        typer.Argument(
            help=(
                "Image files, folders or @list.txt; without any, the pictures that the annotations name. With "
                "--maps, --predictions and --seeds they only give sizes and cases to show."
            ),
            show_default=False,
        ),
    ] = None,
    annotation_format: Annotated[
        str,
        typer.Option(
            "--annotation-format",
            metavar="FORMAT",
            help=(
                "The annotations' format: auto, imagenet-xml, imagenet-csv, imagenet-devkit, wsol, tiny-imagenet, "
                "voc, coco, labels-csv, masks or folder."
            ),
        ),
    ] = "auto",
    blacklist: Annotated[
        Path | None,
        typer.Option(
            "--blacklist", metavar="FILE", help="Images that are left out of the localization error alone."
        ),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option("--predictions", metavar="FILE", help="Score guesses that any system has written."),
    ] = None,
    synsets: Annotated[
        Path | None,
        typer.Option(
            "--synsets", metavar="FILE", help="For ILSVRC's official text: wnids in the devkit's order."
        ),
    ] = None,
    maps: Annotated[
        Path | None,
        typer.Option("--maps", metavar="DIR", help="Score maps (npy, npz, png) that any system has written."),
    ] = None,
    seeds: Annotated[
        Path | None,
        typer.Option(
            "--seeds",
            metavar="DIR",
            help="Score seeds that `wsloc seeds`, or any system, has written as index PNGs, against masks.",
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            "--classes",
            metavar="NAME,NAME",
            help="Score these classes alone; in masks, objects of others count as background.",
        ),
    ] = None,
    normalize: Annotated[
        bool, typer.Option("--normalize", help="For --maps: stretch each map's range to 0-1.")
    ] = False,
    resize_maps: Annotated[
        bool, typer.Option("--resize-maps", help="For --maps: bring other sizes to 224 x 224.")
    ] = False,
    checkpoint: CheckpointOption = None,
    model: ModelOption = None,
    weights: WeightsOption = "DEFAULT",
    map_name: MapOption = None,
    layer: LayerOption = None,
    compare: Annotated[
        str | None,
        typer.Option(
            "--compare",
            metavar="MAP,MAP",
            help="In place of --map, several maps, scored from one forward pass.",
            rich_help_panel=MAPS,
        ),
    ] = None,
    mass: Annotated[
        str | None,
        typer.Option(
            "--mass",
            metavar="FRACTIONS",
            help="Boxes that hold these shares of a map; by commas, each is scored.",
            rich_help_panel=MAPS,
        ),
    ] = None,
    map_threshold: Annotated[
        str | None,
        typer.Option(
            "--map-threshold",
            metavar="FRACTIONS",
            help="Boxes of the cells, and masks of the pixels, above these shares of the maximum; by commas.",
            rich_help_panel=MAPS,
        ),
    ] = None,
    excess: Annotated[
        str | None,
        typer.Option(
            "--excess",
            metavar="FRACTIONS",
            help="Boxes that hold 98 % of what rises above these shares of the maximum; by commas.",
            rich_help_panel=MAPS,
        ),
    ] = None,
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
    tune_on: Annotated[
        Path | None,
        typer.Option(
            "--tune-on",
            metavar="PATH",
            help="Another annotated set: the value of each rule that is best there is scored too.",
        ),
    ] = None,
    tune_images: Annotated[
        list[str] | None,
        typer.Option(
            "--tune-images",
            metavar="PATH",
            help="Pictures of the --tune-on set, where its annotations name none (repeatable).",
        ),
    ] = None,
    tune_format: Annotated[
        str, typer.Option("--tune-format", metavar="FORMAT", help="As --annotation-format, for --tune-on.")
    ] = "auto",
    threshold_step: Annotated[
        float,
        typer.Option("--threshold-step", help="Between the thresholds of the curves (MaxBoxAcc, mIoU)."),
    ] = 0.001,
    ten_crop: Annotated[
        bool, typer.Option("--ten-crop", help="Classification error over ten crops of each image, too.")
    ] = False,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Folder for the report; an earlier one is replaced."
        ),
    ] = Path("wsloc-eval"),
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Start anew, where an interrupted evaluation would be gone on with."
        ),
    ] = False,
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
    """Score maps, boxes and seeds against annotations: Top-1, Top-5 and GT-known Loc, MaxBoxAcc, PxAP, mIoU."""
    arguments = {name: value for name, value in locals().items() if name not in NOT_IN_REPORT}
    # torch is loaded here, not at the top: `wsloc --help` must answer at once.
    from wsloc.evaluation.annotated import Annotated as Truth
    from wsloc.evaluation.report_folder import require_no_interrupted_run
    from wsloc.evaluator import evaluate_maps, evaluate_predictions, evaluate_seeds
    from wsloc.files import make_folder
    from wsloc.running.ranks import launched

    named = named_source(network=checkpoint or model, predictions=predictions, maps=maps, seeds=seeds)
    refuse_options_of_others(context, named)
    if tune_on is None and (tune_images or tune_format != "auto"):
        raise UsageError("--tune-images and --tune-format go with --tune-on")
    rank, _ = launched()
    talk = Talk(as_json=as_json, quiet=quiet or rank > 0, verbose=verbose)
    if named == "network":
        evaluate_network(talk, output, arguments, overwrite=overwrite, profile=profile)
        return
    if rank > 0:  # it takes seconds: the leading process does it alone
        return
    rules = asked_rules(mass, map_threshold, excess)
    truth = Truth(annotations, annotation_format, blacklist, listed_classes(classes))
    make_folder(output)  # found out before the work, not after it
    require_no_interrupted_run(output, overwrite=overwrite)
    evaluation: Evaluation | SeedEvaluation
    if seeds is not None:
        evaluation = evaluate_seeds(seeds, truth, images=images or None, arguments=arguments)
    elif predictions is not None:
        evaluation = evaluate_predictions(
            predictions,
            truth,
            images=images or None,
            synsets=listed_synsets(synsets),
            arguments=arguments,
            random_seed=random_seed,
        )
    elif maps is not None:
        evaluation = evaluate_maps(
            maps,
            truth,
            images=images or None,
            rules=rules,
            threshold_step=threshold_step,
            normalize=normalize,
            resize=resize_maps,
            arguments=arguments,
            random_seed=random_seed,
        )
    evaluation.write(output)
    report_evaluation(talk, evaluation, output)


def evaluate_network(
    talk: Talk, output: Path, arguments: Mapping[str, Any], *, overwrite: bool, profile: bool
) -> None:
    """Score a network, or a shard of its images, and report it; in a process that does not lead, score alone."""
    from wsloc.evaluation.shards import ShardSummary, evaluate_shard
    from wsloc.evaluator import evaluate_into
    from wsloc.running.carrying import Clock
    from wsloc.running.ranks import joined

    asked = asked_run(arguments, profile=profile)
    run, clock = asked.run, Clock()
    evaluate_it = evaluate_into if run.options.shard.is_whole else evaluate_shard
    with joined() as ranks, talk.progress("scoring", len(run.own_files)) as advance:
        found = evaluate_it(
            output,
            run,
            checkpoint=asked.checkpoint,
            model=asked.model,
            overwrite=overwrite,
            on_batch=advance,
            ranks=ranks,
        )
    talk.note_if(run.localizer.fitting.note)
    if found is None:  # the leading process speaks
        return
    spent = run.localizer.stages.seconds() if profile else {}
    report_profile(talk, spent, clock.seconds)
    if isinstance(found, ShardSummary):
        report_shard(talk, found, output, spent)
    else:
        report_evaluation(talk, found, output, spent)
