from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from tests.outputs.seed_files.examples import ANIMALS, VOC, seeds
from wsloc.inputs.map_files import read_map
from wsloc.outputs.seed_files.map_archive import maps_npz

if TYPE_CHECKING:
    from pathlib import Path

MAPS = np.random.default_rng(0).random((2, 2, 3), np.float32)


def test_everything_is_there_without_pickles() -> None:
    with np.load(BytesIO(maps_npz(seeds(), VOC, MAPS)), allow_pickle=False) as found:
        assert found["maps"].dtype == np.float16
        assert (found["maps"] == MAPS.astype(np.float16)).all()
        assert (found["seeds"] == seeds().seed_mask).all()
        assert found["seeds"].dtype == np.uint8
        assert found["values"].tolist() == [8, 20]
        assert found["class_index"].tolist() == [0, 2]
        assert found["class_id"].tolist() == [ANIMALS.ids[0], ANIMALS.ids[2]]
        assert found["class_name"].tolist() == ["cat", "tv/monitor"]
        assert str(found["map"]) == "cam"
        assert found["image_size"].tolist() == [2, 3]


def test_it_is_a_map_file_like_those_of_boxes(tmp_path: Path) -> None:
    (tmp_path / "b.npz").write_bytes(maps_npz(seeds(), VOC, MAPS))
    np.testing.assert_allclose(read_map(tmp_path / "b.npz", class_index=2), MAPS[1], atol=1e-3)
    np.testing.assert_allclose(read_map(tmp_path / "b.npz", label="cat"), MAPS[0], atol=1e-3)
