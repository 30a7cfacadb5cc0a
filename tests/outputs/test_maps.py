from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wsloc.errors import MapError, OutputError
from wsloc.outputs.maps import save_maps
from wsloc.records import Classes, Localization


def test_maps_and_all_that_goes_with_them_come_back(
    record: Localization, classes: Classes, tmp_path: Path
) -> None:
    path = tmp_path / "maps" / "a" / "b.jpg.npz"
    save_maps(path, record, classes)
    with np.load(path, allow_pickle=False) as stored:
        assert set(stored) == {
            "maps",
            "maximum",
            "class_index",
            "class_id",
            "class_name",
            "map",
            "image_size",
        }
        assert stored["maps"].dtype == np.float16
        assert stored["maps"].shape == (2, 8, 8)
        np.testing.assert_array_equal(stored["maps"].max(axis=(1, 2)), [1, 1])
        assert stored["maximum"].dtype == np.float32
        assert record.activation_maps is not None
        np.testing.assert_allclose(
            stored["maps"] * stored["maximum"][:, None, None], record.activation_maps, rtol=1e-3
        )
        assert stored["class_index"].tolist() == [1, 3]
        assert stored["class_id"].tolist() == ["n01443537", "n03126707"]
        assert len(set(stored["class_name"].tolist())) == 2
        assert str(stored["map"]) == "entropy-class"
        assert stored["image_size"].tolist() == [375, 500]


def test_values_beyond_float16_keep_their_shape(
    record: Localization, classes: Classes, tmp_path: Path
) -> None:
    maps = np.array([[[1e30, 5e29]], [[0, 0]]], dtype=np.float32)
    save_maps(tmp_path / "x.npz", replace(record, activation_maps=maps), classes)
    with np.load(tmp_path / "x.npz") as stored:
        assert stored["maps"].tolist() == [[[1, 0.5]], [[0, 0]]]
        np.testing.assert_allclose(stored["maximum"], [1e30, 0])


def test_maps_that_were_not_normalised_keep_their_signs(
    record: Localization, classes: Classes, tmp_path: Path
) -> None:
    maps = np.array([[[2, -4]], [[-1, 1]]], dtype=np.float32)
    save_maps(tmp_path / "x.npz", replace(record, activation_maps=maps), classes)
    with np.load(tmp_path / "x.npz") as stored:
        assert stored["maps"].tolist() == [[[0.5, -1]], [[-1, 1]]]


def test_a_shared_map_has_no_class(record: Localization, classes: Classes, tmp_path: Path) -> None:
    assert record.activation_maps is not None
    shared = replace(record, class_indices=(), activation_maps=record.activation_maps[:1])
    save_maps(tmp_path / "x.npz", shared, classes)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as stored:
        assert stored["maps"].shape == (1, 8, 8)
        assert stored["class_index"].shape == stored["class_id"].shape == (0,)


def test_the_same_record_gives_the_same_bytes(record: Localization, classes: Classes, tmp_path: Path) -> None:
    for name in ("x.npz", "y.npz"):
        save_maps(tmp_path / name, record, classes)
    assert (tmp_path / "x.npz").read_bytes() == (tmp_path / "y.npz").read_bytes()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_map_that_is_no_map_is_refused(
    value: float, record: Localization, classes: Classes, tmp_path: Path
) -> None:
    assert record.activation_maps is not None
    maps = record.activation_maps.copy()
    maps[1, 0, 0] = value
    with pytest.raises(MapError, match=r"a/b\.jpg"):
        save_maps(tmp_path / "x.npz", replace(record, activation_maps=maps), classes)
    assert list(tmp_path.iterdir()) == []


def test_without_maps_there_is_nothing_to_write(
    record: Localization, classes: Classes, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="no activation maps"):
        save_maps(tmp_path / "x.npz", replace(record, activation_maps=None), classes)


def test_a_place_that_cannot_be_written_is_named(
    record: Localization, classes: Classes, tmp_path: Path
) -> None:
    (tmp_path / "maps").write_text("")
    with pytest.raises(OutputError, match="maps"):
        save_maps(tmp_path / "maps" / "x.npz", record, classes)
