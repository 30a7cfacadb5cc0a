"""Label maps for the training of a segmentation network, from class maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wsloc.errors import MapError
from wsloc.regions.foreground import FOREGROUND
from wsloc.regions.seed_rules import SeedRule, parse_background, parse_foreground

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Maps = npt.NDArray[np.floating]

BACKGROUND = 0
IGNORE = 255  # of no class: not learnt from


def make_seeds(
    maps: Maps,
    labels: Sequence[int],
    *,
    foreground: str | SeedRule | None = None,
    background: str | SeedRule | None = None,
    mean: Maps | None = None,
    saliency: Maps | None = None,
) -> npt.NDArray[np.uint8]:
    """The label map of an image: which pixels are of a class, which of the background, which are not to be learnt from.

    Maps are divided by their maximum; negative values count as 0. Each class claims pixels by the foreground rule:

        max:T          above the fraction T of its map's maximum
        pixels:SHARE   the largest SHARE of all pixels, never a zero one
        stochastic:T   the maximum over FickleNet's draws exceeds T; neither it nor the mean is divided again
        auto           above its map's own mean

    and the background by its own:

        constant:T            where no class is above T
        confidence:HIGH,LOW   where no class is above LOW; and classes keep only what is above HIGH
        saliency:T            where the saliency is below T
        rest                  whatever no class claims
        none                  nothing

    Of several classes that claim a pixel the one with the highest map has it (FickleNet: with the highest mean), the
    first one of equals; what a class and the background claim, and what nobody claims, is ignored.

    Args:
        maps: (P, H, W), a class each, image frame; FickleNet's maximum over its draws.
        labels: P values, 1-254, that stand for the classes.
        foreground: a rule; without one `stochastic:0.35` where a mean is given, `max:HIGH` beside a background of
            `confidence`, else `max:0.2`.
        background: a rule; without one `constant:0.2`, beside `auto` `rest`.
        mean: (P, H, W), FickleNet's mean over its draws.
        saliency: (H, W), 0-1, for the rule of that name.

    Returns:
        (H, W): a label, 0 (background) or 255 (ignore).

    Raises:
        MapError: if shapes do not fit, a map holds NaN or infinity, or a label is not in 1-254.
        UsageError: if a rule is not known, or what it needs is not given.
    """
    maps = _checked(maps, labels, mean)
    rules = settled_rules(foreground, background, stochastic=mean is not None)
    if rules[0].name == "stochastic":
        if mean is None:
            raise MapError("the rule stochastic takes the mean over the draws, too")
        scores, ranks = maps, np.asarray(mean)
    else:
        scores = ranks = normalized(maps)
    claims = FOREGROUND[rules[0].name](scores, *rules[0].values)  # (P, H, W)
    if rules[1].name == "confidence":
        claims &= scores > rules[1].values[0]
    claimed: npt.NDArray[np.bool_] = np.any(claims, axis=0)  # (H, W)
    seeds = np.where(claimed, _winners(claims, ranks, labels), np.uint8(IGNORE))
    ground = _background(rules[1], scores, claimed, saliency)  # (H, W)
    seeds[ground] = np.where(claimed[ground], np.uint8(IGNORE), np.uint8(BACKGROUND))
    return seeds


def settled_rules(
    foreground: str | SeedRule | None, background: str | SeedRule | None, *, stochastic: bool = False
) -> tuple[SeedRule, SeedRule]:
    """The foreground and background rule of seeds, the defaults in the place of those that are None.

    Raises:
        UsageError: if a rule is not known.
    """
    if isinstance(background, str):
        background = parse_background(background)
    if foreground is None and background is not None and background.name == "confidence":
        foreground = SeedRule("max", background.values[:1])
    if foreground is None:
        foreground = "stochastic" if stochastic else "max"
    if isinstance(foreground, str):
        foreground = parse_foreground(foreground)
    return foreground, background or parse_background("rest" if foreground.name == "auto" else "constant")


def normalized(maps: Maps) -> Maps:
    """Maps (P, H, W) without their negative values, each divided by its maximum; one without any is all zeros."""
    maps = np.maximum(maps, 0)
    highest = maps.max(axis=(1, 2), keepdims=True, initial=0)
    divided: Maps = maps / np.where(highest > 0, highest, 1)
    return divided


def stochastic_seeds(
    maximum: Maps, mean: Maps, labels: Sequence[int], theta: float = 0.35
) -> npt.NDArray[np.uint8]:
    """The label map of random maps' maximum and mean over their draws, without a background.

    A pixel is of a class if any draw exceeds theta there, which is to say if their maximum does; of several such
    classes, of the one whose mean is highest. Lee et al., FickleNet, CVPR 2019, section 3.2.2.

    Args:
        maximum: (P, H, W), 0-1, upsampled already.
        mean: (P, H, W), 0-1, likewise.
        labels: P values, 1-254, that stand for the classes; of equal means the first class has the pixel.
        theta: 0-1; what equals it does not exceed it.

    Returns:
        (H, W): a label, or 255 (ignore) where no class exceeds theta.

    Raises:
        MapError: as `make_seeds`.
    """
    return make_seeds(
        maximum, labels, mean=mean, foreground=SeedRule("stochastic", (theta,)), background=SeedRule("none")
    )


def _checked(maps: Maps, labels: Sequence[int], mean: Maps | None) -> Maps:
    """The maps, if these things go together; whole numbers as float32."""
    maps = np.asarray(maps)
    if maps.dtype.kind != "f":
        maps = maps.astype(np.float32)
    if maps.ndim != 3 or len(labels) != len(maps):
        raise MapError(
            f"maps of {maps.shape} and {len(labels)} labels do not go together: (P, H, W) and P are expected"
        )
    if mean is not None and np.shape(mean) != maps.shape:
        raise MapError(f"maxima of {maps.shape} and means of {np.shape(mean)} do not go together")
    if not np.isfinite(maps).all() or (mean is not None and not np.isfinite(mean).all()):
        raise MapError("a map holds NaN or infinity")
    if not all(BACKGROUND < label < IGNORE for label in labels):
        raise MapError(f"labels are in 1-{IGNORE - 1}, not {list(labels)}")
    return maps


def _winners(claims: npt.NDArray[np.bool_], ranks: Maps, labels: Sequence[int]) -> npt.NDArray[np.uint8]:
    """The label (H, W) of the class that ranks highest among those that claim a pixel; any where none does."""
    values = np.asarray(labels, np.uint8)
    if len(values) < 2:
        return np.full(claims.shape[1:], values[0] if len(values) else IGNORE, np.uint8)
    won: npt.NDArray[np.uint8] = values[np.where(claims, ranks, -np.inf).argmax(axis=0)]
    return won


def _background(
    rule: SeedRule, scores: Maps, claimed: npt.NDArray[np.bool_], saliency: Maps | None
) -> npt.NDArray[np.bool_]:
    """Which pixels (H, W) the background claims."""
    if rule.name in {"constant", "confidence"}:
        low: npt.NDArray[np.bool_] = scores.max(axis=0, initial=0) <= rule.values[-1]
        return low
    if rule.name == "saliency":
        if saliency is None:
            raise MapError("the rule saliency takes a saliency map, too")
        if np.shape(saliency) != claimed.shape:
            raise MapError(
                f"a saliency map of {np.shape(saliency)} and maps of {claimed.shape} do not go together"
            )
        ground: npt.NDArray[np.bool_] = np.asarray(saliency) < rule.values[0]
        return ground
    return ~claimed if rule.name == "rest" else np.zeros_like(claimed)
