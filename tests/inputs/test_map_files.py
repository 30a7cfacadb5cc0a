"""Map files are found by the image's id, whatever system wrote them, and read without a value being changed."""

from __future__ import annotations

import pickle
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from wsloc.errors import DataError, MapError
from wsloc.inputs.map_files import find_maps, other_maps, read_map
from wsloc.outputs.maps import save_maps
from wsloc.records import Classes, Localization

if TYPE_CHECKING:
    from pathlib import Path

VALUES = np.array([[0, 0.25, 0.5], [0.125, 1, 0.75]])


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


# --- finding ---


@pytest.mark.parametrize(
    ("image", "file"),
    [
        ("a/b.jpg", "a/b.jpg.npy"),
        ("a/b.jpg", "a/b.npz"),
        ("a/b.png", "a/b.png"),
        ("a/b.JPEG", "A/B.jpeg.NPY"),
        ("a/b.JPEG", "a/b.jpg.npy"),
        ("ILSVRC2012_val_00000001", "ILSVRC2012_val_00000001.JPEG.npz"),
        ("v1.5", "v1.5.npy"),
        ("v1.5.jpg", "v1.5.npy"),
        ("a/b.jpg", "b.npy"),
        ("2007_000032", "maps/JPEGImages/2007_000032.jpg.npz"),
        ("../x/b.jpg", "__/x/b.jpg.npz"),
        ("/data/x/b.jpg", "data/x/b.jpg.npz"),
        ("./x//b.jpg", "x/b.npy"),
        ("x\\b.jpg", "x/b.npy"),
    ],
)
def test_names_that_fit(tmp_path: Path, image: str, file: str) -> None:
    touch(tmp_path, file, "other.npy")
    assert find_maps(tmp_path, [image, "missing.jpg"]) == {image: tmp_path / file}


@pytest.mark.parametrize(
    ("image", "file"),
    [
        ("a/b.jpg", "c/b.npy"),  # another folder's picture of the same name
        ("v1.5", "v1.npy"),
        ("a", "a.txt"),
        ("a", ".hidden/a.npy"),
        ("a", "._a.npy"),
        ("xa", "a.npy"),
    ],
)
def test_names_that_do_not_fit_and_what_was_looked_for(tmp_path: Path, image: str, file: str) -> None:
    touch(tmp_path, file)
    with pytest.raises(DataError, match=rf"no.* map file.*looked for {image}\.npy, \.npz or \.png"):
        find_maps(tmp_path, [image])


