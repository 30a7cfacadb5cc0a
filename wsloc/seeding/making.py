"""From an image's maps to the labels of its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsloc.errors import WslocError
from wsloc.records import Failure, ImageSeeds
from wsloc.regions.dense_crf import smoothed_seeds
from wsloc.regions.frames import maps_to_image
from wsloc.regions.seeds import make_seeds
from wsloc.seeding.saliency import read_saliency

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wsloc.seeding.observing import ImageMaps
    from wsloc.seeding.request import SeedPlan


@dataclass(frozen=True, slots=True)
class SeedMaker:
    """Makes the seeds of one image after the other; what fails is a record, so that a run goes on.

    Attributes:
        plan: the map and rules.
        saliency: image id -> its saliency map, for the rule that takes them.
    """

    plan: SeedPlan
    saliency: Mapping[str, Path] | None = None

    def make(self, found: ImageMaps | Failure) -> ImageSeeds | Failure:
        """The seeds of an image, at its own size."""
        if isinstance(found, Failure):
            return found
        try:
            salient = (
                None if self.saliency is None else read_saliency(found.image, self.saliency, found.image_size)
            )
            mask = make_seeds(
                maps_to_image(found.maps, found.image_size),
                range(1, len(found.maps) + 1),
                foreground=self.plan.foreground,
                background=self.plan.background,
                mean=None if found.mean is None else maps_to_image(found.mean, found.image_size),
                saliency=salient,
            )
            if self.plan.crf and found.picture is not None:
                mask = smoothed_seeds(mask, found.picture, len(found.maps))
        except WslocError as error:
            return Failure(found.image, f"{found.image}: {error}")
        except MemoryError:
            return Failure(
                found.image, f"{found.image}: its maps, at the image's size, do not fit into memory"
            )
        return ImageSeeds(
            found.image,
            mask,
            found.class_indices,
            found.probabilities,
            found.maps,
            self.plan.map,
            found.predicted,
        )
