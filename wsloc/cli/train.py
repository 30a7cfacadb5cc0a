"""`wsloc train`: a checkpoint from image-level labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wsloc.cli.console import Talk
from wsloc.cli.options import (
    DeviceOption,
    JsonOption,
    OverwriteOption,
    Precision,
    PrecisionOption,
    QuietOption,
    RandomSeedOption,
    VerboseOption,
    WorkersOption,
    default_workers,
)
from wsloc.errors import UsageError


def train(
    method: Annotated[
        str, typer.Argument(metavar="METHOD", help="ep (Entropy Pooling) or gap (the plain baseline).")
    ],
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="A folder per class, Tiny ImageNet's layout, or a CSV `image,label[;label...]`.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The checkpoint to write.")],
    validation: Annotated[
        Path | None,
        typer.Option("--validation", metavar="DATA", help="Keep the epoch with the lowest error on it."),
    ] = None,
    backbone: Annotated[
        str, typer.Option("--backbone", help="small_resnet, or a torchvision classifier.")
    ] = "small_resnet",
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Passes over the images.")] = 12,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Images a step.")] = 64,
    learning_rate: Annotated[
        float, typer.Option("--learning-rate", help="Peak of the cosine schedule.")
    ] = 0.1,
    warmup: Annotated[float, typer.Option("--warmup", min=0, help="Epochs of linear warm-up.")] = 0.5,
    momentum: Annotated[float, typer.Option("--momentum", min=0, max=1, help="Of SGD.")] = 0.9,
    weight_decay: Annotated[
        float, typer.Option("--weight-decay", min=0, help="Of weights; not of biases and norms.")
    ] = 5e-4,
    image_size: Annotated[int, typer.Option("--image-size", min=1, help="Input side in pixels.")] = 64,
    smallest_crop: Annotated[
        float,
        typer.Option("--smallest-crop", min=0.01, max=1, help="Least share of a picture that a crop keeps."),
    ] = 0.35,
    flip: Annotated[bool, typer.Option("--flip/--no-flip", help="Mirror half of the pictures.")] = True,
    half: Annotated[bool, typer.Option("--half", help="Keep the weights as float16: half the file.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an interrupted run stopped.")] = False,
    overwrite: OverwriteOption = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = Precision.auto,
    workers: WorkersOption = default_workers(),
    random_seed: RandomSeedOption = 0,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Train a network from image-level labels and keep it as a checkpoint."""
    # torch is loaded here, not at the top: `wsloc --help` must answer at once.
    from wsloc.inputs.training_set import Augmentation
    from wsloc.methods import METHODS
    from wsloc.networks.devices import resolve_device
    from wsloc.trainer import EpochFigures, Recipe, StepReport
    from wsloc.trainer import train as run

    if method not in METHODS:
        raise UsageError(f"unknown method {method!r}: choose one of {', '.join(METHODS)}")
    if output.exists() and not (resume or overwrite):
        raise UsageError(f"{output} is there already: give --overwrite, --resume, or another --output")
    place = resolve_device(device)
    recipe = Recipe(
        backbone=backbone,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        warmup=warmup,
        momentum=momentum,
        weight_decay=weight_decay,
        image_size=image_size,
        augmentation=Augmentation(smallest_crop, flip),
        random_seed=random_seed,
        precision=training_precision(precision, place.type),
    )
    talk = Talk(as_json=as_json, quiet=quiet, verbose=verbose)
    talk.detail(f"training {method} on {place}, {recipe.precision}")
    history: list[EpochFigures] = []
    with talk.progress(f"epoch 1/{epochs}", total=0) as advance:

        def on_step(report: StepReport) -> None:
            advance(
                report.images,
                f"epoch {report.epoch + 1}/{epochs}  loss {report.loss:.3f}",
                total=report.total_images,
            )

        def on_epoch(figures: EpochFigures) -> None:
            history.append(figures)
            talk.note(_line(figures, epochs))

        run(
            method,
            data,
            output,
            recipe=recipe,
            validation=validation,
            device=place,
            workers=workers,
            resume=resume,
            half=half,
            on_step=on_step,
            on_epoch=on_epoch,
        )
    talk.line(f"{output}: {method} on {backbone}, {epochs} epochs")
    talk.document({"checkpoint": str(output), "epochs": [figures.to_dict() for figures in history]})


def training_precision(precision: Precision, device_type: str) -> str:
    """`auto` trains in bfloat16 on CUDA, where it pays, and in float32 elsewhere."""
    if precision is Precision.auto:
        return "bfloat16" if device_type == "cuda" else "float32"
    return precision.value


def _line(figures: object, epochs: int) -> str:
    """One epoch in words."""
    from wsloc.trainer import EpochFigures

    if not isinstance(figures, EpochFigures):
        raise TypeError(figures)
    words = [
        f"epoch {figures.epoch + 1}/{epochs}",
        f"loss {figures.train_loss:.4f}",
        f"error {figures.train_error:.1%}",
    ]
    if figures.validation_error is not None:
        words.append(f"validation error {figures.validation_error:.1%}")
    words += [f"{name} {value:.4f}" for name, value in figures.extra.items()]
    return ", ".join([*words, f"{figures.seconds:.0f} s"])
