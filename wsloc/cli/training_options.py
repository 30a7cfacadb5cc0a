"""The options of `wsloc train`: one that is not given is the recipe's, whose defaults stand in the help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wsloc.cli.options import NETWORK

RECIPE, PICTURES, METHOD = "Recipe", "Pictures", "Method"

TrainingDataArgument = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="A folder per class, Tiny ImageNet's layout, a CSV `image,label[;label...]`, VOC's or COCO's, or a "
        "folder of images and masks (labels are what is in the masks), or a list in it.",
    ),
]
TrainingClassesOption = Annotated[
    str | None,
    typer.Option(
        "--classes",
        metavar="NAME,NAME",
        help="Learn these classes alone; images that show none of them are left out.",
        show_default="all",
    ),
]
RecipeOption = Annotated[
    str,
    typer.Option(
        "--recipe",
        metavar="NAME",
        help="small, or the papers': imagenet, imagenet-inception, places, voc, ficklenet, gain; the options "
        "below change it.",
        rich_help_panel=RECIPE,
    ),
]
InitOption = Annotated[
    str | None,
    typer.Option(
        "--init",
        metavar="FILE",
        help="Weights to start from: a checkpoint or state dict of the same backbone, or DEFAULT (torchvision's).",
        show_default="random weights",
        rich_help_panel=NETWORK,
    ),
]
BackboneOption = Annotated[
    str | None,
    typer.Option(
        "--backbone",
        metavar="NAME",
        help="small_resnet, vgg16_gap, vgg16_dilated, or a torchvision classifier.",
        show_default="small_resnet",
        rich_help_panel=NETWORK,
    ),
]
EpochsOption = Annotated[
    int | None,
    typer.Option(
        "--epochs",
        min=1,
        metavar="N",
        help="Passes over the images.",
        show_default="12",
        rich_help_panel=RECIPE,
    ),
]
MaxStepsOption = Annotated[
    int | None,
    typer.Option(
        "--max-steps",
        min=1,
        metavar="N",
        help="End after so many steps, whatever the epochs.",
        show_default="no limit",
        rich_help_panel=RECIPE,
    ),
]
TrainingBatchSizeOption = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        min=1,
        metavar="N",
        help="Images a step.",
        show_default="64",
        rich_help_panel=RECIPE,
    ),
]
AccumulateOption = Annotated[
    int | None,
    typer.Option(
        "--accumulate",
        min=1,
        metavar="N",
        help="Passes that a batch is parted into, so that it need not fit into memory as a whole.",
        show_default="1",
        rich_help_panel=RECIPE,
    ),
]
OptimizerOption = Annotated[
    str | None,
    typer.Option(
        "--optimizer",
        metavar="NAME",
        help="sgd, adam or adamw.",
        show_default="sgd",
        rich_help_panel=RECIPE,
    ),
]
LearningRateOption = Annotated[
    float | None,
    typer.Option(
        "--learning-rate",
        metavar="RATE",
        help="Peak of the schedule.",
        show_default="0.1",
        rich_help_panel=RECIPE,
    ),
]
ScheduleOption = Annotated[
    str | None,
    typer.Option(
        "--schedule",
        metavar="NAME",
        help="cosine, step or constant.",
        show_default="cosine",
        rich_help_panel=RECIPE,
    ),
]
DecayEveryOption = Annotated[
    float | None,
    typer.Option(
        "--decay-every",
        metavar="EPOCHS",
        help="Epochs after which a step schedule lowers the rate.",
        show_default="30",
        rich_help_panel=RECIPE,
    ),
]
DecayStepsOption = Annotated[
    int | None,
    typer.Option(
        "--decay-steps",
        min=0,
        metavar="N",
        help="The same in steps.",
        show_default="by epochs",
        rich_help_panel=RECIPE,
    ),
]
DecayFactorOption = Annotated[
    float | None,
    typer.Option(
        "--decay-factor",
        metavar="FACTOR",
        help="What a step schedule multiplies the rate by.",
        show_default="0.1",
        rich_help_panel=RECIPE,
    ),
]
WarmupOption = Annotated[
    float | None,
    typer.Option(
        "--warmup",
        min=0,
        metavar="EPOCHS",
        help="Linear warm-up before the schedule.",
        show_default="0.5",
        rich_help_panel=RECIPE,
    ),
]
MomentumOption = Annotated[
    float | None,
    typer.Option(
        "--momentum",
        min=0,
        max=1,
        metavar="M",
        help="Of SGD.",
        show_default="0.9",
        rich_help_panel=RECIPE,
    ),
]
NesterovOption = Annotated[
    bool | None,
    typer.Option(
        "--nesterov/--no-nesterov",
        help="Nesterov's momentum.",
        show_default="nesterov",
        rich_help_panel=RECIPE,
    ),
]
WeightDecayOption = Annotated[
    float | None,
    typer.Option(
        "--weight-decay",
        min=0,
        metavar="W",
        help="Of weights; not of biases and norms.",
        show_default="0.0005",
        rich_help_panel=RECIPE,
    ),
]
EmaOption = Annotated[
    float | None,
    typer.Option(
        "--ema",
        min=0,
        max=1,
        metavar="DECAY",
        help="Validate and keep a moving average of the weights, of this decay a step.",
        show_default="none",
        rich_help_panel=RECIPE,
    ),
]
TrainingImageSizeOption = Annotated[
    int | None,
    typer.Option(
        "--image-size",
        min=1,
        metavar="PIXELS",
        help="Side of the network's input.",
        show_default="64",
        rich_help_panel=PICTURES,
    ),
]
SmallestCropOption = Annotated[
    float | None,
    typer.Option(
        "--smallest-crop",
        min=0.01,
        max=1,
        metavar="SHARE",
        help="Least share of a picture that a random crop keeps; 1 keeps the whole.",
        show_default="0.35",
        rich_help_panel=PICTURES,
    ),
]
ShorterSideOption = Annotated[
    str | None,
    typer.Option(
        "--shorter-side",
        metavar="LOW-HIGH",
        help="Instead: resize the shorter side to a length drawn from this range, and crop, as the papers do.",
        show_default=False,
        rich_help_panel=PICTURES,
    ),
]
FlipOption = Annotated[
    bool | None,
    typer.Option(
        "--flip/--no-flip",
        help="Mirror half of the pictures.",
        show_default="flip",
        rich_help_panel=PICTURES,
    ),
]
RampOption = Annotated[
    float | None,
    typer.Option(
        "--ramp",
        min=0,
        max=1,
        metavar="SHARE",
        help="ep, bew: share of the training over which lambda is phased in; 0 for none, as in the paper.",
        show_default="0, with --init 0.3",
        rich_help_panel=METHOD,
    ),
]
DetachWeightsOption = Annotated[
    bool | None,
    typer.Option(
        "--detach-weights/--no-detach-weights",
        help="ep, bew: no gradients through lambda.",
        show_default=False,
        rich_help_panel=METHOD,
    ),
]
BackgroundLogitOption = Annotated[
    bool | None,
    typer.Option(
        "--background-logit/--no-background-logit",
        help="ep, bew: a logit of zero joins the softmax of the entropies; for several labels an image.",
        show_default=False,
        rich_help_panel=METHOD,
    ),
]
LayersOption = Annotated[
    int | None,
    typer.Option(
        "--layers",
        min=1,
        max=2,
        metavar="N",
        help="bew: how many branches, 1 (the deeper) or 2.",
        show_default="2",
        rich_help_panel=METHOD,
    ),
]
