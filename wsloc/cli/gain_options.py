"""The options of GAIN: how its attention is guided, and by which extra labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

GAIN = "GAIN"

MasksOption = Annotated[
    Path | None,
    typer.Option(
        "--masks",
        metavar="DIR",
        help="Label maps NAME.png of some of the images: numbered as a classes.json beside them says, else as VOC has "
        "it for VOC's names, or by the class's place from 1; "
        "255 is void.",
        show_default="none",
        rich_help_panel=GAIN,
    ),
]
BoxesOption = Annotated[
    Path | None,
    typer.Option(
        "--boxes",
        metavar="PATH",
        help="Annotations with boxes of some of the images: VOC, COCO, ImageNet's or any other that eval reads.",
        show_default="none",
        rich_help_panel=GAIN,
    ),
]
SaliencyOption = Annotated[
    Path | None,
    typer.Option(
        "--saliency",
        metavar="DIR",
        help="Gray pictures NAME.png: what is salient inside the boxes.",
        show_default="all of a box",
        rich_help_panel=GAIN,
    ),
]
ExtraFractionOption = Annotated[
    float | None,
    typer.Option(
        "--extra-fraction",
        min=0,
        max=1,
        metavar="SHARE",
        help="Share of the training images whose masks or boxes are used.",
        show_default="all that have some",
        rich_help_panel=GAIN,
    ),
]
ExtraPerStepOption = Annotated[
    int,
    typer.Option(
        "--extra-per-step",
        min=1,
        metavar="N",
        help="Images with masks or boxes in each step, beside the batch.",
        rich_help_panel=GAIN,
    ),
]
ExtraWeightOption = Annotated[
    float | None,
    typer.Option(
        "--extra-weight",
        min=0,
        metavar="W",
        help="Weight of the losses L_p and L_bbox. The paper has 10.",
        show_default="3",
        rich_help_panel=GAIN,
    ),
]
BoxesAsMasksOption = Annotated[
    bool | None,
    typer.Option(
        "--boxes-as-masks/--no-boxes-as-masks",
        help="Compare attention with boxes as if they were masks (L_p).",
        show_default=False,
        rich_help_panel=GAIN,
    ),
]
AttendedLayerOption = Annotated[
    str | None,
    typer.Option(
        "--layer",
        metavar="NAME",
        help="Dotted name of the layer whose attention is guided, and later shown.",
        show_default="the last feature map",
        rich_help_panel=GAIN,
    ),
]
MiningWeightOption = Annotated[
    float | None,
    typer.Option(
        "--mining-weight",
        min=0,
        metavar="ALPHA",
        help="Weight of the loss L_am on masked pictures; 0 leaves it out. The paper has 1.",
        show_default="0.3",
        rich_help_panel=GAIN,
    ),
]
MiningStartOption = Annotated[
    float | None,
    typer.Option(
        "--mining-start",
        min=0,
        max=1,
        metavar="SHARE",
        help="Share of the training after which L_am counts.",
        show_default="0",
        rich_help_panel=GAIN,
    ),
]
MiningScoreOption = Annotated[
    str | None,
    typer.Option(
        "--mining-score",
        metavar="NAME",
        help="What is made small on masked pictures: probability, softplus (of the logit) or log (-log(1 - p)).",
        show_default="probability",
        rich_help_panel=GAIN,
    ),
]
FreezeMiningOption = Annotated[
    bool | None,
    typer.Option(
        "--freeze-mining-stream/--share-mining-stream",
        help="Whether only the mask learns from L_am, or the weights of the second pass, too (as in the paper).",
        show_default="freeze",
        rich_help_panel=GAIN,
    ),
]
SecondOrderOption = Annotated[
    bool | None,
    typer.Option(
        "--second-order/--first-order",
        help="Whether the channel weights of Grad-CAM are differentiated, too.",
        show_default="second order",
        rich_help_panel=GAIN,
    ),
]
AttentionNormOption = Annotated[
    str | None,
    typer.Option(
        "--attention-norm",
        metavar="NAME",
        help="max (divided by its maximum) or minmax (stretched to 0-1).",
        show_default="max",
        rich_help_panel=GAIN,
    ),
]
MaskScaleOption = Annotated[
    float | None,
    typer.Option(
        "--mask-scale",
        min=0,
        metavar="W",
        help="Steepness of the soft mask.",
        show_default="10",
        rich_help_panel=GAIN,
    ),
]
MaskThresholdOption = Annotated[
    float | None,
    typer.Option(
        "--mask-threshold",
        min=0,
        max=1,
        metavar="SHARE",
        help="Attention, of its maximum, that is half masked.",
        show_default="0.5",
        rich_help_panel=GAIN,
    ),
]
MaskFillOption = Annotated[
    str | None,
    typer.Option(
        "--mask-fill",
        metavar="NAME",
        help="What masked places become: zero (the data set's mean colour), mean (the picture's), blur or noise.",
        show_default="zero",
        rich_help_panel=GAIN,
    ),
]
WatchOption = Annotated[
    int | None,
    typer.Option(
        "--watch",
        min=0,
        metavar="N",
        help="After every epoch, draw the maps of the first N images as a strip, FILE.attention/epoch-E.jpg.",
        show_default="6 for gain, else none",
        rich_help_panel="Results",
    ),
]