def test_the_closest_name_wins_and_the_order_is_that_of_the_ids(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.jpg.npy", "a/x.png.npy", "A/x.jpg.npz", "x.npy", "b/y.npy")
    ids = ["b/y.jpg", "a/x.png", "a/x.jpg", "a/x.bmp"]
    found = find_maps(tmp_path, ids[:3])
    assert list(found) == ids[:3]
    assert [path.relative_to(tmp_path).as_posix() for path in found.values()] == [
        "b/y.npy",
        "a/x.png.npy",
        "a/x.jpg.npy",
    ]


@pytest.mark.parametrize(
    "names",
    [("a/b.npy", "a/b.png"), ("a/b.jpg.npy", "a/b.npz"), ("x/a/b.npy", "y/a/b.npy"), ("A/b.npy", "a/B.npy")],
)
def test_two_files_for_one_image(tmp_path: Path, names: tuple[str, str]) -> None:
    touch(tmp_path, *names)
    with pytest.raises(DataError, match=r"^a/b\.jpg: has two maps") as caught:
        find_maps(tmp_path, ["a/b.jpg"])
    assert all(str(tmp_path / name) in str(caught.value) for name in names)


def test_one_file_for_two_images(tmp_path: Path) -> None:
    touch(tmp_path, "a/b.npy")
    with pytest.raises(DataError, match=r"b\.npy: could be the map of a/b\.jpg or a/b\.png"):
        find_maps(tmp_path, ["a/b.jpg", "a/b.png"])


def test_a_bare_name_that_several_images_have_is_not_guessed(tmp_path: Path) -> None:
    touch(tmp_path, "1.npy", "q.npy")
    assert find_maps(tmp_path, ["n01/1.jpg", "n02/1.jpg", "n02/q.jpg"]) == {"n02/q.jpg": tmp_path / "q.npy"}
    touch(tmp_path, "n01/1.npy")
    assert find_maps(tmp_path, ["n01/1.jpg", "q.jpg"])["n01/1.jpg"] == tmp_path / "n01/1.npy"


def test_folders_that_hold_nothing_to_find(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no map file in it; looked for a\.jpg\.npy"):
        find_maps(tmp_path, ["a.jpg"])
    with pytest.raises(DataError, match="is no folder"):
        find_maps(tmp_path / "nowhere", ["a.jpg"])
    touch(tmp_path, "a.npy")
    with pytest.raises(DataError, match="is no folder"):
        find_maps(tmp_path / "a.npy", ["a.jpg"])
    with pytest.raises(DataError, match="no image to find a map for"):
        find_maps(tmp_path, [])


# --- reading ---


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f8", np.uint8, np.int64, np.bool_])
@pytest.mark.parametrize("extension", ["npy", "npz"])
def test_arrays_are_taken_as_they_are(tmp_path: Path, dtype: Any, extension: str) -> None:
    array = (VALUES * 8).astype(dtype)
    path = tmp_path / f"m.{extension}"
    if extension == "npy":
        np.save(path, array)
    else:
        np.savez_compressed(path, array)
    read = read_map(path)
    assert read.dtype == np.float64
    np.testing.assert_array_equal(read, array.astype(np.float64))


def test_no_value_is_rounded(tmp_path: Path) -> None:
    array = np.random.default_rng(1).random((5, 7))
    np.save(tmp_path / "m.npy", array)
    np.testing.assert_array_equal(read_map(tmp_path / "m.npy"), array)


def test_values_outside_0_to_1_are_left_to_the_metrics(tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", VALUES * 300 - 7)
    np.testing.assert_array_equal(read_map(tmp_path / "m.npy"), VALUES * 300 - 7)


def test_keys_of_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    np.savez(path, map=VALUES, arr_0=VALUES * 2, other=VALUES * 3)
    np.testing.assert_array_equal(read_map(path), VALUES)
    np.savez(path, VALUES * 2, other=VALUES * 3)
    np.testing.assert_array_equal(read_map(path), VALUES * 2)
    np.savez(path, heat=VALUES)
    np.testing.assert_array_equal(read_map(path), VALUES)
    np.savez(path, heat=VALUES, cold=VALUES)
    with pytest.raises(
        DataError, match=r"m\.npz: which array is the map\? It holds heat, cold; call it `map`"
    ):
        read_map(path)


def save_own(path: Path, maps: np.ndarray[Any, Any], indices: tuple[int, ...]) -> None:
    classes = Classes(("n01", "n02", "n03", "n04"), ("a", "b", "c", "d"))
    record = Localization("x.jpg", 6, 4, "cam", (), indices, maps.astype(np.float32))
    save_maps(path, record, classes)


def test_maps_that_wsloc_wrote(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    save_own(path, np.stack([VALUES * 4, VALUES[::-1] * 2]), (3, 1))
    np.testing.assert_array_equal(read_map(path, 3), VALUES)  # divided by its maximum, as it stands there
    np.testing.assert_array_equal(read_map(path, 1), VALUES[::-1])
    with pytest.raises(DataError, match=r"m\.npz: holds no map of class 0, only of 3, 1"):
        read_map(path, 0)
    with pytest.raises(
        DataError, match=r"m\.npz: holds maps of the classes 3, 1: one class has to be asked for"
    ):
        read_map(path)
    save_own(path, VALUES[None], (2,))
    np.testing.assert_array_equal(read_map(path), VALUES)
    with pytest.raises(DataError, match="no map of class 0, only of 2"):
        read_map(path, 0)
    save_own(path, VALUES[None], ())
    np.testing.assert_array_equal(read_map(path, 0), VALUES)  # shared by all classes


def stored_ids(path: Path) -> list[str]:
    with np.load(path) as stored:
        return [str(class_id) for class_id in stored["class_id"]]


def test_the_class_is_found_by_its_id_whatever_the_order_of_classes_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    save_own(path, np.stack([VALUES * 4, VALUES[::-1] * 2]), (3, 1))
    np.testing.assert_array_equal(read_map(path, label="n04"), VALUES)
    np.testing.assert_array_equal(read_map(path, 3, label="n02"), VALUES[::-1])
    np.testing.assert_array_equal(read_map(path, label="1"), VALUES[::-1])
    with pytest.raises(
        DataError,
        match=r"m\.npz: holds no map of class n01, only of n04, n02: make .* --labels, or .* --classes",
    ):
        read_map(path, label="n01")
    with pytest.raises(DataError, match="no map of class 2, only of 3, 1"):
        read_map(path, label="2")
    with np.load(path) as stored:
        word = str(stored["class_name"][1])
    assert word not in stored_ids(path)
    np.testing.assert_array_equal(read_map(path, label=word.upper()), VALUES[::-1])
    np.savez(path, maps=np.stack([VALUES, VALUES / 2]), class_index=[3, 1], class_id=["1", "3"])
    np.testing.assert_array_equal(read_map(path, label="1"), VALUES)
    np.testing.assert_array_equal(read_map(path, 1), VALUES / 2)


@pytest.mark.parametrize(
    ("maps", "indices"),
    [
        (VALUES, [0]),
        (VALUES[None], [0, 1]),
        (VALUES[None], [0.5]),
        (np.zeros((2, 3, 3)), []),
        (VALUES[None], [[0]]),
    ],
)
def test_archives_whose_maps_and_classes_disagree(tmp_path: Path, maps: Any, indices: Any) -> None:
    path = tmp_path / "m.npz"
    np.savez(path, maps=maps, class_index=np.array(indices, np.int64 if indices != [0.5] else np.float64))
    with pytest.raises(DataError, match=r"m\.npz: .*class"):
        read_map(path, 0)


GRAY = np.array([[0, 1, 127], [128, 254, 255]], np.uint8)
DEEP = np.array([[0, 1, 257], [32768, 65534, 65535]], np.uint16)


def test_png_of_8_and_16_bits(tmp_path: Path) -> None:
    path = tmp_path / "m.png"
    Image.fromarray(GRAY).save(path)
    np.testing.assert_array_equal(read_map(path), GRAY / 255)
    np.testing.assert_array_equal((read_map(path) * 255).astype(np.uint8), GRAY)  # as metrics truncate them
    Image.fromarray(DEEP).save(path)
    np.testing.assert_array_equal(read_map(path), DEEP / 65535)
    Image.fromarray(GRAY > 127).save(path)
    np.testing.assert_array_equal(read_map(path), [[0, 0, 0], [1, 1, 1]])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
def test_png_with_equal_channels(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "m.png"
    Image.fromarray(GRAY).convert(mode).save(path)
    np.testing.assert_array_equal(read_map(path), GRAY / 255)


def test_png_that_is_no_map(tmp_path: Path) -> None:
    path = tmp_path / "m.png"
    Image.new("RGB", (4, 3), (9, 9, 8)).save(path)
    with pytest.raises(DataError, match=r"m\.png: is a picture in colours"):
        read_map(path)
    Image.new("LA", (4, 3), (9, 254)).save(path)
    with pytest.raises(DataError, match=r"m\.png: is a transparent picture"):
        read_map(path)
    cv2 = pytest.importorskip("cv2")
    cv2.imwrite(str(path), np.dstack([DEEP] * 3))
    with pytest.raises(DataError, match=r"m\.png: is a PNG of 16-bit colours"):
        read_map(path)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(tmp_path: Path, wrong: float) -> None:
    array = VALUES.copy()
    array[1, 1] = wrong
    np.save(tmp_path / "m.npy", array)
    with pytest.raises(MapError, match=r"m\.npy: the map holds NaN or infinity$"):
        read_map(tmp_path / "m.npy")


@pytest.mark.parametrize(
    "array",
    [np.zeros(4), np.zeros((1, 3, 3)), np.float32(1), np.zeros((0, 5)), VALUES + 0j, np.array([["a"]])],
)
def test_arrays_that_are_no_map(tmp_path: Path, array: Any) -> None:
    for name, save in (("m.npy", np.save), ("m.npz", np.savez)):
        save(tmp_path / name, array)
        with pytest.raises(MapError, match=rf"{name}: a map (has two dimensions|holds real numbers)"):
            read_map(tmp_path / name)


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("a map file was unpickled",)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    trap = np.empty((1, 1), object)
    trap[0, 0] = Trap()
    np.save(tmp_path / "a.npy", trap)
    np.savez(tmp_path / "b.npz", trap)
    (tmp_path / "c.npy").write_bytes(pickle.dumps(Trap()))
    for name in ("a.npy", "b.npz", "c.npy"):
        with pytest.raises(DataError, match=rf"{name}: holds pickled objects, which are not read"):
            read_map(tmp_path / name)


@pytest.mark.parametrize("name", ["m.npy", "m.npz", "m.png"])
def test_damaged_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "m.png":
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40), np.uint8)).save(path)
    else:
        save = np.save if name == "m.npy" else np.savez_compressed
        save(path, np.random.default_rng(0).random((40, 40)))
    content = path.read_bytes()
    assert read_map(path).shape == (40, 40)
    for length in (0, 1, 4, 9, 60, len(content) // 2, len(content) - 40):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match=rf"^[^\n]*{name}: [^\n]+$"):
            read_map(path)
    path.write_bytes(b"JFIF, or whatever")
    with pytest.raises(DataError, match=rf"{name}: "):
        read_map(path)


def test_an_archive_with_a_broken_checksum_and_a_path_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    np.savez(path, VALUES)
    with zipfile.ZipFile(path) as archive:
        offset = archive.infolist()[0].header_offset
    content = bytearray(path.read_bytes())
    content[offset + 200] ^= 255
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"m\.npz: is damaged"):
        read_map(path)
    for missing in (tmp_path / "none.npy", tmp_path):
        with pytest.raises(DataError, match="no such map file"):
            read_map(missing)


def test_maps_that_are_of_no_image_are_named(tmp_path: Path) -> None:
    names = ("a/b.npy", "a/stranger.npz", "c.png", ".hidden.npy", "notes.txt")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_maps(tmp_path, ["a/b.jpg", "missing.jpg"])
    assert other_maps(tmp_path, found.values()) == ("c.png", "a/stranger.npz")


def test_files_of_another_kind_are_called_so(tmp_path: Path) -> None:
    (tmp_path / "a.npy").touch()
    with pytest.raises(DataError, match=r"no mask file in it; looked for a\.jpg\.png$"):
        find_maps(tmp_path, ["a.jpg"], extensions=(".png",), thing="mask")
    (tmp_path / "a.png").touch()
    (tmp_path / "b.png").touch()
    found = find_maps(tmp_path, ["a.jpg"], extensions=(".png",), thing="mask")
    assert found == {"a.jpg": tmp_path / "a.png"}
    assert other_maps(tmp_path, found.values(), (".png",)) == ("b.png",)
    assert other_maps(tmp_path, found.values()) == ("a.npy", "b.png")


def test_an_entry_that_is_no_array(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("map.npy", b"no array")
    with pytest.raises(DataError, match=r"a\.npz: its entry map is no array of NumPy's"):
        read_map(tmp_path / "a.npz")


@pytest.mark.skipif(np.finfo(np.longdouble).max == np.finfo(np.float64).max, reason="no wider floats here")
def test_a_number_that_only_wider_floats_hold(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[np.longdouble("1e4000")]]))
    with pytest.raises(MapError, match=r"a\.npy: the map holds NaN or infinity"):
        read_map(tmp_path / "a.npy")
