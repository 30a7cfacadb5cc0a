"""Other people's state dicts: what comes in unchanged, and what is turned away with which words."""

from __future__ import annotations

from contextlib import nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn

from wsloc.errors import CheckpointError, DataError, UnsupportedError
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.networks.backbones import build_backbone, imagenet_classes, prepare_state
from wsloc.networks.checkpoints import Checkpoint, save_checkpoint
from wsloc.networks.importing import (
    ANYWHERE,
    PREFIXES,
    Imported,
    import_state_dict,
    imported_classes,
    read_class_names,
)
from wsloc.records import Classes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CLASSES = 7
# The smallest of every family whose layers, keys or head are peculiar.
NAMES = (
    *("small_resnet", "resnet18", "densenet121", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0"),
    *("regnet_y_400mf", "squeezenet1_1", "mnasnet0_5", "shufflenet_v2_x0_5", "googlenet"),
)

State = dict[str, Tensor]


def blank(name: str, classes: int = CLASSES) -> nn.Module:
    """The backbone without data, where it can be built so: shapes alone."""
    with nullcontext() if name.startswith("regnet") else torch.device("meta"):
        return build_backbone(name, classes).model


@cache
def trained(name: str) -> State:
    """A state dict with a mark of its own in every entry; tests leave it as it is."""
    generator = torch.Generator().manual_seed(0)
    return {
        key: torch.rand(value.shape, generator=generator).mul(10).to(value.dtype)
        for key, value in blank(name).state_dict().items()
    }


def saved(content: object, folder: Path) -> Path:
    path = folder / "theirs.pth"
    torch.save(content, path)
    return path


def imported(content: object, folder: Path, name: str = "small_resnet") -> Imported:
    return import_state_dict(saved(content, folder), name)


def assert_same(found: Imported, expected: State) -> None:
    """All entries and nothing else, bit by bit, in the backbone's order."""
    assert list(found.weights) == list(expected)
    for key, value in expected.items():
        assert found.weights[key].dtype == value.dtype, key
        assert torch.equal(found.weights[key], value), key


def refused(content: object, folder: Path, name: str = "small_resnet") -> str:
    path = saved(content, folder)
    with pytest.raises(CheckpointError) as caught:
        import_state_dict(path, name)
    message = str(caught.value)
    assert message.startswith(f"{path} ")
    assert "\n" not in message
    return message


def without(state: State, *beginnings: str) -> State:
    kept = {key: value for key, value in state.items() if not key.startswith(beginnings)}
    assert len(kept) < len(state)
    return kept


@pytest.mark.parametrize("name", NAMES)
def test_every_family_comes_back_as_it_was(name: str, tmp_path: Path) -> None:
    found = imported(trained(name), tmp_path, name)
    assert_same(found, trained(name))
    assert (found.classes, found.missing, found.unexpected) == (CLASSES, (), ())
    model = blank(name, found.classes)
    # Strict: nothing is missing or too many.
    model.load_state_dict(prepare_state(model, found.weights), assign=True)


@pytest.mark.parametrize(("name", "layer"), [("convnext_tiny", "classifier.2"), ("alexnet", "classifier.6")])
def test_heads_of_several_layers_have_their_classes_in_the_last(
    name: str, layer: str, tmp_path: Path
) -> None:
    # Shapes alone: AlexNet's values would be a quarter of a gigabyte.
    shapes = {key: value.shape for key, value in blank(name, 3).state_dict().items()}
    state = {key: torch.zeros(()).expand(shape) for key, shape in shapes.items()}
    found = imported(state, tmp_path, name)
    assert found.classes == 3
    assert {key: value.shape for key, value in found.weights.items()} == shapes
    found = imported(
        {
            **state,
            f"{layer}.weight": torch.ones(9, shapes[f"{layer}.weight"][1]),
            f"{layer}.bias": torch.ones(9),
        },
        tmp_path,
        name,
    )
    assert found.classes == 9


def test_random_numbers_go_on_as_if_nothing_had_been_imported(tmp_path: Path) -> None:
    for name in ("small_resnet", "regnet_y_400mf"):
        path = saved(trained(name), tmp_path)
        before = torch.get_rng_state()
        import_state_dict(path, name)
        assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"state_dict": state, "epoch": 90, "optimizer": {"state": {0: state}, "lr": 0.1}},
        lambda state: {"model": state, "model_ema": {}, "best": torch.tensor(0.3)},
        lambda state: {"model_state": state},
        lambda state: {"model_state_dict": state},
        lambda state: {"net": state},
        lambda state: {"network": state},
        lambda state: {"weights": state, "model": {"depth": 18, "blocks": {"kind": "basic"}}},
        lambda state: {"model": {"state_dict": {"module": state}}},
        lambda state: {**state, "epoch": 3, "classes": ["a", "b"]},
        lambda state: {key: nn.Parameter(value, value.is_floating_point()) for key, value in state.items()},
    ],
)
def test_wrappers(wrap: Callable[[State], dict[str, Any]], tmp_path: Path) -> None:
    found = imported(wrap(trained("small_resnet")), tmp_path)
    assert_same(found, trained("small_resnet"))
    assert found.unexpected == ()
    assert not any(value.requires_grad for value in found.weights.values())


