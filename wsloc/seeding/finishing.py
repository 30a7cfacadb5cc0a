"""What there is once for all seeds of a run: its log, its list, its classes, the formats of one file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsloc.metrics.seed_coverage import SeedCoverage
from wsloc.outputs.seed_files.formats import OF_A_RUN
from wsloc.outputs.seed_files.image_list import write_image_list
from wsloc.outputs.seed_files.seed_log import lines_of, read_seed_log, write_seed_log
from wsloc.records import Failure

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from wsloc.metrics.seed_coverage import Coverage
    from wsloc.outputs.seed_files.numbering import Numbering


@dataclass(frozen=True, slots=True)
class SeedTally:
    """What the log of a run comes to.

    Attributes:
        images: how many there are.
        failures: those that could not be used.
        predicted: how many have labels of the network's own.
        coverage: of the seeds.
    """

    images: int
    failures: tuple[Failure, ...]
    predicted: int
    coverage: Coverage


def finish_seeds(
    folder: Path, lines: Iterable[bytes], numbering: Numbering, formats: Collection[str] | None
) -> SeedTally:
    """Write the log and the files that there are one a run, and count what they tell.

    Args:
        folder: of the results.
        lines: of all images in their order, singly or several at a time.
        numbering: of the classes.
        formats: of `SEED_FORMATS`; None for a shard, which leaves the files of a run to the merge.

    Raises:
        OutputError: if a file cannot be written.
        DataError: if the log cannot be read.
    """
    log = write_seed_log(folder, lines)
    if formats is not None:
        numbering.write(folder)
        write_image_list(lines_of(log), folder)
        for name in OF_A_RUN:
            if name in formats:
                OF_A_RUN[name](lines_of(log), numbering, folder)
    return _tally(log, numbering)


def _tally(log: Path, numbering: Numbering) -> SeedTally:
    coverage = SeedCoverage(numbering.values)
    failures: list[Failure] = []
    images = predicted = 0
    for line in read_seed_log(log):
        images += 1
        if isinstance(line, Failure):
            failures.append(line)
            continue
        predicted += line.predicted
        classes = ((area.value, area.pixels) for area in line.classes)
        coverage.add(classes, line.background.pixels, line.ignore.pixels)
    return SeedTally(images, tuple(failures), predicted, coverage.result())
