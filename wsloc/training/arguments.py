"""The arguments of a training, checked and made whole before work begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsloc.errors import CheckpointError, TrainingError
from wsloc.inputs.annotations.formats import read_annotations
from wsloc.inputs.annotations.restricting import restricted
from wsloc.methods import METHODS
from wsloc.outputs.manifest import file_sha256

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wsloc.records import Classes, Sample


def all_options(
    method: str, given: Mapping[str, bool | int | float | str], *, pretrained: bool
) -> dict[str, bool | int | float | str]:
    """The options of a method: those given, and its defaults for the others.

    Args:
        method: key of `METHODS`.
        given: in place of its defaults.
        pretrained: whether the training starts from weights, for which some defaults are others.

    Raises:
        TrainingError: if the method has no such option.
    """
    known = METHODS[method]
    unknown = sorted(set(given) - set(known.DEFAULTS))
    if unknown:
        has = f"it has {', '.join(known.DEFAULTS)}" if known.DEFAULTS else "leave it out"
        raise TrainingError(f"{method} has no option {unknown[0]!r}: {has}")
    return {**known.DEFAULTS, **(known.PRETRAINED if pretrained else {}), **given}


def named_weights(init: Path | str | None) -> str | None:
    """Weights to start from, as a checkpoint records them: by their content, since a file may move.

    Raises:
        CheckpointError: if there is no such file.
    """
    if init is None or isinstance(init, str):
        return init
    if not init.is_file():
        what = "no file" if init.exists() else "not there"
        raise CheckpointError(f"{init} is {what}: name a checkpoint or weights file to start from")
    return f"{init.name}, sha256 {file_sha256(init)}"


def at_least_two(classes: Classes, place: Path) -> Classes:
    """The classes of the data at a place.

    Raises:
        TrainingError: if there is only one.
    """
    if len(classes) < 2:
        raise TrainingError(f"{place}: only one class ({classes.ids[0]}): at least two are needed")
    return classes


def fitting_samples(place: Path, classes: Classes, *, only: bool) -> list[Sample]:
    """The samples of a data set, all of whose labels the network has, or those labels `only`.

    Raises:
        DataError: if the data cannot be read.
        TrainingError: if a label is not among the classes, or no image is left.
    """
    samples = read_annotations(place)
    if only:
        samples = restricted(samples, set(classes.ids).__contains__).samples
        if not samples:
            raise TrainingError(f"{place}: none of its images shows one of the training classes")
    unknown = sorted({label for sample in samples for label in sample.labels} - set(classes.ids))
    if unknown:
        more = "" if len(unknown) <= 5 else f" and {len(unknown) - 5} more"
        raise TrainingError(f"{place}: {', '.join(unknown[:5])}{more} are not among the training classes")
    return samples
