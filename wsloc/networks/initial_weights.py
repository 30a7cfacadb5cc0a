"""Where a training starts: the weights of another one, as far as they fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsloc.errors import CheckpointError
from wsloc.networks.backbones import prepare_state
from wsloc.networks.checkpoints import is_checkpoint, load_checkpoint, read_untrusted
from wsloc.networks.importing import import_state_dict

if TYPE_CHECKING:
    from pathlib import Path

    from wsloc.networks.network import Network
    from wsloc.records import Classes

# What stands around a trunk and depends on the classes: classifiers, auxiliary ones, BEW branches.
_OUTER = frozenset({"fc", "classifier", "bew", "AuxLogits", "aux1", "aux2"})


def load_initial_weights(network: Network, path: Path, classes: Classes) -> None:
    """Take over the weights of a file: all of the trunk, and the classifier if it is of the same classes.

    Args:
        network: what is about to be trained; layers of its method that the file has not stay random.
        path: a wsloc checkpoint of the same backbone, or somebody else's state dict as `wsloc import` takes it.
        classes: of the training.

    Raises:
        CheckpointError: if the file cannot be read, or is of another backbone.
    """
    if is_checkpoint(read_untrusted(path)):
        checkpoint = load_checkpoint(path)
        if checkpoint.backbone != network.name:
            raise CheckpointError(
                f"{path} is of the backbone {checkpoint.backbone}: give --backbone {checkpoint.backbone}, or "
                f"weights of {network.name}"
            )
        state, same_classes = checkpoint.weights, checkpoint.classes.ids == classes.ids
    else:
        # Whose classes somebody else's classifier tells apart, its file does not say.
        state, same_classes = import_state_dict(path, network.name, headless=True).weights, False
    prepared = prepare_state(network.model, state)
    wanted = network.model.state_dict()
    misfits = [key for key, own in wanted.items() if key not in prepared or prepared[key].shape != own.shape]
    for key in misfits:
        if _part(key) not in _OUTER:
            raise CheckpointError(
                f"{path} does not fit {network.name}: it has no {key} of {tuple(wanted[key].shape)}"
            )
    # A classifier is taken over as a whole: another's bias under random weights is of no use.
    random = (set() if same_classes else _OUTER) | {_part(key) for key in misfits}
    prepared.update({key: own for key, own in wanted.items() if _part(key) in random})
    unknown = [key for key in prepared if key not in network.model.state_dict()]
    for key in unknown:  # of another method: its branches, its head
        del prepared[key]
    network.model.load_state_dict(prepared)


def _part(key: str) -> str:
    """The part of a network that an entry of its state dict belongs to."""
    return key.partition(".")[0]
