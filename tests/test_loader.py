from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

import wsloc
from tests.conftest import CLASSES, ROOT
from tests.example_localizers import Tiny, picture
from tests.training.tiny_data import folder_per_class
from wsloc.errors import CheckpointError, DataError, UnsupportedError
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.loader import checkpoint_path, names_checkpoint
from wsloc.methods.rib import FineTuning
from wsloc.networks.hooked import HookedNetwork
from wsloc.networks.small_resnet import SmallResNet
from wsloc.records import Classes

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsloc.localizer import Localizer

SMALL = Preprocessing(image_size=32)


def same_weights(one: Localizer, other: Localizer) -> bool:
    left, right = one.network.state_dict(), other.network.state_dict()
    return all(torch.equal(value, right[key]) for key, value in left.items())


@pytest.mark.parametrize("method", ["ep", "gap"])
def test_a_checkpoint_holds_everything(make_checkpoint: Callable[..., Path], method: str) -> None:
    path = make_checkpoint(method, preprocessing=Preprocessing(40, "keep"), task="multi-label")
    for source in (path, str(path)):
        localizer = wsloc.load(source)
        assert localizer.classes == CLASSES
        assert localizer.preprocessing == Preprocessing(40, "keep")
        assert (localizer.task, localizer.source) == ("multi-label", method)
        assert (localizer.network.pooling is not None) == (method == "ep")
        assert not localizer.network.training
        assert localizer.autocast is None
        weights = torch.load(path, weights_only=True)["weights"]
        assert all(
            torch.equal(value, weights[key]) for key, value in localizer.network.model.state_dict().items()
        )


def test_whatever_the_user_says_comes_first(ep_checkpoint: Path) -> None:
    named = wsloc.load(
        ep_checkpoint,
        device=torch.device("cpu"),
        precision="bfloat16",
        classes=["a", "b", "c", "d", "e", "f"],
        image_size=64,
        resize="keep",
        task="multi-label",
    )
    assert named.classes == Classes(tuple("abcdef"), tuple("abcdef"))
    assert named.preprocessing == Preprocessing(64, "keep")
    assert (named.task, named.autocast, named.device) == ("multi-label", torch.bfloat16, torch.device("cpu"))
    assert wsloc.load(ep_checkpoint, classes=CLASSES, preprocessing=SMALL).preprocessing == SMALL


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"precision": "half"}, "unknown precision 'half': choose auto, float32, bfloat16, float16"),
        ({"task": "regression"}, "unknown task 'regression': choose single-label or multi-label"),
        ({"device": "abacus"}, "unknown device 'abacus'"),
        ({"device": "cuda:99"}, "no CUDA device for 'cuda:99' on this machine: use --device cpu"),
        ({"resize": "crop"}, "resize must be one of squash, keep, not 'crop'"),
        ({"image_size": 0}, "image_size is a whole number of pixels from 1 to 8,192 .*, not 0"),
        ({"image_size": 64.5}, "image_size is a whole number of pixels .*, not 64.5"),
        ({"image_size": 7}, "small_resnet takes inputs of at least 8 pixels a side, not 7"),
        ({"classes": ["a", "b"]}, r"2 class names \(2 different\) for a network with 6 outputs"),
        ({"classes": ["a"] * 6}, r"6 class names \(1 different\) for a network with 6 outputs"),
        ({"target_layer": "layer9"}, "has no layer 'layer9'"),
    ],
)
def test_options_are_checked(ep_checkpoint: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UnsupportedError, match=words):
        wsloc.load(ep_checkpoint, **options)


def test_the_smallest_input_works(ep_checkpoint: Path) -> None:
    assert wsloc.load(ep_checkpoint, image_size=8, device="cpu").localize(picture()).predictions[0].mass > 0


