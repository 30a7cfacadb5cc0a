"""`wsloc boxes`: where the network looks in each image, as boxes, overlays and maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsloc.cli.console import Talk
from wsloc.cli.options import (
    BatchSizeOption,
    BoxRule,
    CheckpointOption,
    ClassNamesOption,
    DeviceOption,
    Images,
    ImageSizeOption,
    JsonOption,
    ModelOption,
    Precision,
    PrecisionOption,
    QuietOption,
    RandomSeedOption,
    Resize,
    ResizeOption,
    VerboseOption,
    WeightsOption,
    WorkersOption,
    default_workers,
)
from wsloc.errors import UsageError

if TYPE_CHECKING:
    from wsloc.localizer import Localizer
    from wsloc.runner import RunSummary

EXIT_SOME_FAILED = 3


def boxes(
    images: Images,
    checkpoint: CheckpointOption = None,
    model: ModelOption = None,
    weights: WeightsOption = "DEFAULT",
    class_names: ClassNamesOption = None,
    map_name: Annotated[
        str | None,
        typer.Option(
            "--map",
            metavar="entropy-class|entropy-top5|entropy|cam|gradcam",
            help="Which activation map.",
            show_default="the network's own",
        ),
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option(
            "--class",
            metavar="top1|top5|NAME|INDEX",
            help="Which classes to localize; repeatable.",
            show_default="top1",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            metavar="FILE",
            help="Localize each image's own labels: a CSV `image,label[;label...]`.",
        ),
    ] = None,
    box: Annotated[
        BoxRule | None,
        typer.Option(
            "--box",
            help="mass: the smallest rectangle that holds --mass; threshold: the largest component.",
            show_default="mass for entropy maps, else threshold",
        ),
    ] = None,
    mass: Annotated[float, typer.Option("--mass", help="Fraction of the map's total inside a box.")] = 0.98,
    map_threshold: Annotated[
        float, typer.Option("--map-threshold", help="Fraction of the map's maximum from which a cell counts.")
    ] = 0.2,
    boxes_per_class: Annotated[
        int, typer.Option("--boxes-per-class", help="Components that get a box each, heaviest first.")
    ] = 1,
    min_probability: Annotated[
        float, typer.Option("--min-probability", help="Leave out predictions below it.")
    ] = 0.0,
    overlays: Annotated[
        bool, typer.Option("--overlays/--no-overlays", help="Draw the boxes and maps over the pictures.")
    ] = True,
    formats: Annotated[
        str,
        typer.Option("--format", metavar="LIST", help="Of jsonl, csv, coco, voc, yolo, npz; by commas."),
    ] = "jsonl",
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the results.")
    ] = Path("wsloc-boxes"),
    device: DeviceOption = "auto",
    precision: PrecisionOption = Precision.auto,
    batch_size: BatchSizeOption = 16,
    workers: WorkersOption = default_workers(),
    image_size: ImageSizeOption = None,
    resize: ResizeOption = None,
    random_seed: RandomSeedOption = 0,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Draw boxes and overlays for images, from a network that was trained on image-level labels alone."""
    arguments = {name: value for name, value in locals().items() if name not in _NOT_IN_MANIFEST}
    if (checkpoint is None) == (model is None):
        raise UsageError("name a network: either --checkpoint FILE (or demo) or --model NAME")
    if labels is not None and classes:
        raise UsageError("--labels and --class exclude one another")
    # torch is loaded here, not at the top: `wsloc --help` must answer at once.
    from wsloc.inputs.class_labels import read_labels, resolve_choice
    from wsloc.inputs.images import find_images
    from wsloc.loader import checkpoint_path
    from wsloc.localizer import Request
    from wsloc.runner import RunOptions, run_boxes

    talk = Talk(as_json=as_json, quiet=quiet, verbose=verbose)
    files = find_images(images)
    localizer = _load(
        checkpoint, model, weights, class_names, device, precision, image_size, resize, random_seed
    )
    request = Request(
        map=map_name,
        classes=resolve_choice(classes or "top1", localizer.classes)
        if labels is None
        else read_labels(labels, localizer.classes),
        box=None if box is None else box.value,
        mass=mass,
        map_threshold=map_threshold,
        boxes_per_class=boxes_per_class,
        min_probability=min_probability,
        keep_maps=overlays or "npz" in formats,
    )
    if model is not None and weights == "none":
        talk.note(f"{model} has random weights: its boxes mean nothing (for timing and tests)")
    talk.detail(f"map {localizer.kind(request)[0]} on {localizer.device}, {len(files)} images")
    options = RunOptions(
        folder=output,
        formats=tuple(name.strip() for name in formats.split(",") if name.strip()),
        overlays=overlays,
        batch_size=batch_size,
        workers=workers,
        arguments=arguments,
        checkpoint=None if checkpoint is None else checkpoint_path(checkpoint),
        model=model,
    )
    with talk.progress("localizing", len(files)) as advance:
        summary = run_boxes(localizer, files, request, options, on_batch=advance)
    _report(talk, summary, localizer.kind(request)[0], output)
    if summary.failures:
        raise typer.Exit(EXIT_SOME_FAILED)


# Where results go and how loudly does not belong to what they are.
_NOT_IN_MANIFEST = ("as_json", "quiet", "verbose")


def _load(
    checkpoint: str | None,
    model: str | None,
    weights: str,
    class_names: Path | None,
    device: str,
    precision: Precision,
    image_size: int | None,
    resize: Resize | None,
    random_seed: int,
) -> Localizer:
    from wsloc.loader import checkpoint_path, load
    from wsloc.networks.importing import read_class_names

    return load(
        checkpoint_path(checkpoint) if checkpoint is not None else str(model),
        weights=weights,
        classes=None if class_names is None else read_class_names(class_names),
        device=device,
        precision=precision.value,
        image_size=image_size,
        resize=None if resize is None else resize.value,
        random_seed=random_seed,
    )


def _report(talk: Talk, summary: RunSummary, map_name: str, output: Path) -> None:
    """Failures on stderr; the table and totals, or the JSON document, on stdout."""
    for failure in summary.failures:
        talk.note(f"failed: {failure.error}")
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
    more = summary.images - len(summary.failures) - len(summary.first)
    title = f"{map_name} boxes" + (f" (the first {len(summary.first)} images)" if more > 0 else "")
    talk.table(title, ["image", "class", "probability", "box (x0, y0, x1, y1)", "mass inside"], rows)
    done = summary.images - len(summary.failures)
    talk.line(f"{done} of {summary.images} images in {summary.seconds:.1f} s -> {output}")
    if summary.without_mass:
        talk.note(
            f"{summary.without_mass} images have an empty map: their box is the whole image, with mass 0"
        )
    talk.document(
        {
            "output": str(output),
            "manifest": str(summary.manifest),
            "map": map_name,
            "images": summary.images,
            "failed": len(summary.failures),
            "failures": [{"image": failure.image, "error": failure.error} for failure in summary.failures],
            "classes": summary.classes,
            "without_mass": summary.without_mass,
            "seconds": round(summary.seconds, 3),
        }
    )
