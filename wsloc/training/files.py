"""The files of a training: the checkpoint and, beside it, its figures, their curve and what a resume needs."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import torch

from wsloc.errors import CheckpointError, OutputError, TrainingError
from wsloc.files import write_bytes, write_text
from wsloc.networks.checkpoints import is_plain, read_untrusted
from wsloc.outputs.curves import save_training_curve

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from wsloc.records import Sample

START_ANEW = "start anew with --overwrite"


@dataclass(frozen=True, slots=True)
class TrainingFiles:
    """Where the files of one training are.

    Attributes:
        output: the checkpoint.
    """

    output: Path

    @property
    def metrics(self) -> Path:
        """A line of JSON an epoch."""
        return self.output.with_name(f"{self.output.stem}.metrics.jsonl")

    @property
    def curve(self) -> Path:
        """The picture of the metrics."""
        return self.output.with_name(f"{self.output.stem}.curve.png")

    @property
    def resume(self) -> Path:
        """The state after the last whole epoch; there only until the training is complete."""
        return self.output.with_name(f"{self.output.stem}.resume.pt")

    def snapshot(self, epoch: int) -> Path:
        """The checkpoint of an epoch, from 0, that is kept beside the output; its name counts from 1."""
        return self.output.with_name(f"{self.output.stem}.epoch-{epoch + 1}{self.output.suffix}")

    def strip(self, epochs: int) -> Path:
        """The picture of a few images' maps after so many epochs."""
        return self.output.with_name(f"{self.output.stem}.attention") / f"epoch-{epochs}.jpg"

    @property
    def complete(self) -> bool:
        """Whether a training has ended here: there is a checkpoint, and nothing to go on from.

        The state of an epoch is written before its checkpoint, so that no kill looks like an end.
        """
        return self.output.is_file() and not self.resume.exists()

    def prepare(self) -> None:
        """Make the folder, and find out whether it can be written to before hours have been spent.

        Raises:
            OutputError: if it cannot, or the output is a folder or named like another format.
        """
        if self.output.is_dir():
            raise OutputError(f"{self.output} is a folder: name a file for the checkpoint")
        if self.output.suffix == ".safetensors":
            raise OutputError(f"{self.output}: checkpoints are torch files: name it {self.output.stem}.pt")
        folder = self.output.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise OutputError(
                f"cannot write to the folder {folder} ({error.strerror or error}): name another --output"
            ) from error

    def write_state(self, state: Mapping[str, Any]) -> None:
        """Keep what a resume needs, weights as they are.

        Raises:
            OutputError: if the file cannot be written.
        """
        # Into memory first: on a full disk torch.save itself raises errors that name neither file nor reason.
        stream = io.BytesIO()
        torch.save(dict(state), stream)
        write_bytes(self.resume, stream.getvalue())

    def read_state(self) -> dict[str, Any]:
        """What `write_state` kept.

        Raises:
            TrainingError: if the file cannot be read or holds something else.
        """
        try:
            state: Any = read_untrusted(self.resume)
        except CheckpointError as error:
            raise TrainingError(f"{error}: {START_ANEW}") from error
        arguments = state.get("arguments") if isinstance(state, dict) else None
        if not isinstance(arguments, dict) or not is_plain(arguments):
            raise TrainingError(f"{self.resume} is no state of a training: {START_ANEW}")
        return dict(state)

    def forget(self) -> None:
        """Remove the state: the training is complete, or begins anew.

        Raises:
            OutputError: if it cannot be removed.
        """
        try:
            self.resume.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"cannot remove {self.resume}: {error.strerror or error}") from error

    def write_figures(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Write metrics and curve, one record an epoch.

        Raises:
            OutputError: if a file cannot be written.
        """
        write_text(self.metrics, "".join(json.dumps(record) + "\n" for record in history))
        save_training_curve(history, self.curve)

    def read_figures(self) -> list[dict[str, Any]]:
        """The records that `write_figures` wrote; none if they are no longer there.

        Raises:
            TrainingError: if the file cannot be read.
        """
        if not self.metrics.exists():
            return []
        try:
            lines = self.metrics.read_text(encoding="utf-8").splitlines()
            return [dict(json.loads(line)) for line in lines]
        except (OSError, TypeError, ValueError, RecursionError) as error:
            raise TrainingError(f"{self.metrics} cannot be read: remove it, or {START_ANEW}") from error


def fingerprint(samples: Iterable[Sample]) -> str:
    """SHA-256 in hexadecimal of the images' ids and labels, in their order; not of the pictures."""
    listing = json.dumps([[sample.image, *sample.labels] for sample in samples])
    return hashlib.sha256(listing.encode()).hexdigest()
