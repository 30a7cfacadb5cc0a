"""What the options of `wsloc eval` mean: which source each belongs to, and the maps and rules they name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsloc.cli.map_options import MapName, layer_map
from wsloc.cli.rib_options import RIB_OPTIONS
from wsloc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import typer

    from wsloc.evaluation.run_keys import BoxRule

# What each option is of; those of no line are of every source.
NETWORK_ALONE = (
    *(
        "weights",
        "map_name",
        "layer",
        "compare",
        "output_stride",
        "scales",
        "flip",
        "draws",
        "drop_rate",
        "infer_mode",
        *RIB_OPTIONS,
        "tune_on",
        "tune_images",
        "tune_format",
        "ten_crop",
    ),
    *("image_size", "resize", "device", "precision", "batch_size", "workers", "shard", "compiled", "profile"),
)
SOURCES_OF = {
    **dict.fromkeys(NETWORK_ALONE, ("network",)),
    **dict.fromkeys(("mass", "map_threshold", "excess", "threshold_step"), ("network", "maps")),
    **dict.fromkeys(("normalize", "resize_maps"), ("maps",)),
    "synsets": ("predictions",),
    **dict.fromkeys(("blacklist", "random_seed"), ("network", "maps", "predictions")),
}
SOURCE_WORDS = {
    "network": "--checkpoint or --model",
    "maps": "--maps",
    "predictions": "--predictions",
    "seeds": "--seeds",
}


def named_source(**named: object) -> str:
    """Which of the sources is named: `network`, `predictions`, `maps` or `seeds`.

    Raises:
        UsageError: unless exactly one is.
    """
    found = [source for source, value in named.items() if value]
    if len(found) != 1:
        raise UsageError(
            "name one source: a network (--checkpoint or --model), --predictions FILE, --maps DIR or --seeds DIR"
        )
    return found[0]


def refuse_options_of_others(context: typer.Context, source: str) -> None:
    """Raise UsageError for an option that was given and means nothing for the source: it must not be swallowed."""
    for parameter in context.command.params:
        name = parameter.name or ""
        if source in SOURCES_OF.get(name, (source,)):
            continue
        given = context.get_parameter_source(name)
        if given is not None and given.name != "DEFAULT":
            option = max(parameter.opts, key=len)
            own = " or ".join(SOURCE_WORDS[other] for other in SOURCES_OF[name])
            raise UsageError(f"{option} goes with {own}, not with {SOURCE_WORDS[source]}: leave it out")


def asked_maps(map_name: str | None, layer: str | None, compare: str | None) -> list[str]:
    """The maps that are asked for, the first of which stands on top of the report."""
    if map_name is not None and compare is not None:
        raise UsageError("--map and --compare exclude one another: name all maps in --compare")
    named = layer_map(map_name, layer)
    if compare is None:
        return [] if named is None else [named]
    names = [name.strip() for name in compare.split(",") if name.strip()]
    known = [name.value for name in MapName]
    if not names or any(name not in known for name in names):
        unknown = next((name for name in names if name not in known), "")
        raise UsageError(f"unknown map {unknown!r} in --compare: choose from {', '.join(known)}")
    return names


def asked_rules(mass: str | None, map_threshold: str | None, excess: str | None) -> list[BoxRule]:
    """The box rules of `--mass 0.98,0.9`, `--map-threshold 0.2,0.3` and `--excess 0.2`.

    Raises:
        UsageError: if one is no list of fractions.
    """
    from wsloc.evaluation.run_keys import BoxRule

    return [
        BoxRule(kind, value)
        for kind, option, text in (
            ("mass", "--mass", mass),
            ("threshold", "--map-threshold", map_threshold),
            ("excess", "--excess", excess),
        )
        for value in ([] if text is None else _fractions(option, text))
    ]


def _fractions(option: str, text: str) -> list[float]:
    """The numbers of an option, parted by commas: 0-1, above 0 for a mass."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise UsageError(f"{option} {text!r} names no number: give numbers in 0-1, parted by commas")
    values = []
    for word in words:
        try:
            value = float(word)
        except ValueError as error:
            raise UsageError(
                f"{option}: {word!r} is no fraction: give numbers in 0-1, parted by commas"
            ) from error
        if not 0 <= value <= 1 or (option, value) in {("--mass", 0), ("--excess", 1)}:
            raise UsageError(f"{option}: {word} is not a fraction in 0-1")
        values.append(value)
    return values


def listed_synsets(path: Path | None) -> Sequence[str] | None:
    """The wnids of a synset list, in its order."""
    if path is None:
        return None
    from wsloc.inputs.annotations.imagenet_devkit import read_synsets

    wnids = read_synsets(path)
    return [wnids[number] for number in sorted(wnids)]
