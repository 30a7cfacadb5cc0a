"""Seeds drawn to the edges of their picture by a dense CRF, with the optional package pydensecrf2."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from wsloc.errors import UnsupportedError
from wsloc.regions.seeds import IGNORE

if TYPE_CHECKING:
    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]

STEPS = 10  # of mean-field inference
CERTAINTY = 0.7  # of a seed's label before anything is known of its neighbours
# Standard deviations in pixels and gray levels, and weights: those that IRN smooths its labels with.
NEAR, NEAR_WEIGHT = 3, 3
SPREAD, COLOUR, ALIKE_WEIGHT = 50, 5, 10


def require_dense_crf() -> None:
    """Refuse to go on without the package.

    Raises:
        UnsupportedError: if it is not installed.
    """
    try:
        import pydensecrf.densecrf  # noqa: F401, PLC0415 - optional
    except ImportError as error:
        raise UnsupportedError(
            "a dense CRF needs the package pydensecrf2, and a C++ compiler to install it: pip install 'wsloc[crf]'"
        ) from error


def smoothed_seeds(seeds: Pixels, picture: Pixels, classes: int) -> Pixels:
    """Seeds whose borders follow the picture's; what is ignored stays so, and pulls at nothing.

    Krähenbühl and Koltun, Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials, NIPS 2011.

    Args:
        seeds: (H, W): 0 background, 1 to `classes`, 255 ignore.
        picture: (H', W', 3), upright RGB; where it is smaller, the seeds are thinned out for it.
        classes: P.

    Returns:
        (H, W), in the same numbers.

    Raises:
        UnsupportedError: if the package is not installed.
    """
    require_dense_crf()
    from pydensecrf.densecrf import DenseCRF2D  # noqa: PLC0415 - optional
    from pydensecrf.utils import unary_from_labels  # noqa: PLC0415

    height, width = picture.shape[:2]
    small = np.asarray(cv2.resize(seeds, (width, height), interpolation=cv2.INTER_NEAREST))
    sure = np.where(small == IGNORE, 0, small.astype(np.int32) + 1)  # 0 is the package's word for unsure
    if not classes or not sure.any():
        return seeds
    field = DenseCRF2D(width, height, classes + 1)
    field.setUnaryEnergy(unary_from_labels(sure, classes + 1, gt_prob=CERTAINTY, zero_unsure=True))
    field.addPairwiseGaussian(sxy=NEAR, compat=NEAR_WEIGHT)
    field.addPairwiseBilateral(
        sxy=SPREAD, srgb=COLOUR, rgbim=np.array(picture, np.uint8, order="C"), compat=ALIKE_WEIGHT
    )
    scores = np.asarray(field.inference(STEPS)).reshape(classes + 1, height, width)
    labels = scores.argmax(axis=0).astype(np.uint8)
    large = cv2.resize(labels, (seeds.shape[1], seeds.shape[0]), interpolation=cv2.INTER_NEAREST)
    return np.where(seeds == IGNORE, np.uint8(IGNORE), np.asarray(large, np.uint8))
