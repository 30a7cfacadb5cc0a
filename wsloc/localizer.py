"""One batch end to end: pictures -> network -> maps -> boxes. Read this page first.

loaded images -> inputs (N, 3, H, W) -> feature_map (N, K, h, w), logits (N, C) -> classes (N, P)
    -> activation maps on the grid (N, P, h, w) -> in the input frame (N, P, H, W) -> rectangles -> boxes
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch
from PIL import Image

from wsloc.errors import ImageError, UnsupportedError
from wsloc.inputs.class_labels import ClassIndices, labels_of, resolve_choice
from wsloc.inputs.images import upright_rgb
from wsloc.inputs.loading import LoadedImage, load, load_batches, prepare
from wsloc.inputs.preprocessing import box_to_image
from wsloc.methods import MAPS
from wsloc.methods.ep import with_entropy_pooling
from wsloc.networks.map_operations import NORMALIZATIONS, upsample
from wsloc.networks.tasks import probabilities
from wsloc.outputs.overlays import draw_overlay
from wsloc.records import Failure, ImageFile, Localization, Prediction
from wsloc.regions.components import mass_boxes, threshold_boxes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import numpy.typing as npt
    from torch import Tensor

    from wsloc.inputs.preprocessing import Preprocessing
    from wsloc.methods import MapKind
    from wsloc.networks.network import Network
    from wsloc.records import Classes
    from wsloc.regions.rectangle import Rectangle

Picture = str | Path | Image.Image | np.ndarray[Any, Any]
BOX_RULES = ("mass", "threshold")
MANY_CLASSES = 50  # from here on lambda_top5 localizes better than lambda_c, whose p(c) look-alikes share


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of every image of a run; the defaults are the command line's.

    Attributes:
        map: key of `MAPS`; None for the network's own (`Localizer.default_map`).
        classes: how many of the best classes; or which class indices; or, by image id, which ones.
        box: `mass` or `threshold`; None for the map's own rule.
        mass: fraction of the map's total that a `mass` box holds, in (0, 1].
        map_threshold: fraction of the map's maximum from which on a cell counts, 0-1.
        boxes_per_class: components of the thresholded map that get a box of their own, heaviest first.
        min_probability: predictions below it are left out, 0-1.
        normalization: key of `NORMALIZATIONS`; None for the map's own.
        keep_maps: whether the records hold the activation maps.
    """

    map: str | None = None
    classes: int | ClassIndices | Mapping[str, ClassIndices] = 1
    box: str | None = None
    mass: float = 0.98
    map_threshold: float = 0.2
    boxes_per_class: int = 1
    min_probability: float = 0.0
    normalization: str | None = None
    keep_maps: bool = False


