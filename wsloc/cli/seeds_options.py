"""The options of `wsloc seeds` that no other command has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsloc.cli.options import RESULTS
from wsloc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsloc.inputs.image_labels import ImageLabels
    from wsloc.records import Classes, ImageFile, Sample

LABELS, RULES = "Labels", "Rules of seeds"

LabelsFileOption = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        metavar="FILE",
        help="Each image's labels: a CSV with the header `image,label` (several labels parted by semicolons), or Tiny "
        "ImageNet's val_annotations.txt. All must be classes of the network.",
        show_default="the predicted ones",
        rich_help_panel=LABELS,
    ),
]
LabelsOfDataOption = Annotated[
    Path | None,
    typer.Option(
        "--annotations",
        metavar="PATH",
        help="In place of --labels, an annotated data set, such as a VOC folder; its other classes are left out. "
        "Without IMAGES, the pictures that it names.",
        rich_help_panel=LABELS,
    ),
]
AnnotationFormatOption = Annotated[
    str,
    typer.Option(
        "--annotation-format",
        metavar="FORMAT",
        help="Of --annotations: auto, imagenet-xml, imagenet-csv, imagenet-devkit, wsol, tiny-imagenet, voc, coco, "
        "labels-csv, masks or folder.",
        rich_help_panel=LABELS,
    ),
]
EveryClassOption = Annotated[
    list[str] | None,
    typer.Option(
        "--class",
        metavar="CLASS",
        help="In place of labels: top1, top5, or a class that every image shows, by name, id or index (repeatable).",
        rich_help_panel=LABELS,
    ),
]
ForegroundOption = Annotated[
    str | None,
    typer.Option(
        "--foreground",
        metavar="RULE",
        help="Pixels of a class: max:T (above the fraction T of its map's maximum), pixels:SHARE (the largest SHARE "
        "of all pixels), stochastic:T (FickleNet: any draw exceeds T) or auto (above the map's own mean).",
        show_default="stochastic:0.35 for FickleNet's map, max:0.3 for Entropy Pooling, else max:0.2",
        rich_help_panel=RULES,
    ),
]
BackgroundOption = Annotated[
    str | None,
    typer.Option(
        "--background",
        metavar="RULE",
        help="constant:T (no class is above T), confidence:HIGH,LOW (none is above LOW, and classes keep what is above "
        "HIGH), saliency:DIR:T (saliency below T), rest (what no class claims) or none. What a class and the "
        "background claim, and what nobody does, is ignored (255).",
        show_default="constant:0.2, beside auto rest",
        rich_help_panel=RULES,
    ),
]
CrfOption = Annotated[
    bool,
    typer.Option(
        "--crf/--no-crf",
        help="Draw the seeds to the picture's edges with a dense CRF; needs wsloc's extra `crf`.",
        rich_help_panel=RULES,
    ),
]
FormatsOption = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="LIST",
        help="By commas: png (VOC's palette), gray (the same numbers as gray), irn, psa, sec, coco, npz.",
        rich_help_panel=RESULTS,
    ),
]
OverlaysOption = Annotated[
    bool,
    typer.Option(
        "--overlays/--no-overlays", help="Draw the seeds over the pictures.", rich_help_panel=RESULTS
    ),
]


def labelled_samples(labels: Path | None, annotations: Path | None, annotation_format: str) -> list[Sample]:
    """The samples of whichever of both is given; none where neither is.

    Raises:
        UsageError: if both are given, or a format without annotations.
        DataError: if they cannot be read.
    """
    from wsloc.inputs.annotations.formats import read_annotations
    from wsloc.inputs.class_labels import label_samples

    if labels is not None and annotations is not None:
        raise UsageError("--labels and --annotations exclude one another")
    if annotations is None and annotation_format != "auto":
        raise UsageError("--annotation-format goes with --annotations")
    if labels is not None:
        return label_samples(labels)
    return [] if annotations is None else read_annotations(annotations, annotation_format)


def pictures_of(samples: Sequence[Sample], source: Path | None) -> list[ImageFile]:
    """The pictures that samples name; ids that are absolute paths begin at the folder that all of them share.

    Raises:
        UsageError: if there are none.
    """
    import os

    from wsloc.records import ImageFile

    named = [(sample.image, sample.path) for sample in samples if sample.path is not None]
    if source is None or not named:
        reason = "" if source is None else f": {source} names no pictures"
        raise UsageError(f"name the IMAGES{reason}")
    if all(Path(image).is_absolute() for image, _ in named):
        shared = os.path.commonpath([Path(image).parent for image, _ in named])
        named = [(Path(image).relative_to(shared).as_posix(), path) for image, path in named]
    return [ImageFile(image, path) for image, path in named]


def labels_of_files(
    samples: Sequence[Sample], files: Sequence[ImageFile], classes: Classes, source: Path, *, strict: bool
) -> ImageLabels:
    """The labels of a run's images.

    Args:
        samples: labelled images.
        files: the images.
        classes: of the network.
        source: of the labels, for messages.
        strict: whether all labels must be classes of the network.

    Raises:
        DataError: if no image has labels, or one is no class of the network and must be.
    """
    from wsloc.inputs.image_labels import labels_of_images

    ids = [file.image for file in files]
    return labels_of_images(samples, ids, classes, str(source), others_allowed=not strict)
