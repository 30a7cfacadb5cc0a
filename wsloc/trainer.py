"""The training loop: batches in, a checkpoint out. Losses stay with their papers, in `methods`."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from wsloc.errors import TrainingError
from wsloc.files import replacing, write_text
from wsloc.inputs.annotations.formats import classes_of, read_annotations
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.inputs.training_set import Augmentation, TrainingBatches
from wsloc.methods import METHODS
from wsloc.metrics.classification import ClassificationError
from wsloc.networks.checkpoints import Checkpoint, read_untrusted, save_checkpoint
from wsloc.networks.tasks import MULTI_LABEL, SINGLE_LABEL
from wsloc.outputs.curves import save_training_curve

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from wsloc.networks.network import Network
    from wsloc.records import Classes, Sample


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides a training's result, besides its data and its method.

    Attributes:
        backbone: name of the network's trunk.
        epochs: passes over the training images.
        batch_size: images a step.
        learning_rate: peak of the cosine schedule, per step of `batch_size` images.
        warmup: epochs over which the rate grows linearly from 0; they count as epochs.
        momentum: of SGD (Nesterov).
        weight_decay: L2, on weights of two dimensions and more (not on biases and norms).
        image_size: input side, pixels; None for the backbone's own.
        augmentation: of the training pictures.
        random_seed: of initialisation, order and augmentation.
        precision: `float32` or `bfloat16` (autocast; entropies and losses stay float32).
    """

    backbone: str = "small_resnet"
    epochs: int = 12
    batch_size: int = 64
    learning_rate: float = 0.1
    warmup: float = 0.5
    momentum: float = 0.9
    weight_decay: float = 5e-4
    image_size: int = 64
    augmentation: Augmentation = field(default_factory=Augmentation)
    random_seed: int = 0
    precision: str = "float32"


@dataclass(frozen=True, slots=True)
class EpochFigures:
    """What one epoch came to; errors are fractions 0-1, absent (None) without a validation set."""

    epoch: int
    learning_rate: float
    train_loss: float
    train_error: float
    seconds: float
    extra: dict[str, float]
    validation_loss: float | None = None
    validation_error: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """A plain record, without what was not computed."""
        values = asdict(self)
        values.update(values.pop("extra"))
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class StepReport:
    """What a step tells a progress bar: where it is, the images it took, those of the whole run, and its loss."""

    epoch: int
    step: int
    steps: int
    images: int
    total_images: int
    loss: float


def train(
    method: str,
    data: str | Path,
    output: str | Path,
    *,
    recipe: Recipe | None = None,
    validation: str | Path | None = None,
    device: str | torch.device = "cpu",
    workers: int = 1,
    resume: bool = False,
    half: bool = False,
    on_step: Callable[[StepReport], None] | None = None,
    on_epoch: Callable[[EpochFigures], None] | None = None,
) -> Path:
    """Train a network from image-level labels and write its checkpoint.

    Beside `output` stand its `.metrics.jsonl` (a line an epoch), `.curve.png`, and, while it runs,
    `.resume.pt`. With a validation set the epoch of the lowest validation error is kept, else the last.

    Args:
        method: key of `METHODS`: `ep` or `gap`.
        data: folder per class, Tiny ImageNet's layout, or a CSV `image,label`.
        output: the checkpoint to write.
        recipe: how to train.
        validation: a data set of the same classes, in any of the layouts.
        device: where to train.
        workers: processes that decode and augment.
        resume: go on from the `.resume.pt` of an interrupted run; it ends with the weights of an unbroken one.
        half: keep the weights as float16.
        on_step: called after each step.
        on_epoch: called after each epoch.

    Returns:
        The path of the checkpoint.

    Raises:
        DataError: if the data cannot be read.
        TrainingError: if the method is unknown, the classes do not fit, the loss is not finite, or a resume file
            does not fit the arguments.
        OutputError: if nothing can be written beside `output`.
    """
    run = _Run.prepare(
        method,
        Path(data),
        Path(output),
        recipe=recipe or Recipe(),
        validation=None if validation is None else Path(validation),
        device=torch.device(device),
    )
    if resume:
        run.restore()
    for epoch in range(run.next_epoch, run.recipe.epochs):
        figures = run.train_epoch(epoch, workers, on_step)
        run.finish_epoch(figures, half=half)
        if on_epoch is not None:
            on_epoch(figures)
    run.resume_path.unlink(missing_ok=True)
    return run.output