@pytest.mark.parametrize(
    "prefix",
    [
        *("module.", "model.", "backbone.", "net.", "network.", "_orig_mod."),
        *("module.model.", "_orig_mod.module.", "model._orig_mod.backbone.module.", "module.module."),
    ],
)
def test_prefixes(prefix: str, tmp_path: Path) -> None:
    state = {f"{prefix}{key}": value for key, value in trained("small_resnet").items()}
    assert_same(imported(state, tmp_path), trained("small_resnet"))


def test_prefixes_of_a_part(tmp_path: Path) -> None:
    # A trunk and a head of somebody's own, and a trunk that was wrapped for itself.
    state = {
        f"{'head' if key.startswith('fc') else 'model.backbone'}.{key}": value
        for key, value in trained("small_resnet").items()
    }
    assert_same(imported(state, tmp_path), trained("small_resnet"))
    state = {
        key.replace("features.", "features.module."): value for key, value in trained("mobilenet_v2").items()
    }
    assert_same(imported(state, tmp_path, "mobilenet_v2"), trained("mobilenet_v2"))


@pytest.mark.parametrize("name", NAMES)
def test_no_backbone_has_a_part_that_is_taken_for_a_prefix(name: str) -> None:
    parts = [key.split(".") for key in trained(name)]
    assert not {key[0] for key in parts} & PREFIXES
    assert not {part for key in parts for part in key} & ANYWHERE


def test_two_networks_in_one_file(tmp_path: Path) -> None:
    state = trained("small_resnet")
    both = {**state, **{f"backbone.{key}": value for key, value in state.items()}}
    assert "conv1.weight and backbone.conv1.weight are both conv1.weight" in refused(both, tmp_path)


def test_old_densenet_names(tmp_path: Path) -> None:
    state = {
        f"module.{key.replace('.norm1.', '.norm.1.').replace('.conv2.', '.conv.2.')}": value
        for key, value in trained("densenet121").items()
    }
    assert "module.features.denseblock1.denselayer1.norm.1.weight" in state
    assert_same(imported(state, tmp_path, "densenet121"), trained("densenet121"))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions(dtype: torch.dtype, tmp_path: Path) -> None:
    state = {
        key: value.to(dtype) if value.is_floating_point() else value
        for key, value in trained("small_resnet").items()
    }
    expected = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    assert_same(imported(state, tmp_path), expected)


