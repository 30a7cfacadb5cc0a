"""Pictures against the sizes that their annotations say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsloc.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsloc.evaluation.scores import Scores


class SizeCheck:
    """Lets a picture of another size than annotated fail alone, and refuses a folder of such pictures.

    Attributes:
        fitting: how many pictures are of the size that is annotated.
        others: errors of those that are not.
    """

    def __init__(self, scores: Scores) -> None:
        self._scores = scores
        self.fitting = 0
        self.others: list[str] = []

    def error(self, row: int, image_size: tuple[int, int], where: str = "the picture is") -> str | None:
        """Note the size of an image, as `Scores.set_size`; what to let it fail with if its annotation contradicts.

        Nothing but that row's size is touched in the scores: another thread may fill other rows meanwhile.
        """
        try:
            self._scores.set_size(row, image_size, where)
        except DataError as error:
            self.others.append(str(error))
            return str(error)
        self.fitting += 1
        return None

    def fits(self, row: int, image_size: tuple[int, int], where: str = "the picture is") -> bool:
        """The same, and let it fail at once."""
        error = self.error(row, image_size, where)
        if error is not None:
            self._scores.fail(row, error)
        return error is None

    def merge(self, fitting: int, others: Sequence[str]) -> None:
        """Count what another check of the same scores has found."""
        self.fitting += fitting
        self.others += others

    def require_any(self) -> None:
        """Refuse pictures that are all others than the annotated ones.

        Raises:
            DataError: if every image was of another size.
        """
        if self.others and not self.fitting:
            more = f" (and so are all {len(self.others):,})" if len(self.others) > 1 else ""
            raise DataError(self.others[0] + more)
