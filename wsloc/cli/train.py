"""`wsloc train`: a checkpoint from image-level labels."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsloc.cli.console import Talk
from wsloc.cli.ficklenet_options import DropRateOption, InferModeOption, KernelOption, TrainModeOption
from wsloc.cli.gain_options import (
    AttendedLayerOption,
    AttentionNormOption,
    BoxesAsMasksOption,
    BoxesOption,
    ExtraFractionOption,
    ExtraPerStepOption,
    ExtraWeightOption,
    FreezeMiningOption,
    MaskFillOption,
    MaskScaleOption,
    MasksOption,
    MaskThresholdOption,
    MiningScoreOption,
    MiningStartOption,
    MiningWeightOption,
    SaliencyOption,
    SecondOrderOption,
    WatchOption,
)
from wsloc.cli.map_options import listed_classes
from wsloc.cli.options import RUNNING, JsonOption, OverwriteOption, QuietOption, VerboseOption
from wsloc.cli.running_options import (
    DEFAULT_WORKERS,
    DeviceOption,
    Precision,
    RandomSeedOption,
    WorkersOption,
)
from wsloc.cli.training_options import (
    AccumulateOption,
    BackboneOption,
    BackgroundLogitOption,
    DecayEveryOption,
    DecayFactorOption,
    DecayStepsOption,
    DetachWeightsOption,
    EmaOption,
    EpochsOption,
    FlipOption,
    InitOption,
    LayersOption,
    LearningRateOption,
    MaxStepsOption,
    MomentumOption,
    NesterovOption,
    OptimizerOption,
    RampOption,
    RecipeOption,
    ScheduleOption,
    ShorterSideOption,
    SmallestCropOption,
    TrainingBatchSizeOption,
    TrainingClassesOption,
    TrainingDataArgument,
    TrainingImageSizeOption,
    WarmupOption,
    WeightDecayOption,
)
from wsloc.cli.training_report import TrainingWatch, report_training
from wsloc.cli.training_run import asked_extra, asked_options, asked_recipe
from wsloc.errors import UsageError

WATCHED = 6  # images whose attention is drawn while GAIN learns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsloc.training.files import TrainingFiles


def train(
    method: Annotated[
        str,
        typer.Argument(
            metavar="METHOD",
            help="gap (the plain baseline), ep (Entropy Pooling), bew (with branches, too), ficklenet or gain.",
        ),
    ],
    data: TrainingDataArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The checkpoint to write.")],
    validation: Annotated[
        Path | None,
        typer.Option(
            "--validation",
            metavar="DATA",
            help="Keep the epoch with the lowest error on these images.",
            show_default="keep the last epoch",
        ),
    ] = None,
    classes: TrainingClassesOption = None,
    recipe: RecipeOption = "small",
    init: InitOption = None,
    backbone: BackboneOption = None,
    epochs: EpochsOption = None,
    max_steps: MaxStepsOption = None,
    batch_size: TrainingBatchSizeOption = None,
    accumulate: AccumulateOption = None,
    optimizer: OptimizerOption = None,
    learning_rate: LearningRateOption = None,
    schedule: ScheduleOption = None,
    decay_every: DecayEveryOption = None,
    decay_steps: DecayStepsOption = None,
    decay_factor: DecayFactorOption = None,
    warmup: WarmupOption = None,
    momentum: MomentumOption = None,
    nesterov: NesterovOption = None,
    weight_decay: WeightDecayOption = None,
    ema: EmaOption = None,
    image_size: TrainingImageSizeOption = None,
    smallest_crop: SmallestCropOption = None,
    shorter_side: ShorterSideOption = None,
    flip: FlipOption = None,
    ramp: RampOption = None,
    detach_weights: DetachWeightsOption = None,
    background_logit: BackgroundLogitOption = None,
    layers: LayersOption = None,
    kernel: KernelOption = None,
    drop_rate: DropRateOption = None,
    train_mode: TrainModeOption = None,
    infer_mode: InferModeOption = None,
    masks: MasksOption = None,
    boxes: BoxesOption = None,
    saliency: SaliencyOption = None,
    extra_fraction: ExtraFractionOption = None,
    extra_per_step: ExtraPerStepOption = 4,
    extra_weight: ExtraWeightOption = None,
    boxes_as_masks: BoxesAsMasksOption = None,
    layer: AttendedLayerOption = None,
    mining_weight: MiningWeightOption = None,
    mining_start: MiningStartOption = None,
    mining_score: MiningScoreOption = None,
    freeze_mining_stream: FreezeMiningOption = None,
    second_order: SecondOrderOption = None,
    attention_norm: AttentionNormOption = None,
    mask_scale: MaskScaleOption = None,
    mask_threshold: MaskThresholdOption = None,
    mask_fill: MaskFillOption = None,
    watch: WatchOption = None,
    sync_batch_norm: Annotated[
        bool,
        typer.Option(
            "--sync-batch-norm",
            help="Under torchrun: batch norm counts the images of all processes, not each one's own.",
            rich_help_panel=RUNNING,
        ),
    ] = False,
    half: Annotated[
        bool, typer.Option("--half", help="Keep the weights of the checkpoint as float16: half the file.")
    ] = False,
    snapshot_every: Annotated[
        int,
        typer.Option(
            "--snapshot-every",
            min=0,
            metavar="N",
            help="Keep the checkpoint of every N-th epoch, too: FILE.epoch-N.pt.",
            show_default="none",
        ),
    ] = 0,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on where an interrupted training with the same arguments stopped; a complete one is left "
            "as it is.",
        ),
    ] = False,
    overwrite: OverwriteOption = False,
    device: DeviceOption = "auto",
    precision: Annotated[
        Precision,
        typer.Option(
            "--precision",
            metavar="NAME",
            help="float32 or bfloat16; auto is bfloat16 on CUDA, else float32.",
            rich_help_panel=RUNNING,
        ),
    ] = Precision.auto,
    workers: WorkersOption = DEFAULT_WORKERS,
    random_seed: RandomSeedOption = 0,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Train a network from image-level labels and keep it as a checkpoint.

    Beside it stand FILE.metrics.jsonl (a line an epoch), FILE.curve.png and, until the training is complete,
    FILE.resume.pt, FILE being the checkpoint's name without its extension.
    """
    arguments = dict(locals())
    # torch is loaded here, not at the top: `wsloc --help` must answer at once.
    from wsloc.methods import METHODS
    from wsloc.networks.devices import resolve_device
    from wsloc.running.ranks import launched
    from wsloc.trainer import train as run
    from wsloc.training.files import TrainingFiles

    if method not in METHODS:
        raise UsageError(f"unknown method {method!r}: choose one of {', '.join(METHODS)}")
    files = TrainingFiles(output)
    _refuse_to_lose(files, resume=resume, overwrite=overwrite)
    place = resolve_device(device)
    chosen = asked_recipe(arguments, place.type)
    extra = asked_extra(arguments)
    leads = launched()[0] == 0
    talk = Talk(as_json=as_json and leads, quiet=quiet or not leads, verbose=verbose and leads)
    talk.detail(f"training {method} on {place}, {chosen.precision}")
    logging.getLogger("matplotlib").setLevel(
        logging.ERROR
    )  # it remarks on its caches, whose place is no concern
    complete = resume and files.complete
    with _saying_how_to_resume(talk, files), talk.progress("epoch 1", total=0) as advance:
        shown = TrainingWatch(talk, advance)
        run(
            method,
            data,
            output,
            recipe=chosen,
            options=asked_options(arguments),
            init=init,
            validation=validation,
            classes=listed_classes(classes),
            extra=extra,
            device=place,
            workers=workers,
            resume=resume,
            half=half,
            snapshot_every=snapshot_every,
            sync_batch_norm=sync_batch_norm,
            watched=(WATCHED if method == "gain" else 0) if watch is None else watch,
            on_start=shown.start,
            on_step=shown.step,
            on_epoch=shown.epoch,
            on_warning=talk.note,
        )
    if not leads:  # the leading process speaks
        return
    if complete:
        talk.note(f"{output} is complete: nothing is left to train")
    report_training(talk, files, shown.history)


def _refuse_to_lose(files: TrainingFiles, *, resume: bool, overwrite: bool) -> None:
    """What an earlier training left is not thrown away unasked."""
    if resume and overwrite:
        raise UsageError("--resume and --overwrite exclude one another")
    if resume or overwrite:
        return
    if files.resume.exists():
        raise UsageError(
            f"{files.resume} is of an interrupted training: give --resume to go on, --overwrite to start anew, or "
            "another --output"
        )
    if files.output.is_file():
        raise UsageError(f"{files.output} is there already: give --overwrite or another --output")


@contextmanager
def _saying_how_to_resume(talk: Talk, files: TrainingFiles) -> Iterator[None]:
    """After Ctrl-C or a termination, a note of what is kept; the interruption itself goes on its way."""
    try:
        yield
    except BaseException as stop:
        if not isinstance(stop, Exception) and files.resume.exists():
            talk.note(f"the same command with --resume goes on after the last whole epoch: {files.resume}")
        raise
