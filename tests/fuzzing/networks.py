"""Weights: wsloc's checkpoints, other people's state dicts, and the states of interrupted trainings."""

from __future__ import annotations

import io
import json
import warnings
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.fuzzing.annotated import write
from tests.fuzzing.mutations import mutated
from tests.fuzzing.trees import ODD_VALUES, mutated_tree
from wsloc.cli.inspect import _rows
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.loader import load
from wsloc.methods import METHODS, settled_options
from wsloc.networks.backbones import build_backbone
from wsloc.networks.checkpoints import Checkpoint, load_checkpoint, read_untrusted, save_checkpoint
from wsloc.networks.importing import import_state_dict
from wsloc.records import Classes
from wsloc.running.identity import differences
from wsloc.training.files import TrainingFiles

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from random import Random

CHECKPOINT = Checkpoint(
    method="gap",
    backbone="small_resnet",
    classes=Classes(("n01", "n02"), ("great white shark", "crane")),
    preprocessing=Preprocessing(image_size=64),
    weights={"conv1.weight": torch.arange(24.0).reshape(2, 3, 2, 2), "fc.bias": torch.tensor([1.0, -0.1])},
    options={"half": True, "rate": 0.5},
    recipe={"epochs": 3, "augmentation": {"flip": True}},
    data={"images": 2, "sha256": "ab"},
)
EPOCH = {
    "epoch": 0,
    "learning_rate": 0.1,
    "train_loss": 2.5,
    "train_error": 0.5,
    "seconds": 1.5,
    "mean_lambda": 0.1,
}


def write_checkpoints(root: Path) -> None:
    """A checkpoint, as this wsloc and as older torch wrote it, and its weights in the other kind of file."""
    save_checkpoint(CHECKPOINT, root / "new.pt")
    content = torch.load(root / "new.pt", weights_only=True)
    torch.save(content, root / "old.pth", _use_new_zipfile_serialization=False)
    save_file(CHECKPOINT.weights, root / "weights.safetensors")


def read_a_checkpoint(_: Path, path: Path) -> None:
    """As `wsloc inspect` does; of weights alone, as `wsloc import` begins."""
    if path.suffix == ".safetensors":
        read_untrusted(path)
        return
    found = load_checkpoint(path)
    _rows({"options": found.options, "recipe": found.recipe, "data": found.data})


def _odd_tensors() -> tuple[Any, ...]:
    """Tensors that no network takes, or not like that."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is only a prototype
        return (
            torch.zeros(1).expand(10**9),
            torch.zeros(1, dtype=torch.float16).expand(10**5, 10**7),
            torch.zeros(0),
            torch.tensor(1.0),
            torch.tensor([float("nan")]),
            torch.zeros(3, dtype=torch.complex64),
            torch.zeros(3, dtype=torch.bool),
            torch.zeros(3, dtype=torch.int32),
            torch.zeros(3, dtype=torch.uint16),
            torch.zeros(3, dtype=torch.float8_e4m3fn),
            torch.zeros(3, dtype=torch.uint8).view(torch.float4_e2m1fn_x2),
            torch.zeros(3, device="meta"),
            torch.eye(3).to_sparse(),
            torch.eye(3).to_sparse_csr(),
            torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.qint8),
            torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
            torch.nn.Parameter(torch.zeros(2)),
        )


ODD_TENSORS = _odd_tensors()


def changed(name: str, content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """A torch file that holds something else, or is damaged like any other file."""
    if random.random() < 0.4 or not name.endswith((".pt", ".pth")):
        return mutated(name, content, others, random)
    values = torch.load(io.BytesIO(content), weights_only=True)
    for _ in range(random.choice((1, 1, 1, 2))):
        values = mutated_tree(values, random, (*ODD_VALUES, *ODD_TENSORS))
    if random.random() < 0.05:
        _hold_itself(values, random)
    stream = io.BytesIO()
    torch.save(values, stream, _use_new_zipfile_serialization=random.random() < 0.9)
    return stream.getvalue()


def _hold_itself(values: Any, random: Random) -> None:
    """Put a dict or list into itself, somewhere."""
    keys = (
        [key for key, held in values.items() if isinstance(held, dict | list)]
        if isinstance(values, dict)
        else []
    )
    for key in random.choices(keys, k=1) if keys else ():
        held = values[key] = values[key].copy()  # it may be one of the odd values, which stay as they are
        if isinstance(held, dict):
            held["itself"] = held
        else:
            held.append(held)


def write_networks(root: Path) -> None:
    """Checkpoints of every method that can be used."""
    for name, method in METHODS.items():
        options = settled_options(name, method.DEFAULTS, "small_resnet", 64)
        network = method.build("small_resnet", 2, options)
        content = {field: getattr(CHECKPOINT, field) for field in Checkpoint.__slots__}
        content |= {"method": name, "options": options, "weights": network.model.state_dict()}
        save_checkpoint(Checkpoint(**content), root / f"{name}.pt", half=True)


def read_network(_: Path, path: Path) -> None:
    """As `wsloc boxes` does before its first image."""
    load(path, device="cpu")


def write_state_dicts(root: Path) -> None:
    """Weights of somebody else's training."""
    state = {key: value.half() if value.is_floating_point() else value for key, value in _small().items()}
    torch.save(
        {"epoch": 3, "model": {f"module.{key}": value for key, value in state.items()}}, root / "wrapped.pt"
    )
    save_file(state, root / "plain.safetensors")


def _small() -> dict[str, Tensor]:
    return dict(build_backbone("small_resnet", classes=2).model.state_dict())


def read_state_dict(_: Path, path: Path) -> None:
    """As `wsloc import` does."""
    import_state_dict(path, "small_resnet")
    import_state_dict(path, "small_resnet", headless=True)


def write_training(root: Path) -> None:
    """What an interrupted training goes on from."""
    files = TrainingFiles(root / "run.pt")
    files.write_state(
        {"arguments": {"epochs": 3, "options": {}}, "history": [EPOCH], "network": CHECKPOINT.weights}
    )
    write(files.metrics, json.dumps(EPOCH) + "\n" + json.dumps({**EPOCH, "epoch": 1}) + "\n")


def read_training(root: Path, path: Path) -> None:
    """The state's arguments, or the figures of a finished training."""
    files = TrainingFiles(root / "run.pt")
    if path == files.resume:
        differences(files.read_state()["arguments"], {"epochs": 3, "options": {"half": True}})
    else:
        files.read_figures()
