"""A training's files: found beside one another, checked before work begins, read back or refused in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from wsloc.errors import OutputError, TrainingError, WslocError
from wsloc.records import Sample
from wsloc.training import files as training_files
from wsloc.training.files import TrainingFiles, fingerprint

if TYPE_CHECKING:
    from pathlib import Path

STATE = {"arguments": {"epochs": 2}, "network": {"weight": torch.tensor([1 / 3])}, "history": []}


def one_line(error: pytest.ExceptionInfo[WslocError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


def test_files_stand_side_by_side(tmp_path: Path) -> None:
    files = TrainingFiles(tmp_path / "net.v1.pt")
    assert files.metrics == tmp_path / "net.v1.metrics.jsonl"
    assert files.curve == tmp_path / "net.v1.curve.png"
    assert files.resume == tmp_path / "net.v1.resume.pt"


def test_a_checkpoint_without_a_state_is_a_complete_training(tmp_path: Path) -> None:
    files = TrainingFiles(tmp_path / "net.pt")
    found = [files.complete]
    files.output.write_bytes(b"")
    found.append(files.complete)
    files.write_state(STATE)
    found.append(files.complete)
    files.forget()
    found.append(files.complete)
    files.forget()  # of nothing is no error
    assert found == [False, True, False, True]


# Whether they can be written


def test_the_folder_is_made_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    TrainingFiles(tmp_path / "a" / "b" / "net.pt").prepare()
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="name another --output") as error:
        TrainingFiles(tmp_path / "file" / "net.pt").prepare()
    assert str(tmp_path / "file") in one_line(error)


def test_a_folder_that_takes_no_files_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(training_files, "TemporaryFile", refuse)  # root may write anywhere
    with pytest.raises(OutputError, match=r"cannot write to the folder .*Permission denied"):
        TrainingFiles(tmp_path / "net.pt").prepare()


def test_a_folder_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder: name a file"):
        TrainingFiles(tmp_path).prepare()


def test_a_name_that_readers_would_take_for_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"name it net\.pt"):
        TrainingFiles(tmp_path / "net.safetensors").prepare()


# The state


def test_a_state_comes_back_bit_for_bit(tmp_path: Path) -> None:
    files = TrainingFiles(tmp_path / "net.pt")
    files.write_state(STATE)
    state = files.read_state()
    assert state["arguments"] == {"epochs": 2}
    assert state["network"]["weight"].dtype == torch.float32
    assert torch.equal(state["network"]["weight"], torch.tensor([1 / 3]))


@pytest.mark.parametrize("kept", [0, 1, 200, -1])
def test_a_torn_state_is_refused_with_the_remedy(tmp_path: Path, kept: int) -> None:
    files = TrainingFiles(tmp_path / "net.pt")
    files.write_state(STATE)
    files.resume.write_bytes(files.resume.read_bytes()[:kept])
    with pytest.raises(TrainingError, match="start anew with --overwrite") as error:
        files.read_state()
    assert str(files.resume) in one_line(error)


@pytest.mark.parametrize(
    "content", [[1, 2], {"weight": 1}, {"arguments": [1]}, {"arguments": {"epochs": torch.zeros(2)}}]
)
def test_other_contents_are_no_state(tmp_path: Path, content: object) -> None:
    files = TrainingFiles(tmp_path / "net.pt")
    torch.save(content, files.resume)
    with pytest.raises(TrainingError, match="is no state of a training"):
        files.read_state()


def test_a_state_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"net\.resume\.pt"):
        TrainingFiles(tmp_path / "file" / "net.pt").write_state(STATE)


def test_a_state_that_cannot_be_removed_is_named(tmp_path: Path) -> None:
    files = TrainingFiles(tmp_path / "net.pt")
    files.resume.mkdir()
    with pytest.raises(OutputError, match=r"cannot remove .*net\.resume\.pt"):
        files.forget()


# The figures


def test_figures_come_back(tmp_path: Path) -> None:
    files = TrainingFiles(tmp_path / "net.pt")
    assert files.read_figures() == []
    history = [{"epoch": 0, "train_loss": 1 / 3, "train_error": 0.5}, {"epoch": 1, "train_loss": 0.1}]
    files.write_figures(history)
    assert files.read_figures() == history
    assert files.curve.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("content", ["{", "[1]", "7", "\x00", "[" * 100_000])
def test_damaged_figures_are_named(tmp_path: Path, content: str) -> None:
    files = TrainingFiles(tmp_path / "net.pt")
    files.metrics.write_text(content)
    with pytest.raises(TrainingError, match=r"net\.metrics\.jsonl cannot be read") as error:
        files.read_figures()
    one_line(error)


# What two trainings have in common


def test_fingerprints_tell_images_labels_and_order_apart() -> None:
    one, other = Sample("a.png", None, ("cat",)), Sample("b.png", None, ("cat", "dog"))
    listings = [
        [one, other],
        [other, one],
        [one],
        [one, Sample("b.png", None, ("cat",))],
        [one, Sample("c.png", None, ("cat", "dog"))],
    ]
    found = [fingerprint(listing) for listing in listings]
    assert len(set(found)) == len(listings)
    assert fingerprint([one, other]) == found[0]
