"""Trainings end with the same bytes however often they are interrupted, and refuse what cannot come out right."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from tests.evaluation.example_data_set import write_mask_set
from tests.scenes import CLASSES
from tests.training.tiny_data import folder_per_class, labels_csv, write_picture
from wsloc.errors import CheckpointError, DataError, OutputError, TrainingError, UnsupportedError, WslocError
from wsloc.files import write_bytes
from wsloc.inputs.annotations.formats import read_annotations
from wsloc.inputs.training_set import Augmentation
from wsloc.methods import cam
from wsloc.networks.checkpoints import load_checkpoint
from wsloc.networks.tasks import MULTI_LABEL, SINGLE_LABEL
from wsloc.trainer import Recipe, train
from wsloc.training import files as training_files
from wsloc.training.epochs import Learner
from wsloc.training.files import TrainingFiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from wsloc.networks.network import Network
    from wsloc.networks.tasks import LabelledBatch
    from wsloc.training.records import EpochFigures, StepReport

SIDE = 16  # pixels: half of the pictures'
RECIPE = Recipe(epochs=2, batch_size=4, image_size=SIDE)
ROOT = Path(__file__).parent.parent


class Killed(BaseException):
    """Stands for the end of the process: nothing in wsloc catches it."""


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums depend on how they are parted
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True, scope="module")
def _quick_curve() -> Iterator[None]:
    """Drawing would take half of the time of these trainings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            training_files, "save_training_curve", lambda _history, path: write_bytes(path, b"curve")
        )
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_per_class(tmp_path_factory.mktemp("data") / "scenes", 8)


@pytest.fixture(scope="module")
def validation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_per_class(tmp_path_factory.mktemp("validation") / "scenes", 5, first=40)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, data: Path, validation: Path) -> Path:
    """The checkpoint of a training that nothing disturbed."""
    return quick(data, tmp_path_factory.mktemp("unbroken") / "net.pt", validation=validation)


def quick(data: Path, output: Path, method: str = "ep", **options: Any) -> Path:
    return train(method, data, output, **{"recipe": RECIPE, "workers": 0, **options})


def interrupt(data: Path, output: Path, epochs: int = 1, **options: Any) -> TrainingFiles:
    """A training that ends after some epochs, as Ctrl-C would end it."""

    def stop(figures: EpochFigures) -> None:
        if figures.epoch + 1 == epochs:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quick(data, output, on_epoch=stop, **options)
    return TrainingFiles(output)