def test_safetensors(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    state = {key: value.contiguous() for key, value in trained("mnasnet0_5").items()}
    save_file(state, tmp_path / "theirs.safetensors")
    assert_same(import_state_dict(tmp_path / "theirs.safetensors", "mnasnet0_5"), trained("mnasnet0_5"))


@pytest.mark.parametrize(
    "layer", ["fc", "classifier", "head", "linear", "last_linear", "module.head.fc", "fc.1", "my_layer"]
)
@pytest.mark.parametrize("convolution", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_classifiers(layer: str, convolution: bool, bias: bool, tmp_path: Path) -> None:
    expected = dict(trained("small_resnet"))
    weight = expected["fc.weight"]
    state = without(expected, "fc.")
    state[f"{layer}.weight"] = weight[:, :, None, None] if convolution else weight
    if bias:
        state[f"{layer}.bias"] = expected["fc.bias"]
    else:
        expected["fc.bias"] = torch.zeros(CLASSES)
    found = imported(state, tmp_path)
    assert_same(found, expected)
    assert (found.classes, found.missing, found.unexpected) == (CLASSES, (), ())


def test_a_convolution_for_a_classifier_may_be_a_linear_layer(tmp_path: Path) -> None:
    state = dict(trained("squeezenet1_1"))
    state["classifier.1.weight"] = state["classifier.1.weight"].flatten(1)
    assert_same(imported(state, tmp_path, "squeezenet1_1"), trained("squeezenet1_1"))


def test_of_several_layers_the_usual_name_is_the_classifier(tmp_path: Path) -> None:
    state = without(trained("small_resnet"), "fc.")
    projection = {"projection.weight": torch.ones(5, 160), "projection.bias": torch.ones(5)}
    found = imported({**projection, **state, "head.weight": torch.ones(3, 160)}, tmp_path)
    assert (found.classes, found.unexpected) == (3, tuple(projection))
    message = refused({**projection, **state, "other.weight": torch.ones(3, 160)}, tmp_path)
    assert "its classifier may be any of projection, other: call it fc" in message


def test_no_classifier(tmp_path: Path) -> None:
    assert "no classifier (a layer of 160 inputs)" in refused(
        without(trained("small_resnet"), "fc."), tmp_path
    )


def test_another_head(tmp_path: Path) -> None:
    state = without(trained("small_resnet"), "fc.")
    layers = {"fc.0.weight": torch.ones(64, 160), "fc.2.weight": torch.ones(5, 64)}
    message = refused({**state, **layers}, tmp_path)
    assert "1 of its weights are too many (fc.2.weight)" in message
    assert "another head" in message
    message = refused({**state, "fc.weight": torch.ones(5, 160, 3, 3)}, tmp_path)
    assert "fc.weight is (5, 160, 3, 3), the backbone's is (classes, 160)" in message
    message = refused({**state, "fc.weight": torch.ones(5, 160), "fc.bias": torch.ones(4)}, tmp_path)
    assert "fc.bias is torch.float32 (4,), the backbone's is torch.float32 (5,)" in message
    assert "fc.weight is ()" in refused({**state, "fc.weight": torch.tensor(1.0)}, tmp_path)
    assert "fc.weight is (0, 160)" in refused({**state, "fc.weight": torch.ones(0, 160)}, tmp_path)


def test_auxiliary_classifiers_may_be_missing(tmp_path: Path) -> None:
    state = trained("googlenet")
    found = imported(without(state, "aux1", "aux2"), tmp_path, "googlenet")
    auxiliary = [key for key in state if key.startswith("aux")]
    assert found.missing == tuple(key for key in auxiliary if "num_batches" not in key)
    expected = {key: torch.zeros_like(state[key]) if key in auxiliary else state[key] for key in state}
    assert_same(found, expected)


def test_auxiliary_classifiers_of_other_classes_are_dropped(tmp_path: Path) -> None:
    state = {**trained("googlenet"), "fc.weight": torch.ones(4, 1024), "fc.bias": torch.ones(4)}
    found = imported({**state, "aux1.more.weight": torch.ones(3)}, tmp_path, "googlenet")
    assert found.classes == 4
    assert found.unexpected == ("aux1.more.weight",)
    assert found.missing == tuple(f"aux{i}.fc2.{what}" for i in (1, 2) for what in ("weight", "bias"))
    assert torch.equal(found.weights["aux1.fc2.weight"], torch.zeros(4, 1024))
    assert torch.equal(found.weights["aux1.fc1.weight"], state["aux1.fc1.weight"])


def test_counters(tmp_path: Path) -> None:
    state = {key: value for key, value in trained("small_resnet").items() if "num_batches" not in key}
    profiled = {f"{key.rpartition('.')[0]}.total_ops": torch.zeros(1) for key in state}
    found = imported({**state, **profiled, "bn1.num_batches_tracked": torch.tensor([5])}, tmp_path)
    assert (found.missing, found.unexpected) == ((), ())
    assert_same(
        found,
        {
            key: state.get(key, torch.zeros((), dtype=torch.int64)) for key in trained("small_resnet")
        },
    )  # fmt: skip


def test_layers_beside_the_backbone_are_left_out(tmp_path: Path) -> None:
    beside = {"projector.0.weight": torch.ones(3, 3), "criterion.weight": torch.full((2,), torch.inf)}
    found = imported({**trained("small_resnet"), **beside}, tmp_path)
    assert found.unexpected == tuple(beside)
    assert_same(found, trained("small_resnet"))


@pytest.mark.parametrize(
    ("name", "theirs", "words"),
    [
        (
            "resnet34",
            "resnet18",
            r"missing \(layer1\.2\.conv1\.weight, (\S+, ){19}\.\.\.\).*another backbone",
        ),
        ("resnet18", "resnet34", r"weights are too many \(layer1\.2\.conv1\.weight, .*another backbone"),
        (
            "wide_resnet50_2",
            "resnet50",
            r"\(64, 64, 1, 1\), the backbone's is torch\.float32 \(128, 64, 1, 1\), and \d+ more differ: .*another",
        ),
        ("resnet18", "resnet50", r"fc\.weight is \(7, 2048\), the backbone's is \(classes, 512\)"),
        (
            "resnet18",
            "mobilenet_v2",
            r"no key is the backbone's: the file has features\.0\.0\.weight, .*, the backbone conv1\.weight, .*another",
        ),
    ],
)
def test_other_backbones(name: str, theirs: str, words: str, tmp_path: Path) -> None:
    shapes = blank(theirs).state_dict()
    state = {key: torch.zeros((), dtype=value.dtype).expand(value.shape) for key, value in shapes.items()}
    path = saved(state, tmp_path)
    with pytest.raises(CheckpointError, match=rf"theirs\.pth does not fit {name}: .*{words}"):
        import_state_dict(path, name)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([torch.ones(3)], "it holds no tensors by name, but list"),
        ({"epoch": 3, "lr": 0.1, "by": "me", "at": "home"}, "no tensors by name, but epoch, lr, by, ..."),
        ({"module": torch.ones(3), "": torch.ones(2)}, "no key is the backbone's: the file has module, "),
        ({0: torch.ones(3)}, "no tensors by name, but 0"),
        (torch.ones(3), "no tensors by name, but Tensor"),
    ],
)
def test_no_state_dicts(content: object, words: str, tmp_path: Path) -> None:
    assert words in refused(content, tmp_path)