@dataclass(frozen=True)
class Localizer:
    """A network, what its outputs mean and what it takes; made by `wsloc.load`.

    Attributes:
        network: on `device`, in evaluation mode.
        classes: what the outputs mean.
        preprocessing: how pictures become inputs.
        task: `single-label` or `multi-label`.
        source: the method of a checkpoint (`ep`, `gap`), or `model` for anything else.
        device: where the network runs.
        bfloat16: whether the trunk runs in bfloat16; entropies, logits and maps are float32 in any case.
    """

    network: Network
    classes: Classes
    preprocessing: Preprocessing
    task: str
    source: str
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    bfloat16: bool = False

    @overload
    def localize(self, images: Picture, **options: Any) -> Localization: ...

    @overload
    def localize(self, images: Sequence[Picture], **options: Any) -> list[Localization]: ...

    def localize(
        self,
        images: Picture | Sequence[Picture],
        *,
        map: str | None = None,  # noqa: A002 - the command line's name
        classes: str | int | Sequence[str | int] = "top1",
        batch_size: int = 16,
        **options: Any,
    ) -> Localization | list[Localization]:
        """Where the network looks, in one image or several: the command line's results, with the maps.

        Args:
            images: a path, a Pillow image, a uint8 array (H, W, 3) or (H, W), or a sequence of these. An EXIF
                orientation is applied.
            map: key of `MAPS`; None for the network's own.
            classes: `top1`, `top5`, or classes by index, id or name.
            batch_size: images that go through the network at once.
            **options: `box`, `mass`, `map_threshold`, `boxes_per_class`, `min_probability`, `normalization`:
                see `Request`.

        Returns:
            A record for one image, a list of them for several; `.overlay()` draws it.

        Raises:
            ImageError: if an image cannot be read.
            DataError: if a class is not known.
            UnsupportedError: if the network and the map, or the map and the classes, do not go together.
        """
        request = Request(map=map, classes=resolve_choice(classes, self.classes), keep_maps=True, **options)
        self.check(request)
        several = isinstance(images, list | tuple)
        pictures: Sequence[Any] = images if several else [images]  # type: ignore[assignment]  # narrowed above
        loaded = [self._load(picture, number) for number, picture in enumerate(pictures)]
        batches = [loaded[start : start + batch_size] for start in range(0, len(loaded), batch_size)]
        records = [record for batch in batches for record in self.localize_batch(batch, request)]
        found = [record for record in records if isinstance(record, Localization)]
        return found if several else found[0]

    def _load(self, picture: Picture, number: int) -> LoadedImage:
        if isinstance(picture, str | Path):
            path = Path(picture)
            loaded = load(ImageFile(path.name, path), self.preprocessing, with_picture=True)
            if isinstance(loaded, Failure):
                raise ImageError(loaded.error)
            return loaded
        if isinstance(picture, np.ndarray):
            if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or not picture.size:
                raise ImageError(
                    f"image {number}: expected uint8 (H, W, 3) or (H, W), got {picture.dtype} {picture.shape}"
                )
            picture = Image.fromarray(picture)
        return prepare(f"image-{number}", upright_rgb(picture), self.preprocessing, with_picture=True)

    def localize_files(
        self,
        files: Sequence[ImageFile],
        request: Request,
        *,
        batch_size: int = 16,
        workers: int = 0,
        with_pictures: bool = False,
    ) -> Iterator[list[Localization | Failure]]:
        """The records of image files, batch by batch, in their order; an image that fails is a `Failure`.

        Raises:
            UnsupportedError: as `check`.
        """
        self.check(request)
        batches = load_batches(
            files, self.preprocessing, batch_size=batch_size, workers=workers, with_picture=with_pictures
        )
        for batch in batches:
            yield self.localize_batch(batch, request)

    def default_map(self, *, class_named: bool = False) -> str:
        """The map that is shown unless the user names one."""
        if self.source == "gap":
            return "cam"
        if not self.network.has_linear_head:
            return "gradcam"
        return "entropy-top5" if len(self.classes) >= MANY_CLASSES and not class_named else "entropy-class"

    def kind(self, request: Request) -> tuple[str, MapKind]:
        """Name and kind of the map that a request is answered with.

        Raises:
            UnsupportedError: if there is no map of that name.
        """
        name = request.map or self.default_map(class_named=not isinstance(request.classes, int))
        if name not in MAPS:
            raise UnsupportedError(f"unknown map {name!r}: choose one of {', '.join(MAPS)}")
        return name, MAPS[name]

    def check(self, request: Request) -> None:
        """Refuse what cannot be answered, before any image is read.

        Raises:
            UnsupportedError: if the network and the map, or the map and the classes, do not go together, or an
                option is out of its range.
        """
        name, kind = self.kind(request)
        if kind.needs_linear_head:
            self.network.linear()
        if not kind.per_class and not isinstance(request.classes, int):
            raise UnsupportedError(
                f"the map {name} carries no class: name classes with --map entropy-class or cam"
            )
        if request.box not in (None, *BOX_RULES):
            raise UnsupportedError(f"unknown box rule {request.box!r}: choose one of {', '.join(BOX_RULES)}")
        if request.normalization not in (None, *NORMALIZATIONS):
            raise UnsupportedError(
                f"unknown normalization {request.normalization!r}: choose one of {', '.join(NORMALIZATIONS)}"
            )
        if not 0 < request.mass <= 1:
            raise UnsupportedError(f"mass must be in (0, 1], not {request.mass}")
        for option in ("map_threshold", "min_probability"):
            if not 0 <= getattr(request, option) <= 1:
                raise UnsupportedError(f"{option} must be in 0-1, not {getattr(request, option)}")
        if request.boxes_per_class < 1:
            raise UnsupportedError(f"boxes_per_class must be at least 1, not {request.boxes_per_class}")

    def localize_batch(
        self, batch: Sequence[LoadedImage | Failure], request: Request
    ) -> list[Localization | Failure]:
        """The records of one batch, in its order.

        Inputs of one size go through the network together; nothing is padded, since padding would enter the
        largest entropy and the mass.
        """
        records: list[Localization | Failure | None] = [None] * len(batch)
        groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for position, item in enumerate(batch):
            failure = item if isinstance(item, Failure) else _unlabelled(item, request)
            if failure is not None:
                records[position] = failure
            elif isinstance(item, LoadedImage):
                groups[item.pixels.shape].append(position)
        for positions in groups.values():
            images = [item for position in positions if isinstance(item := batch[position], LoadedImage)]
            for position, record in zip(positions, self._localize_equal(images, request), strict=True):
                records[position] = record
        return [record for record in records if record is not None]

    def _localize_equal(self, images: list[LoadedImage], request: Request) -> list[Localization]:
        """The records of images whose inputs are of one size."""
        _, kind = self.kind(request)
        pixels = torch.from_numpy(np.stack([image.pixels for image in images]))  # (N, H, W, 3)
        with self._exact():
            inputs = self.preprocessing.normalized(pixels.to(self.device))  # (N, 3, H, W)
            network = self._pooled(kind)
            observation = network.observe(inputs, differentiable=kind.needs_gradient, autocast=self.bfloat16)
            scores = probabilities(observation.logits.detach(), self.task)  # (N, C)
            class_index, rows = _choose(scores, images, request)  # (N, P)
            maps = kind.activation_map(network, observation, class_index)  # (N, P, h, w) or (N, 1, h, w)
            maps = NORMALIZATIONS[request.normalization or kind.normalization](maps)
            maps = upsample(maps, (inputs.shape[2], inputs.shape[3]))  # (N, P, H, W)
        # One copy to the host for each of the three, not one an image.
        chosen = scores.gather(1, class_index).cpu().numpy()  # (N, P)
        indices, cells = class_index.cpu().numpy(), maps.detach().cpu().numpy()
        return [
            self._record(image, request, indices[n, : rows[n]], chosen[n], cells[n, : rows[n]])
            for n, image in enumerate(images)
        ]

    def _pooled(self, kind: MapKind) -> Network:
        """The network under the pooling that the map stands for: EP inference for entropy maps."""
        if kind.entropy_pooled and self.network.pooling is None:
            return with_entropy_pooling(self.network)
        return self.network

    def _exact(self) -> AbstractContextManager[Any]:
        """Full float32 convolutions on CUDA: TF32 would move boxes against the CPU's."""
        if self.device.type != "cuda" or self.bfloat16:
            return nullcontext()
        return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)

    def _record(
        self,
        image: LoadedImage,
        request: Request,
        class_index: npt.NDArray[np.int64],
        chosen: npt.NDArray[np.float32],
        maps: npt.NDArray[np.float32],
    ) -> Localization:
        """The record of one image from its classes (P,), their probabilities and its maps (P or 1, H, W)."""
        map_name, kind = self.kind(request)
        shared = not kind.per_class
        rectangles = [_boxes(cells, request.box or kind.box_rule, request) for cells in maps]
        predictions = [
            Prediction(
                class_index=int(index),
                class_id=self.classes.ids[index],
                class_name=self.classes.names[index],
                probability=float(probability),
                box=box_to_image(
                    (rectangle.top, rectangle.left, rectangle.bottom, rectangle.right),
                    (maps.shape[-2], maps.shape[-1]),
                    image.image_size,
                ),
                mass=rectangle.mass,
            )
            for place, (index, probability) in enumerate(zip(class_index, chosen, strict=False))
            for rectangle in rectangles[0 if shared else place]
            if probability >= request.min_probability
        ]
        return Localization(
            image=image.image,
            width=image.image_size[1],
            height=image.image_size[0],
            map=map_name,
            predictions=tuple(predictions),
            class_indices=() if shared else tuple(int(index) for index in class_index),
            activation_maps=maps if request.keep_maps else None,
            renderer=None if image.picture is None else partial(draw_overlay, image.picture),
        )