def weights(output: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = torch.load(output, weights_only=True)["weights"]
    return found


def figures(output: Path) -> list[dict[str, Any]]:
    """The lines of the metrics file, seconds aside."""
    lines = TrainingFiles(output).metrics.read_text(encoding="utf-8").splitlines()
    return [{**json.loads(line), "seconds": None} for line in lines]


def assert_same_training(output: Path, other: Path) -> None:
    mine, its = weights(output), weights(other)
    assert mine.keys() == its.keys()
    assert all(torch.equal(value, its[name]) for name, value in mine.items())
    assert figures(output) == figures(other)
    assert names(output.parent) == names(other.parent) == ["net.curve.png", "net.metrics.jsonl", "net.pt"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def one_line(error: pytest.ExceptionInfo[WslocError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


# What a training leaves


def test_a_checkpoint_says_what_it_is(unbroken: Path, data: Path) -> None:
    found = load_checkpoint(unbroken)
    assert (found.method, found.backbone, found.task) == ("ep", "small_resnet", SINGLE_LABEL)
    assert found.classes.ids == tuple(names(data))
    assert found.preprocessing.image_size == SIDE
    assert found.data["name"] == "scenes"
    assert (found.data["images"], found.data["validation_images"]) == (8, 5)
    assert found.recipe["learning_rate"] == 0.1
    assert found.recipe["augmentation"] == {
        "smallest_crop": 0.35,
        "flip": True,
        "shorter_side": None,
    }


def test_metrics_hold_a_line_an_epoch(unbroken: Path) -> None:
    records = figures(unbroken)
    assert [record["epoch"] for record in records] == [0, 1]
    for record in records:
        assert set(record) == {
            "epoch",
            "learning_rate",
            "train_loss",
            "train_error",
            "seconds",
            "mean_lambda",
            "equal_entropies",
            "validation_loss",
            "validation_error",
        }
        assert 0 <= record["train_error"] <= 1
        assert 0 <= record["validation_error"] <= 1


def test_the_folder_is_made(tmp_path: Path, data: Path) -> None:
    output = tmp_path / "a" / "b" / "net.pt"
    assert quick(data, output, recipe=replace(RECIPE, epochs=1)) == output
    assert names(output.parent) == ["net.curve.png", "net.metrics.jsonl", "net.pt"]


def test_the_callers_random_numbers_are_left_alone(tmp_path: Path, data: Path) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    quick(data, tmp_path / "net.pt", recipe=replace(RECIPE, epochs=1))
    assert torch.equal(torch.rand(3), expected)


def test_half_is_for_the_checkpoint_alone(tmp_path: Path, data: Path) -> None:
    files = interrupt(data, tmp_path / "net.pt", half=True)
    assert {value.dtype for value in files.read_state()["network"].values()} == {torch.float32, torch.int64}
    assert {value.dtype for value in weights(files.output).values()} == {torch.float16, torch.int64}
    quick(data, files.output, half=True, resume=True)
    quick(data, tmp_path / "whole" / "net.pt")
    whole = weights(tmp_path / "whole" / "net.pt")
    assert all(
        torch.equal(value, whole[name].to(value.dtype)) for name, value in weights(files.output).items()
    )


# Which epoch is kept


@pytest.mark.parametrize(
    ("errors", "kept"),
    [([0.5, 0.25, 0.75], 1), ([0.5, 0.5, 0.5], 0), ([0.75, 0.5, 0.25], 2), ([0.0, 0.0, 0.25], 0)],
)
def test_the_best_epoch_is_kept_and_of_equals_the_earlier(
    tmp_path: Path,
    data: Path,
    validation: Path,
    *,
    errors: list[float],
    kept: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged = iter(errors)
    monkeypatch.setattr(Learner, "_judge", lambda *_: (1.0, next(judged)))
    recipe = replace(RECIPE, epochs=3)
    biases: list[Tensor] = []

    def on_epoch(_figures: EpochFigures) -> None:
        biases.append(TrainingFiles(tmp_path / "net.pt").read_state()["network"]["model.fc.bias"])

    quick(data, tmp_path / "net.pt", recipe=recipe, validation=validation, on_epoch=on_epoch)
    assert len({tuple(bias.tolist()) for bias in biases}) == 3
    assert torch.equal(weights(tmp_path / "net.pt")["fc.bias"], biases[kept])
    assert load_checkpoint(tmp_path / "net.pt").recipe["figures"]["epoch"] == kept


def test_without_validation_the_last_epoch_is_kept(tmp_path: Path, data: Path) -> None:
    quick(data, tmp_path / "net.pt")
    assert load_checkpoint(tmp_path / "net.pt").recipe["figures"]["epoch"] == 1


# Interrupted and resumed

KILLED_IN_AN_EPOCH = f"""
import os, signal, sys, torch
from wsloc.trainer import Recipe, train
torch.set_num_threads(1)
def kill(report):
    if (report.epoch, report.step) == (1, 1):
        os.kill(os.getpid(), signal.SIGKILL)
data, validation, output = sys.argv[1:]
recipe = Recipe(epochs=2, batch_size=4, image_size={SIDE})
train("ep", data, output, recipe=recipe, validation=validation, workers=1, on_step=kill)
"""


def test_a_killed_training_is_gone_on_from(
    tmp_path: Path, data: Path, validation: Path, unbroken: Path
) -> None:
    output = tmp_path / "net.pt"
    process = subprocess.run(
        [sys.executable, "-c", KILLED_IN_AN_EPOCH, str(data), str(validation), str(output)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert process.returncode == -signal.SIGKILL
    assert len(figures(output)) == 1
    steps: list[StepReport] = []
    behind: list[EpochFigures] = []
    quick(
        data,
        output,
        validation=validation,
        resume=True,
        on_start=lambda past, _: behind.extend(past),
        on_step=steps.append,
    )
    assert [past.epoch for past in behind] == [0]
    assert {step.epoch for step in steps} == {1}
    assert_same_training(output, unbroken)


@pytest.mark.parametrize("written", range(9), ids=lambda count: f"after_{count}")
def test_a_kill_between_any_two_files_is_gone_on_from(
    tmp_path: Path,
    data: Path,
    validation: Path,
    unbroken: Path,
    *,
    written: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """State, checkpoint, metrics and curve of two epochs; the last case dies before the state is removed."""
    left = [written]
    replacing, forget = Path.replace, TrainingFiles.forget

    def replace_while_alive(self: Path, target: Path) -> Path:
        if not left[0]:
            raise Killed
        left[0] -= 1
        return replacing(self, target)

    def forget_while_alive(self: TrainingFiles) -> None:
        if self.metrics.exists():
            raise Killed
        forget(self)

    output = tmp_path / "net.pt"
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace_while_alive)
        patch.setattr(TrainingFiles, "forget", forget_while_alive)
        with pytest.raises(Killed):
            quick(data, output, validation=validation)
    assert left == [0] or written == 8
    quick(data, output, validation=validation, resume=True)
    assert_same_training(output, unbroken)


def test_an_interrupt_keeps_the_last_whole_epoch(
    tmp_path: Path, data: Path, validation: Path, unbroken: Path
) -> None:
    def stop(report: StepReport) -> None:
        if (report.epoch, report.step) == (1, 2):
            raise KeyboardInterrupt

    output = tmp_path / "net.pt"
    with pytest.raises(KeyboardInterrupt):
        quick(data, output, validation=validation, workers=2, on_step=stop)
    assert names(tmp_path) == ["net.curve.png", "net.metrics.jsonl", "net.pt", "net.resume.pt"]
    assert figures(output) == figures(unbroken)[:1]
    assert load_checkpoint(output).recipe["figures"]["epoch"] == 0
    quick(data, output, validation=validation, resume=True, workers=1)
    assert_same_training(output, unbroken)


def test_an_interrupt_in_the_first_epoch_leaves_nothing(tmp_path: Path, data: Path) -> None:
    def stop(_report: StepReport) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quick(data, tmp_path / "net.pt", on_step=stop)
    assert names(tmp_path) == []


def test_with_nothing_to_resume_a_training_begins(
    tmp_path: Path, data: Path, validation: Path, unbroken: Path
) -> None:
    behind: list[Any] = []
    quick(
        data,
        tmp_path / "net.pt",
        validation=validation,
        resume=True,
        on_start=lambda *news: behind.append(news),
    )
    assert behind == [((), 2)]
    assert_same_training(tmp_path / "net.pt", unbroken)


def test_without_resume_a_training_begins_anew(tmp_path: Path, data: Path) -> None:
    files = interrupt(data, tmp_path / "net.pt")

    def check(report: StepReport) -> None:
        assert report.epoch == 0
        assert not files.resume.exists()  # or a second interruption would go on from the first training
        raise Killed

    with pytest.raises(Killed):
        quick(data, files.output, on_step=check)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"recipe": replace(RECIPE, epochs=3)}, "epochs (2 there, 3 here)"),
        (
            {"recipe": replace(RECIPE, learning_rate=0.2, momentum=0.5)},
            "learning rate (0.1 there, 0.2 here), ",
        ),
        ({"recipe": replace(RECIPE, augmentation=Augmentation(flip=False))}, "flip (True there, False here)"),
        ({"recipe": replace(RECIPE, precision="bfloat16")}, "precision (float32 there, bfloat16 here)"),
        ({"method": "gap"}, "method (ep there, gap here)"),
        ({"half": True}, "half (False there, True here)"),
    ],
)
def test_other_arguments_are_not_gone_on_with(
    tmp_path: Path, data: Path, change: dict[str, Any], words: str
) -> None:
    files = interrupt(data, tmp_path / "net.pt")
    before = files.resume.read_bytes()
    with pytest.raises(TrainingError, match="start anew with --overwrite") as error:
        quick(data, files.output, resume=True, **change)
    assert words in one_line(error)
    assert str(files.resume) in str(error.value)
    assert files.resume.read_bytes() == before


def test_other_data_are_not_gone_on_with(tmp_path: Path, data: Path, validation: Path) -> None:
    files = interrupt(data, tmp_path / "net.pt")
    with pytest.raises(TrainingError, match=r"validation images .None there, 5 here"):
        quick(data, files.output, validation=validation, resume=True)
    moved = folder_per_class(tmp_path / "moved" / "elsewhere", 8)
    quick(moved, files.output, resume=True)  # the same pictures in another place

    files = interrupt(moved, tmp_path / "net.pt")
    picture = next(moved.glob("*/0.png"))
    picture.rename(picture.with_name("00.png"))
    with pytest.raises(TrainingError, match=r"other arguments: sha256 \("):
        quick(moved, files.output, resume=True)
    write_picture(moved / "walrus" / "1.png", 1, [1])
    with pytest.raises(TrainingError, match=r"classes, images .8 there, 9 here"):
        quick(moved, files.output, resume=True)


@pytest.mark.parametrize("kept", [0, 1000, -1])
def test_a_torn_state_is_not_gone_on_with(tmp_path: Path, data: Path, kept: int) -> None:
    files = interrupt(data, tmp_path / "net.pt")
    files.resume.write_bytes(files.resume.read_bytes()[:kept])
    with pytest.raises(TrainingError, match=r"net\.resume\.pt .*: start anew with --overwrite") as error:
        quick(data, files.output, resume=True)
    one_line(error)


@pytest.mark.parametrize(
    "spoil",
    [
        {"network": {}},
        {"network": None},
        {"optimizer": {}},
        {"optimizer": {"state": {}, "param_groups": []}},
        {"history": [{"epoch": 0}]},
        {"history": 3},
    ],
)
def test_a_damaged_state_is_not_gone_on_with(tmp_path: Path, data: Path, spoil: dict[str, Any]) -> None:
    files = interrupt(data, tmp_path / "net.pt")
    files.write_state({**files.read_state(), **spoil})
    with pytest.raises(TrainingError, match=r"net\.resume\.pt is damaged: start anew") as error:
        quick(data, files.output, resume=True)
    one_line(error)


# Complete


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_complete_training_is_left_as_it_is(data: Path, validation: Path, unbroken: Path) -> None:
    before = contents(unbroken.parent)
    behind: list[EpochFigures] = []
    steps: list[StepReport] = []

    def take(past: Sequence[EpochFigures], _epochs: int) -> None:
        behind.extend(past)

    found = quick(
        data,
        unbroken,
        validation=validation,
        resume=True,
        on_start=lambda past, _: behind.extend(past),
        on_step=steps.append,
    )
    assert found == unbroken
    assert steps == []
    assert [past.to_dict() | {"seconds": None} for past in behind] == figures(unbroken)
    assert contents(unbroken.parent) == before


def test_a_complete_training_of_other_arguments_is_an_error(
    data: Path, validation: Path, unbroken: Path
) -> None:
    before = contents(unbroken.parent)
    with pytest.raises(
        TrainingError, match=r"finished training with other arguments: epochs .2 there, 4"
    ) as error:
        quick(data, unbroken, validation=validation, resume=True, recipe=replace(RECIPE, epochs=4))
    assert "name another --output" in one_line(error)
    assert contents(unbroken.parent) == before


def test_a_file_of_something_else_is_no_complete_training(tmp_path: Path, data: Path) -> None:
    (tmp_path / "net.pt").write_text("my diary")
    with pytest.raises(CheckpointError, match=r"net\.pt"):
        quick(data, tmp_path / "net.pt", resume=True)
    assert (tmp_path / "net.pt").read_text() == "my diary"


# What is not finite


def spoil_from(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss of `gap` is NaN from this step on, counted from 1 over all epochs."""
    real, calls = cam.loss, list[None]()

    def loss(network: Network, batch: LabelledBatch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        calls.append(None)
        value, logits, logs = real(network, batch)
        return value * (torch.nan if len(calls) >= step else 1), logits, logs

    monkeypatch.setattr(cam, "loss", loss)


def test_the_last_good_epoch_survives_a_loss_that_is_not_finite(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(RECIPE, epochs=4)
    spoil_from(6, monkeypatch)  # two steps an epoch: in the third
    with pytest.raises(TrainingError, match=r"the loss is nan in epoch 3: epoch 2 is kept in ") as error:
        quick(data, tmp_path / "net.pt", "gap", recipe=recipe)
    assert str(tmp_path / "net.pt") in one_line(error)
    assert "a lower --learning-rate than 0.1" in str(error.value)
    assert load_checkpoint(tmp_path / "net.pt").recipe["figures"]["epoch"] == 1


def test_the_epoch_named_is_the_one_in_the_checkpoint(
    tmp_path: Path, data: Path, validation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = iter([0.25, 0.5])
    monkeypatch.setattr(Learner, "_judge", lambda *_: (1.0, next(errors)))
    spoil_from(5, monkeypatch)
    with pytest.raises(TrainingError, match=r"in epoch 3: epoch 1 is kept in .*net\.pt"):
        quick(data, tmp_path / "net.pt", "gap", recipe=replace(RECIPE, epochs=4), validation=validation)
    assert load_checkpoint(tmp_path / "net.pt").recipe["figures"]["epoch"] == 0


def test_nothing_is_claimed_to_be_kept_of_the_first_epoch(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil_from(2, monkeypatch)
    with pytest.raises(TrainingError, match="in epoch 1: no epoch was finished, so that nothing is kept"):
        quick(data, tmp_path / "net.pt", "gap")
    assert names(tmp_path) == []


def test_a_rate_far_too_high_ends_in_words(tmp_path: Path, data: Path) -> None:
    recipe = replace(RECIPE, epochs=6, learning_rate=1000.0, warmup=0)
    with pytest.raises(TrainingError, match="a lower --learning-rate than 1000"):
        quick(data, tmp_path / "net.pt", "gap", recipe=recipe)


def test_a_batch_that_does_not_fit_into_memory_ends_in_words(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(cam, "loss", full)
    with pytest.raises(TrainingError, match="4 images a batch do not fit into the memory of cpu"):
        quick(data, tmp_path / "net.pt", "gap")


# Data


def test_several_labels_make_a_multi_label_network(tmp_path: Path) -> None:
    csv = labels_csv(tmp_path / "mixed", 9)
    quick(csv, tmp_path / "net.pt", "gap", recipe=replace(RECIPE, epochs=1), validation=csv)
    found = load_checkpoint(tmp_path / "net.pt")
    assert found.task == MULTI_LABEL
    assert len(found.classes) == 3


def test_a_csv_of_single_labels_makes_a_single_label_network(tmp_path: Path, data: Path) -> None:
    rows = [f"{path.relative_to(data.parent)},{path.parent.name}" for path in sorted(data.glob("*/*.png"))]
    csv = data.parent / "labels.csv"
    csv.write_text("\n".join(["image,label", *rows]) + "\n")
    quick(csv, tmp_path / "net.pt", "gap", recipe=replace(RECIPE, epochs=1))
    assert load_checkpoint(tmp_path / "net.pt").task == SINGLE_LABEL


def test_one_class_is_too_few(tmp_path: Path) -> None:
    lone = folder_per_class(tmp_path / "lone", 2, classes=1)
    with pytest.raises(TrainingError, match=r"lone: only one class \(\w+\): at least two are needed"):
        quick(lone, tmp_path / "net.pt")


def test_validation_knows_no_other_classes(tmp_path: Path, data: Path) -> None:
    other = folder_per_class(tmp_path / "other", 8, classes=8)
    with pytest.raises(TrainingError, match=r"other: .* are not among the training classes") as error:
        quick(data, tmp_path / "net.pt", validation=other)
    assert len(one_line(error).split(",")) == 5
    write_picture(other / "walrus" / "1.png", 1, [1])
    with pytest.raises(TrainingError, match="and 1 more are not"):
        quick(data, tmp_path / "net.pt", validation=other)


def test_some_classes_alone(tmp_path: Path) -> None:
    """Of a folder of masks: what is in a mask is the image's label; others than those asked for do not count."""
    data, validation = (
        write_mask_set(tmp_path / "masks", 6),
        write_mask_set(tmp_path / "held-back", 3, seed=4),
    )
    wanted = sorted(CLASSES[:3])
    output = train(
        "gap",
        data,
        tmp_path / "net.pt",
        recipe=replace(RECIPE, epochs=1),
        validation=validation,
        classes=[name.upper() for name in wanted],
        workers=0,
    )
    found = load_checkpoint(output)
    assert list(found.classes.ids) == wanted
    assert found.task == "multi-label"
    showing = [sample for sample in read_annotations(data) if set(sample.labels) & set(wanted)]
    assert found.data["images"] == len(showing) < 6
    with pytest.raises(DataError, match="no image is labelled goldfish"):
        train("gap", data, output, recipe=RECIPE, classes=["goldfish"])
    lone = write_mask_set(tmp_path / "lone", 1)
    others = [name for name in CLASSES if name not in read_annotations(lone)[0].labels][:2]
    with pytest.raises(TrainingError, match="lone: none of its images shows one of the training classes"):
        train("gap", data, output, recipe=RECIPE, classes=others, validation=lone)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("content", [b"", b"not a picture", None])
def test_a_picture_that_cannot_be_decoded_is_named(
    tmp_path: Path, content: bytes | None, workers: int
) -> None:
    root = folder_per_class(tmp_path / "data", 8)
    bad = root / "star" / "3.png"
    bad.write_bytes(bad.read_bytes()[:300] if content is None else content)
    with pytest.raises(DataError) as error:
        quick(root, tmp_path / "out" / "net.pt", workers=workers)
    assert str(bad) in one_line(error)
    assert names(tmp_path / "out") == []


def test_a_picture_that_is_not_there_is_named_before_work_begins(tmp_path: Path, data: Path) -> None:
    csv = tmp_path / "labels.csv"
    csv.write_text("image,label\na.png,star\nb.png,donut\n")
    with pytest.raises(DataError, match=r"a\.png") as error:
        quick(csv, tmp_path / "out" / "net.pt")
    one_line(error)
    with pytest.raises(DataError, match=r"a\.png"):
        quick(data, tmp_path / "out" / "net.pt", validation=csv)
    assert not (tmp_path / "out").exists()


def test_data_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        quick(tmp_path / "nowhere", tmp_path / "net.pt")


# Places and networks


@pytest.mark.parametrize("place", ["file/net.pt", "file/sub/net.pt", "folder", "net.safetensors"])
def test_a_place_that_takes_no_checkpoint_is_refused_before_the_first_step(
    tmp_path: Path, data: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr(Learner, "epoch", None)
    with pytest.raises(OutputError) as error:
        quick(data, tmp_path / place)
    assert str(tmp_path) in one_line(error)


@pytest.mark.parametrize(
    ("method", "recipe", "error", "words"),
    [
        ("cam", RECIPE, TrainingError, "unknown method 'cam': choose one of gap, ep"),
        ("gap", replace(RECIPE, backbone="resnet19"), UnsupportedError, "resnet19.*did you mean"),
        ("ep", replace(RECIPE, backbone="squeezenet1_1"), UnsupportedError, "squeezenet1_1"),
        ("gap", replace(RECIPE, image_size=4), TrainingError, "at least 8 pixels"),
    ],
)
def test_networks_that_cannot_be_are_refused_before_anything_is_written(
    tmp_path: Path, data: Path, *, method: str, recipe: Recipe, error: type[WslocError], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        quick(data, tmp_path / "out" / "net.pt", method, recipe=recipe)
    one_line(caught)
    assert not (tmp_path / "out").exists()


def test_an_unknown_device_is_refused(tmp_path: Path, data: Path) -> None:
    with pytest.raises(UnsupportedError, match="unknown device 'gpu'"):
        quick(data, tmp_path / "net.pt", device="gpu")


# Options, initial weights, snapshots, limits


def test_options_are_kept_in_the_checkpoint_and_decide_whether_to_go_on(tmp_path: Path, data: Path) -> None:
    output = tmp_path / "net.pt"
    interrupt(data, output, options={"detach_weights": True})
    assert load_checkpoint(output).options == {
        "detach_weights": True,
        "background_logit": False,
        "ramp": 0.0,
    }
    with pytest.raises(TrainingError, match=r"detach weights \(True there, False here\)"):
        quick(data, output, resume=True)
    quick(data, output, resume=True, options={"detach_weights": True})
    with pytest.raises(TrainingError, match="gap has no option 'ramp': leave it out"):
        quick(data, tmp_path / "other.pt", "gap", options={"ramp": 0.5})


def test_a_training_starts_from_a_checkpoint(tmp_path: Path, data: Path, unbroken: Path) -> None:
    output = tmp_path / "net.pt"
    still = replace(RECIPE, epochs=1, learning_rate=1e-9, warmup=0, weight_decay=0, momentum=0)
    quick(data, output, recipe=still, init=unbroken)
    found = load_checkpoint(output)
    assert found.options["ramp"] == 0.3  # on where the weights are pretrained
    assert str(found.data["init"]).startswith("net.pt, sha256 ")
    start = weights(unbroken)
    torch.testing.assert_close(weights(output)["fc.weight"], start["fc.weight"], rtol=0, atol=1e-5)
    with pytest.raises(CheckpointError, match=r"none\.pt is not there"):
        quick(data, output, init=tmp_path / "none.pt")
    with pytest.raises(CheckpointError, match="is no file: name a checkpoint"):
        quick(data, output, init=tmp_path)
    with pytest.raises(CheckpointError, match="is of the backbone small_resnet"):
        quick(data, output, recipe=replace(RECIPE, backbone="resnet18", image_size=32), init=unbroken)


def test_a_resume_starts_from_the_same_weights(tmp_path: Path, data: Path, unbroken: Path) -> None:
    whole, broken = tmp_path / "whole" / "net.pt", tmp_path / "broken" / "net.pt"
    recipe = replace(RECIPE, ema=0.5, accumulate=2, optimizer="adamw", learning_rate=1e-3, max_steps=3)
    options: dict[str, Any] = {"recipe": recipe, "init": unbroken}
    quick(data, whole, "bew", **options)
    interrupt(data, broken, method="bew", **options)
    with pytest.raises(TrainingError, match="init"):
        quick(data, broken, "bew", recipe=recipe, resume=True)
    quick(data, broken, "bew", resume=True, **options)
    assert_same_training(broken, whole)
    assert len(figures(whole)) == 2


def test_snapshots_are_kept_beside_the_output(tmp_path: Path, data: Path) -> None:
    quick(data, tmp_path / "net.pt", recipe=replace(RECIPE, epochs=3), snapshot_every=2)
    assert "net.epoch-2.pt" in names(tmp_path)
    assert "net.epoch-1.pt" not in names(tmp_path)
    assert load_checkpoint(tmp_path / "net.epoch-2.pt").recipe["figures"]["epoch"] == 1


def test_a_collapse_of_lambda_is_said(tmp_path: Path, data: Path) -> None:
    """On a grid of one cell all entropies are equal."""
    said: list[str] = []
    recipe = replace(RECIPE, epochs=11, image_size=8)
    quick(data, tmp_path / "net.pt", recipe=recipe, on_warning=said.append)
    assert len(said) == 1
    assert said[0].startswith("lambda has collapsed")


def test_resnet_trains_at_64_pixels(tmp_path: Path, data: Path) -> None:
    recipe = Recipe(backbone="resnet18", epochs=1, batch_size=8, image_size=64)
    quick(data, tmp_path / "net.pt", recipe=recipe)
    assert load_checkpoint(tmp_path / "net.pt").backbone == "resnet18"
