from __future__ import annotations

import pickle
import pickletools
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.outputs.seed_files.examples import PLAIN, VOC, lines, many, seeds
from wsloc.errors import OutputError
from wsloc.outputs.seed_files.sec_pickle import NAME, cues_of, write_sec
from wsloc.outputs.seed_files.seed_log import seed_line

if TYPE_CHECKING:
    from pathlib import Path


def written(folder: Path, numbering: Any = PLAIN) -> bytes:
    write_sec(lambda: iter(lines(numbering)), folder)
    return (folder / NAME).read_bytes()


@pytest.mark.parametrize("options", [{}, {"encoding": "latin1"}, {"encoding": "bytes"}])
def test_what_sec_loads(tmp_path: Path, options: dict[str, Any]) -> None:
    found = pickle.loads(written(tmp_path, VOC), **options)  # noqa: S301 - made here
    assert list(found) == [f"{number}_{what}" for number in range(3) for what in ("labels", "cues")]
    for number, own in enumerate(many()):
        labels, cues = found[f"{number}_labels"], found[f"{number}_cues"]
        assert labels.dtype == cues.dtype == np.int64
        assert labels.tolist() == list(VOC.of_seeds(own))
        assert (labels.ndim, cues.shape[0]) == (1, 3)
        # As SEC's layer does it: ones on a grid of its own.
        grid = np.zeros((21, 41, 41))
        grid[cues[0], cues[1], cues[2]] = 1
        assert grid.sum(axis=0).max(initial=0) <= 1  # exclusive
        rows, columns = ((np.arange(41) * 2 + 1) * side // 82 for side in own.image_size)
        expected = VOC.numbered(own)[np.ix_(rows, columns)]
        assert (grid.sum(axis=0) == (expected != 255)).all()
        assert (grid.argmax(axis=0)[expected != 255] == expected[expected != 255]).all()
        cues += 1  # arrays of their own, which may be changed


def test_protocol_and_names_are_those_of_both_numpys_and_of_python_2(tmp_path: Path) -> None:
    content = written(tmp_path)
    opcodes = list(pickletools.genops(content))
    assert (opcodes[0][0].name, opcodes[0][1]) == ("PROTO", 2)
    assert max(opcode.proto for opcode, _, _ in opcodes) == 2
    assert {argument for opcode, argument, _ in opcodes if opcode.name == "GLOBAL"} == {
        "numpy.core.multiarray _reconstruct",
        "numpy ndarray",
        "numpy dtype",
        "_codecs encode",
    }
    pickletools.dis(content, out=StringIO())  # it balances the stack


def test_labels_without_pixels_are_labels_all_the_same(tmp_path: Path) -> None:
    found = pickle.loads(written(tmp_path))  # noqa: S301 - made here
    assert found["1_labels"].tolist() == [3]
    assert found["1_cues"].shape == (3, 0)


def test_cells_are_the_seeds_at_their_centres() -> None:
    mask = np.zeros((82, 41), np.uint8)
    mask[::2] = 255
    mask[:, 7] = 1
    cues = cues_of(seed_line(seeds(mask, class_indices=(0,)), PLAIN))
    assert cues.shape == (3, 41 * 41)  # the odd rows
    assert (cues[2][cues[0] == 1] == 7).all()
    assert (cues[0] == 1).sum() == 41


def test_nothing_is_pickled_without_images(tmp_path: Path) -> None:
    write_sec(lambda: iter(()), tmp_path)
    assert pickle.loads((tmp_path / NAME).read_bytes()) == {}  # noqa: S301 - made here


def test_a_failing_source_leaves_the_older_file(tmp_path: Path) -> None:
    before = written(tmp_path)

    def torn() -> Any:
        yield lines()[0]
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match=r"cannot write .*localization_cues\.pickle: No space left"):
        write_sec(torn, tmp_path)
    assert (tmp_path / NAME).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
