from __future__ import annotations

import numpy as np

from tests.outputs.seed_files.examples import VOC, seeds
from wsloc.outputs.seed_overlays import draw_seeds

GRAY = np.full((300, 400, 3), 100, np.uint8)


def drawn(mask: object, picture: object = GRAY, **fields: object) -> np.ndarray:
    return np.asarray(draw_seeds(np.asarray(picture), seeds(mask, **fields), VOC))  # type: ignore[arg-type]  # tests


def test_classes_have_vocs_colours_and_the_background_is_as_it_was() -> None:
    mask = np.zeros((300, 400), np.uint8)
    mask[200:, :200], mask[200:, 200:], mask[:100, 300:] = 1, 2, 255
    found = drawn(mask)
    assert found.shape == (300, 400, 3)
    assert (found[150, 100] == 100).all()
    assert (found[280, 100] == np.rint(0.4 * 100 + 0.6 * np.array([64, 0, 0]))).all()
    assert (found[280, 300] == np.rint(0.4 * 100 + 0.6 * np.array([0, 64, 128]))).all()
    assert (found[50, 350] == np.rint(0.2 * 100 + 0.8 * np.array([224, 224, 192]))).all()
    assert (found[290, 200] == 255).all()  # a line between both


def test_seeds_of_a_larger_image_fit_the_picture() -> None:
    mask = np.zeros((600, 800), np.uint8)
    mask[:, 400:] = 1
    found = drawn(mask)
    assert (found[250, 390] != found[250, 10]).any()
    assert (found[250, 10] == 100).all()


def test_small_pictures_are_enlarged_for_the_words() -> None:
    assert drawn([[0, 1], [1, 255]], np.zeros((2, 2, 3), np.uint8)).shape[0] >= 240


def test_nothing_found_is_drawn_as_nothing() -> None:
    assert (drawn(np.zeros((300, 400))) == GRAY).all()
