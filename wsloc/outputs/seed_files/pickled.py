"""npy files of a pickled dictionary that NumPy 1 and 2 load."""

from __future__ import annotations

import pickle
from io import BytesIO

import numpy as np

OURS, EVERYONES = b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"


def pickled_npy(values: dict[object, object]) -> bytes:
    """What `numpy.load(path, allow_pickle=True).item()` gives a dictionary back from.

    NumPy 2 calls its module `numpy._core`, which NumPy 1 does not know; both know `numpy.core`. Protocol 3, because
    its opcodes hold that name with a line feed behind it, not with its length.
    """
    stream = BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": ()})
    stream.write(pickle.dumps(np.array(values, dtype=object), protocol=3).replace(OURS, EVERYONES))
    return stream.getvalue()
