"""Checkpoints: what is written comes back, what is damaged or dangerous does not, and nothing is executed."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from wsloc.errors import CheckpointError, OutputError
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.networks.checkpoints import (
    Checkpoint,
    checked_weights,
    is_checkpoint,
    load_checkpoint,
    read_untrusted,
    save_checkpoint,
)
from wsloc.records import Classes

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKPOINT = Checkpoint(
    method="ep",
    backbone="resnet18",
    classes=Classes(("n01", "n02"), ("great white shark", "Käse")),
    preprocessing=Preprocessing(image_size=96, resize="keep", mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6)),
    weights={
        "conv1.weight": torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0)),
        "bn1.num_batches_tracked": torch.tensor(7),
        "fc.bias": torch.tensor([1.0, -0.1]),
    },
    task="multi-label",
    options={"rate": 0.9, "deep": True},
    recipe={"epochs": 3, "figures": {"loss": [0.5, 0.25]}, "notes": None},
    data={"images": 12, "path": "photos"},
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good checkpoint."""
    save_checkpoint(CHECKPOINT, tmp_path / "good.pt")
    return tmp_path / "good.pt"


def content(**changes: Any) -> dict[str, Any]:
    """What a checkpoint file holds, with changes; None takes an entry out."""
    values: dict[str, Any] = {
        "format": "wsloc-checkpoint",
        "format_version": 1,
        "method": "ep",
        "backbone": "resnet18",
        "task": "single-label",
        "class_ids": ["a", "b"],
        "class_names": ["A", "B"],
        "preprocessing": Preprocessing().to_dict(),
        "options": {},
        "recipe": {},
        "data": {},
        "weights": {"fc.bias": torch.zeros(2)},
    }
    return {key: value for key, value in {**values, **changes}.items() if value is not None}


def refused(path: Path, read: Callable[[Path], object] = load_checkpoint) -> str:
    """The message of a refusal: one line that begins with the file."""
    with pytest.raises(CheckpointError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path} ")
    assert message.isprintable()
    return message


# Round trip.


def same_weights(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return list(found) == list(expected) and all(
        found[key].dtype == expected[key].dtype and torch.equal(found[key], expected[key]) for key in expected
    )


def test_round_trip(path: Path) -> None:
    found = load_checkpoint(path)
    assert same_weights(found.weights, CHECKPOINT.weights)
    assert replace(found, weights={}) == replace(CHECKPOINT, weights={})


def test_half(path: Path, tmp_path: Path) -> None:
    large = {**CHECKPOINT.weights, "wide": torch.randn(100, 100), "var": torch.tensor([1e6, 1e-9])}
    save_checkpoint(replace(CHECKPOINT, weights=large), path)
    save_checkpoint(replace(CHECKPOINT, weights=large), tmp_path / "half.pt", half=True)
    found = load_checkpoint(tmp_path / "half.pt").weights
    assert found["wide"].dtype == torch.float32
    assert torch.equal(found["wide"], large["wide"].half().float())
    assert torch.equal(found["var"], large["var"])  # beyond float16
    assert torch.equal(found["bn1.num_batches_tracked"], torch.tensor(7))
    assert (tmp_path / "half.pt").stat().st_size < 0.6 * path.stat().st_size


def test_same_bytes_under_any_name(path: Path, tmp_path: Path) -> None:
    save_checkpoint(CHECKPOINT, tmp_path / "folder" / "other.pth")
    assert (tmp_path / "folder" / "other.pth").read_bytes() == path.read_bytes()


def test_only_what_is_seen_of_a_view_is_stored(path: Path) -> None:
    views = {
        "rows": torch.zeros(10_000, 100)[:2],
        "columns": torch.zeros(100, 100).T,
        "parameter": nn.Parameter(torch.ones(3)),
        "last": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
    }
    save_checkpoint(replace(CHECKPOINT, weights=views), path)
    assert path.stat().st_size < 100_000
    found = load_checkpoint(path).weights
    assert all(torch.equal(found[key], views[key]) for key in views)
    assert not any(value.requires_grad for value in found.values())


def test_numpy_scalars_and_tuples_become_plain(path: Path) -> None:
    recipe = {"loss": np.float64(0.5), "best": np.float32(0.25), "epoch": np.int64(3), "betas": (0.9, 0.99)}
    save_checkpoint(replace(CHECKPOINT, recipe=recipe), path)
    found = load_checkpoint(path).recipe
    assert found == {"loss": 0.5, "best": 0.25, "epoch": 3, "betas": [0.9, 0.99]}
    assert [type(value) for value in found.values()] == [float, float, int, list]


@pytest.mark.parametrize("value", [np.zeros(3), Path("photos"), {"inside": [object()]}])
def test_what_could_not_be_read_again_is_not_written(value: object, path: Path) -> None:
    with pytest.raises(TypeError, match=r"checkpoint\.data\.source.* plain values only"):
        save_checkpoint(replace(CHECKPOINT, data={"source": value}), path)
    assert load_checkpoint(path).data == CHECKPOINT.data


def test_nothing_is_read_without_weights_only(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    original = torch.load

    def load(*arguments: Any, **options: Any) -> Any:
        asked.append(options["weights_only"])
        return original(*arguments, **options)

    monkeypatch.setattr(torch, "load", load)
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    load_checkpoint(path)
    assert asked == [True]


# Writing.

KILLED_WHILE_WRITING = """
import os, sys, torch
from pathlib import Path
from wsloc.networks import checkpoints

def half_a_file(content, stream):
    stream.write(b"PK half a file")
    stream.flush()
    os._exit(9)

path = Path(sys.argv[1])
checkpoint = checkpoints.load_checkpoint(path)
torch.save = half_a_file
checkpoints.save_checkpoint(checkpoint, path)
"""


def test_killed_while_writing(path: Path) -> None:
    before = path.read_bytes()
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_WRITING, str(path)],
        check=False,
        cwd=Path(__file__).parents[2],
        timeout=60,
    )
    assert killed.returncode == 9
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 2  # what was written so far stands beside it
    save_checkpoint(CHECKPOINT, path)
    assert path.read_bytes() == before


