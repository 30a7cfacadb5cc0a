"""A network over a list of images and into a folder: what `wsloc boxes` and `wsloc seeds` have in common."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from wsloc.inputs.presence import Presence
from wsloc.networks.network import weights_digest
from wsloc.networks.precision import precision_name
from wsloc.outputs.manifest import file_sha256, write_manifest
from wsloc.records import ImageFile
from wsloc.running.identity import digest, run_identity
from wsloc.running.shards import Shard, count_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from wsloc.localizer import Localizer
    from wsloc.records import Failure
    from wsloc.running.carrying import Clock
    from wsloc.running.identity import Identity
    from wsloc.running.unfinished import Work

Item = TypeVar("Item")
# Arguments of the commands whose meaning is in what `ImageRun.identity` and its callers add.
SAID_OTHERWISE = frozenset(
    {
        "annotation_format",
        "annotations",
        "flip",
        "image_size",
        "layer",
        "map_name",
        "resize",
        "scales",
        "weights",
    }
)


@dataclass(frozen=True, slots=True)
class ImageRunOptions:
    """How a run is carried out; nothing here changes what is found in an image.

    Attributes:
        folder: where the results go.
        formats: that they are written in.
        overlays: whether to draw over the pictures.
        batch_size: images through the network at once.
        workers: processes that decode and resize.
        overwrite: whether what another run left in the folder is replaced.
        shard: the part of the images that is done. A shard leaves out what is made of all records: `merge_shards`
            makes it.
        arguments: of the command, for the manifest, and to know the run again.
        checkpoint: the weights file, likewise; None where no file was read.
        model: the model's name, likewise.
        profile: whether the manifest tells where the time went.
    """

    folder: Path
    formats: tuple[str, ...] = ()
    overlays: bool = False
    batch_size: int = 16
    workers: int = 0
    overwrite: bool = False
    shard: Shard = field(default_factory=Shard)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    checkpoint: Path | None = None
    model: str | None = None
    profile: bool = False


@dataclass(frozen=True, slots=True)
class ImageRun:
    """What one process does of a run.

    Attributes:
        localizer: the network.
        files: all images, those of other shards too: batches are cut from all of them.
        options: how to run.
    """

    localizer: Localizer
    files: Sequence[ImageFile]
    options: ImageRunOptions

    @property
    def batches(self) -> range:
        """Numbers of the batches of the shard."""
        return self.options.shard.batches(count_batches(len(self.files), self.options.batch_size))

    def batch(self, number: int) -> Sequence[ImageFile]:
        """The images of a batch."""
        size = self.options.batch_size
        return self.files[number * size : (number + 1) * size]

    @property
    def own_files(self) -> list[ImageFile]:
        """The images of the shard."""
        return [file for number in self.batches for file in self.batch(number)]

    def network_identity(self, command: str, **entries: object) -> Identity:
        """What decides the bytes that the run writes, to know it again.

        A network counts by its file or model name, or where neither is known by its weights; the command's arguments
        count unless they say the same as what follows from them.

        Args:
            command: `boxes` or `seeds`.
            **entries: what it asks of each image.
        """
        options = self.options
        weights = options.arguments.get("weights")
        entries |= {
            **network_entries(self.localizer, options.checkpoint, options.model, weights),
            "overlays": options.overlays,
            "batch_size": options.batch_size,
        }
        arguments = {key: value for key, value in options.arguments.items() if key not in SAID_OTHERWISE}
        return run_identity(command, arguments, files=self.files, shard=options.shard, **entries)

    def while_there(
        self,
        numbers: Sequence[int],
        batches: Iterable[list[Item]],
        failed: Callable[[Item], bool],
        beside: Mapping[str, Path],
    ) -> Iterator[list[Item]]:
        """The batches as they are, as long as the folders of images that fail are there.

        Args:
            numbers: of the batches.
            batches: what was found in the images of each.
            failed: whether one of them could not be used.
            beside: image id -> another file that its results are made of.

        Raises:
            ImageError: naming the folder that has vanished.
        """
        others = {image: ImageFile(image, path) for image, path in beside.items()}
        presence = Presence([*self.files, *others.values()])
        for number, items in zip(numbers, batches, strict=True):
            for file, item in zip(self.batch(number), items, strict=True):
                if failed(item):
                    presence.require(file)
                    presence.require(others.get(file.image, file))
            yield items

    def write_manifest(
        self, work: Work, clock: Clock, images: int, failures: Sequence[Failure], **entries: object
    ) -> None:
        """Write the manifest of the run in its folder.

        Args:
            work: of the leading process.
            clock: of the run.
            images: how many were asked for.
            failures: those that could not be used.
            **entries: what else the command tells.

        Raises:
            OutputError: if it cannot be written.
        """
        options, localizer = self.options, self.localizer
        # The formats that the merge of shards writes need the classes.
        classes = {} if options.shard.is_whole else {"classes": asdict(localizer.classes)}
        write_manifest(
            options.folder,
            arguments=options.arguments,
            checkpoint=options.checkpoint,
            model=options.model,
            # Of several processes each has a device of its own.
            device=str(localizer.device) if work.ranks.size == 1 else localizer.device.type,
            images=images,
            failures=failures,
            started=clock.started,
            seconds=clock.seconds,
            **entries,
            run=work.identity,
            inputs_at_once=localizer.fitting.limit or options.batch_size,
            **({"profile": localizer.stages.seconds()} if options.profile else {}),
            **classes,
        )


def network_entries(
    localizer: Localizer, checkpoint: Path | None, model: str | None, weights: object = None
) -> Identity:
    """What decides what a network shows: its weights, its classes, and how images come to it.

    Args:
        localizer: the network.
        checkpoint: the weights file, known by its SHA-256; None where no file was read.
        model: its name; where neither is known, it counts by its weights.
        weights: which ones of the model were asked for.

    Raises:
        CheckpointError: if the checkpoint cannot be read.
    """
    known = checkpoint is not None or model is not None
    return {
        "network_classes": digest((*localizer.classes.ids, *localizer.classes.names)),
        "checkpoint": None if checkpoint is None else file_sha256(checkpoint),
        "model": model if known else weights_digest(localizer.network.model),
        "weights": None if checkpoint is not None else weights,
        "preprocessing": asdict(localizer.preprocessing),
        "views": asdict(localizer.views),
        "precision": precision_name(localizer.autocast),
        "device": localizer.device.type,
    }