def test_a_dict_inside_itself_ends(tmp_path: Path) -> None:
    loop: dict[str, Any] = {}
    loop["model"] = loop
    assert "no tensors by name" in refused(loop, tmp_path)


@pytest.mark.parametrize("key", ["fc.weight", "layer3.1.conv2.weight"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda value: value.index_fill(0, torch.tensor(2), torch.nan), "is not finite"),
        (lambda value: value.to(torch.complex64), ""),
        (lambda value: value.to(torch.int8), "is torch.int8 "),
        (lambda value: value.to_sparse(), "is sparse"),
        (lambda value: value.to("meta"), "without data"),
        (lambda value: torch.nested.nested_tensor(list(value)), "is a nested tensor"),
    ],
)
def test_weights_of_no_use(key: str, change: Callable[[Tensor], Tensor], words: str, tmp_path: Path) -> None:
    state = trained("small_resnet")
    message = refused({**state, key: change(state[key])}, tmp_path)
    assert key in message
    assert words in message


def test_expected_number_of_classes(tmp_path: Path) -> None:
    path = saved(trained("small_resnet"), tmp_path)
    assert import_state_dict(path, "small_resnet", classes=CLASSES).classes == CLASSES
    with pytest.raises(CheckpointError, match=r"theirs\.pth has 7 outputs, but 5 classes are expected"):
        import_state_dict(path, "small_resnet", classes=5)


