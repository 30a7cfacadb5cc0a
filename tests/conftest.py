"""What many tests look at: a folder of scenes, small checkpoints with random weights, and the command line."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.scenes import make_scene
from wsloc.records import Classes

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsloc.localizer import Localizer

# Networks this small gain nothing from threads; on a busy machine, waiting for one another takes minutes.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parent.parent
CLASSES = Classes(
    ("n01", "n02", "n03", "n04", "n05", "n06"), ("star", "donut", "fish", "key", "flower", "moon")
)
# name -> (height, width)
SCENES = {"a/star.png": (60, 90), "a/tall.png": (150, 40), "b/fish.jpg": (64, 64), "key.png": (48, 72)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command came to."""

    code: int
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures of four sizes, two of them in `a`, one in `b`; not to be written to."""
    folder = tmp_path_factory.mktemp("scenes")
    for number, (name, size) in enumerate(SCENES.items()):
        picture = make_scene(np.random.default_rng(number), size, [number]).picture
        (folder / name).parent.mkdir(exist_ok=True)
        Image.fromarray(picture).save(folder / name)
    return folder


@pytest.fixture(scope="session")
def make_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`make_checkpoint(method="ep", classes=CLASSES, backbone="small_resnet", **fields)` gives its path."""
    import torch

    from wsloc.inputs.preprocessing import Preprocessing
    from wsloc.methods import METHODS
    from wsloc.networks.checkpoints import Checkpoint, save_checkpoint

    folder = tmp_path_factory.mktemp("checkpoints")

    def make(
        method: str = "ep", classes: Classes = CLASSES, backbone: str = "small_resnet", **fields: object
    ) -> Path:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(5)
            model = METHODS[method].build(backbone, len(classes)).model
            head = [value for name, value in model.named_parameters() if not name.startswith("bew")][-2:]
            for parameter in head:  # classes that differ, so that maps do
                torch.nn.init.normal_(parameter, std=2.0)
        path = folder / f"{len(list(folder.iterdir()))}-{method}.pt"
        settings = {"preprocessing": Preprocessing(image_size=48), "weights": model.state_dict(), **fields}
        save_checkpoint(Checkpoint(method, backbone, classes, **settings), path)  # type: ignore[arg-type]  # tests
        return path

    return make


@pytest.fixture(scope="session")
def ep_checkpoint(make_checkpoint: Callable[..., Path]) -> Path:
    """Entropy Pooling on `small_resnet`, six classes, input 48 x 48, so a grid of 6 x 6."""
    return make_checkpoint("ep")


@pytest.fixture(scope="session")
def gap_checkpoint(make_checkpoint: Callable[..., Path]) -> Path:
    """The same weights under global average pooling."""
    return make_checkpoint("gap")


@pytest.fixture(scope="session")
def ep(ep_checkpoint: Path) -> Localizer:
    """A localizer of the Entropy Pooling checkpoint, on the CPU."""
    from wsloc.loader import load

    return load(ep_checkpoint, device="cpu")


@pytest.fixture(scope="session")
def bew(make_checkpoint: Callable[..., Path]) -> Localizer:
    """A localizer of a network with BEW layers and Entropy Pooling, which has every map."""
    from wsloc.loader import load

    return load(make_checkpoint("bew"), device="cpu")


@pytest.fixture(scope="session")
def gap(gap_checkpoint: Path) -> Localizer:
    """A localizer of the other one."""
    from wsloc.loader import load

    return load(gap_checkpoint, device="cpu")


@pytest.fixture(scope="session")
def fickle(make_checkpoint: Callable[..., Path]) -> Localizer:
    """A localizer of a FickleNet checkpoint."""
    from wsloc.loader import load

    return load(make_checkpoint("ficklenet"), device="cpu")


@pytest.fixture(scope="session")
def showing(gap: Localizer, bew: Localizer, fickle: Localizer) -> Callable[[str], Localizer]:
    """`showing(map)` is a localizer whose network has that map."""
    from wsloc.methods import MAPS
    from wsloc.methods.rib import FineTuning
    from wsloc.views import Views

    tuned = replace(gap, views=Views(fine_tuning=FineTuning(steps=2, scales=(1.0,), flip=False)))

    def localizer(name: str) -> Localizer:
        kind = MAPS[name]
        return fickle if kind.stochastic else bew if kind.branch else tuned if kind.fine_tuned else gap

    return localizer


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Runs `wsloc ARGUMENTS...` in this process; what it is asked becomes text."""
    monkeypatch.setenv("TERM", "dumb")  # CI variables would colour help texts, whatever NO_COLOR says
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> Outcome:
        from wsloc.cli.app import app

        result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
