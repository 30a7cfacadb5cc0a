"""From an upright picture to what the network sees, and a box's way back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from wsloc.errors import CheckpointError, UnsupportedError
from wsloc.inputs.number_kinds import is_whole

if TYPE_CHECKING:
    from wsloc.records import Box

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
RESIZES = ("squash", "keep")
LARGEST_SIZE = 8192
LONGEST_ASPECT = 4  # `keep` squashes beyond it: a 1 x 5,000 pixel image must not become 64 x 320,000


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a picture becomes a network's input; stored with the checkpoint.

    Attributes:
        image_size: pixels: the input's side (`squash`) or its shorter side (`keep`).
        resize: `squash` brings the whole picture to a square, so that no object is cropped away; `keep` keeps
            its aspect ratio (up to 4 : 1, squashed beyond that).
        mean: subtracted from RGB values in 0-1.
        std: divides the difference.

    Raises:
        UnsupportedError: if one of them is out of its range.
    """

    image_size: int = 224
    resize: str = "squash"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    def __post_init__(self) -> None:
        if self.resize not in RESIZES:
            raise UnsupportedError(f"resize must be one of {', '.join(RESIZES)}, not {self.resize!r}")
        if not is_whole(self.image_size) or not 1 <= self.image_size <= LARGEST_SIZE:
            raise UnsupportedError(
                f"image_size is a whole number of pixels from 1 to {LARGEST_SIZE:,} (one such input takes 0.8 GB), "
                f"not {self.image_size}"
            )
        object.__setattr__(self, "image_size", int(self.image_size))  # NumPy's integers are no JSON
        if not all(map(math.isfinite, (*self.mean, *self.std))) or min(self.std) <= 0:
            raise UnsupportedError(
                f"mean and std must be finite and std above 0, not {self.mean} and {self.std}"
            )

    def input_size(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of the input for a picture of `image_size` = (height, width)."""
        if self.resize == "squash":
            return self.image_size, self.image_size
        height, width = image_size
        shorter = min(height, width)
        longest = LONGEST_ASPECT * self.image_size
        return (
            min(longest, round(height * self.image_size / shorter)),
            min(longest, round(width * self.image_size / shorter)),
        )

    def resized(self, picture: Image.Image) -> npt.NDArray[np.uint8]:
        """The picture at the input's size: uint8 (H, W, 3), bilinear with antialiasing.

        Args:
            picture: upright RGB.
        """
        height, width = self.input_size((picture.height, picture.width))
        return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))

    def normalized(self, pixels: Tensor) -> Tensor:
        """What the network takes: float32 (N, 3, H, W), from uint8 (N, H, W, 3) on the same device."""
        mean = torch.tensor(self.mean, device=pixels.device) * 255
        std = torch.tensor(self.std, device=pixels.device) * 255
        # A permuted view of NHWC bytes is channels_last already: no copy is made for that layout.
        return ((pixels.float() - mean) / std).permute(0, 3, 1, 2)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as checkpoints and manifests keep them."""
        return {
            "image_size": self.image_size,
            "resize": self.resize,
            "mean": list(self.mean),
            "std": list(self.std),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Preprocessing:
        """The reverse of `to_dict`.

        Raises:
            CheckpointError: if a value is missing or of a wrong kind.
        """
        try:
            mean_r, mean_g, mean_b = (float(value) for value in values["mean"])
            std_r, std_g, std_b = (float(value) for value in values["std"])
            return cls(
                image_size=int(values["image_size"]),
                resize=str(values["resize"]),
                mean=(mean_r, mean_g, mean_b),
                std=(std_r, std_g, std_b),
            )
        except (KeyError, TypeError, ValueError, OverflowError, UnsupportedError) as error:
            raise CheckpointError(f"the preprocessing it holds cannot be read ({error})") from error


def box_to_image(
    edges: tuple[int, int, int, int], input_size: tuple[int, int], image_size: tuple[int, int]
) -> Box:
    """A rectangle of input cells as an xyxy box in the upright image's pixels, half-open, clipped to the image.

    Args:
        edges: (top, left, bottom, right), half-open, input frame.
        input_size: (height, width) of the input.
        image_size: (height, width) of the upright image.
    """
    top, left, bottom, right = edges
    height, width = image_size
    rows, columns = input_size
    # Multiplied first: the input's last edge is then the image's, to the last bit.
    return (left * width / columns, top * height / rows, right * width / columns, bottom * height / rows)
