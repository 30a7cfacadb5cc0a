"""Maps of a few images, drawn while a network learns: a strip of overlays an epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsloc.inputs.images import decode
from wsloc.localizer import Localizer
from wsloc.networks.hooked import HookedNetwork, layer_named
from wsloc.outputs.overlays import save_overlay
from wsloc.outputs.tiles import tiled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wsloc.records import Sample
    from wsloc.training.epochs import Learner

SIDE = 200  # pixels of a picture's longer side


def save_strip(learner: Learner, samples: Sequence[Sample], path: Path) -> None:
    """Write the overlays of images, side by side: the map of each one's own labels, by the weights to be kept.

    Args:
        learner: its network, modes, gradients and random numbers stay as they are.
        samples: with pictures; each is explained for its first label.
        path: a JPEG; its folder is made.

    Raises:
        OutputError: if it cannot be written.
    """
    network = learner.network
    layer = network.attended_layer
    if layer:
        network = HookedNetwork(network, layer_named(network.model, layer, network.name))
    localizer = Localizer(
        network,
        learner.classes,
        learner.preprocessing,
        learner.task,
        source=learner.name,
        device=learner.device,
    )
    with learner.kept_weights():
        overlays = [
            localizer.localize(decode(sample.path), classes=sample.labels[0]).overlay()
            for sample in samples
            if sample.path is not None
        ]
    save_overlay(path, tiled([overlays], SIDE))
