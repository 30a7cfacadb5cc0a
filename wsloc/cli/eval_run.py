"""The evaluation of a network that options of `wsloc eval` ask for: as they were given, or as a shard kept them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsloc.cli.eval_options import asked_maps, asked_rules
from wsloc.cli.map_options import listed_classes
from wsloc.cli.network import load_localizer, network_source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsloc.evaluation.live_run import LiveRun


@dataclass(frozen=True, slots=True)
class AskedRun:
    """An evaluation, prepared.

    Attributes:
        run: what is scored.
        checkpoint: the weights file; None where no file was read.
        model: the model's name; None for a checkpoint.
    """

    run: LiveRun
    checkpoint: Path | None
    model: str | None


def asked_run(arguments: Mapping[str, Any], *, idle: bool = False, profile: bool = False) -> AskedRun:
    """Load the network, read the annotations and find the pictures.

    Args:
        arguments: of the command by name; paths and names may be text, as they come out of a manifest.
        idle: whether nothing will go through the network: it stays on the CPU, and is not compiled.
        profile: whether it is told where the time goes.

    Raises:
        UsageError: if options are out of their range, or do not go together.
        WslocError: as `wsloc.load` and `LiveRun.prepared`.
    """
    from wsloc.evaluation.annotated import Annotated as Truth
    from wsloc.evaluation.live_run import LiveOptions, LiveRun
    from wsloc.running.shards import parse_shard

    maps = asked_maps(arguments["map_name"], arguments["layer"], arguments["compare"])
    rules = asked_rules(arguments["mass"], arguments["map_threshold"], arguments["excess"])
    classes, shard = listed_classes(arguments["classes"]), parse_shard(arguments["shard"])
    blacklist, tune_on = (
        None if arguments[name] is None else Path(arguments[name]) for name in ("blacklist", "tune_on")
    )
    truth = Truth(Path(arguments["annotations"]), arguments["annotation_format"], blacklist, classes)
    model = arguments["model"]
    source, checkpoint = network_source(arguments["checkpoint"], model, arguments["weights"])
    at_rest = {"device": "cpu", "compiled": False} if idle else {}
    localizer = load_localizer(source, {**arguments, **at_rest}, profile=profile)
    options = LiveOptions(
        maps=maps,
        rules=rules,
        tune_on=None if tune_on is None else Truth(tune_on, arguments["tune_format"], None, classes),
        tune_images=arguments["tune_images"] or None,
        arguments=arguments,
        shard=shard,
        **{
            name: arguments[name]
            for name in ("threshold_step", "ten_crop", "batch_size", "workers", "random_seed")
        },
    )
    run = LiveRun.prepared(localizer, arguments["images"] or None, truth, options)
    return AskedRun(run, checkpoint, model)
