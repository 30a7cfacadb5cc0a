"""The development kit's labels: never without the list that says what its numbers mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wsloc.errors import DataError
from wsloc.inputs.annotations import imagenet_devkit
from wsloc.inputs.imagenet import imagenet_classes
from wsloc.records import Sample

if TYPE_CHECKING:
    from pathlib import Path

TRUTH = "ILSVRC2012_validation_ground_truth.txt"
MAP = "n02119789 1 kit_fox\nn02100735 2 English_setter\nn01440764 3 tench\n"


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    (tmp_path / "kit/data").mkdir(parents=True)
    (tmp_path / "kit/data" / TRUTH).write_text("3\n1\n2\n1\n\n")
    return tmp_path / "kit"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("map_clsloc.txt", MAP),
        (
            "synsets.txt",
            "1 n02119789 kit fox\n2\tn02100735\tsetter\n3 n01440764\n4 n00000004 an inner node\n",
        ),
        ("synsets.txt", "3,n01440764,tench\n1,n02119789,kit fox\n2,n02100735\n"),
        ("synset_list.txt", "n02119789\nn02100735 English setter\n\nn01440764,tench\n"),
    ],
)
def test_samples(kit: Path, name: str, text: str) -> None:
    (kit / "data" / name).write_text(text)
    expected = [
        Sample(f"ILSVRC2012_val_0000000{number}", None, (wnid,))
        for number, wnid in enumerate(("n01440764", "n02119789", "n02100735", "n02119789"), start=1)
    ]
    for root in (kit, kit / "data", kit / "data" / TRUTH):
        assert imagenet_devkit.matches(root)
        assert imagenet_devkit.read(root) == expected


def test_a_file_of_any_name_can_be_named(kit: Path) -> None:
    (kit / "data/val.txt").write_text("2\n")
    (kit / "synsets.txt").write_text(MAP)
    assert not imagenet_devkit.matches(kit / "data/val.txt")
    assert [sample.labels for sample in imagenet_devkit.read(kit / "data/val.txt")] == [("n02100735",)]


def test_the_detection_challenge_is_another(kit: Path) -> None:
    (kit / "data" / TRUTH).rename(kit / "data/ILSVRC2014_det_validation_ground_truth.txt")
    assert not imagenet_devkit.matches(kit)


def test_refuses_without_a_list(kit: Path) -> None:
    with pytest.raises(DataError, match=rf"{TRUTH}: its numbers follow the kit's own order") as without:
        imagenet_devkit.read(kit)
    assert "MATLAB" not in str(without.value)
    assert "map_clsloc.txt" in str(without.value)
    (kit / "data/meta.mat").touch()
    with pytest.raises(DataError, match=r"meta\.mat is MATLAB's, which is not read\): map_clsloc\.txt"):
        imagenet_devkit.read(kit)


def test_refuses_the_order_of_networks(kit: Path) -> None:
    wnids = imagenet_classes().ids
    for lines in (wnids, [f"{number} {wnid}" for number, wnid in enumerate(wnids, start=1)]):
        (kit / "data/synsets.txt").write_text("\n".join(lines))
        with pytest.raises(DataError, match=r"synsets\.txt: its wnids are sorted, but the kit's order"):
            imagenet_devkit.read(kit)
    (kit / "data/synsets.txt").write_text("\n".join(wnids[::-1]))
    assert imagenet_devkit.read(kit)[0].labels == (wnids[-3],)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("n02119789 1 a\nfox 2\n", r":2: expected `wnid`, `number wnid` or `wnid number`, found `fox 2`"),
        ("1\n", r":1: expected `wnid`"),
        ("n02119789 1 a\nn02100735 1 b\n", r":2: each class needs a number of its own, from 1"),
        ("n02119789 0 a\nn02100735 1 b\n", r":1: each class needs a number of its own, from 1"),
        ("n02119789 1 a\nn02100735 b\n", r":2: each class needs a number of its own"),
        ("n02119789 a\nn02100735 7 b\n", r":2: each class needs a number of its own"),
        ("n02119789\nn02100735\nn02119789\n", r": a wnid stands there twice"),
    ],
)
def test_malformed_lists(kit: Path, text: str, reason: str) -> None:
    (kit / "data/synsets.txt").write_text(text)
    with pytest.raises(DataError, match=rf"synsets\.txt{reason}"):
        imagenet_devkit.read(kit)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1\n\n2\n", ":2: the line is empty, but each stands for an image"),
        ("1\nn02119789\n", ":2: expected a class's number, found `n02119789`"),
        ("1\n-2\n", ":2: expected a class's number, found `-2`"),
        ("1\n2\n4\n", r":3: class 4 is not in .*map_clsloc\.txt"),
        ("0\n", r":1: class 0 is not in .*map_clsloc\.txt"),
        ("\n", ": holds no images"),
    ],
)
def test_malformed_ground_truth(kit: Path, text: str, reason: str) -> None:
    (kit / "data/map_clsloc.txt").write_text(MAP)
    (kit / "data" / TRUTH).write_text(text)
    with pytest.raises(DataError, match=rf"{TRUTH}{reason}"):
        imagenet_devkit.read(kit)


def test_a_folder_without_ground_truth(tmp_path: Path) -> None:
    assert not imagenet_devkit.matches(tmp_path)
    with pytest.raises(DataError, match=f"no {TRUTH} in it"):
        imagenet_devkit.read(tmp_path)


def test_numbers_of_thousands_of_digits(kit: Path) -> None:
    (kit / "data/map_clsloc.txt").write_text(MAP)
    (kit / "data" / TRUTH).write_text(f"{'9' * 5000}\n")
    with pytest.raises(DataError, match=r"ground_truth\.txt:1: expected a class's number"):
        imagenet_devkit.read(kit)
    (kit / "data/map_clsloc.txt").write_text(f"{'9' * 5000} n02119789\n")
    with pytest.raises(DataError, match=r"map_clsloc\.txt:1: expected `wnid`"):
        imagenet_devkit.read(kit)