def test_checkpoints_that_do_not_fit(make_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    path = make_checkpoint("gap")
    content = torch.load(path, weights_only=True)
    torch.save({**content, "method": "tomorrow's"}, tmp_path / "newer.pt")
    with pytest.raises(
        CheckpointError, match=r"newer\.pt is of the method \"tomorrow's\".*\(gap, ep.*use a newer"
    ):
        wsloc.load(tmp_path / "newer.pt")
    torch.save({**content, "class_ids": ["a"], "class_names": ["a"]}, tmp_path / "fewer.pt")
    with pytest.raises(CheckpointError, match=r"fewer\.pt is damaged: its weights do not fit"):
        wsloc.load(tmp_path / "fewer.pt")
    with pytest.raises(CheckpointError, match=r"nowhere\.pt is not there"):
        wsloc.load(tmp_path / "nowhere.pt")


def test_random_weights_depend_on_the_seed_alone() -> None:
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    one, again = (wsloc.load("small_resnet", weights=None, random_seed=1) for _ in range(2))
    torch.rand(7)
    other = wsloc.load("small_resnet", weights="none", random_seed=2)
    assert same_weights(one, again)
    assert not same_weights(one, other)
    assert one.source == "model"
    assert (len(one.classes), one.classes.ids[1], one.classes.names[1]) == (1000, "n01443537", "goldfish")
    torch.random.set_rng_state(state)
    drawn = torch.rand(1)
    torch.random.set_rng_state(state)
    wsloc.load("small_resnet", weights=None, random_seed=1)
    assert torch.equal(torch.rand(1), drawn)


def test_weights_of_a_model_from_a_file(tmp_path: Path) -> None:
    model = SmallResNet(3).eval()
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    localizer = wsloc.load("small_resnet", weights=tmp_path / "weights.pth", image_size=32, device="cpu")
    assert localizer.classes.names == ("0", "1", "2")
    assert localizer.default_map() == "entropy-class"
    assert torch.equal(localizer.network.model.state_dict()["fc.weight"], model.fc.weight)
    with pytest.raises(CheckpointError, match=r"weights\.pth does not fit resnet18"):
        wsloc.load("resnet18", weights=tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match=r"gone\.pth is not there"):
        wsloc.load("small_resnet", weights=tmp_path / "gone.pth")


def test_what_is_no_source_is_refused() -> None:
    with pytest.raises(
        UnsupportedError, match="a checkpoint's path, a model's name or a torch module, not int"
    ):
        wsloc.load(3)  # type: ignore[arg-type]  # what is tested


def test_unknown_models_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="unknown backbone 'resnet5O': did you mean"):
        wsloc.load("resnet5O")


def test_what_names_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("resnet18", "weights"):
        Path(name).touch()
    assert names_checkpoint("demo")
    assert names_checkpoint("ep.pt")
    assert names_checkpoint(Path("anything"))
    assert names_checkpoint("weights")  # a file
    assert not names_checkpoint("resnet18")  # a model, whatever lies here
    assert not names_checkpoint("resnet5O")


def test_the_demo_is_found_in_the_repository_and_in_the_wheel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    package = tmp_path / "site-packages/wsloc"
    (package / "assets").mkdir(parents=True)
    monkeypatch.setattr("wsloc.loader.__file__", str(package / "loader.py"))
    with pytest.raises(CheckpointError, match="the demo checkpoint is not in this installation"):
        checkpoint_path("demo")
    (package / "assets/demo-ep.pt").touch()
    assert checkpoint_path("demo") == package / "assets/demo-ep.pt"
    assert checkpoint_path("a/demo.pt") == Path("a/demo.pt")
    Path("demo").touch()
    assert checkpoint_path("demo") == Path("demo")  # a file of that name


def test_the_demo_finds_what_is_in_its_pictures() -> None:
    """The trained checkpoint of the package, on its own pictures of one thing each."""
    assert (ROOT / "assets/demo-ep.pt").is_file()
    demo = wsloc.load("demo", device="cpu")
    assert demo.source == "ep"
    paths = sorted((ROOT / "assets/images").glob("*_1.*"))
    assert len(paths) == 8
    found = [record.predictions[0].class_name for record in demo.localize(paths)]
    right = sum(
        name == path.name.removesuffix("_1" + path.suffix) for name, path in zip(found, paths, strict=True)
    )
    assert right >= 7


def test_a_module_needs_its_layer_and_preprocessing() -> None:
    for options in ({}, {"target_layer": "trunk"}, {"preprocessing": SMALL}):
        with pytest.raises(UnsupportedError, match=r"needs target_layer= .* and preprocessing="):
            wsloc.load(SmallResNet(3), **options)


def test_a_module_is_asked_where_it_is() -> None:
    module = SmallResNet(3)
    for device in ("auto", "cpu", torch.device("cpu")):
        localizer = wsloc.load(module, target_layer=module.layer3, preprocessing=SMALL, device=device)
        assert localizer.device == torch.device("cpu")
        assert localizer.network.model is module
        assert (localizer.classes.names, localizer.source) == (("0", "1", "2"), "model")
    assert module.training
    assert module.bn1.num_batches_tracked == torch.zeros(())  # counting the outputs was no training step
    small = wsloc.load(module, target_layer="layer3", preprocessing=SMALL, image_size=16, resize="keep")
    assert small.preprocessing == Preprocessing(16, "keep")
    meta = SmallResNet(3).to("meta")
    with pytest.raises(UnsupportedError, match="the module is on meta: move it to cpu first"):
        wsloc.load(meta, target_layer="layer3", preprocessing=SMALL, device="cpu")


def test_classes_of_a_module() -> None:
    named = wsloc.load(SmallResNet(2), target_layer="layer3", preprocessing=SMALL, classes=["cat", "dog"])
    assert named.classes.names == ("cat", "dog")
    with pytest.raises(UnsupportedError, match=r"3 class names .* a network with 2 outputs"):
        wsloc.load(SmallResNet(2), target_layer="layer3", preprocessing=SMALL, classes=["a", "b", "c"])