def test_own_checkpoints_need_no_import(tmp_path: Path) -> None:
    names = tuple(map(str, range(CLASSES)))
    own = Checkpoint("ep", "small_resnet", Classes(names, names), Preprocessing(), trained("small_resnet"))
    save_checkpoint(own, tmp_path / "own.pt")
    with pytest.raises(CheckpointError, match=r"own\.pt is a wsloc checkpoint: .*--checkpoint"):
        import_state_dict(tmp_path / "own.pt", "small_resnet")


def test_unknown_backbones(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="resnt18"):
        import_state_dict(saved(trained("small_resnet"), tmp_path), "resnt18")


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no\.pth is not there"):
        import_state_dict(tmp_path / "no.pth", "small_resnet")


@pytest.mark.parametrize(
    ("text", "ids", "names"),
    [
        ("cat\ndog\n", ("cat", "dog"), ("cat", "dog")),
        ("\ufeff cat \r\nTibetan mastiff\r\n\r\n", ("cat", "Tibetan mastiff"), ("cat", "Tibetan mastiff")),
        ("n01\ttabby, cat\nn02\tdog", ("n01", "n02"), ("tabby, cat", "dog")),
        ("n01,cat\nn02, dog, hound\n", ("n01", "n02"), ("cat", "dog, hound")),
        ('n01,"cat, tabby"\nn02,"dog"\n', ("n01", "n02"), ("cat, tabby", "dog")),
        ("n02012849 crane\nn03126707 crane, lift\n", ("n02012849", "n03126707"), ("crane", "crane, lift")),
        # Commas inside names: not every line begins with a word and a comma.
        ("white shark, man-eater\ncat, tabby\n", ("white shark, man-eater", "cat, tabby"), None),
        ("dog, hound\ncat\n", ("dog, hound", "cat"), None),
        ("a\u2028b\nc\n", ("a\u2028b", "c"), None),
    ],
)
def test_class_names(text: str, ids: tuple[str, ...], names: tuple[str, ...] | None, tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes(text.encode())
    assert read_class_names(path) == Classes(ids, names or ids)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "names.txt: holds no class names"),
        (b"\n \n", "names.txt: holds no class names"),
        (b"cat\n\ndog\n", "names.txt:2: expected `name` or"),
        (b"cat\ndog\ncat\n", "names.txt:3: cat stands on line 1 already"),
        (b"n1\tcat\nn2\tdog\nn1\tbird\n", "names.txt:3: n1 stands on line 1 already"),
        (b"n1\tcat\nn2 dog\n", "names.txt:2: expected"),
        (b"n1\tcat\nn2\t\n", "names.txt:2: expected"),
        (b"n1\tcat\n\tdog\n", "names.txt:2: expected"),
        (b"n1\tcat\nn2\tdog\tx\n", "names.txt:2: expected"),
        (b"n1,cat\nn2,\n", "names.txt:2: expected"),
        (b"caf\xe9\n", "names.txt: it is not UTF-8 text"),
    ],
)
def test_class_names_that_are_wrong(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_class_names(tmp_path / "names.txt")
    assert words in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_class_names_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no\.txt: No such file"):
        read_class_names(tmp_path / "no.txt")
    with pytest.raises(DataError, match="directory"):
        read_class_names(tmp_path)


def test_classes_of_imported_weights(tmp_path: Path) -> None:
    assert imported_classes(None, 3) == Classes(("0", "1", "2"), ("0", "1", "2"))
    assert imported_classes(None, 1000) == imagenet_classes()
    path = tmp_path / "names.txt"
    path.write_text("cat\ndog\n", encoding="utf-8")
    assert imported_classes(path, 2) == Classes(("cat", "dog"), ("cat", "dog"))
    with pytest.raises(DataError, match=r"names\.txt: 2 class names for a network with 3 outputs"):
        imported_classes(path, 3)
