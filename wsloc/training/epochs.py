"""One epoch: a network, its optimizer, and a pass over the data."""

from __future__ import annotations

import math
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from wsloc.errors import TrainingError
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.inputs.training_set import TrainingBatches, steps_an_epoch
from wsloc.methods import METHODS
from wsloc.metrics.classification import ClassificationError
from wsloc.networks.initial_weights import load_initial_weights
from wsloc.networks.precision import PRECISIONS, autocasting
from wsloc.networks.synced_norm import synchronize
from wsloc.networks.tasks import MULTI_LABEL, ExtraBatch, LabelledBatch
from wsloc.training.group import Group, Objective
from wsloc.training.optimizers import make_optimizer
from wsloc.training.records import EpochFigures, StepReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from wsloc.inputs.extra_supervision import ExtraSample
    from wsloc.inputs.training_set import Augmentation
    from wsloc.networks.network import Network
    from wsloc.records import Classes, Sample
    from wsloc.training.records import Recipe

DEFAULT_WEIGHTS = "DEFAULT"  # torchvision's own


class NotFiniteError(TrainingError):
    """A loss or a weight that is NaN or infinite."""


class Learner:
    """A network as it learns; the same arguments give the same weights, epoch by epoch.

    Args:
        method: key of `METHODS`.
        recipe: how to train.
        classes: what the outputs mean.
        task: `single-label` or `multi-label`.
        device: where.
        options: of the method.
        init: weights to start from: a file, `DEFAULT` for torchvision's, or None for random ones.
        extra: training images with extra supervision, for methods that make use of it.
        extra_per_step: how many of them go into each step; at least one into each of its parts.
        group: the processes that train together; each takes its part of every batch.
        sync_batch_norm: whether batch norm counts the images of all processes.

    Attributes:
        name: of the method.
        network: on the device, in any mode: every pass sets its own.
        optimizer: as the recipe says.
        preprocessing: of the pictures.

    Raises:
        CheckpointError: if the weights to start from cannot be read or do not fit.
        UnsupportedError: if the backbone does not fit the method, or an option is out of its range.
    """

    def __init__(
        self,
        method: str,
        recipe: Recipe,
        *,
        classes: Classes,
        task: str,
        device: torch.device,
        options: Mapping[str, Any] | None = None,
        init: Path | str | None = None,
        extra: Sequence[ExtraSample] = (),
        extra_per_step: int = 0,
        group: Group | None = None,
        sync_batch_norm: bool = False,
    ) -> None:
        self.name = method
        self.method = METHODS[method]
        self.group = group or Group()
        self.extra = extra
        self.extra_per_step = max(extra_per_step, recipe.accumulate * self.group.size)
        self.recipe = recipe
        self.classes = classes
        self.task = task
        self.device = device
        self.preprocessing = Preprocessing(image_size=recipe.image_size)
        torch.manual_seed(recipe.random_seed)
        ready_made = DEFAULT_WEIGHTS if init == DEFAULT_WEIGHTS else None
        network = self.method.build(recipe.backbone, len(classes), options, weights=ready_made)
        if init is not None and not isinstance(init, str):
            load_initial_weights(network, init, classes)
        # Channels last: convolutions run about 1.3 times as fast on CPUs, and use tensor cores on GPUs.
        self.network: Network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub misses the keyword pair
        if sync_batch_norm:
            synchronize(self.network)
        self.objective: nn.Module = Objective(self.method, self.network)
        if self.group.size > 1:
            self.objective = self.group.wrapped(self.objective, device, all_used=self._uses_all())
        self.optimizer = make_optimizer(self.network, recipe)
        self.average: AveragedModel | None = None
        if recipe.ema:
            averaging = get_ema_multi_avg_fn(recipe.ema)  # type: ignore[no-untyped-call]  # torch ships no annotation
            self.average = AveragedModel(self.network.model, multi_avg_fn=averaging, use_buffers=True)

    def check_size(self, images: int) -> None:
        """Refuse a training set of so many images if they are too small, or too few a batch, for the network.

        Raises:
            TrainingError: naming what to change.
        """
        smallest = self.network.family.smallest_input
        if self.recipe.image_size < smallest:
            raise TrainingError(
                f"{self.recipe.backbone} takes images of at least {smallest} pixels a side: give a larger "
                f"--image-size than {self.recipe.image_size}"
            )
        normed = any(isinstance(module, nn.BatchNorm2d) for module in self.network.modules())
        batch = min(self.recipe.batch_size, images)
        if batch < self.group.size:
            raise TrainingError(
                f"{self.group.size} processes cannot share a batch of {batch}: give a larger --batch-size"
            )
        part = -(-batch // self.group.size // self.recipe.accumulate)
        if part == 1 and normed and self._cells() == 1:
            raise TrainingError(
                f"one image a batch leaves {self.recipe.backbone}'s batch norm one value a channel: give a larger "
                f"--image-size than {self.recipe.image_size}, or two images a batch and more"
            )

    def _uses_all(self) -> bool:
        """Whether logits depend on every parameter: auxiliary classifiers, for one, are passed over."""
        size = max(self.recipe.image_size, self.network.family.smallest_input)
        self.network.eval()  # draws no numbers, moves no statistics
        logits = self.network(torch.zeros(1, 3, size, size, device=self.device))
        found = torch.autograd.grad(logits.sum(), list(self.network.parameters()), allow_unused=True)
        return all(gradient is not None for gradient in found)

    @torch.inference_mode()
    def _cells(self) -> int:
        """Cells of the feature map of one training image."""
        size = self.recipe.image_size
        self.network.eval()  # draws no numbers, moves no statistics
        return self.network.features(torch.zeros(1, 3, size, size, device=self.device))[0, 0].numel()

    def epoch(
        self,
        number: int,
        samples: Sequence[Sample],
        validation: Sequence[Sample] | None,
        *,
        workers: int,
        on_step: Callable[[StepReport], None] | None = None,
    ) -> EpochFigures:
        """One pass over the training images, then the validation set.

        Args:
            number: of the epoch, from 0; with the recipe's seed it decides every draw.
            samples: training images.
            validation: validation images, or None.
            workers: processes that decode and augment.
            on_step: called after each step.

        Raises:
            NotFiniteError: if a loss, or a weight at the end, is NaN or infinite.
        """
        started = time.perf_counter()
        # Whatever the network draws (dropout) depends on the epoch alone, so that a resumed run repeats it.
        torch.manual_seed(self.recipe.random_seed * 1_000_003 + number + self.group.rank * 7_919)
        train_loss, train_error, extra = self._learn(number, samples, workers, on_step)
        validated = (None, None) if validation is None else self._judge(validation, workers)
        _demand_finite_weights(self.network)
        return EpochFigures(
            epoch=number,
            learning_rate=self.recipe.learning_rate_at(
                number, steps_an_epoch(len(samples), self.recipe.batch_size)
            ),
            train_loss=train_loss,
            train_error=train_error,
            seconds=round(time.perf_counter() - started, 3),
            extra=extra,
            validation_loss=validated[0],
            validation_error=validated[1],
        )

    def weights(self) -> dict[str, Tensor]:
        """The weights to keep: the network's, or their average."""
        model = self.network.model if self.average is None else self.average.module
        return model.state_dict()

    def state(self) -> dict[str, Any]:
        """Network, optimizer and average, as `restore` takes them."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state of the same recipe, method and classes."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])

    def _learn(
        self,
        number: int,
        samples: Sequence[Sample],
        workers: int,
        on_step: Callable[[StepReport], None] | None,
    ) -> tuple[float, float, dict[str, float]]:
        """The steps of an epoch: (mean loss, error, means of what the method logs)."""
        batches = self._batches(samples, self.recipe.augmentation, number)
        whole = len(batches)
        length = self.recipe.length(whole)
        steps = min(whole, round((length - number) * whole))  # fewer where the steps are limited
        total, extra = 0.0, dict[str, float]()
        error = ClassificationError(multi_label=self.task == MULTI_LABEL)
        self.network.train()
        with closing(batches.load(workers)) as loaded:
            for step, (pixels, targets, *supervised) in enumerate(loaded):
                if step == steps:
                    break
                epoch = number + step / whole
                rate = self.recipe.learning_rate_at(epoch, whole)
                size = len(batches.batches[step])  # of all processes
                logits, loss, logs = self._step(pixels, targets, supervised, rate, epoch / length, whole=size)
                error.update(logits.numpy(), targets.numpy())
                share = len(pixels) / size / steps
                total += loss * share
                for name, value in logs.items():
                    extra[name] = extra.get(name, 0.0) + value * share
                if on_step is not None:
                    on_step(StepReport(number, step + 1, steps, size, loss, logs))
        for module in (self.network, self.average):
            if module is not None:
                self.group.average_buffers(module)
        return self._together(total, error, extra)

    def _together(
        self, total: float, error: ClassificationError, extra: dict[str, float]
    ) -> tuple[float, float, dict[str, float]]:
        """Sums and the error of all processes, from each one's."""
        whole, sums = ClassificationError(multi_label=error.multi_label), dict[str, float]()
        found = self.group.gathered((total, error, extra))
        for _, counted, logged in found:
            whole.add(counted)
            for name, value in logged.items():
                sums[name] = sums.get(name, 0.0) + value
        return sum(part for part, *_ in found), whole.value(), sums

    def _step(
        self,
        pixels: Tensor,
        targets: Tensor,
        extra: Sequence[Tensor],
        rate: float,
        progress: float,
        *,
        whole: int,
    ) -> tuple[Tensor, float, dict[str, float]]:
        """One optimizer step on this process's part of a batch of so many images.

        Returns:
            Logits (N, C) on the CPU, loss, what the method logs: all of the part.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        images = self.preprocessing.normalized(pixels.to(self.device))  # (N, 3, S, S)
        aims = targets.to(self.device)  # (N, C)
        self.optimizer.zero_grad(set_to_none=True)
        parts = self.recipe.accumulate
        outputs: list[Tensor] = []
        value = 0.0
        logs: dict[str, Tensor] = {}
        chunks = images.chunk(parts), aims.chunk(parts)
        # Gradients are averaged over the processes: weighed so, they are those of the whole batch.
        weight = len(images) * self.group.size / whole
        parted = zip(*chunks, self._supervised(extra, len(chunks[0])), strict=True)
        for number, (part, aim, supervised) in enumerate(parted, 1):
            share = len(part) / len(images)
            with self._autocast(), self.group.exchanging(self.objective, now=number == len(chunks[0])):
                loss, logits, logged = self.objective(
                    LabelledBatch(part, aim, self.task, progress, supervised)
                )
            # One copy to the host a part: the loss must be looked at before it spoils the weights.
            value += float(loss.detach()) * share
            _demand_finite(value, "the loss")
            (loss * share * weight).backward()
            outputs.append(logits.detach().float())
            for name, log in logged.items():
                logs[name] = logs.get(name, torch.zeros((), device=self.device)) + log * share
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.network.model)
        return torch.cat(outputs).cpu(), value, {name: float(log) for name, log in logs.items()}

    def _supervised(self, extra: Sequence[Tensor], parts: int) -> list[ExtraBatch | None]:
        """The images with extra supervision of each part of a step, on the device."""
        if not extra:
            return [None] * parts
        chunked = zip(*(array.to(self.device).tensor_split(parts) for array in extra), strict=True)
        return [
            ExtraBatch(
                images=self.preprocessing.normalized(pixels),  # (E, 3, S, S)
                class_index=class_index,
                regions=regions,
                is_box=is_box,
                saliency=saliency / 255,
            )
            for pixels, class_index, regions, saliency, is_box in chunked
        ]

    @torch.inference_mode()
    def _judge(self, samples: Sequence[Sample], workers: int) -> tuple[float, float]:
        """(mean loss, error) on images that are not learnt from, with the weights that would be kept."""
        error, total = ClassificationError(multi_label=self.task == MULTI_LABEL), 0.0
        self.network.eval()
        own = samples[self.group.part(len(samples))]
        with self.kept_weights():
            for pixels, targets in self._batches(own, None, 0).load(workers):
                images = self.preprocessing.normalized(pixels.to(self.device))  # (N, 3, S, S)
                batch = LabelledBatch(images, targets.to(self.device), self.task)
                with self._autocast():
                    loss, logits, _ = self.method.loss(self.network, batch)
                error.update(logits.float().cpu().numpy(), targets.numpy())
                total += float(loss) * len(pixels)
        _demand_finite(total, "the validation loss")
        mean, whole, _ = self._together(total / len(samples), error, {})
        return mean, whole

    @contextmanager
    def kept_weights(self) -> Iterator[None]:
        """The averaged weights, where there are any, in the network's place inside the block."""
        if self.average is None:
            yield
            return
        model = self.network.model
        own = {name: value.clone() for name, value in model.state_dict().items()}
        model.load_state_dict(self.average.module.state_dict())
        try:
            yield
        finally:
            model.load_state_dict(own)

    def _batches(
        self, samples: Sequence[Sample], augmentation: Augmentation | None, number: int
    ) -> TrainingBatches:
        return TrainingBatches(
            samples,
            self.classes,
            self.preprocessing,
            augmentation,
            batch_size=self.recipe.batch_size,
            random_seed=self.recipe.random_seed,
            epoch=number,
            extra=self.extra if augmentation is not None else (),
            extra_per_batch=self.extra_per_step,
            part=slice if augmentation is None else self.group.part,
        )

    def _autocast(self) -> torch.autocast:
        return autocasting(self.device.type, PRECISIONS[self.recipe.precision])


def _demand_finite(value: float, what: str) -> None:
    if not math.isfinite(value):
        raise NotFiniteError(f"{what} is {value}")


def _demand_finite_weights(network: Network) -> None:
    """The last step of an epoch can spoil weights of which no later loss would tell."""
    for name, value in network.model.state_dict().items():
        if value.is_floating_point() and not value.isfinite().all():
            raise NotFiniteError(f"the weight {name} is no longer finite")
