"""localization_cues.pickle: the seeds of a data set as SEC and DSRG read them, written piece by piece.

A pickle of one dictionary, `"<i>_labels"` and `"<i>_cues"` for row i of list.txt, from 0:

    labels   int64 (P,), the image's classes, without the background
    cues     int64 (3, n): class (0 = background), row, column on a grid of 41 x 41 cells of the squashed image

The opcodes are written here, not by `pickle`: so the dictionary never has to be in memory as a whole, and NumPy's
functions get the names by which NumPy 1 and 2, and Python 2, know them. Protocol 2.
"""

from __future__ import annotations

import pickle
import struct
from typing import TYPE_CHECKING

import numpy as np

from wsloc.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from wsloc.outputs.seed_files.seed_log import SeedLine, SeedLines

NAME = "localization_cues.pickle"
GRID = 41  # of the VGG-16 that both train: 321 pixels at stride 8
IGNORE = 255


def write_sec(lines: SeedLines, folder: Path) -> None:
    """Write `folder/localization_cues.pickle`; memory does not grow with the images.

    Raises:
        OutputError: if the file cannot be written.
    """
    with replacing(folder / NAME) as temporary, temporary.open("wb") as stream:
        stream.write(pickle.PROTO + b"\x02" + pickle.EMPTY_DICT)
        stream.writelines(_pieces(lines))
        stream.write(pickle.STOP)


def cues_of(line: SeedLine) -> npt.NDArray[np.int64]:
    """The cues (3, n) of an image: its seeds at the cells' centres, ignored ones left out."""
    rows, columns = ((2 * np.arange(GRID) + 1) * side // (2 * GRID) for side in line.image_size)
    seeds = line.seed_mask()[np.ix_(rows, columns)]
    rows, columns = np.nonzero(seeds != IGNORE)
    return np.stack([seeds[rows, columns], rows, columns])


def _pieces(lines: SeedLines) -> Iterator[bytes]:
    """The entries of the dictionary, an image each."""
    for number, line in enumerate(lines()):
        labels = np.array([area.value for area in line.classes], np.int64)
        entries = _text(f"{number}_labels") + _array(labels) + _text(f"{number}_cues") + _array(cues_of(line))
        yield pickle.MARK + entries + pickle.SETITEMS


def _array(values: npt.NDArray[np.int64]) -> bytes:
    """The opcodes that build an int64 array: an empty one is made, then told its shape, type and bytes."""
    shape = _tuple(*map(_number, values.shape))
    kind = _global("numpy", "dtype") + _call(_text("i8"), pickle.NEWFALSE, pickle.NEWTRUE)
    unknown = pickle.NONE * 3 + _number(-1) * 2 + _number(0)
    kind += pickle.MARK + _number(3) + _text("<") + unknown + pickle.TUPLE + pickle.BUILD
    empty = _global("numpy.core.multiarray", "_reconstruct")
    empty += _call(_global("numpy", "ndarray"), _tuple(_number(0)), _bytes(b"b"))
    state = (_number(1), shape, kind, pickle.NEWFALSE, _bytes(values.astype("<i8").tobytes()))
    return empty + pickle.MARK + b"".join(state) + pickle.TUPLE + pickle.BUILD


def _bytes(content: bytes) -> bytes:
    """Bytes as protocol 2 has them: Latin-1 text, and the function that encodes it."""
    return _global("_codecs", "encode") + _call(_text(content.decode("latin-1")), _text("latin1"))


def _call(*arguments: bytes) -> bytes:
    return _tuple(*arguments) + pickle.REDUCE


def _tuple(*items: bytes) -> bytes:
    return b"".join(items) + (pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3)[len(items) - 1]


def _global(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def _text(text: str) -> bytes:
    content = text.encode()
    return pickle.BINUNICODE + struct.pack("<I", len(content)) + content


def _number(number: int) -> bytes:
    return pickle.BININT + struct.pack("<i", number)
