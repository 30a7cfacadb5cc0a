"""npy files of a pickled dictionary that NumPy 1 and 2 load; tensors in it are made by torch when it is loaded."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Tensor:
    """An array that is loaded as a torch tensor.

    Torch's own way to pickle a tensor holds its address in memory: no two files would be the same.
    """

    array: npt.NDArray[Any]

    def __reduce__(self) -> tuple[Callable[..., object], tuple[npt.NDArray[Any]]]:
        return _from_numpy, (self.array,)


def _from_numpy(array: npt.NDArray[Any]) -> object:
    """Stands for `torch.from_numpy`, which this room does not know; in the file its name is torch's."""
    raise TypeError(f"a name in files, which nobody calls here (with {array.shape})")


# How functions are called in the opcodes. NumPy 2's module `numpy._core` is unknown to NumPy 1; both know `numpy.core`.
NAMES = {
    b"cnumpy._core.multiarray\n": b"cnumpy.core.multiarray\n",
    f"c{__name__}\n{_from_numpy.__name__}\n".encode(): b"ctorch\nfrom_numpy\n",
}


def pickled_npy(values: dict[Any, Any]) -> bytes:
    """What `numpy.load(path, allow_pickle=True).item()` gives a dictionary back from.

    Protocol 3, because its opcodes hold names with a line feed behind them, not with their length.
    """
    content = pickle.dumps(np.array(values, dtype=object), protocol=3)
    for name, other in NAMES.items():
        content = content.replace(name, other)
    stream = BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": ()})
    stream.write(content)
    return stream.getvalue()