def test_disk_full(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = io.open

    class Full(io.BufferedWriter):
        def write(self, buffer: Any) -> int:
            if self.tell() + len(buffer) > 1000:
                raise OSError(28, "No space left on device")
            return super().write(buffer)

    def full(self: Path, mode: str = "r", *arguments: Any) -> Any:
        return Full(io.FileIO(self, "w")) if mode == "wb" else original(self, mode, *arguments)

    before = path.read_bytes()
    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OutputError, match=r"cannot write .*good\.pt: "):
        save_checkpoint(CHECKPOINT, path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["good.pt"]


def test_no_place_to_write(path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*good\.pt/x\.pt: "):
        save_checkpoint(CHECKPOINT, path / "x.pt")


# What a file holds.


@pytest.mark.parametrize("values", [torch.zeros(3), [1, 2], "wsloc-checkpoint", {"format": torch.zeros(2)}])
def test_weights_that_are_no_checkpoint(values: object, tmp_path: Path) -> None:
    torch.save(values, tmp_path / "weights.pt")
    assert "no wsloc checkpoint" in refused(tmp_path / "weights.pt")
    assert f"wsloc import {tmp_path / 'weights.pt'} --backbone" in refused(tmp_path / "weights.pt")


def test_is_checkpoint(path: Path) -> None:
    assert is_checkpoint(read_untrusted(path))
    assert is_checkpoint(content(format_version=99))
    assert not is_checkpoint({"weights": {}})
    assert not is_checkpoint([])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format_version": 2}, "is of checkpoint format 2; this wsloc reads 1: use the wsloc version"),
        ({"format_version": "2"}, "is of checkpoint format unknown"),
        ({"format_version": torch.zeros(2)}, "is of checkpoint format unknown"),
        *(
            ({name: None}, f"{name!r} is missing")
            for name in content()
            if name not in {"format", "format_version"}
        ),
        ({"backbone": 18}, "'backbone' is missing, or no str"),
        ({"task": "no-label"}, "'no-label', not single-label or multi-label"),
        ({"options": [1]}, "'options' is missing, or no dict"),
        ({"class_ids": "ab"}, "'class_ids' is missing, or no list"),
        ({"class_ids": [1, 2]}, "not all words"),
        ({"class_ids": [], "class_names": []}, "0 ids"),
        ({"class_ids": ["a", "a"]}, "2 ids, 1 different, 2 names"),
        ({"class_names": ["A"]}, "1 names"),
        ({"preprocessing": {"image_size": 64}}, "preprocessing"),
        ({"preprocessing": {**Preprocessing().to_dict(), "image_size": 1e999}}, "cannot be used"),
        ({"preprocessing": {**Preprocessing().to_dict(), "mean": [1, 2]}}, "preprocessing"),
        ({"preprocessing": {**Preprocessing().to_dict(), "resize": "crop"}}, "crop"),
        ({"weights": {}}, "no weights"),
        ({"weights": {"fc.bias": [0.0]}}, "'fc.bias' is a list"),
        ({"weights": {3: torch.zeros(3)}}, "weight 3 is a Tensor, not a tensor by its name"),
        ({"weights": {"fc.bias": torch.tensor([0.0, torch.nan])}}, "'fc.bias' is not finite: the training"),
        ({"weights": {"fc.bias": torch.tensor([1e300], dtype=torch.float64)}}, "not finite"),
    ],
)
def test_entries_that_are_wrong(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    torch.save(content(), tmp_path / "good.pt")
    load_checkpoint(tmp_path / "good.pt")
    torch.save(content(**changes), tmp_path / "bad.pt")
    assert words in refused(tmp_path / "bad.pt")


@pytest.mark.parametrize(
    "value",
    [
        torch.eye(3).to_sparse(),
        torch.eye(3).to(torch.complex64),
        torch.zeros(3, device="meta"),
    ],
)
def test_tensors_of_no_use(value: Tensor) -> None:
    with pytest.raises(CheckpointError, match="'w' is sparse, quantized, complex or without data"):
        checked_weights({"w": value})


def test_weights_become_float32() -> None:
    kinds = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    found = checked_weights({str(kind): torch.full((2,), 0.5, dtype=kind) for kind in kinds})
    assert all(torch.equal(value, torch.full((2,), 0.5)) for value in found.values())
    assert checked_weights({"n": torch.tensor(3)})["n"].dtype == torch.int64


def test_old_torch_files_are_read(tmp_path: Path) -> None:
    torch.save(content(), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert load_checkpoint(tmp_path / "old.pt").classes == Classes(("a", "b"), ("A", "B"))
