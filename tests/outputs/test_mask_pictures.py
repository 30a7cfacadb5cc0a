import numpy as np
from PIL import Image

from wsloc.outputs.mask_pictures import GAP, LONGEST_SIDE, truth_and_seeds


def test_truth_and_seeds_side_by_side_over_the_photograph() -> None:
    truth, seeds = np.zeros((4, 6), np.uint8), np.zeros((4, 6), np.uint8)
    truth[0, 0], seeds[0, 0], seeds[3, 5] = 1, 2, 255
    photograph = Image.new("RGB", (60, 40), (100, 100, 100))
    drawn = np.asarray(truth_and_seeds(photograph, truth, seeds)).astype(int)
    assert drawn.shape == (4, 6 + GAP + 6, 3)
    right = 6 + GAP
    assert drawn[2, 2].tolist() == drawn[2, right + 2].tolist() == [100, 100, 100]
    red, green, blue = drawn[0, 0]
    assert red > green == blue
    red, green, blue = drawn[0, right]
    assert green > red == blue
    assert drawn[3, right + 5].min() > 140  # ignored: nearly white
    assert (drawn[:, 6:right] == 255).all()


def test_large_masks_are_scaled_down_and_thin_ones_stay() -> None:
    wide = np.zeros((1, 2000), np.uint8)
    assert truth_and_seeds(None, wide, wide).size == (2 * LONGEST_SIDE + GAP, 1)
    tall = np.zeros((600, 300), np.uint8)
    assert truth_and_seeds(None, tall, tall).size == (LONGEST_SIDE + GAP, LONGEST_SIDE)
