"""The records of a training: how it is done, and what its steps and epochs came to."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from wsloc.errors import TrainingError
from wsloc.inputs.training_set import Augmentation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PRECISIONS = ("float32", "bfloat16")
MOST_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides a training's result, besides its data and its method.

    Attributes:
        backbone: name of the network's trunk.
        epochs: passes over the training images.
        batch_size: images a step.
        learning_rate: peak of the cosine schedule, per step of `batch_size` images.
        warmup: epochs over which the rate grows linearly from 0; they count as epochs.
        momentum: of SGD (Nesterov), 0-1.
        weight_decay: L2, on weights of two dimensions and more (not on biases and norms).
        image_size: input side, pixels.
        augmentation: of the training pictures.
        random_seed: of initialisation, order and augmentation, 0 to 2^32 - 1.
        precision: `float32` or `bfloat16` (autocast; entropies and losses stay float32).

    Raises:
        TrainingError: if a value is out of its range.
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

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise TrainingError(
                f"precision {self.precision!r} is not known: choose {' or '.join(PRECISIONS)}"
            )
        for name in ("epochs", "batch_size", "image_size"):
            _demand(self, name, "1 or greater", getattr(self, name) >= 1)
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

    def learning_rate_at(self, epoch: float) -> float:
        """Linear warm-up, then half a cosine down to 0, as a function of the (fractional) epoch, from 0."""
        if epoch < self.warmup:
            return self.learning_rate * max(epoch / self.warmup, 1e-3)
        done = (epoch - self.warmup) / max(self.epochs - self.warmup, 1e-9)
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
    """

    epoch: int
    step: int
    steps: int
    images: int
    loss: float
