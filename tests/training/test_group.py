"""Several processes that train one network."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn
from torch.multiprocessing.spawn import spawn

from tests.training.tiny_data import folder_per_class, labels_csv
from wsloc.errors import TrainingError, UsageError
from wsloc.inputs.annotations.formats import classes_of, read_annotations
from wsloc.methods import cam
from wsloc.networks.checkpoints import load_checkpoint
from wsloc.networks.tasks import SINGLE_LABEL, LabelledBatch
from wsloc.trainer import train
from wsloc.training.epochs import Learner
from wsloc.training.group import Group, Objective, training_group
from wsloc.training.records import Recipe

if TYPE_CHECKING:
    from pathlib import Path

CPU = torch.device("cpu")
PROCESSES = 2


def test_parts_are_the_whole_and_nearly_equal() -> None:
    for count in (2, 7, 64):
        for size in (1, 2, 3, 5):
            parts = [list(range(count)[Group(rank, size).part(count)]) for rank in range(size)]
            assert [number for part in parts for number in part] == list(range(count))
            assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_one_process_is_a_group_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    with training_group(CPU) as group:
        assert group == Group()
        assert group.leads
        assert group.gathered(3) == [3]
        assert group.agreed(lambda: "yes") == "yes"
        layer = nn.BatchNorm1d(2)
        assert group.wrapped(layer, CPU) is layer
        before = layer.running_var.clone()  # type: ignore[union-attr]
        group.average_buffers(layer)
        assert torch.equal(before, layer.running_var)  # type: ignore[arg-type]
        with group.exchanging(layer, now=False):
            pass


def test_an_environment_that_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "RANK": "2",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": "1",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="RANK=2 and WORLD_SIZE=2"), training_group(CPU):
        pass


def test_the_objective_is_the_methods() -> None:
    network = cam.build("small_resnet", 3).eval()
    batch = LabelledBatch(torch.ones(2, 3, 16, 16), torch.eye(3)[:2], SINGLE_LABEL)
    value, logits, _ = Objective(cam, network)(batch)
    expected = cam.loss(network, batch)
    assert torch.equal(value, expected[0])
    assert torch.equal(logits, expected[1])


def one_process(
    rank: int, folder: Path, method: str, data: Path, options: dict[str, object], port: int
) -> None:
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "RANK": rank,
            "WORLD_SIZE": PROCESSES,
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
        }.items():
            patch.setenv(name, str(value))
        train(method, data, folder / "two.pt", validation=data, workers=0, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "accumulate", "multi_label"),
    [("gap", 1, False), ("gain", 1, True), ("gap", 2, True)],
    ids=["gap", "gain", "gap-in-parts"],
)
def test_two_processes_train_like_one(
    tmp_path: Path, free_port: int, method: str, accumulate: int, multi_label: bool
) -> None:
    """With batch norm over both; in float32 the order of sums shows in the last digits alone."""
    data = labels_csv(tmp_path / "data", 14) if multi_label else folder_per_class(tmp_path / "data", 14)
    recipe = Recipe(epochs=2, batch_size=6, image_size=32, learning_rate=0.02, warmup=0)
    if (
        accumulate > 1
    ):  # parts of a batch have norms of their own: only a network without can be told from one whole
        recipe = replace(recipe, batch_size=8, accumulate=accumulate, backbone="vgg16_gap")
    options = {"recipe": recipe, "sync_batch_norm": True}
    train(method, data, tmp_path / "one.pt", validation=data, workers=0, **options)  # type: ignore[arg-type]
    spawn(one_process, (tmp_path, method, data, options, free_port), PROCESSES)  # type: ignore[no-untyped-call]  # torch ships no annotation for it
    one, two = load_checkpoint(tmp_path / "one.pt"), load_checkpoint(tmp_path / "two.pt")
    assert (one.recipe["processes"], two.recipe["processes"]) == (1, 2)
    figures = one.recipe["figures"], two.recipe["figures"]
    for name in ("train_loss", "validation_loss"):
        assert figures[0][name] == pytest.approx(figures[1][name], rel=1e-2)
    for name, value in one.weights.items():
        torch.testing.assert_close(two.weights[name], value, rtol=2e-2, atol=2e-3, msg=name)
    assert not (tmp_path / "two.resume.pt").exists()


def test_a_batch_must_suffice_for_all(tmp_path: Path) -> None:
    data = folder_per_class(tmp_path, 6)
    samples = read_annotations(data)
    learner = Learner(
        "gap",
        Recipe(batch_size=2, image_size=16),
        classes=classes_of(samples, data),
        task="single-label",
        device=CPU,
    )
    learner.group = Group(0, 3)
    with pytest.raises(TrainingError, match="3 processes cannot share a batch of 2"):
        learner.check_size(6)
