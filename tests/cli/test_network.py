from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from wsloc.cli.network import load_localizer, network_source
from wsloc.cli.options import Resize
from wsloc.cli.rib_options import SETTINGS
from wsloc.cli.running_options import Precision
from wsloc.errors import UsageError
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.loader import checkpoint_path
from wsloc.running.stages import FORWARD
from wsloc.views import Views

NONE = dict.fromkeys(
    (
        *("class_names", "image_size", "resize", "output_stride", "scales", "flip", "draws", "drop_rate"),
        *("infer_mode", "rib_images", *(f"rib_{name}" for name in SETTINGS)),
    )
)
ARGUMENTS: dict[str, Any] = {
    **NONE,
    "weights": "none",
    "device": "cpu",
    "precision": Precision.auto,
    "random_seed": 0,
    "compiled": False,
}


def test_one_network_is_named() -> None:
    assert network_source("demo", None, "DEFAULT") == (checkpoint_path("demo"), checkpoint_path("demo"))
    assert network_source(None, "resnet18", "DEFAULT") == ("resnet18", None)
    assert network_source(None, "resnet18", "none") == ("resnet18", None)
    assert network_source(None, "resnet18", "w.pth") == ("resnet18", Path("w.pth"))
    for named, words in (
        ((None, None, "DEFAULT"), "name one network"),
        (("demo", "resnet18", "DEFAULT"), "name one network"),
        (("demo", None, "none"), "--weights goes with --model"),
        ((None, "net.pt", "DEFAULT"), "give net.pt with --checkpoint"),
    ):
        with pytest.raises(UsageError, match=words):
            network_source(*named)


@pytest.mark.parametrize("plain", [False, True])
def test_options_reach_the_network_typed_or_as_text(*, plain: bool, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("\n".join(f"class {number}" for number in range(1000)))
    asked: dict[str, Any] = {
        "precision": Precision.float16,
        "resize": Resize.keep,
        "class_names": names,
        "image_size": 64,
        "scales": "1,0.5",
        "flip": True,
        "output_stride": 16,
    }
    if plain:
        asked = {
            name: str(value) if name in {"precision", "resize"} else value for name, value in asked.items()
        }
    localizer = load_localizer("resnet18", {**ARGUMENTS, **asked})
    assert localizer.autocast is torch.float16
    assert (localizer.preprocessing.image_size, localizer.preprocessing.resize) == (64, "keep")
    assert localizer.classes.names[7] == "class 7"
    assert (localizer.views.scales, localizer.views.flip) == ((1.0, 0.5), True)
    assert localizer.network.stride == 16


def test_without_options_it_is_the_networks_own() -> None:
    localizer = load_localizer("resnet18", ARGUMENTS)
    assert localizer.autocast is None
    assert localizer.views == Views()
    assert localizer.preprocessing.resize == Preprocessing().resize


def test_a_profile_is_of_one_run() -> None:
    first, second = (load_localizer("resnet18", ARGUMENTS, profile=True) for _ in range(2))
    first.stages.add(FORWARD, 1.0)
    assert second.stages.seconds() == {}
