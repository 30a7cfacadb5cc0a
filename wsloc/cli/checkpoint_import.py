"""`wsloc import`: other people's weights as a wsloc checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wsloc.cli.console import Talk
from wsloc.cli.options import ImageSizeOption, JsonOption, OverwriteOption, QuietOption, ResizeOption
from wsloc.errors import UsageError


def import_weights(
    weights: Annotated[
        Path,
        typer.Argument(
            metavar="WEIGHTS", help="A state dict: a torch file, or .safetensors.", show_default=False
        ),
    ],
    backbone: Annotated[
        str,
        typer.Option(
            "--backbone", help="small_resnet, or the torchvision classifier it is of.", show_default=False
        ),
    ],
    method: Annotated[
        str, typer.Option("--method", metavar="ep|gap", help="What it was trained with.")
    ] = "gap",
    classes: Annotated[
        Path | None,
        typer.Option(
            "--classes",
            metavar="FILE",
            help="Class names, one a line, in the order of the outputs: `name` or `id<TAB>name`.",
            show_default="ImageNet's for 1000 outputs, else numbers",
        ),
    ] = None,
    task: Annotated[
        str, typer.Option("--task", metavar="single-label|multi-label", help="Softmax or sigmoid.")
    ] = "single-label",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The checkpoint to write.", show_default="NAME.wsloc.pt"
        ),
    ] = None,
    image_size: ImageSizeOption = None,
    resize: ResizeOption = None,
    half: Annotated[bool, typer.Option("--half", help="Keep the weights as float16: half the file.")] = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Bring a state dict in as a checkpoint; keys that are missing or too many are listed."""
    # torch is loaded here, not at the top: `wsloc --help` must answer at once.
    from wsloc.inputs.preprocessing import Preprocessing
    from wsloc.loader import adapted_preprocessing
    from wsloc.methods import METHODS
    from wsloc.networks.backbones import default_input
    from wsloc.networks.checkpoints import Checkpoint, save_checkpoint
    from wsloc.networks.importing import import_state_dict, imported_classes
    from wsloc.networks.tasks import TASKS

    if method not in METHODS:
        raise UsageError(f"unknown method {method!r}: choose one of {', '.join(METHODS)}")
    if task not in TASKS:
        raise UsageError(f"unknown task {task!r}: choose one of {', '.join(TASKS)}")
    target = output or weights.with_name(f"{weights.stem}.wsloc.pt")
    if target.exists() and not overwrite:
        raise UsageError(f"{target} is there already: give --overwrite or another --output")
    imported = import_state_dict(weights, backbone)
    network = METHODS[method].build(backbone, imported.classes)  # refuses what the backbone cannot carry
    lacking = [
        key
        for key, own in network.model.state_dict().items()
        if key not in imported.weights or imported.weights[key].shape != own.shape
    ]
    if lacking:
        raise UsageError(
            f"{method} has a layer of its own, {lacking[0]}, which a classifier's weights do not hold: train it from "
            f"them, `wsloc train {method} DATA --backbone {backbone} --init {weights}`"
        )
    size, mean, std = default_input(backbone)
    checkpoint = Checkpoint(
        method=method,
        backbone=backbone,
        classes=imported_classes(classes, imported.classes),
        preprocessing=adapted_preprocessing(
            Preprocessing(image_size=size, mean=mean, std=std),
            image_size,
            None if resize is None else resize.value,
            network,
        ),
        weights=imported.weights,
        task=task,
        recipe={"imported_from": weights.name},
    )
    save_checkpoint(checkpoint, target, half=half)
    talk = Talk(as_json=as_json, quiet=quiet)
    for what, keys in (
        ("missing (of auxiliary classifiers, which are not used)", imported.missing),
        ("unexpected (left out)", imported.unexpected),
    ):
        if keys:
            talk.note(f"{len(keys)} keys {what}: {', '.join(keys)}")
    talk.line(f"{target}: {method} on {backbone}, {imported.classes} classes")
    talk.document(
        {
            "checkpoint": str(target),
            "classes": imported.classes,
            "missing": list(imported.missing),
            "unexpected": list(imported.unexpected),
        }
    )
