"""The synthetic scenes: what the other tests and the demo stand on has to be right itself."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from tests.scenes import BACKGROUNDS, CLASSES, Scene, backgrounds, composition, make_scene
from tests.scenes.__main__ import main
from tests.scenes.files import DEMO

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scenes.drawing import Floats, Generator


def _scene(seed: int, size: tuple[int, int], classes: list[int], background: int | None = None) -> Scene:
    return make_scene(np.random.default_rng(seed), size, classes, background)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _assert_boxes_fit(mask: np.ndarray, boxes: list[tuple[int, tuple[int, int, int, int]]]) -> None:
    """Every box lies in the picture and has its class on all four sides; together they hold every pixel."""
    left_over = mask.copy()
    for class_index, (x0, y0, x1, y1) in boxes:
        assert 0 <= x0 < x1 <= mask.shape[1]
        assert 0 <= y0 < y1 <= mask.shape[0]
        inside = mask[y0:y1, x0:x1] == class_index + 1
        assert inside[0].any()
        assert inside[-1].any()
        assert inside[:, 0].any()
        assert inside[:, -1].any()
        left_over[y0:y1, x0:x1][inside] = 0
    assert not left_over.any()


def test_eight_classes_and_six_backgrounds_have_names_of_their_own() -> None:
    assert len(CLASSES) == len(set(CLASSES)) == 8
    assert len(BACKGROUNDS) == len(set(BACKGROUNDS)) == 6
    assert all(name.isidentifier() for name in CLASSES + BACKGROUNDS)


def test_one_seed_gives_one_scene() -> None:
    first, again, other = (_scene(seed, (64, 80), [2, 5]) for seed in (3, 3, 4))
    assert np.array_equal(first.picture, again.picture)
    assert np.array_equal(first.mask, again.mask)
    assert first.boxes == again.boxes
    assert not np.array_equal(first.picture, other.picture)


@pytest.mark.parametrize("size", [(32, 32), (64, 96), (200, 150)])
@pytest.mark.parametrize("class_index", range(8), ids=CLASSES)
def test_every_class_can_be_drawn(class_index: int, size: tuple[int, int]) -> None:
    for seed in range(4):
        scene = _scene(seed, size, [class_index])
        assert scene.picture.shape == (*size, 3)
        assert scene.mask.shape == size
        assert scene.picture.dtype == scene.mask.dtype == np.uint8
        assert set(np.unique(scene.mask)) == {0, class_index + 1}
        assert [index for index, _ in scene.boxes] == [class_index]
        _assert_boxes_fit(scene.mask, list(scene.boxes))


def test_boxes_are_tight_with_several_objects() -> None:
    for seed in range(12):
        classes = [seed % 8, seed % 8, (seed + 3) % 8]
        scene = _scene(seed, (96, 128), classes)
        assert [index for index, _ in scene.boxes] == classes
        assert set(np.unique(scene.mask)) == {0, *(index + 1 for index in classes)}
        _assert_boxes_fit(scene.mask, list(scene.boxes))


def test_lone_objects_are_as_large_as_promised() -> None:
    sides = [
        max(x1 - x0, y1 - y0) for s in range(40) for _, (x0, y0, x1, y1) in _scene(s, (96, 96), [s % 8]).boxes
    ]
    assert min(sides) >= 0.1 * 96  # the smallest, half hidden or half out of the picture
    assert max(sides) <= 0.72 * 96
    assert np.ptp(sides) > 0.3 * 96


def test_objects_are_painted_where_the_mask_says(monkeypatch: pytest.MonkeyPatch) -> None:
    blank = np.full((120, 120, 3), 0.5, np.float32)
    monkeypatch.setattr(composition, "draw_background", lambda *_: blank.copy())
    monkeypatch.setattr(composition, "_scatter", lambda *_: None)
    monkeypatch.setattr(composition, "_expose", lambda canvas, _: canvas.picture)
    for class_index in range(8):
        scene = _scene(2, (120, 120), [class_index])
        touched = np.abs(scene.picture - 0.5).max(2) > 0.02
        inside = scene.mask > 0
        assert touched[inside].mean() > 0.95
        (x0, y0, x1, y1) = scene.boxes[0][1]
        outside = touched.copy()
        margin = 16  # shadows and whatever stands in front reach no farther than this
        outside[max(y0 - margin, 0) : y1 + margin, max(x0 - margin, 0) : x1 + margin] = False
        assert not outside.any()


def test_a_class_has_no_colour_of_its_own() -> None:
    for class_index in range(8):
        drawn = [_scene(seed, (64, 64), [class_index]) for seed in range(12)]
        means = np.array([scene.picture[scene.mask > 0].mean(0) for scene in drawn])  # (scenes, 3)
        assert means.std(0).min() > 12


def test_the_background_asked_for_is_the_one_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def recording(name: str) -> backgrounds.Background:
        def paint(x: Floats, _y: Floats, _random: Generator) -> Floats:
            asked.append(name)
            return np.zeros((*x.shape, 3), np.float32)

        return paint

    for name in BACKGROUNDS:
        monkeypatch.setitem(backgrounds._BACKGROUNDS, name, recording(name))
    for kind, name in enumerate(BACKGROUNDS):
        asked.clear()
        _scene(0, (48, 48), [0], kind)
        assert set(asked) == {name}
    asked.clear()
    for seed in range(40):
        _scene(seed, (32, 32), [0])
    assert set(asked) == set(BACKGROUNDS)


def test_backgrounds_differ_and_stay_in_range() -> None:
    pictures = [_scene(1, (48, 64), [], kind) for kind in range(len(BACKGROUNDS))]
    assert len({scene.picture.tobytes() for scene in pictures}) == len(BACKGROUNDS)
    for scene in pictures:
        assert not scene.mask.any()
        assert scene.boxes == ()
        assert scene.picture.std() > 2


def test_too_many_objects_are_refused() -> None:
    with pytest.raises(ValueError, match="no room for 60 objects in 16 x 12 pixels"):
        _scene(0, (12, 16), [0] * 60)


def _check_files(out: Path, images: list[str]) -> None:
    """Pictures, masks and annotations belong together."""
    rows = _rows(out / "annotations.csv")
    assert {row["image"] for row in rows} == set(images)
    found = {
        path.relative_to(out / "images").as_posix() for path in (out / "images").rglob("*") if path.is_file()
    }
    assert found == set(images)
    for image in images:
        of_image = [row for row in rows if row["image"] == image]
        with Image.open(out / "images" / image) as picture:
            assert picture.mode == "RGB"
            assert {(row["width"], row["height"]) for row in of_image} == {tuple(map(str, picture.size))}
            size = picture.size
        with Image.open((out / "masks" / image).with_suffix(".png")) as indexed:
            assert indexed.mode == "P"
            assert indexed.size == size
            mask = np.asarray(indexed)
        boxes = [
            (CLASSES.index(row["class"]), (int(row["x0"]), int(row["y0"]), int(row["x1"]), int(row["y1"])))
            for row in of_image
        ]
        _assert_boxes_fit(mask, boxes)


def test_a_folder_per_class_is_written(tmp_path: Path) -> None:
    main([str(tmp_path), "--images", "24", "--size", "48", "--random-seed", "1"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["annotations.csv", "images", "masks"]
    _check_files(tmp_path, [f"{CLASSES[number % 8]}/{number}.jpg" for number in range(24)])
    rows = _rows(tmp_path / "annotations.csv")
    assert all(row["image"].startswith(row["class"] + "/") for row in rows)
    assert 24 < len(rows) < 48  # now and then there are two


def test_mixed_scenes_come_flat_with_labels(tmp_path: Path) -> None:
    main([str(tmp_path), "--images", "12", "--size", "64", "--mixed"])
    _check_files(tmp_path, [f"{number}.jpg" for number in range(12)])
    labels = {row["image"]: row["label"].split(";") for row in _rows(tmp_path / "labels.csv")}
    assert {len(names) for names in labels.values()} == {1, 2, 3}
    for image, names in labels.items():
        boxed = {row["class"] for row in _rows(tmp_path / "annotations.csv") if row["image"] == image}
        assert boxed == set(names)


def test_a_longer_run_begins_as_a_shorter_one(tmp_path: Path) -> None:
    for images in (3, 5):
        main([str(tmp_path / str(images)), "--images", str(images), "--size", "32", "--random-seed", "9"])
    for name in ("images/star/0.jpg", "masks/star/0.png", "images/flower/2.jpg"):
        assert (tmp_path / "3" / name).read_bytes() == (tmp_path / "5" / name).read_bytes()
    main([str(tmp_path / "other"), "--images", "1", "--size", "32", "--random-seed", "10"])
    other = (tmp_path / "other" / "images/star/0.jpg").read_bytes()
    assert other != (tmp_path / "3" / "images/star/0.jpg").read_bytes()


def test_the_demo_is_written(tmp_path: Path) -> None:
    main([str(tmp_path), "--demo"])
    _check_files(tmp_path, [image for image, *_ in DEMO])
    assert len(DEMO) == 12
    for image, names, (height, width), _, _ in DEMO:
        rows = [row for row in _rows(tmp_path / "annotations.csv") if row["image"] == image]
        assert [row["class"] for row in rows] == list(names)
        assert {(row["width"], row["height"]) for row in rows} == {(str(width), str(height))}
    assert {name for _, names, *_ in DEMO if len(names) == 1 for name in names} == set(CLASSES)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.*")) < 2_000_000