class _Run:
    """The state of one training, between epochs: what a resume file holds."""

    def __init__(
        self, method: str, recipe: Recipe, output: Path, *, device: torch.device, task: str, classes: Classes
    ) -> None:
        self.method = METHODS[method]
        self.method_name = method
        self.recipe = recipe
        self.output = output
        self.device = device
        self.task = task
        self.classes = classes
        self.preprocessing = Preprocessing(image_size=recipe.image_size)
        torch.manual_seed(recipe.random_seed)
        network = self.method.build(recipe.backbone, len(classes))
        # Channels last: convolutions run about 1.3 times as fast on CPUs, and use tensor cores on GPUs.
        self.network: Network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub misses the keyword pair
        self.optimizer = _optimizer(self.network, recipe)
        self.history: list[EpochFigures] = []
        self.samples: list[Sample] = []
        self.validation: list[Sample] | None = None
        self.data: dict[str, Any] = {}

    @classmethod
    def prepare(
        cls,
        method: str,
        data: Path,
        output: Path,
        *,
        recipe: Recipe,
        validation: Path | None,
        device: torch.device,
    ) -> _Run:
        """Read the data and build the network; every argument is checked before work begins."""
        if method not in METHODS:
            raise TrainingError(f"unknown method {method!r}: choose one of {', '.join(METHODS)}")
        _check(recipe)
        samples = read_annotations(data)
        classes = classes_of(samples, data if data.is_dir() else data.parent)
        if len(classes) < 2:
            raise TrainingError(f"{data}: only one class ({classes.ids[0]}): at least two are needed")
        task = MULTI_LABEL if any(len(sample.labels) > 1 for sample in samples) else SINGLE_LABEL
        run = cls(method, recipe, output, device=device, task=task, classes=classes)
        run.samples = samples
        if validation is not None:
            run.validation = _fitting(read_annotations(validation), classes, validation)
        run.data = {
            "name": data.resolve().name,
            "images": len(samples),
            "validation_images": None if run.validation is None else len(run.validation),
        }
        return run

    @property
    def next_epoch(self) -> int:
        return len(self.history)

    @property
    def resume_path(self) -> Path:
        return self.output.with_name(self.output.stem + ".resume.pt")

    def train_epoch(
        self, epoch: int, workers: int, on_step: Callable[[StepReport], None] | None
    ) -> EpochFigures:
        """One pass over the training images, then the validation set."""
        started = time.perf_counter()
        # Whatever the network draws (dropout) depends on the epoch alone, so that a resumed run repeats it.
        torch.manual_seed(self.recipe.random_seed * 1_000_003 + epoch)
        batches = self._batches(self.samples, self.recipe.augmentation, epoch)
        error, total, extra = (
            ClassificationError(multi_label=self.task == MULTI_LABEL),
            0.0,
            dict[str, float](),
        )
        total_images = self.recipe.epochs * len(self.samples)
        self.network.train()
        for step, (pixels, targets) in enumerate(batches.load(workers)):
            rate = _learning_rate(self.recipe, epoch + step / len(batches))
            logits, loss, logs = self._step(pixels, targets, rate)
            error.update(logits.numpy(), targets.numpy())
            total += loss
            for name, value in logs.items():
                extra[name] = extra.get(name, 0.0) + value / len(batches)
            if on_step is not None:
                on_step(StepReport(epoch, step + 1, len(batches), len(pixels), total_images, loss))
        validated = self._validate(workers) if self.validation is not None else (None, None)
        return EpochFigures(
            epoch=epoch,
            learning_rate=_learning_rate(self.recipe, epoch),
            train_loss=total / len(batches),
            train_error=error.value(),
            seconds=round(time.perf_counter() - started, 3),
            extra=extra,
            validation_loss=validated[0],
            validation_error=validated[1],
        )

    def _batches(
        self, samples: list[Sample], augmentation: Augmentation | None, epoch: int
    ) -> TrainingBatches:
        return TrainingBatches(
            samples,
            self.classes,
            self.preprocessing,
            augmentation,
            batch_size=self.recipe.batch_size,
            random_seed=self.recipe.random_seed,
            epoch=epoch,
        )

    def _step(self, pixels: Tensor, targets: Tensor, rate: float) -> tuple[Tensor, float, dict[str, float]]:
        """One optimizer step: (logits (N, C) on the CPU, loss, what the method logs)."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        images = self.preprocessing.normalized(pixels.to(self.device))  # (N, 3, S, S)
        targets = targets.to(self.device)
        with self._autocast():
            loss, logits, logs = self.method.loss(self.network, images, targets, self.task)
        # One copy to the host a step: the loss must be looked at before it spoils the weights.
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss is {value}: the last good epoch is kept in {self.resume_path}; try a lower "
                f"--learning-rate than {self.recipe.learning_rate}"
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch ships no annotation for it
        self.optimizer.step()
        return logits.detach().float().cpu(), value, {name: float(log) for name, log in logs.items()}

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16")

    @torch.inference_mode()
    def _validate(self, workers: int) -> tuple[float, float]:
        """(loss, error) on the validation images."""
        self.network.eval()
        error, total, count = ClassificationError(multi_label=self.task == MULTI_LABEL), 0.0, 0
        for pixels, targets in self._batches(self.validation or [], None, 0).load(workers):
            images = self.preprocessing.normalized(pixels.to(self.device))
            with self._autocast():
                loss, logits, _ = self.method.loss(self.network, images, targets.to(self.device), self.task)
            error.update(logits.float().cpu().numpy(), targets.numpy())
            total, count = total + float(loss) * len(pixels), count + len(pixels)
        return total / count, error.value()

    def finish_epoch(self, figures: EpochFigures, *, half: bool) -> None:
        """Keep the epoch: figures, curve, the checkpoint if it is the best so far, and what a resume needs."""
        best = min((past.validation_error or 0.0 for past in self.history), default=math.inf)
        self.history.append(figures)
        if figures.validation_error is None or figures.validation_error < best:
            save_checkpoint(self._checkpoint(figures), self.output, half=half)
        lines = [json.dumps(past.to_dict()) for past in self.history]
        write_text(self.output.with_name(self.output.stem + ".metrics.jsonl"), "\n".join(lines) + "\n")
        save_training_curve(
            [past.to_dict() for past in self.history], self.output.with_name(self.output.stem + ".curve.png")
        )
        with replacing(self.resume_path) as temporary:
            torch.save(self._state(), temporary)

    def _checkpoint(self, figures: EpochFigures) -> Checkpoint:
        return Checkpoint(
            method=self.method_name,
            backbone=self.recipe.backbone,
            classes=self.classes,
            preprocessing=self.preprocessing,
            weights=self.network.model.state_dict(),
            task=self.task,
            recipe={**asdict(self.recipe), "figures": figures.to_dict()},
            data=self.data,
        )

    def _state(self) -> dict[str, Any]:
        return {
            "arguments": self._arguments(),
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": [asdict(figures) for figures in self.history],
        }

    def _arguments(self) -> dict[str, Any]:
        return {
            **asdict(self.recipe),
            "method": self.method_name,
            "classes": list(self.classes.ids),
            **self.data,
        }

    def restore(self) -> None:
        """Go on from the resume file; without one the training starts anew."""
        if not self.resume_path.exists():
            return
        state = read_untrusted(self.resume_path)
        arguments = self._arguments()
        differing = sorted(
            name for name in arguments if state.get("arguments", {}).get(name) != arguments[name]
        )
        if differing:
            raise TrainingError(
                f"{self.resume_path} is of a run with another {', '.join(differing)}: give the same arguments, or "
                "remove the file to start anew"
            )
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.history = [EpochFigures(**figures) for figures in state["history"]]


def _check(recipe: Recipe) -> None:
    if recipe.precision not in {"float32", "bfloat16"}:
        raise TrainingError(f"precision {recipe.precision!r}: float32 or bfloat16")
    for name in ("epochs", "batch_size", "image_size", "learning_rate"):
        if not getattr(recipe, name) > 0:
            raise TrainingError(
                f"{name.replace('_', ' ')} must be greater than 0, not {getattr(recipe, name)}"
            )


def _fitting(samples: list[Sample], classes: Classes, place: Path) -> list[Sample]:
    """The samples, all of whose labels the network has."""
    unknown = sorted({label for sample in samples for label in sample.labels} - set(classes.ids))
    if unknown:
        more = "" if len(unknown) <= 5 else f" and {len(unknown) - 5} more"
        raise TrainingError(f"{place}: {', '.join(unknown[:5])}{more} are not among the training classes")
    return samples


def _optimizer(network: Network, recipe: Recipe) -> torch.optim.Optimizer:
    decayed = [value for value in network.parameters() if value.ndim > 1]
    others = [value for value in network.parameters() if value.ndim <= 1]
    return torch.optim.SGD(
        [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.momentum > 0,
    )


def _learning_rate(recipe: Recipe, epoch: float) -> float:
    """Linear warm-up, then half a cosine down to 0, as a function of the (fractional) epoch."""
    if epoch < recipe.warmup:
        return recipe.learning_rate * max(epoch / recipe.warmup, 1e-3)
    done = (epoch - recipe.warmup) / max(recipe.epochs - recipe.warmup, 1e-9)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
