"""The records of a training: how it is done, and what its steps and epochs came to."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from wsloc.errors import TrainingError
from wsloc.inputs.training_set import Augmentation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PRECISIONS = ("float32", "bfloat16")  # float16 has too little range for gradients without scaling the loss
OPTIMIZERS = ("sgd", "adam", "adamw")
SCHEDULES = ("cosine", "step", "constant")
MOST_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides a training's result, besides its data and its method.

    Attributes:
        backbone: name of the network's trunk.
        epochs: passes over the training images.
        batch_size: images a step of the optimizer.
        accumulate: passes that a batch is parted into, so that it need not fit into memory as a whole; batch norm
            sees the parts.
        max_steps: steps after which a training ends, whatever its epochs; None for no such limit.
        optimizer: `sgd`, `adam` or `adamw`.
        learning_rate: peak of the schedule, per step of `batch_size` images.
        schedule: `cosine` (half a cosine down to 0), `step` or `constant`.
        decay_every: epochs after which a `step` schedule lowers the rate, again and again.
        decay_steps: the same in steps; 0 to go by epochs.
        decay_factor: what a `step` schedule multiplies the rate by.
        warmup: epochs over which the rate grows linearly from 0; they count as epochs.
        momentum: of SGD, 0-1.
        nesterov: whether SGD's momentum is Nesterov's.
        weight_decay: on weights of two dimensions and more (not on biases and norms); decoupled for `adamw`.
        ema: decay of an exponential moving average of the weights, a step, which is validated and kept in their
            place; 0 for none.
        image_size: input side, pixels.
        augmentation: of the training pictures.
        random_seed: of initialisation, order and augmentation, 0 to 2^32 - 1.
        precision: `float32` or `bfloat16` (the trunk's autocast; entropies and losses stay float32).

    Raises:
        TrainingError: if a value is out of its range.
    """

    backbone: str = "small_resnet"
    epochs: int = 12
    batch_size: int = 64
    accumulate: int = 1
    max_steps: int | None = None
    optimizer: str = "sgd"
    learning_rate: float = 0.1
    schedule: str = "cosine"
    decay_every: float = 30
    decay_steps: int = 0
    decay_factor: float = 0.1
    warmup: float = 0.5
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    ema: float = 0.0
    image_size: int = 64
    augmentation: Augmentation = field(default_factory=Augmentation)
    random_seed: int = 0
    precision: str = "float32"

    def __post_init__(self) -> None:
        for name, known in (("precision", PRECISIONS), ("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            if getattr(self, name) not in known:
                raise TrainingError(
                    f"{name} {getattr(self, name)!r} is not known: choose {' or '.join(known)}"
                )
        for name in ("epochs", "batch_size", "accumulate", "image_size"):
            _demand(self, name, "1 or greater", getattr(self, name) >= 1)
        _demand(self, "max_steps", "1 or greater", self.max_steps is None or self.max_steps >= 1)
        _demand(self, "decay_every", "greater than 0", self.decay_every > 0)
        _demand(self, "decay_steps", "0 or greater", self.decay_steps >= 0)
        _demand(self, "decay_factor", "greater than 0 and at most 1", 0 < self.decay_factor <= 1)
        _demand(self, "ema", "from 0 to less than 1", 0 <= self.ema < 1)
        # Beyond any use, and still far from where float32 ends.
        _demand(self, "learning_rate", "greater than 0 and at most 1000", 0 < self.learning_rate <= 1000)
        _demand(self, "weight_decay", "from 0 to 1000", 0 <= self.weight_decay <= 1000)
        _demand(self, "warmup", "0 or greater", 0 <= self.warmup < math.inf)
        _demand(self, "momentum", "from 0 to 1", 0 <= self.momentum <= 1)
        _demand(self, "random_seed", f"from 0 to {MOST_SEED}", 0 <= self.random_seed <= MOST_SEED)
        _demand(
            self.augmentation,
            "smallest_crop",
            "greater than 0 and at most 1",
            0 < self.augmentation.smallest_crop <= 1,
        )

        sides = self.augmentation.shorter_side or (1, 1)
        _demand(self.augmentation, "shorter_side", "a range above 0", 0 < sides[0] <= sides[1])

    def length(self, steps: int) -> float:
        """Epochs that a training lasts, with so many steps an epoch."""
        return self.epochs if self.max_steps is None else min(self.epochs, self.max_steps / steps)

    def learning_rate_at(self, epoch: float, steps: int = 1) -> float:
        """The rate at a (fractional) epoch, from 0: linear warm-up, then the schedule.

        Args:
            epoch: how far the training is.
            steps: an epoch has.
        """
        if epoch < self.warmup:
            return self.learning_rate * max(epoch / self.warmup, 1e-3)
        if self.schedule == "constant":
            return self.learning_rate
        if self.schedule == "step":
            period = self.decay_steps / steps if self.decay_steps else self.decay_every
            return self.learning_rate * self.decay_factor ** int(epoch / period + 1e-9)
        done = (epoch - self.warmup) / max(self.length(steps) - self.warmup, 1e-9)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def _demand(record: Recipe | Augmentation, name: str, what: str, met: bool) -> None:
    if not met:
        raise TrainingError(f"{name.replace('_', ' ')} must be {what}, not {getattr(record, name)}")


@dataclass(frozen=True, slots=True)
class EpochFigures:
    """What one epoch came to; absent (None) without a validation set.

    Attributes:
        epoch: from 0.
        learning_rate: of its first step.
        train_loss: mean over the steps, on augmented pictures, while the weights changed.
        train_error: 0-1, of the same logits; top-1 error, or 1 - mean average precision for several labels.
        seconds: that it took, validation included.
        extra: means of what the method logs (`mean_lambda`).
        validation_loss: mean over the validation images.
        validation_error: 0-1, like `train_error`.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    train_error: float
    seconds: float
    extra: dict[str, float]
    validation_loss: float | None = None
    validation_error: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """A plain, flat record, without what was not computed: a line of the metrics file."""
        values = asdict(self)
        values.update(values.pop("extra"))
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> EpochFigures:
        """The reverse of `to_dict`.

        Raises:
            TypeError: if a figure is missing.
        """
        own = {entry.name for entry in fields(cls)}
        extra = {name: value for name, value in record.items() if name not in own}
        return cls(**{name: value for name, value in record.items() if name in own}, extra=extra)


def kept_epoch(history: Sequence[EpochFigures]) -> EpochFigures:
    """The epoch whose weights are kept: of the lowest validation error, the earlier of equals; else the last."""
    if history[-1].validation_error is None:
        return history[-1]
    return min(history, key=lambda figures: figures.validation_error or 0.0)


@dataclass(frozen=True, slots=True)
class StepReport:
    """What a step tells a progress bar.

    Attributes:
        epoch: from 0.
        step: of this epoch, from 1.
        steps: an epoch.
        images: that this step took, as many as every other.
        loss: of this step.
        logs: what the method logs of it.
    """

    epoch: int
    step: int
    steps: int
    images: int
    loss: float
    logs: Mapping[str, float] = field(default_factory=dict)
