"""Files from anywhere: dangerous and damaged ones are refused in one line, and nothing is executed."""

from __future__ import annotations

import builtins
import os
import pickle
import random
import re
import struct
import sys
import tarfile
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from wsloc.errors import CheckpointError
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.networks.checkpoints import Checkpoint, load_checkpoint, read_untrusted, save_checkpoint
from wsloc.records import Classes

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKPOINT = Checkpoint(
    method="ep",
    backbone="resnet18",
    classes=Classes(("n01", "n02"), ("great white shark", "crane")),
    preprocessing=Preprocessing(),
    weights={"conv1.weight": torch.arange(108.0).reshape(4, 3, 3, 3), "fc.bias": torch.tensor([1.0, -0.1])},
    recipe={"epochs": 3},
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good checkpoint."""
    save_checkpoint(CHECKPOINT, tmp_path / "good.pt")
    return tmp_path / "good.pt"


def refused(path: Path, read: Callable[[Path], object] = load_checkpoint) -> str:
    """The message of a refusal: one line that begins with the file."""
    with pytest.raises(CheckpointError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path} ")
    assert message.isprintable()
    return message


def same_weights(found: dict[str, Tensor]) -> bool:
    expected = CHECKPOINT.weights
    return list(found) == list(expected) and all(torch.equal(found[key], expected[key]) for key in expected)


CALLS: tuple[Callable[..., object], ...] = (os.system, builtins.exec, builtins.eval, builtins.open)


class Malicious:
    """Pickled, it makes a file as soon as it is read carelessly."""

    def __init__(self, proof: Path, call: Callable[..., object]) -> None:
        self.proof = proof
        self.call = call

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        if self.call is os.system:
            return self.call, (f"echo > '{self.proof}'",)
        if self.call in (builtins.exec, builtins.eval):
            return self.call, (f"open({str(self.proof)!r}, 'w').close()",)
        return self.call, (str(self.proof), "w")


def torch_zip(pickled: bytes, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")


def write_plain_pickle(value: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(value))


def write_old_torch_file(value: object, path: Path) -> None:
    torch.save(value, path, _use_new_zipfile_serialization=False)


def write_pickle_zip(value: object, path: Path) -> None:
    torch_zip(pickle.dumps(value, protocol=2), path)


def write_torch_file(value: object, path: Path) -> None:
    torch.save(value, path)


WRITERS = (write_plain_pickle, write_old_torch_file, write_pickle_zip, write_torch_file)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda value: value,
        lambda value: {"state_dict": {"fc.weight": torch.zeros(2), "fc.bias": value}},
        lambda value: OrderedDict(a=[(1, {"deep": [value]})]),
        lambda value: {"format": "wsloc-checkpoint", "format_version": 1, "recipe": {"epochs": value}},
    ],
)
def test_code_is_refused_and_not_run(
    wrap: Callable[[object], object],
    write: Callable[[object, Path], None],
    call: Callable[..., object],
    tmp_path: Path,
) -> None:
    proof, path = tmp_path / "proof", tmp_path / "bad.pt"
    write(wrap(Malicious(proof, call)), path)
    for read in (read_untrusted, load_checkpoint):
        message = refused(path, read)
        assert not proof.exists()
        # Of plain pickle and of tensors in it, functions of their own are refused before the call is seen.
        names = rf"\S*{call.__name__}|torch\.storage\._load_from_bytes|torch\._utils\.\w+|collections\.OrderedDict"
        verb = "calls" if write is write_plain_pickle else "holds"
        assert re.search(rf"could run code \(it {verb} ({names})\): .*state_dict\(\).*safetensors", message)


def test_the_malicious_files_would_run_code(tmp_path: Path) -> None:
    for number, call in enumerate(CALLS[:3]):
        proof = tmp_path / f"proof{number}"
        pickle.loads(pickle.dumps(Malicious(proof, call)))  # noqa: S301 - our own, to see that it is malicious
        assert proof.exists()
        proof.unlink()
        write_old_torch_file(Malicious(proof, call), tmp_path / "bad.pt")
        torch.load(tmp_path / "bad.pt", weights_only=False)
        assert proof.exists()


def test_handmade_opcodes(tmp_path: Path) -> None:
    proof, path = tmp_path / "proof", tmp_path / "bad.pt"
    argument = f"open({str(proof)!r}, 'w')".encode()
    for program in (
        b"cbuiltins\nexec\n(X" + struct.pack("<I", len(argument)) + argument + b"tR.",
        b"(X" + struct.pack("<I", len(argument)) + argument + b"ibuiltins\nexec\n.",  # INST
        b"(cbuiltins\nexec\nX" + struct.pack("<I", len(argument)) + argument + b"o.",  # OBJ
        b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93X"
        + struct.pack("<I", len(argument))
        + argument
        + b"\x85R.",
        b"ctorch\nload\nX" + struct.pack("<I", len(argument)) + argument + b"\x85R.",
    ):
        for write in (lambda data, place: place.write_bytes(data), torch_zip):
            write(program, path)
            refused(path)
            assert not proof.exists()


def test_whole_models_are_refused(tmp_path: Path) -> None:
    torch.save({"model": nn.Linear(2, 2)}, tmp_path / "model.pt")
    assert "it holds torch.nn.modules.linear.Linear" in refused(tmp_path / "model.pt")
    torch.save({"accuracy": np.float64(0.5)}, tmp_path / "numpy.pt")
    assert "could run code (it holds numpy" in refused(tmp_path / "numpy.pt")


# Damaged files, and files of other kinds.


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("empty.pt", b"", "is empty"),
        ("empty.safetensors", b"", "is empty"),
        ("text.pt", b"fc.weight 0.1 0.2\n" * 20, "no weights file"),
        ("short.pt", b"x", "no weights file"),
        ("unicode.pt", "Käse\n".encode("utf-16"), "no weights file"),
        ("page.pt", b"\n<!DOCTYPE html>\n<html><body>404</body></html>", "is a web page"),
        ("page.safetensors", b"<HTML><body>404</body></html>", "is a web page"),
        ("lfs.pt", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        ("json.pt", b'{"state_dict": {}}', "no weights file"),
        ("pickle.pt", pickle.dumps({"fc.bias": [1.0]}), "no weights file"),
        ("zip.pt", b"PK\x03\x04" + b"\0" * 200, "no weights file"),
        ("zeros.pt", b"\0" * 5000, "no weights file"),
        ("zeros.safetensors", b"\0" * 5000, "no safetensors file"),
    ],
)
def test_other_files(name: str, data: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    assert words in refused(tmp_path / name)


def test_no_files(tmp_path: Path) -> None:
    assert "is not there" in refused(tmp_path / "no.pt")
    assert "is a folder" in refused(tmp_path)
    assert "is no file" in refused(Path(os.devnull))
    assert "name a checkpoint" in refused(tmp_path / ("long" * 100))
    (tmp_path / "file").write_bytes(b"x")
    assert "name a checkpoint" in refused(tmp_path / "file" / "x.pt")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="needs a user without all rights")
def test_unreadable_file(path: Path) -> None:
    path.chmod(0)
    assert "Permission denied" in refused(path)


def test_other_archives(tmp_path: Path) -> None:
    np.savez(tmp_path / "arrays.npz", a=np.zeros(3))
    assert "is a zip archive, but no torch file" in refused(tmp_path / "arrays.npz")
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:
        archive.writestr("script/data.pkl", b"")
        archive.writestr("script/constants.pkl", b"")
    assert "is a TorchScript program: save its state_dict()" in refused(tmp_path / "script.pt")


def test_tar_files(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "old.pt", "w") as archive:
        for name in ("storages", "tensors", "pickle"):
            archive.addfile(tarfile.TarInfo(name))
    assert "no weights file" in refused(tmp_path / "old.pt")


def test_cut_short_anywhere(path: Path) -> None:
    data = path.read_bytes()
    for length in [*range(0, 200, 9), *range(200, len(data), 131), len(data) - 1]:
        path.write_bytes(data[:length])
        refused(path)


def test_every_flipped_bit_of_the_content_is_seen(path: Path) -> None:
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        contents = [archive.read(name) for name in archive.namelist()]
    long = [part for part in contents if len(part) > 30]  # the pickle, the tensors, an id
    places = [data.index(part) + at for part in long for at in range(0, len(part), 1 + len(part) // 25)]
    assert len(long) >= 3
    for place in places:
        path.write_bytes(data[:place] + bytes([data[place] ^ 16]) + data[place + 1 :])
        assert "damaged" in refused(path)


def test_checksums_may_be_switched_off(path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        save_checkpoint(CHECKPOINT, path)
    finally:
        torch.serialization.set_crc32_options(True)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is not None
    assert same_weights(load_checkpoint(path).weights)


def fuzzed(data: bytes, generator: random.Random) -> bytes:
    """The data with a bit, some bytes, a piece, or its end gone wrong."""
    mangled = bytearray(data)
    place = generator.randrange(len(data))
    match generator.randrange(5):
        case 0:
            del mangled[place:]
        case 1:
            mangled[place] ^= 1 << generator.randrange(8)
        case 2:
            for _ in range(generator.randrange(1, 6)):
                mangled[generator.randrange(len(data))] = generator.randrange(256)
        case 3:
            del mangled[place : place + generator.randrange(1, 20)]
        case _:
            mangled[place:place] = generator.randbytes(generator.randrange(1, 9))
    return bytes(mangled)


@pytest.mark.parametrize("kind", ["zip", "old", "unchecked", "safetensors"])
def test_fuzzed_files_are_refused_or_read(kind: str, path: Path, tmp_path: Path) -> None:
    whole = torch.load(path, weights_only=True)
    if kind == "old":
        write_old_torch_file(whole, path)
    elif kind == "unchecked":
        torch.serialization.set_crc32_options(False)
        torch.save(whole, path)
        torch.serialization.set_crc32_options(True)
    elif kind == "safetensors":
        from safetensors.torch import save_file

        path = tmp_path / "good.safetensors"
        save_file(CHECKPOINT.weights, path)
    data, generator, errors = path.read_bytes(), random.Random(0), 0
    words: set[str] = set()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(120):
            path.write_bytes(fuzzed(data, generator))
            try:
                found = load_checkpoint(path)
            except CheckpointError as error:
                errors += 1
                words.add(str(error))
            else:
                assert kind != "zip" or same_weights(found.weights)
    assert not caught
    assert all(message.startswith(f"{path} ") and message.isprintable() for message in words)
    assert errors > 60


def test_safetensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors.torch import save_file

    for name in ("a.safetensors", "b.SafeTensors"):
        save_file(CHECKPOINT.weights, tmp_path / name)
        found = read_untrusted(tmp_path / name)
        assert found.keys() == CHECKPOINT.weights.keys()
        assert all(torch.equal(found[key], CHECKPOINT.weights[key]) for key in found)
    assert "no wsloc checkpoint" in refused(tmp_path / "a.safetensors")
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    assert "pip install 'wsloc[safetensors]'" in refused(tmp_path / "a.safetensors")


@pytest.mark.filterwarnings("ignore")  # torch warns of its prototypes where they are made
def test_tensors_that_no_network_holds(path: Path) -> None:
    content = torch.load(path, weights_only=True)
    odd = {
        "of 4,000,000,000,000 bytes, which the file lacks": torch.zeros(1).expand(10**12),
        "sparse": torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
        "float4_e2m1fn_x2, which is not read": torch.zeros(3, dtype=torch.uint8).view(torch.float4_e2m1fn_x2),
    }
    for words, tensor in odd.items():
        torch.save({**content, "weights": {**content["weights"], "odd": tensor}}, path)
        assert re.search(f"its weight 'odd' .*{words}", refused(path))


def test_what_stands_beside_the_weights_is_plain(path: Path) -> None:
    content = torch.load(path, weights_only=True)
    inside_itself: dict[str, object] = {}
    inside_itself["again"] = inside_itself
    for name in ("preprocessing", "options", "recipe", "data"):
        for odd in (inside_itself, {"a": torch.zeros(2)}, {"b": [{1, 2}]}):
            torch.save({**content, name: odd}, path)
            assert f"its '{name}' holds more than plain values" in refused(path)
