"""The network that a command's options name, and how fast it is to run: one call of `wsloc.load` for all commands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsloc.cli.map_options import scale_list
from wsloc.cli.rib_options import asked_fine_tuning
from wsloc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsloc.localizer import Localizer


def network_source(checkpoint: str | None, model: str | None, weights: str) -> tuple[str | Path, Path | None]:
    """What to load, and the file that its weights come from (None for torchvision's own, or random ones).

    Raises:
        UsageError: if not just one network is named.
    """
    from wsloc.loader import checkpoint_path, names_checkpoint

    if checkpoint is not None and model is None:
        if weights != "DEFAULT":
            raise UsageError("--weights goes with --model: a checkpoint has its own")
        path = checkpoint_path(checkpoint)
        return path, path
    if model is None or checkpoint is not None:
        raise UsageError("name one network: either --checkpoint FILE (or demo) or --model NAME")
    if names_checkpoint(model):
        raise UsageError(f"--model takes a torchvision classifier's name: give {model} with --checkpoint")
    return model, None if weights in {"DEFAULT", "none"} else Path(weights)


def load_localizer(source: str | Path, arguments: Mapping[str, Any], *, profile: bool = False) -> Localizer:
    """The network of `boxes`, `seeds` or `eval`, as their options ask for it.

    Args:
        source: of `network_source`.
        arguments: of the command, by the names that the options have in it.
        profile: whether it is told where the time goes.

    Raises:
        UsageError: if an option is out of its range.
        WslocError: as `wsloc.load`.
    """
    from wsloc.loader import load
    from wsloc.networks.compiled import compile_trunk
    from wsloc.networks.devices import settling
    from wsloc.networks.importing import read_class_names
    from wsloc.running.stages import Stages

    names = arguments.get("class_names")  # eval has none
    localizer = load(
        source,
        classes=None if names is None else read_class_names(names),
        precision=str(arguments["precision"]),
        resize=_value(arguments["resize"]),
        scales=scale_list(arguments["scales"]),
        infer_mode=_value(arguments["infer_mode"]),
        rib=asked_fine_tuning(arguments),
        **{
            name: arguments[name]
            for name in (
                *("weights", "device", "image_size", "output_stride", "flip"),
                *("draws", "drop_rate", "rib_images", "random_seed"),
            )
        },
    )
    if arguments["compiled"]:
        compile_trunk(localizer.network, localizer.device)
    if profile:
        return replace(localizer, stages=Stages(settle=settling(localizer.device)))
    return localizer


def _value(option: Any) -> str | None:
    """The text of an option that is one of a few words, or None."""
    return None if option is None else str(option)