def _boxes(cells: npt.NDArray[np.float32], rule: str, request: Request) -> list[Rectangle]:
    """The rectangles of one map (H, W), input frame."""
    if request.normalization == "none":
        cells = np.maximum(cells, 0)  # raw maps may be negative; regions are of their positive part
    if rule == "mass":
        return mass_boxes(cells, request.mass, request.map_threshold, request.boxes_per_class)
    return threshold_boxes(cells, request.map_threshold, request.boxes_per_class)


def _unlabelled(item: LoadedImage, request: Request) -> Failure | None:
    """The failure of an image that has no labels although every image is to be explained by its own."""
    if isinstance(request.classes, int | tuple) or labels_of(item.image, request.classes):
        return None
    return Failure(item.image, f"{item.image}: the labels file has no label for it")


def _choose(scores: Tensor, images: list[LoadedImage], request: Request) -> tuple[Tensor, list[int]]:
    """The classes to explain (N, P), int64, and how many of each row count; shorter rows repeat a class."""
    if isinstance(request.classes, int):
        best = scores.topk(min(request.classes, scores.shape[1]), dim=1).indices
        return best, [best.shape[1]] * len(images)
    if isinstance(request.classes, tuple):
        rows = [request.classes] * len(images)
    else:
        rows = [labels_of(image.image, request.classes) or () for image in images]
    longest = max(len(row) for row in rows)
    padded = [[*row, *[row[0]] * (longest - len(row))] for row in rows]
    return torch.tensor(padded, device=scores.device), [len(row) for row in rows]
