from __future__ import annotations

import pickle
import pickletools
from io import BytesIO

import numpy as np

from wsloc.outputs.seed_files.pickled import pickled_npy


def modules_of(content: bytes) -> set[str]:
    """The modules whose functions a pickle calls, from its opcodes."""
    return {
        str(argument).split()[0]
        for opcode, argument, _ in pickletools.genops(content)
        if opcode.name == "GLOBAL"
    }


def test_it_is_loaded_as_any_such_file() -> None:
    values: dict[object, object] = {0: np.arange(6, dtype=np.float32).reshape(2, 3), "x": np.array([1, 2])}
    loaded = np.load(BytesIO(pickled_npy(values)), allow_pickle=True).item()
    assert list(loaded) == [0, "x"]
    assert loaded[0].dtype == np.float32
    assert (loaded[0] == values[0]).all()
    loaded[0] += 1  # readers change it in place
    assert loaded["x"].tolist() == [1, 2]


def test_both_numpys_know_the_names() -> None:
    content = pickled_npy({0: np.zeros((2, 2), np.float32)})
    stream = BytesIO(content)
    assert np.lib.format.read_magic(stream) == (1, 0)
    np.lib.format.read_array_header_1_0(stream)
    rest = stream.read()
    assert modules_of(rest) == {"numpy.core.multiarray", "numpy"}
    assert max(opcode.proto for opcode, _, _ in pickletools.genops(rest)) <= 3
    assert pickle.loads(rest).item()[0].shape == (2, 2)  # noqa: S301 - made here
