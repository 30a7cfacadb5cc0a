"""One batch end to end: pictures -> network -> maps -> boxes. Read this page first.

loaded images -> inputs (N, 3, H, W) -> feature_map (N, K, h, w), logits (N, C) -> classes (N, P)
    -> activation maps on the grid (N, P, h, w) -> in the input frame (N, P, H, W) -> rectangles -> boxes
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, cast, overload

import numpy as np
import torch

from wsloc.boxing import Observed, boxed
from wsloc.choice import Choice
from wsloc.errors import ImageError, UnsupportedError
from wsloc.fitting import Fitting, memory_limit
from wsloc.inputs.class_labels import resolve_choice
from wsloc.inputs.loading import LoadedImage, decoding_seconds, load_batches
from wsloc.inputs.number_kinds import is_whole
from wsloc.inputs.pictures import Picture, load_picture
from wsloc.methods import MAPS, require_map
from wsloc.methods.ficklenet import FickleNetwork
from wsloc.networks.network import evaluating
from wsloc.records import Failure, ImageFile, Localization
from wsloc.request import Request
from wsloc.running.overlap import worked_ahead
from wsloc.running.stages import (
    BOXES,
    DECODE,
    FORWARD,
    MAPPING,
    RECORD,
    WAIT_FOR_DECODE,
    WAIT_FOR_NETWORK,
    Stages,
)
from wsloc.views import Views, explain, pooled

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from contextlib import AbstractContextManager

    from torch import Tensor

    from wsloc.inputs.loading import LoadedBatch
    from wsloc.inputs.preprocessing import Preprocessing
    from wsloc.methods import MapKind
    from wsloc.networks.network import Network
    from wsloc.records import Classes
    from wsloc.request import LocalizeOptions, MapOptions

Found = TypeVar("Found")
MANY_CLASSES = 50  # from here on lambda_top5 localizes better than lambda_c, whose p(c) look-alikes share


@dataclass(frozen=True)
class Localizer:
    """A network, what its outputs mean and what it takes; made by `wsloc.load`.

    Attributes:
        network: on `device`.
        classes: what the outputs mean.
        preprocessing: how pictures become inputs.
        task: `single-label` or `multi-label`.
        source: the method of a checkpoint (`ep`, `gap`, `ficklenet`), or `model` for anything else.
        device: where the network runs.
        autocast: what the trunk runs in, a value of `PRECISIONS`; entropies, logits and maps are float32 in any case.
        views: the scales and mirror images that maps are averaged over.
        fitting: how many inputs have turned out to fit into the device's memory at once.
        stages: where the time has gone.
    """

    network: Network
    classes: Classes
    preprocessing: Preprocessing
    task: str
    source: str
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    autocast: torch.dtype | None = None
    views: Views = field(default_factory=Views)
    fitting: Fitting = field(default_factory=Fitting, compare=False)
    stages: Stages = field(default_factory=Stages, compare=False)

    @overload
    def localize(  # type: ignore[overload-overlap]  # a str is a sequence of str, too: here it is a path
        self, images: Picture, **options: Unpack[LocalizeOptions]
    ) -> Localization: ...

    @overload
    def localize(
        self, images: Sequence[Picture], **options: Unpack[LocalizeOptions]
    ) -> list[Localization]: ...

    def localize(
        self,
        images: Picture | Sequence[Picture],
        *,
        classes: str | int | Sequence[str | int] = "top1",
        batch_size: int = 16,
        **options: Unpack[MapOptions],
    ) -> Localization | list[Localization]:
        """Where the network looks, in one image or several: the command line's results, with the maps.

        Args:
            images: a path, a Pillow image, a uint8 array (H, W, 3) or (H, W), or a list of these. An EXIF
                orientation is applied. Pictures without a name are called `image-0`, `image-1`, ...
            classes: `top1`, `top5`, or classes by index, id or name.
            batch_size: images that go through the network at once.
            **options: `map`, `box`, `mass`, `map_threshold`, `boxes_per_class`, `min_probability` and
                `normalization`, as `Request` describes them.

        Returns:
            A record for one image, a list of them for a list; `.overlay()` draws it.

        Raises:
            ImageError: if an image cannot be used.
            DataError: if a class is not known.
            UnsupportedError: if the network and the map, or the map and the classes, do not go together, or an
                option is out of its range.
        """
        request = Request(classes=resolve_choice(classes, self.classes), **options)
        self.check(request)
        if not is_whole(batch_size) or batch_size < 1:
            raise UnsupportedError(f"batch_size is a whole number of at least 1, not {batch_size!r}")
        pictures: Sequence[Any] = images if isinstance(images, list | tuple) else [images]
        found: list[Localization] = []
        for start in range(0, len(pictures), batch_size):
            numbered = enumerate(pictures[start : start + batch_size], start)
            batch: list[LoadedImage | Failure] = [
                load_picture(shown, f"image-{n}", self.preprocessing) for n, shown in numbered
            ]
            for record in self.localize_batch(batch, request):
                if isinstance(record, Failure):
                    raise ImageError(record.error)
                found.append(record)
        return found if isinstance(images, list | tuple) else found[0]

    def localize_files(
        self,
        files: Sequence[ImageFile],
        request: Request,
        *,
        batch_size: int = 16,
        workers: int = 0,
        with_pictures: bool = False,
        batches: Sequence[int] | None = None,
    ) -> Generator[list[Localization | Failure], None, None]:
        """The records of image files, batch by batch, in their order; an image that fails is a `Failure`.

        Args:
            files: what to read.
            request: what is asked of each image.
            batch_size: images that go through the network at once.
            workers: processes that decode and resize, until the generator ends or is closed; 0: this one does it.
            with_pictures: whether records keep the picture for an overlay.
            batches: numbers, from 0, of those that are wanted; None for all.

        Raises:
            UnsupportedError: as `check`.
            ImageError: if a worker process was killed.
        """
        self.check(request)
        request = request.matched([file.image for file in files])
        loaded = load_batches(
            files,
            self.preprocessing,
            batch_size=batch_size,
            workers=workers,
            with_picture=with_pictures,
            numbers=batches,
        )
        return self._localize_ahead(loaded, request)

    def _localize_ahead(
        self, loaded: Iterable[LoadedBatch], request: Request
    ) -> Generator[list[Localization | Failure], None, None]:
        """The records of each batch; while they are made and used, the next one goes through the network."""
        with closing(self.seen_ahead(loaded, partial(self._see, request=request))) as seen:
            for batch, found in seen:
                records = self._boxed(batch, found, request)
                with self.stages.measure(RECORD):
                    yield records

    def seen_ahead(
        self, loaded: Iterable[LoadedBatch], see: Callable[[LoadedBatch], Found]
    ) -> Generator[tuple[LoadedBatch, Found], None, None]:
        """Each batch with what is seen in it, in their order; while that is used, the next one is looked at.

        Args:
            loaded: the batches.
            see: sends one through the network; called in a thread of its own.
        """
        with closing(worked_ahead(self.stages.waiting(WAIT_FOR_DECODE, loaded), see)) as seen:
            for batch, pending in seen:
                with self.stages.measure(WAIT_FOR_NETWORK):
                    found = pending.result()
                self.stages.add(DECODE, decoding_seconds(batch))
                yield batch, found

    def default_map(self, *, class_named: bool = False) -> str:
        """The map that is shown unless the user names one."""
        if isinstance(self.network, FickleNetwork):
            return "stochastic"
        if self.source == "gain" or not self.network.has_linear_head:
            return "gradcam"
        if self.source == "gap":
            return "cam"
        return "entropy-top5" if len(self.classes) >= MANY_CLASSES and not class_named else "entropy-class"

    def kind(self, request: Request) -> tuple[str, MapKind]:
        """Name and kind of the map that a request is answered with."""
        name = request.map or self.default_map(class_named=request.names_classes)
        return name, MAPS[name]

    def check(self, request: Request) -> None:
        """Refuse what cannot be answered, before any image is read.

        Raises:
            UnsupportedError: if the network and the map, or the map and the classes, do not go together.
        """
        name, kind = self.kind(request)
        require_map(name, self.network)
        if request.names_classes and not kind.per_class:
            raise UnsupportedError(
                f"the map {name} carries no class: for classes by name or label take entropy-class, cam or gradcam"
            )
        if request.show_draws and not kind.stochastic:
            raise UnsupportedError(f"single draws are of the map stochastic, not of {name}")

    def localize_batch(self, batch: LoadedBatch, request: Request) -> list[Localization | Failure]:
        """The records of one batch, in its order.

        Raises:
            MemoryLimitError: if a single input does not fit into memory.
        """
        return self._boxed(batch, self._see(batch, request), request)

    def _see(self, batch: Sequence[LoadedImage | Failure], request: Request) -> list[Observed | Failure]:
        """What the network sees in each image of a batch, as `boxed` takes it."""
        found: dict[int, Observed | Failure] = {}
        images: list[tuple[int, LoadedImage]] = []
        for position, item in enumerate(batch):
            if isinstance(item, Failure):
                found[position] = item
            elif request.names_classes and not request.named_classes(item.image):
                error = f"{item.image}: the labels file has no label for it"
                found[position] = Failure(item.image, error)
            else:
                images.append((position, item))
        found |= self.by_size(partial(self._see_equal, request=request), images)
        return [found[position] for position in range(len(batch))]

    def by_size(
        self,
        see: Callable[[Sequence[tuple[int, LoadedImage]]], Sequence[Found]],
        images: Iterable[tuple[int, LoadedImage]],
    ) -> dict[int, Found]:
        """What is seen in some images, by their places; those whose inputs are of one size are looked at together.

        Nothing is padded, since padding would enter the largest entropy and the mass.

        Args:
            see: what the network sees in images of one size, in their order; called with as many as fit into memory.
            images: (place, image), each place once.

        Raises:
            MemoryLimitError: if a single input does not fit into memory.
        """
        groups: dict[tuple[int, ...], list[tuple[int, LoadedImage]]] = defaultdict(list)
        for place, image in images:
            groups[image.pixels.shape].append((place, image))
        found: dict[int, Found] = {}
        for members in groups.values():
            rows = self.fitting.apply(see, members)
            found |= {place: row for (place, _), row in zip(members, rows, strict=True)}
        return found

    def _see_equal(self, members: Sequence[tuple[int, LoadedImage]], request: Request) -> list[Observed]:
        """What the network sees in images whose inputs are of one size."""
        images = [image for _, image in members]
        rows = [request.named_classes(image.image) for image in images]
        choose = Choice(request.classes if isinstance(request.classes, int) else 0, rows)
        name, _ = self.kind(request)
        found = self.observe(images, [name], choose, request.normalization, show_draws=request.show_draws)[
            name
        ]
        return [found.row(n, len(row) or found.class_index.shape[1]) for n, row in enumerate(rows)]

    def _boxed(
        self,
        batch: Sequence[LoadedImage | Failure],
        found: Sequence[Observed | Failure],
        request: Request,
    ) -> list[Localization | Failure]:
        """The records of a batch in which `found` was seen."""
        name, _ = self.kind(request)
        with self.stages.measure(BOXES):
            return [
                boxed(image, row, name, request, self.classes)
                if isinstance(row, Observed) and isinstance(image, LoadedImage)
                else cast("Failure", row)
                for image, row in zip(batch, found, strict=True)
            ]

    def observe(
        self,
        images: Sequence[LoadedImage],
        maps: Sequence[str],
        choose: Callable[[Tensor], Tensor],
        normalization: str | None = None,
        *,
        show_draws: int = 0,
    ) -> dict[str, Observed]:
        """Several maps of the same images, from one pass through the trunk a view.

        Args:
            images: N, whose inputs are of one size.
            maps: keys of `MAPS`.
            choose: probabilities (N, C) -> the classes (N, P), int64, that are to be explained.
            normalization: key of `NORMALIZATIONS`; None for each map's own.
            show_draws: how many single draws of random maps are given, too.

        Raises:
            UnsupportedError: if a map does not fit the network.
            MemoryLimitError: if the images do not fit into memory.
        """
        height, width, _ = images[0].pixels.shape
        with memory_limit(len(images), (height, width), self.device):
            return self._observe(images, maps, choose, normalization, show_draws)

    def _observe(
        self,
        images: Sequence[LoadedImage],
        maps: Sequence[str],
        choose: Callable[[Tensor], Tensor],
        normalization: str | None,
        show_draws: int,
    ) -> dict[str, Observed]:
        drawn = any(MAPS[name].keyed for name in maps)
        with evaluating(self.network), self._exact(), torch.inference_mode(mode=False):
            pixels = torch.from_numpy(np.stack([image.pixels for image in images]))  # (N, H, W, 3)
            found = explain(
                self.network,
                self.preprocessing.normalized(pixels.to(self.device)),  # (N, 3, H, W)
                maps,
                choose,
                task=self.task,
                views=self.views,
                normalization=normalization,
                autocast=self.autocast,
                keys=[image.key for image in images] if drawn else (),
                show_draws=show_draws,
                stages=self.stages,
            )
        with self.stages.measure(MAPPING):  # one copy to the host for each of the three, not one an image
            return {
                name: Observed(
                    seen.class_index.cpu().numpy(),
                    seen.chosen.cpu().numpy(),
                    seen.maps.cpu().numpy(),
                    None if seen.draws is None else seen.draws.cpu().numpy(),
                )
                for name, seen in found.items()
            }

    def logits(self, pixels: Tensor, *, entropy_pooled: bool = False) -> Tensor:
        """Logits (N, C) of inputs uint8 (N, H, W, 3), on the network's device.

        Args:
            pixels: RGB at the input's size.
            entropy_pooled: whether under Entropy Pooling, whatever the network was trained with.

        Raises:
            MemoryLimitError: if they do not fit into memory.
        """
        count, height, width, _ = pixels.shape
        measured = self.stages.measure(FORWARD, on_device=True)
        with (
            evaluating(self.network),
            self._exact(),
            torch.inference_mode(mode=False),
            torch.no_grad(),
            measured,
            memory_limit(count, (height, width), self.device),
        ):
            inputs = self.preprocessing.normalized(pixels.to(self.device))  # (N, 3, H, W)
            own = self.network.observe(inputs, differentiable=False, autocast=self.autocast)
            return (pooled(self.network, own)[1] if entropy_pooled else own).logits

    def _exact(self) -> AbstractContextManager[Any]:
        """Full float32 convolutions on CUDA: TF32 would move boxes against the CPU's."""
        if self.device.type != "cuda" or self.autocast is not None:
            return nullcontext()
        return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
