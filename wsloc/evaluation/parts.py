"""What a batch adds to the scores, as one line of a journal: rows of the tables, and sums of its images alone.

Sums are of integers and rows stand for themselves, so that the same scores come of the same batches, to the byte,
whichever processes did them and in whatever order.
"""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from wsloc.records import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from wsloc.evaluation.scores import Scores
    from wsloc.evaluation.size_check import SizeCheck

COLUMNS = ("labels", "boxes", "shared_boxes", "shared", "answered")  # of a `GuessTable`
SUMS = ("curves", "pixels", "sweeps")  # of the scores, by map


def take_part(scores: Scores, rows: range, sizes: SizeCheck) -> bytes:
    """What some rows have come to, as a line of JSON; the sums of the scores begin again.

    Args:
        scores: whose sums and failures are of these rows alone.
        rows: of a batch.
        sizes: what was found of the sizes of these rows' pictures.
    """
    content = {
        "rows": [rows.start, rows.stop],
        "failures": [[failure.image, failure.error] for failure in scores.failures],
        "fitting": sizes.fitting,
        "others": sizes.others,
        "arrays": _packed({**_rows(scores, rows), **_sums(scores)}),
    }
    scores.empty_sums()
    return json.dumps(content).encode() + b"\n"


def add_part(scores: Scores, line: bytes, sizes: SizeCheck) -> None:
    """Add what `take_part` has taken, from these scores or those of another process.

    Args:
        scores: of the same images and runs.
        line: as it was returned.
        sizes: of all pictures.
    """
    content = json.loads(line)
    rows, arrays = range(*content["rows"]), _unpacked(content["arrays"])
    for name, values in _rows(scores, rows).items():
        values[...] = arrays[name]
    for kind in SUMS:
        for name, accumulator in getattr(scores, kind).items():
            accumulator.add_state({key: arrays[f"{kind}/{name}/{key}"] for key in accumulator.state()})
    scores.failures += [Failure(image, error) for image, error in content["failures"]]
    sizes.merge(content["fitting"], content["others"])


def _rows(scores: Scores, rows: range) -> dict[str, npt.NDArray[np.generic]]:
    """Views of the tables: what stands there of these rows."""
    images = slice(rows.start, rows.stop)
    labels = slice(*np.searchsorted(scores.truth.label_images, (rows.start, rows.stop)).tolist())
    found: dict[str, npt.NDArray[np.generic]] = {"sizes": scores.truth.image_sizes[images]}
    for place, run in enumerate(scores.runs):
        found[f"{place}/known"] = scores.known[run][labels]
        for name in COLUMNS if scores.with_guesses else ():
            found[f"{place}/{name}"] = getattr(scores.guesses[run], name)[images]
    return found


def _sums(scores: Scores) -> dict[str, npt.NDArray[np.generic]]:
    return {
        f"{kind}/{name}/{key}": values
        for kind in SUMS
        for name, accumulator in getattr(scores, kind).items()
        for key, values in accumulator.state().items()
    }


def _packed(arrays: Mapping[str, Any]) -> str:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return base64.b64encode(stream.getvalue()).decode()


def _unpacked(text: str) -> dict[str, Any]:
    with np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False) as arrays:
        return dict(arrays)
