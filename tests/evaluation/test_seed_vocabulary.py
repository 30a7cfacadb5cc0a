from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsloc.errors import DataError
from wsloc.evaluation.seed_vocabulary import SeedVocabulary, seed_vocabulary
from wsloc.inputs.mask_classes import MaskClass
from wsloc.inputs.masks import voc_palette
from wsloc.inputs.seed_files import SeedFiles
from wsloc.records import Sample

NUMBERING = ((8, "cat"), (12, "dog"), (15, "person"))
SAMPLES = [Sample("a", None, ("cat", "person"), masks=(Path("a.png"),), mask_labels=NUMBERING)]
CAT, DOG, CAR = MaskClass(1, "n1", "Cat"), MaskClass(2, "dog", "hound"), MaskClass(3, "n3", "car")


def vocabulary(
    *classes: MaskClass, wanted: tuple[str, ...] = (), samples: list[Sample] = SAMPLES
) -> SeedVocabulary:
    return seed_vocabulary(samples, SeedFiles(Path("seeds"), {}, (), classes or None), wanted)


def test_classes_are_matched_by_id_or_name() -> None:
    words = vocabulary(CAR, DOG, CAT)
    assert words.classes == (CAR, DOG, CAT)
    assert words.numbers == {"cat": 3, "dog": 2}
    assert words.numbers_of(SAMPLES[0]) == [3]
    assert [words.table[value] for value in (0, 1, 2, 3, 255)] == [0, 3, 2, 1, 255]
    assert words.table[4] < 0
    assert [words.truth.table[value] for value in (8, 12, 15)] == [3, 2, 0]
    assert words.notes == (
        "classes of the annotations that the seeds lack, they count as background (1): person",
        "classes of the seeds that the annotations lack (1): car",
    )


def test_without_a_list_of_classes_seeds_are_numbered_as_the_masks() -> None:
    words = vocabulary()
    assert [entry.class_name for entry in words.classes] == ["cat", "dog", "person"]
    assert [words.table[value] for value in (8, 12, 15)] == [1, 2, 3]
    assert words.notes == (
        "seeds: no classes.json says what its values mean; they are taken for those of the true masks",
    )


def test_colours_that_are_not_vocs_are_told_of(tmp_path: Path) -> None:
    found = {}
    for name, values, palette in (
        ("broken", None, None),
        ("right", [[0, 8], [12, 255]], voc_palette()),
        ("gray", [[0, 1], [2, 3]], None),
        ("renumbered", [[0, 1], [1, 1]], [0, 0, 0, *voc_palette()[3 * 8 : 3 * 9]]),  # a cat is 1
    ):
        found[name] = tmp_path / f"{name}.png"
        if values is None:
            found[name].write_bytes(b"")
            continue
        picture = Image.fromarray(np.array(values, np.uint8))
        if palette:
            picture.putpalette(palette)
        picture.save(found[name])
    words = seed_vocabulary(SAMPLES, SeedFiles(tmp_path, found, (), None))
    assert words.notes[1:] == (
        f"{tmp_path}/renumbered.png: its colours are not those that VOC has for its values: is its numbering another?",
    )
    for paths, samples in (
        ({name: path for name, path in found.items() if name != "renumbered"}, SAMPLES),
        (
            found,
            [Sample("a", None, ("cat",), masks=(Path("a.png"),), mask_labels=((1, "cat"),))],
        ),  # not VOC's numbers
    ):
        assert len(seed_vocabulary(samples, SeedFiles(tmp_path, paths, (), None)).notes) == 1


def test_some_classes_alone() -> None:
    words = vocabulary(CAR, DOG, CAT, wanted=("CAT",))
    assert words.classes == (CAT,)
    assert [words.table[value] for value in (1, 2, 3)] == [1, 0, 0]
    left = [Sample("a", None, ("cat",), masks=(Path("a.png"),), mask_labels=((8, "cat"), (12, ""), (15, "")))]
    words = vocabulary(wanted=("cat",), samples=left)
    assert [words.table[value] for value in (8, 12, 15)] == [1, 0, 0]


def test_nothing_in_common_and_names_of_several_classes() -> None:
    with pytest.raises(
        DataError, match=r"its classes \(car\) and those of the annotations \(cat, dog, person\)"
    ):
        vocabulary(CAR)
    with pytest.raises(DataError, match="several classes are called 'cat'"):
        vocabulary(CAT, MaskClass(2, "n2", "cat"))
