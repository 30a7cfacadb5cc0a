"""The training that the options of `wsloc train` ask for: its recipe, its method's options, its extra labels."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from wsloc.cli.running_options import Precision
from wsloc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wsloc.inputs.extra_supervision import ExtraSource
    from wsloc.training.records import Recipe

# Options that are called as in `Recipe`, in its `Augmentation`, and by the methods.
OF_THE_RECIPE = (
    *(
        "backbone",
        "epochs",
        "max_steps",
        "batch_size",
        "accumulate",
        "optimizer",
        "learning_rate",
        "schedule",
    ),
    *("decay_every", "decay_steps", "decay_factor", "warmup", "momentum", "nesterov", "weight_decay", "ema"),
    "image_size",
)
OF_THE_PICTURES = ("smallest_crop", "shorter_side", "flip")
OF_THE_METHOD = (
    *("ramp", "detach_weights", "background_logit", "layers"),
    *("kernel", "drop_rate", "train_mode", "infer_mode"),
    *("layer", "mining_weight", "mining_start", "mining_score", "freeze_mining_stream", "second_order"),
    *("attention_norm", "mask_scale", "mask_threshold", "mask_fill", "extra_weight", "boxes_as_masks"),
)


def asked_recipe(arguments: Mapping[str, Any], device_type: str) -> Recipe:
    """The named recipe with what the command's options change.

    Args:
        arguments: of the command by name; None for what is not given.
        device_type: where it trains.

    Raises:
        UsageError: if there is no such recipe, an option is no value of its kind, or would change nothing.
        TrainingError: if a value is out of its range.
    """
    named = named_recipe(arguments["recipe"])
    pictures = only_given(arguments, OF_THE_PICTURES)
    if "shorter_side" in pictures:
        pictures["shorter_side"] = side_range(pictures["shorter_side"])
    chosen = replace(
        named,
        **only_given(arguments, OF_THE_RECIPE),
        augmentation=replace(named.augmentation, **pictures),
        random_seed=arguments["random_seed"],
        precision=training_precision(arguments["precision"], device_type),
    )
    refuse_without_use(arguments, chosen)
    return chosen


def asked_options(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the method that were given, as the method has them."""
    given = only_given(arguments, OF_THE_METHOD)
    return {name: str(value) if isinstance(value, str) else value for name, value in given.items()}


def asked_extra(arguments: Mapping[str, Any]) -> ExtraSource | None:
    """The masks or boxes of some images, or None.

    Raises:
        UsageError: if options that go with them stand alone.
        TrainingError: if a value is out of its range.
    """
    from wsloc.inputs.extra_supervision import ExtraSource

    masks, boxes = arguments["masks"], arguments["boxes"]
    if masks is None and boxes is None and only_given(arguments, ("saliency", "extra_fraction")):
        raise UsageError("--saliency and --extra-fraction go with --masks or --boxes")
    if arguments["boxes_as_masks"] and boxes is None:
        raise UsageError("--boxes-as-masks goes with --boxes: leave it out")
    if masks is None and boxes is None:
        return None
    return ExtraSource(
        masks, boxes, arguments["saliency"], arguments["extra_fraction"], arguments["extra_per_step"]
    )


def training_precision(precision: Precision, device_type: str) -> str:
    """`auto` trains in bfloat16 on GPUs that have it, where it pays, and in float32 elsewhere."""
    import torch

    if precision is Precision.auto:
        return "bfloat16" if device_type == "cuda" and torch.cuda.is_bf16_supported() else "float32"
    return precision.value


def named_recipe(name: str) -> Recipe:
    """A recipe of `RECIPES`.

    Raises:
        UsageError: if there is none of this name.
    """
    from wsloc.training.recipes import RECIPES

    if name not in RECIPES:
        raise UsageError(f"unknown recipe {name!r}: choose one of {', '.join(RECIPES)}")
    return RECIPES[name]


def only_given(arguments: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Those of some options that stand on the command line."""
    return {name: arguments[name] for name in names if arguments[name] is not None}


def refuse_without_use(given: Mapping[str, Any], chosen: Recipe) -> None:
    """Raise UsageError for an option that was given and would change nothing: it must not be swallowed.

    Args:
        given: options of the recipe and its pictures, by name; None for what is not given.
        chosen: the recipe with these options.
    """
    used = {
        "--schedule step": (("decay_every", "decay_steps", "decay_factor"), chosen.schedule == "step"),
        "--optimizer sgd": (("momentum", "nesterov"), chosen.optimizer == "sgd"),
        "epochs, where --decay-steps is 0": (("decay_every",), not chosen.decay_steps),
        "a crop of random size, not with --shorter-side": (
            ("smallest_crop",),
            chosen.augmentation.shorter_side is None,
        ),
    }
    for condition, (names, holds) in used.items():
        for name in names:
            if given[name] is not None and not holds:
                raise UsageError(f"--{name.replace('_', '-')} goes with {condition}: leave it out")


def side_range(text: str) -> tuple[int, int]:
    """`256-480` as a range of pixels.

    Raises:
        UsageError: if it is none.
    """
    found = re.fullmatch(r"(\d{1,5})-(\d{1,5})", text)
    if found is None:
        raise UsageError(f"--shorter-side is a range of pixels such as 256-480, not {text!r}")
    return int(found[1]), int(found[2])
