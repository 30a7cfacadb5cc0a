"""One epoch: the same weights whatever reads the data, figures that can be recomputed, nothing that is not finite."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from tests.training.tiny_data import folder_per_class, labels_csv
from wsloc.errors import TrainingError, UnsupportedError
from wsloc.inputs.annotations.formats import classes_of, read_annotations
from wsloc.inputs.images import decode
from wsloc.methods import cam, ep
from wsloc.metrics.classification import mean_average_precision, topk_error
from wsloc.networks.tasks import MULTI_LABEL, SINGLE_LABEL, classification_loss
from wsloc.training.epochs import Learner, NotFiniteError
from wsloc.training.records import Recipe, StepReport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from wsloc.networks.network import Network
    from wsloc.networks.tasks import LabelledBatch
    from wsloc.records import Sample

RECIPE = Recipe(epochs=2, batch_size=4, image_size=16)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums depend on how they are parted
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    return read_annotations(folder_per_class(tmp_path_factory.mktemp("scenes"), 10))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    return read_annotations(labels_csv(tmp_path_factory.mktemp("mixed"), 9))


def learner(
    samples: list[Sample], recipe: Recipe = RECIPE, method: str = "ep", task: str = SINGLE_LABEL
) -> Learner:
    root = samples[0].path
    assert root is not None
    return Learner(
        method, recipe, classes=classes_of(samples, root.parent), task=task, device=torch.device("cpu")
    )


def weights(learner: Learner) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in learner.network.state_dict().items()}


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_the_workers_do_not_matter(samples: list[Sample]) -> None:
    found = []
    for workers in (0, 1, 2):
        one = learner(samples)
        before = weights(one)
        figures = one.epoch(0, samples, samples, workers=workers)
        found.append((weights(one), replace(figures, seconds=0)))
        assert not torch.equal(before["model.fc.weight"], found[-1][0]["model.fc.weight"])
    for other, figures in found[1:]:
        assert_same(found[0][0], other)
        assert figures == found[0][1]


@pytest.mark.parametrize(
    "recipe",
    [replace(RECIPE, random_seed=1), replace(RECIPE, learning_rate=0.05), replace(RECIPE, batch_size=5)],
    ids=["seed", "rate", "batch"],
)
def test_the_recipe_does_matter(samples: list[Sample], recipe: Recipe) -> None:
    one, other = learner(samples), learner(samples, recipe)
    for each in (one, other):
        each.epoch(0, samples, None, workers=0)
    assert not torch.equal(weights(one)["model.conv1.weight"], weights(other)["model.conv1.weight"])


def test_what_a_network_draws_depends_on_the_epoch_alone(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[float] = []

    def drawing(network: Network, batch: LabelledBatch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        drawn.append(float(torch.rand(())))
        return real(network, batch)

    real = cam.loss
    monkeypatch.setattr(cam, "loss", drawing)
    one = learner(samples, method="gap")
    for epoch in (0, 1, 1):
        one.epoch(epoch, samples, None, workers=0)
    assert len(drawn) == 6
    assert drawn[2:4] == drawn[4:6]
    assert len(set(drawn[:4])) == 4


@pytest.mark.parametrize(
    ("images", "sizes"), [(10, [4, 4]), (8, [4, 4]), (4, [4]), (3, [3])], ids=["rest", "even", "one", "fewer"]
)
def test_steps_take_whole_batches_or_all_there_is(
    samples: list[Sample], images: int, sizes: list[int]
) -> None:
    reports: list[StepReport] = []
    one = learner(samples)
    figures = one.epoch(1, samples[:images], None, workers=0, on_step=reports.append)
    assert [report.images for report in reports] == sizes
    assert [report.step for report in reports] == [number + 1 for number in range(len(sizes))]
    assert {(report.epoch, report.steps) for report in reports} == {(1, len(sizes))}
    assert figures.train_loss == pytest.approx(np.mean([report.loss for report in reports]))
    assert round(figures.train_error * sum(sizes), 9).is_integer()
    assert figures.learning_rate == RECIPE.learning_rate_at(1)
    assert 0 < figures.extra["mean_lambda"] < 1
    assert figures.validation_loss is figures.validation_error is None


@pytest.mark.parametrize("method", ["ep", "gap"])
@pytest.mark.parametrize("task", [SINGLE_LABEL, MULTI_LABEL])
def test_validation_is_what_the_network_says_of_the_whole_pictures(
    samples: list[Sample], mixed: list[Sample], task: str, method: str
) -> None:
    data = samples if task == SINGLE_LABEL else mixed
    one = learner(data, replace(RECIPE, warmup=0, batch_size=3), method, task)
    figures = one.epoch(0, data, data, workers=0)  # the last batch of nine or ten is smaller, and counts less

    rows, targets = [], np.zeros((len(data), 3), np.float32)
    one.network.eval()
    for row, sample in enumerate(data):
        assert sample.path is not None
        pixels = np.array(one.preprocessing.resized(decode(sample.path)))
        with torch.no_grad():
            rows.append(one.network(one.preprocessing.normalized(torch.from_numpy(pixels)[None])))
        targets[row, [one.classes.ids.index(label) for label in sample.labels]] = 1
    logits = torch.cat(rows)
    expected = float(classification_loss(logits, torch.from_numpy(targets), task))
    assert figures.validation_loss == pytest.approx(expected, rel=1e-4)
    error = (
        topk_error(logits.numpy(), targets)
        if task == SINGLE_LABEL
        else 1 - mean_average_precision(logits.numpy(), targets)
    )
    assert figures.validation_error == pytest.approx(error)


def test_a_state_goes_on_as_if_nothing_had_been(samples: list[Sample]) -> None:
    unbroken, broken = learner(samples), learner(samples)
    for one in (unbroken, broken):
        one.epoch(0, samples, None, workers=0)
    state = {name: torch.utils._pytree.tree_map(clone, value) for name, value in broken.state().items()}
    resumed = learner(samples)
    resumed.restore(state)
    for one in (unbroken, resumed):
        one.epoch(1, samples, None, workers=0)
    assert_same(weights(unbroken), weights(resumed))
    assert not torch.equal(weights(broken)["model.fc.weight"], weights(resumed)["model.fc.weight"])


def clone(value: object) -> object:
    return value.clone() if isinstance(value, torch.Tensor) else value


def test_bfloat16_is_the_trunks_and_entropy_stays_float32(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    trunk: list[torch.dtype] = []
    entropy: list[tuple[torch.dtype, torch.dtype]] = []
    real = ep._entropy_weight

    def seen(log_p: Tensor) -> Tensor:
        weight = real(log_p)
        entropy.append((log_p.dtype, weight.dtype))
        return weight

    monkeypatch.setattr(ep, "_entropy_weight", seen)
    one = learner(samples, replace(RECIPE, precision="bfloat16"))
    stem = one.network.model.get_submodule("conv1")
    stem.register_forward_hook(lambda _module, _images, output: trunk.append(output.dtype))
    figures = one.epoch(0, samples, samples, workers=0)
    assert set(trunk) == {torch.bfloat16}
    assert set(entropy) == {(torch.float32, torch.float32)}
    assert {value.dtype for value in one.network.parameters()} == {torch.float32}
    assert np.isfinite(figures.train_loss)
    assert figures.validation_loss is not None


# Pictures and batches that a network cannot take


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_single_image_a_batch_trains_where_the_grid_has_cells(
    samples: list[Sample], batch_size: int
) -> None:
    one = learner(samples, replace(RECIPE, batch_size=batch_size))
    images = samples[: 3 if batch_size == 1 else 1]
    one.check_size(len(images))
    figures = one.epoch(0, images, None, workers=0)
    assert np.isfinite(figures.train_loss)


@pytest.mark.parametrize(("batch_size", "images"), [(1, 10), (4, 1)])
def test_a_single_image_on_a_grid_of_one_cell_is_refused(
    samples: list[Sample], batch_size: int, images: int
) -> None:
    one = learner(samples, replace(RECIPE, image_size=8, batch_size=batch_size))
    with pytest.raises(TrainingError, match=r"small_resnet's batch norm .* larger --image-size than 8"):
        one.check_size(images)
    with pytest.raises(ValueError, match="more than 1 value per channel"):  # what would have come of it
        one.epoch(0, samples[:images], None, workers=0)


def test_two_images_on_a_grid_of_one_cell_train(samples: list[Sample]) -> None:
    one = learner(samples, replace(RECIPE, image_size=8, batch_size=2))
    one.check_size(2)
    one.epoch(0, samples[:2], None, workers=0)


def test_the_check_leaves_no_trace(samples: list[Sample]) -> None:
    one = learner(samples, replace(RECIPE, batch_size=1))
    before, numbers = weights(one), torch.get_rng_state()
    one.check_size(10)
    assert_same(before, weights(one))
    assert torch.equal(numbers, torch.get_rng_state())


def test_pictures_smaller_than_the_network_takes_are_refused(samples: list[Sample]) -> None:
    one = learner(samples, replace(RECIPE, image_size=7))
    with pytest.raises(TrainingError, match="small_resnet takes images of at least 8 pixels"):
        one.check_size(10)


# Backbones


@pytest.mark.parametrize("backbone", ["squeezenet1_1", "shufflenet_v2_x0_5"])
def test_torchvisions_networks_train(samples: list[Sample], backbone: str) -> None:
    one = learner(samples, replace(RECIPE, backbone=backbone, image_size=64), "gap")
    before = weights(one)
    one.check_size(4)
    figures = one.epoch(0, samples[:4], None, workers=0)
    assert np.isfinite(figures.train_loss)
    changed = [name for name, value in weights(one).items() if not torch.equal(value, before[name])]
    assert len(changed) > len(before) / 2


@pytest.mark.parametrize("backbone", ["squeezenet1_1", "mobilenet_v3_small"])
def test_entropy_pooling_refuses_heads_that_are_not_linear(samples: list[Sample], backbone: str) -> None:
    with pytest.raises(UnsupportedError, match=backbone):
        learner(samples, replace(RECIPE, backbone=backbone))


# What is not finite


def test_a_loss_that_is_not_finite_is_caught_before_it_reaches_the_weights(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = learner(samples, method="gap")
    before = weights(one)

    def spoilt(network: Network, batch: LabelledBatch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        loss, logits, logs = real(network, batch)
        return loss * torch.nan, logits, logs

    real = cam.loss
    monkeypatch.setattr(cam, "loss", spoilt)
    with pytest.raises(NotFiniteError, match="the loss is nan"):
        one.epoch(0, samples, None, workers=0)
    parameters = dict(one.network.named_parameters())
    assert all(torch.equal(before[name], value) for name, value in parameters.items())


def test_weights_that_the_last_step_spoils_are_caught(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    def steep(network: Network, batch: LabelledBatch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        loss, logits, logs = real(network, batch)
        return loss + (logits.sum() * 0).sqrt(), logits, logs  # of value 0 and no finite slope

    real = cam.loss
    monkeypatch.setattr(cam, "loss", steep)
    one = learner(samples, method="gap")
    with pytest.raises(NotFiniteError, match=r"the weight \S+ is no longer finite"):
        one.epoch(0, samples[:4], None, workers=0)


def test_a_validation_loss_that_is_not_finite_is_caught(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(network: Network, batch: LabelledBatch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        loss, logits, logs = real(network, batch)
        return loss if network.training else loss * torch.inf, logits, logs

    real = cam.loss
    monkeypatch.setattr(cam, "loss", spoilt)
    with pytest.raises(NotFiniteError, match="the validation loss is inf"):
        learner(samples, method="gap").epoch(0, samples, samples, workers=0)


# Optimizers, parts, averages, limits


@pytest.mark.parametrize(
    ("recipe", "kind"),
    [
        (RECIPE, torch.optim.SGD),
        (replace(RECIPE, optimizer="adam"), torch.optim.Adam),
        (replace(RECIPE, optimizer="adamw"), torch.optim.AdamW),
    ],
)
def test_the_optimizer_is_the_recipes(samples: list[Sample], recipe: Recipe, kind: type) -> None:
    one = learner(samples, recipe)
    assert type(one.optimizer) is kind
    before = weights(one)["model.fc.weight"]
    assert np.isfinite(one.epoch(0, samples, None, workers=0).train_loss)
    assert not torch.equal(weights(one)["model.fc.weight"], before)


def test_a_batch_in_parts_gives_the_same_gradients(samples: list[Sample]) -> None:
    """VGG has no batch norm, which would see the parts; in evaluation mode its dropout draws nothing."""
    found = []
    for parts in (1, 3):
        one = learner(
            samples, replace(RECIPE, backbone="vgg11", image_size=32, accumulate=parts), method="gap"
        )
        one.network.eval()
        pixels = torch.arange(4 * 32 * 32 * 3, dtype=torch.uint8).reshape(4, 32, 32, 3)
        targets = torch.eye(3)[[0, 1, 2, 0]]
        logits, loss, _ = one._step(pixels, targets, (), 0.1, 0.0, whole=4)
        gradient = one.network.get_parameter("model.features.0.weight").grad
        assert gradient is not None
        found.append((logits, torch.tensor(loss), gradient.clone()))
    for whole, parted in zip(*found, strict=True):
        torch.testing.assert_close(parted, whole, rtol=1e-4, atol=1e-6)


def test_an_average_is_kept_in_the_weights_place(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, averaged = learner(samples), learner(samples, replace(RECIPE, ema=0.5))
    expected: dict[str, Tensor] = {}
    real = Learner._step

    def step(self: Learner, *arguments: Any, **options: Any) -> Any:
        done = real(self, *arguments, **options)
        if self is plain:
            share = 0.5 if expected else 0.0  # torch's average begins with the first step's weights
            for name, value in self.network.model.state_dict().items():
                expected[name] = share * expected.get(name, value) + (1 - share) * value
        return done

    monkeypatch.setattr(Learner, "_step", step)
    for one in (plain, averaged):
        one.epoch(0, samples, None, workers=0)
    kept = averaged.weights()
    assert kept.keys() == expected.keys()
    for name, value in kept.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-6)
    assert_same(weights(plain), weights(averaged))  # the training itself is the same


def test_validation_is_of_the_average(samples: list[Sample]) -> None:
    one = learner(samples, replace(RECIPE, ema=0.9))
    figures = one.epoch(0, samples, samples, workers=0)
    own = weights(one)
    one.network.model.load_state_dict(one.weights())
    one.average = None
    assert one._judge(samples, 0)[0] == pytest.approx(figures.validation_loss)
    assert not torch.equal(own["model.fc.weight"], weights(one)["model.fc.weight"])


def test_a_limit_of_steps_cuts_the_last_epoch_short(samples: list[Sample]) -> None:
    reports: list[StepReport] = []
    one = learner(samples, replace(RECIPE, max_steps=3))
    for epoch in (0, 1):
        one.epoch(epoch, samples, None, workers=0, on_step=reports.append)
    assert [(report.epoch, report.step, report.steps) for report in reports] == [
        (0, 1, 2),
        (0, 2, 2),
        (1, 1, 1),
    ]


def test_progress_goes_from_0_to_1(samples: list[Sample], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    def loss(network: Network, batch: LabelledBatch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        seen.append(batch.progress)
        return real(network, batch)

    real = cam.loss
    monkeypatch.setattr(cam, "loss", loss)
    one = learner(samples, method="gap")
    for epoch in (0, 1):
        one.epoch(epoch, samples, samples, workers=0)
    assert seen == [0.0, 0.25, *[1.0] * 3, 0.5, 0.75, *[1.0] * 3]  # validation is of what will be kept
