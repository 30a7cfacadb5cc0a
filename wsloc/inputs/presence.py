"""Folders of images that vanish while they are read: a drive that is gone is no damaged image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsloc.errors import ImageError
from wsloc.inputs.images import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsloc.records import ImageFile


class Presence:
    """The folders of some images, as they were there at the beginning.

    Args:
        files: the images.
    """

    def __init__(self, files: Iterable[ImageFile]) -> None:
        self._folders = {folder for folder in {file.path.parent for file in files} if folder.is_dir()}

    def require(self, file: ImageFile) -> None:
        """Refuse to take an image for damaged whose folder has gone: so would all the others be.

        Raises:
            ImageError: naming the folder.
        """
        folder = file.path.parent
        if folder in self._folders and not folder.is_dir():
            raise ImageError(
                f"the folder {printable(folder)} is no longer there: bring it back, and run the same command again to "
                "go on"
            )
