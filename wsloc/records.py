"""The frozen records that pass between the stages; every field with its unit and coordinate frame.

Frames: *image* is the upright original in pixels; *input* is what the network sees; *grid* is the cells of its
feature map. Boxes are (x0, y0, x1, y1), half-open, in pixels of the image; `image_size` is (height, width).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    from PIL import Image

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image on disk.

    Attributes:
        image: its id: the POSIX path relative to the folder that was given, or the lone file's name.
        path: where the file is.
    """

    image: str
    path: Path


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of an annotated data set, whatever format it came from.

    Attributes:
        image: id, as in `ImageFile`.
        path: where the file is, or None if the annotations came without pictures.
        labels: what the image is labelled with, each once: class ids (wnid, folder), names (VOC, COCO) or a
            class index in digits (wsol), as the annotations have it; none where they name nothing.
        image_size: (height, width) in pixels, or None where the annotations carry no sizes.
        boxes: `(label, box)` pairs; boxes xyxy, half-open, image frame. Formats with inclusive corners may put
            an edge one pixel past the image, where their data does; it is kept.
        masks: segmentations on disk. From wsol one or several pictures whose non-zero pixels, united, are the
            object; with `mask_labels` one picture of values, 0 the background and 255 void.
        mask_labels: `(value, label)` pairs: what the values in such a picture mean, the same for all samples of a
            data set; an empty label counts as background. None where non-zero pixels are the object.
        ignore_mask: a picture whose non-zero pixels are not scored, or None.
    """

    image: str
    path: Path | None
    labels: tuple[str, ...]
    image_size: tuple[int, int] | None = None
    boxes: tuple[tuple[str, Box], ...] = ()
    masks: tuple[Path, ...] = ()
    mask_labels: tuple[tuple[int, str], ...] = ()
    ignore_mask: Path | None = None


@dataclass(frozen=True, slots=True)
class Classes:
    """What the outputs of a network mean, in their order.

    Attributes:
        ids: machine names (wnid or folder name), one a class, no two the same.
        names: words for people, one a class.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Prediction:
    """One class in one image, and where it is.

    Attributes:
        class_index: output of the network, from 0.
        class_id: machine name of the class (wnid or folder).
        class_name: its name in words.
        probability: 0-1, softmax (single-label) or sigmoid (multi-label).
        box: xyxy, half-open, image frame; 0 <= x0 < x1 <= width, 0 <= y0 < y1 <= height.
        mass: fraction (0-1) of the activation map's total inside the box; 0 for a map without mass, whose box
            is the whole image.
    """

    class_index: int
    class_id: str
    class_name: str
    probability: float
    box: Box
    mass: float


@dataclass(frozen=True, slots=True)
class Localization:
    """What was found in one image.

    Attributes:
        image: id of the image.
        width: of the upright image, pixels.
        height: of the upright image, pixels.
        map: name of the activation map (`entropy-class`, `cam`, ...).
        predictions: best first; several boxes of one class follow one another.
        class_indices: the class of each activation map, (P,); empty where the map carries no class.
        activation_maps: float32 (P, H, W) in the input frame, >= 0, or (1, H, W) for a map shared by all
            classes; None where they were not asked for.
        draws: float32 (P, D, h, w), grid frame, 0-1: single draws of a random map; None where they were not asked
            for.
        renderer: draws this record; set by the localizer, which still has the picture.
    """

    image: str
    width: int
    height: int
    map: str
    predictions: tuple[Prediction, ...]
    class_indices: tuple[int, ...] = ()
    activation_maps: npt.NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    draws: npt.NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    renderer: Callable[[Localization], Image.Image] | None = field(default=None, repr=False, compare=False)

    def overlay(self) -> Image.Image:
        """The picture with heat map, boxes, class names and probabilities, as an upright Pillow RGB image.

        Raises:
            ValueError: if the record was not made by `Localizer.localize` (it has no picture to draw on).
        """
        if self.renderer is None:
            raise ValueError(
                f"no picture is kept for {self.image}: take the record from Localizer.localize()"
            )
        return self.renderer(self)

    def _repr_png_(self) -> bytes | None:
        """How notebooks show the record: its overlay."""
        if self.renderer is None:
            return None
        from io import BytesIO  # noqa: PLC0415 - notebooks only

        stream = BytesIO()
        self.overlay().save(stream, format="PNG")
        return stream.getvalue()


@dataclass(frozen=True, slots=True)
class ImageSeeds:
    """Pseudo-labels of one image's pixels.

    Attributes:
        image: id of the image.
        seed_mask: uint8 (height, width), image frame: 0 background, 1 to P a class by its place in `class_indices`,
            255 ignore.
        class_indices: (P,), outputs of the network from 0: the image's labels, those without pixels too.
        probabilities: (P,), 0-1.
        activation_maps: float32 (P, H, W), >= 0, input frame.
        map: their name.
        predicted: whether the labels are the network's own.
    """

    image: str
    seed_mask: npt.NDArray[np.uint8] = field(repr=False, compare=False)
    class_indices: tuple[int, ...]
    probabilities: tuple[float, ...]
    activation_maps: npt.NDArray[np.float32] = field(repr=False, compare=False)
    map: str
    predicted: bool = False

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the upright image, pixels."""
        height, width = self.seed_mask.shape
        return height, width


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that could not be used.

    Attributes:
        image: id of the image.
        error: one line that says why.
    """

    image: str
    error: str