def test_a_module_that_gives_no_logits_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"Conv2d gives no logits \(N, C\)"):
        wsloc.load(nn.Conv2d(3, 2, 1), target_layer="", preprocessing=SMALL)
    with pytest.raises(UnsupportedError, match="is not reached"):
        wsloc.load(_Unreached(), target_layer="idle", preprocessing=SMALL)


class _Unreached(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.used, self.idle = SmallResNet(2), nn.Conv2d(3, 2, 1)

    def forward(self, images: torch.Tensor) -> Any:
        return self.used(images)


@pytest.mark.parametrize(
    ("given", "others", "own"),
    [
        ({}, ((1.0,), False), ((1.0, 0.5, 1.5, 2.0), True)),
        ({"scales": (1, 1.5)}, ((1.0, 1.5), False), ((1.0, 1.5), True)),
        ({"flip": False}, ((1.0,), False), ((1.0, 0.5, 1.5, 2.0), False)),
        ({"flip": True, "rib": FineTuning(scales=(2.0,), flip=False)}, ((1.0,), True), ((2.0,), True)),
    ],
)
def test_views_that_are_given_are_rib_s_too(
    gap_checkpoint: Path, given: dict[str, Any], others: tuple[Any, Any], own: tuple[Any, Any]
) -> None:
    views = wsloc.load(gap_checkpoint, device="cpu", **given).views
    assert (views.scales, views.flip) == others
    assert (views.fine_tuning.scales, views.fine_tuning.flip) == own
    with pytest.raises(UnsupportedError, match="scales are factors above 0"):
        wsloc.load(gap_checkpoint, rib=FineTuning(scales=(0.0,)))


def test_other_images_are_of_the_network_s_classes(gap_checkpoint: Path, tmp_path: Path) -> None:
    data = folder_per_class(tmp_path / "data", 3, classes=2)
    localizer = wsloc.load(gap_checkpoint, device="cpu", rib_images=data, image_size=40, random_seed=4)
    pool = localizer.views.fine_tuning.pool
    assert pool is not None
    assert (pool.preprocessing.image_size, pool.random_seed) == (40, 4)
    pixels, labels = pool.draw(0, (0,), 2)
    assert pixels.shape == (2, 40, 40, 3)
    assert labels == [(1,), (1,)]
    with pytest.raises(DataError, match="are not among the network's 6: donut, star"):
        wsloc.load(gap_checkpoint, device="cpu", classes=list("abcdef"), rib_images=data)


def test_a_layer_of_a_checkpoint_under_its_own_name(ep_checkpoint: Path) -> None:
    hooked = wsloc.load(ep_checkpoint, target_layer="layer2.0", device="cpu")
    assert isinstance(hooked.network, HookedNetwork)
    assert not hooked.network.training
    assert hooked.default_map() == "gradcam"
    plain = wsloc.load(ep_checkpoint, device="cpu")
    record, expected = (one.localize(picture(), map="gradcam") for one in (hooked, plain))
    assert record.predictions[0].probability == pytest.approx(expected.predictions[0].probability, abs=1e-5)


def test_a_module_without_parameters_is_on_the_cpu() -> None:
    class Colours(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Identity()

        def forward(self, images: torch.Tensor) -> Any:
            return self.layer(images).mean(dim=(2, 3))

    localizer = wsloc.load(Colours(), target_layer="layer", preprocessing=SMALL)
    assert localizer.device == torch.device("cpu")
    assert localizer.localize(picture()).predictions[0].class_name in {"0", "1", "2"}


def test_small_modules_have_no_smallest_input() -> None:
    class Classifier(nn.Sequential):
        def forward(self, images: torch.Tensor) -> Any:
            return self[0](images).mean(dim=(2, 3))

    localizer = wsloc.load(
        Classifier(Tiny().trunk), target_layer="0", preprocessing=Preprocessing(image_size=4)
    )
    assert localizer.localize(picture()).map == "gradcam"


@pytest.mark.parametrize(
    ("method", "options", "words"),
    [
        ("ep", {"ramp": None}, r"damaged\.pt is damaged: its options are none of the method ep"),
        ("bew", {"layers": "two"}, r"damaged\.pt is damaged: its options are none of the method bew"),
        ("bew", {"layers": 7}, r"damaged\.pt: .*layers"),
        ("ep", {"tomorrow's": 1}, r"damaged\.pt: unknown option"),
    ],
)
def test_options_of_a_checkpoint_that_make_no_sense(
    make_checkpoint: Callable[..., Path], tmp_path: Path, method: str, options: dict[str, Any], words: str
) -> None:
    content = torch.load(make_checkpoint(method), weights_only=True)
    torch.save({**content, "options": options}, tmp_path / "damaged.pt")
    with pytest.raises((CheckpointError, UnsupportedError), match=words):
        wsloc.load(tmp_path / "damaged.pt", device="cpu")
