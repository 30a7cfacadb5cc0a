"""Training from image-level labels: a data set in, a checkpoint out. Losses stay with their papers, in `methods`."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from wsloc.errors import TrainingError
from wsloc.inputs.annotations.formats import classes_of, read_annotations
from wsloc.inputs.annotations.restricting import only_classes
from wsloc.inputs.extra_supervision import extra_record, find_extra
from wsloc.inputs.training_set import require_pictures, steps_an_epoch
from wsloc.methods import METHODS, option_warning, settled_options
from wsloc.networks.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from wsloc.networks.devices import resolve_device
from wsloc.networks.tasks import MULTI_LABEL, SINGLE_LABEL
from wsloc.running.identity import differences
from wsloc.training.arguments import all_options, at_least_two, fitting_samples, named_weights
from wsloc.training.collapse import CollapseWatch
from wsloc.training.epochs import DEFAULT_WEIGHTS, Learner, NotFiniteError
from wsloc.training.files import START_ANEW, TrainingFiles, fingerprint
from wsloc.training.group import training_group
from wsloc.training.records import EpochFigures, Recipe, StepReport, kept_epoch
from wsloc.training.strips import save_strip

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wsloc.inputs.extra_supervision import ExtraSource
    from wsloc.training.group import Group

GUIDED = ("gain",)  # methods that make use of extra supervision

__all__ = ["Recipe", "train"]


def train(
    method: str,
    data: str | Path,
    output: str | Path,
    *,
    recipe: Recipe | None = None,
    options: Mapping[str, bool | int | float | str] | None = None,
    init: str | Path | None = None,
    validation: str | Path | None = None,
    classes: Sequence[str] = (),
    extra: ExtraSource | None = None,
    device: str | torch.device = "cpu",
    workers: int = 1,
    resume: bool = False,
    half: bool = False,
    snapshot_every: int = 0,
    watched: int = 0,
    sync_batch_norm: bool = False,
    on_start: Callable[[Sequence[EpochFigures], int], None] | None = None,
    on_step: Callable[[StepReport], None] | None = None,
    on_epoch: Callable[[EpochFigures], None] | None = None,
    on_warning: Callable[[str], None] | None = None,
) -> Path:
    """Train a network from image-level labels and write its checkpoint, whose path is returned.

    Beside it stand `.metrics.jsonl` (a line an epoch), `.curve.png`, and `.resume.pt` until it is complete. With a
    validation set the epoch of the lowest validation error is kept (the earlier of equals), else the last.

    Args:
        method: key of `METHODS`: `gap`, `ep`, `bew`, `ficklenet` or `gain`.
        data: a folder per class, a CSV `image,label`, or any other of the annotation formats.
        output: the checkpoint to write; without `resume`, what an earlier training left there is replaced.
        recipe: how to train; `RECIPES` of `wsloc.training.recipes` has the papers'.
        options: of the method, in place of its defaults.
        init: weights to start from: a checkpoint or state dict of the same backbone, or `DEFAULT` (torchvision's);
            None for random ones. The classifier is taken over if its classes are the same.
        validation: a data set of the same classes, in any of the layouts.
        classes: labels that are learnt alone; images that show none of them are left out. Empty for all.
        extra: masks or boxes of some of the training images; for `gain`.
        device: where to train; `auto` for the best there is.
        workers: processes that decode and augment; they change nothing but the time.
        resume: go on from the `.resume.pt` of an interrupted run, to an unbroken one's weights: on a CPU bit for bit.
        half: keep the weights as float16.
        snapshot_every: epochs after each of which a checkpoint is kept beside the output; 0 for none.
        watched: of how many of the first images maps are drawn, as a strip before and after each epoch.
        sync_batch_norm: whether batch norm counts the images of all processes, where several train together.
        on_start: called once, with the epochs that a resumed training has behind it, and how many there are in all.
        on_step: called after each step.
        on_epoch: called after each epoch, when its files are written.
        on_warning: called with what goes wrong without ending the training.

    Raises:
        DataError: if the data cannot be read.
        UnsupportedError: if backbone or device are not known, or the backbone does not fit the method.
        TrainingError: if method, classes, image size or what is to be resumed do not fit, or a loss is not finite.
        OutputError: if nothing can be written beside `output`; found out before the first step.
    """
    place = resolve_device(device)
    # A training seeds its own random numbers: the caller's go on undisturbed.
    with training_group(place) as group, torch.random.fork_rng([place] if place.type == "cuda" else []):
        run = _Run(
            method,
            Path(data),
            validation if validation is None else Path(validation),
            classes,
            extra=extra,
            recipe=recipe or Recipe(),
            options=options or {},
            init=init if init is None or init == DEFAULT_WEIGHTS else Path(init),
            device=place,
            half=half,
            snapshot_every=snapshot_every,
            watched=watched,
            sync_batch_norm=sync_batch_norm,
            group=group,
            files=TrainingFiles(Path(output)),
        )
        run.carry_out(workers, on_step, on_epoch, on_warning, on_start=on_start, resume=resume)
    return run.files.output


class _Run:
    """One training, from its arguments to its files; every argument is checked before work begins."""

    def __init__(
        self,
        method: str,
        data: Path,
        validation: Path | None,
        classes: Sequence[str],
        *,
        extra: ExtraSource | None,
        recipe: Recipe,
        options: Mapping[str, bool | int | float | str],
        init: Path | str | None,
        device: torch.device,
        half: bool,
        snapshot_every: int,
        watched: int,
        sync_batch_norm: bool,
        group: Group,
        files: TrainingFiles,
    ) -> None:
        if method not in METHODS:
            raise TrainingError(f"unknown method {method!r}: choose one of {', '.join(METHODS)}")
        self.method = method
        self.recipe = recipe
        self.options = settled_options(
            method,
            all_options(method, options, pretrained=init is not None),
            recipe.backbone,
            recipe.image_size,
        )
        self.half = half
        self.snapshot_every = snapshot_every
        self.watched = watched
        self.sync_batch_norm = sync_batch_norm
        self.group = group
        self.files = files
        self.samples = read_annotations(data)
        if classes:
            self.samples = only_classes(self.samples, classes, str(data))
        self.classes = at_least_two(classes_of(self.samples, data if data.is_dir() else data.parent), data)
        self.validation = (
            None if validation is None else fitting_samples(validation, self.classes, only=bool(classes))
        )
        require_pictures([*self.samples, *(self.validation or [])])
        if extra is not None and method not in GUIDED:
            raise TrainingError(f"{method} makes no use of masks or boxes: train {' or '.join(GUIDED)}")
        supervised = (
            find_extra(self.samples, self.classes, extra, recipe.random_seed) if extra is not None else []
        )
        self.data = {
            "name": data.resolve().name,
            "images": len(self.samples),
            "validation_images": None if self.validation is None else len(self.validation),
            "sha256": fingerprint([*self.samples, *(self.validation or [])]),
            "init": named_weights(init),
            **extra_record(supervised, extra.per_step if extra is not None else 0),
        }
        self.task = MULTI_LABEL if any(len(sample.labels) > 1 for sample in self.samples) else SINGLE_LABEL
        self.learner = Learner(
            method,
            recipe,
            classes=self.classes,
            task=self.task,
            device=device,
            options=self.options,
            init=init,
            extra=supervised,
            extra_per_step=0 if extra is None else extra.per_step,
            group=group,
            sync_batch_norm=sync_batch_norm,
        )
        self.learner.check_size(len(self.samples))
        self.history: list[EpochFigures] = []
        if group.leads:
            files.prepare()

    def carry_out(
        self,
        workers: int,
        on_step: Callable[[StepReport], None] | None,
        on_epoch: Callable[[EpochFigures], None] | None,
        on_warning: Callable[[str], None] | None,
        *,
        on_start: Callable[[Sequence[EpochFigures], int], None] | None,
        resume: bool,
    ) -> None:
        """All that is left to do; arguments as of `train`."""
        done = self.take_up(resume=resume)
        if on_start is not None:
            on_start(tuple(self.history), self.epochs)
        if not done:
            self.go_on(workers, on_step, on_epoch, on_warning)

    def take_up(self, *, resume: bool) -> bool:
        """Take up what an earlier run left, or clear it away; True if it is complete and nothing is left to do."""
        there = self.group.agreed(lambda: (self.files.complete, self.files.resume.exists()))
        if resume and there[0]:
            self._check_finished()
            return True
        if resume and there[1]:
            self._restore()
        elif self.group.leads:
            self.files.forget()
        return False

    def go_on(
        self,
        workers: int,
        on_step: Callable[[StepReport], None] | None,
        on_epoch: Callable[[EpochFigures], None] | None,
        on_warning: Callable[[str], None] | None,
    ) -> None:
        """The epochs that are left, and what is kept of each."""
        warning = option_warning(self.method, self.options, self.recipe.backbone, self.recipe.image_size)
        if warning is not None and on_warning is not None:
            on_warning(warning)
        watch = CollapseWatch(on_step, on_warning)
        if not self.history and self.group.leads:
            self._draw(0)
        for number in range(len(self.history), self.epochs):
            figures = self._epoch(number, workers, watch.step)
            self.history.append(figures)
            if self.group.leads:
                # The state first: whatever a kill leaves after it can be gone on from, and written again.
                self.files.write_state(self._state())
                self._publish()
                self._draw(number + 1)
            if on_epoch is not None:
                on_epoch(figures)
        if self.group.leads:
            self.files.forget()

    @property
    def epochs(self) -> int:
        """How many there are, the last one perhaps cut short by the recipe's `max_steps`."""
        return math.ceil(self.recipe.length(steps_an_epoch(len(self.samples), self.recipe.batch_size)))

    def _epoch(self, number: int, workers: int, on_step: Callable[[StepReport], None] | None) -> EpochFigures:
        try:
            return self.learner.epoch(number, self.samples, self.validation, workers=workers, on_step=on_step)
        except NotFiniteError as error:
            kept = "no epoch was finished, so that nothing is kept"
            if self.history:
                kept = f"epoch {kept_epoch(self.history).epoch + 1} is kept in {self.files.output}"
            raise TrainingError(
                f"{error} in epoch {number + 1}: {kept}; {START_ANEW} and a lower --learning-rate than "
                f"{self.recipe.learning_rate}"
            ) from error
        except torch.OutOfMemoryError as error:
            raise TrainingError(
                f"{self.recipe.batch_size} images a batch do not fit into the memory of {self.learner.device}: "
                "give a smaller --batch-size or --image-size"
            ) from error

    def _publish(self) -> None:
        """Write what follows from the state: the checkpoint, if the last epoch is the one to keep, and figures."""
        if kept_epoch(self.history) is self.history[-1]:
            save_checkpoint(self._checkpoint(), self.files.output, half=self.half)
        if self.snapshot_every and len(self.history) % self.snapshot_every == 0:
            place = self.files.snapshot(self.history[-1].epoch)
            save_checkpoint(self._checkpoint(), place, half=self.half)
        self.files.write_figures([figures.to_dict() for figures in self.history])

    def _draw(self, epochs: int) -> None:
        """The maps of the first images after so many epochs, as a strip."""
        if self.watched:
            save_strip(self.learner, self.samples[: self.watched], self.files.strip(epochs))

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(
            method=self.method,
            backbone=self.recipe.backbone,
            classes=self.classes,
            preprocessing=self.learner.preprocessing,
            weights=self.learner.weights(),
            task=self.task,
            options=self.options,
            recipe={
                **asdict(self.recipe),
                "half": self.half,
                "sync_batch_norm": self.sync_batch_norm,
                "processes": self.group.size,
                "figures": self.history[-1].to_dict(),
            },
            data=self.data,
        )

    def _state(self) -> dict[str, Any]:
        return {
            "arguments": self._arguments(),
            **self.learner.state(),
            "history": [asdict(figures) for figures in self.history],
        }

    def _arguments(self) -> dict[str, Any]:
        """What a run must have in common with the one that it goes on from."""
        return {
            "method": self.method,
            "options": self.options,
            **asdict(self.recipe),
            "half": self.half,
            "sync_batch_norm": self.sync_batch_norm,
            "classes": list(self.classes.ids),
            **{name: value for name, value in self.data.items() if name != "name"},  # a folder may move
        }

    def _restore(self) -> None:
        """Go on from the resume file, and write again what a kill may have kept from being written."""
        state = self.files.read_state()
        differing = differences(state["arguments"], self._arguments())
        if differing:
            raise TrainingError(
                f"{self.files.resume} is of a run with other arguments: {', '.join(differing)}: give the same, or "
                f"{START_ANEW}"
            )
        try:
            self.learner.restore(state)
            self.history = [EpochFigures(**figures) for figures in state["history"]]
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise TrainingError(f"{self.files.resume} is damaged: {START_ANEW}") from error
        if self.group.leads:
            self._publish()

    def _check_finished(self) -> None:
        """Leave a finished training as it is, if it is the one that is asked for."""
        found = load_checkpoint(self.files.output)
        there = {
            **found.recipe,
            **found.data,
            "method": found.method,
            "options": found.options,
            "classes": list(found.classes.ids),
        }
        differing = differences(there, self._arguments())
        if differing:
            raise TrainingError(
                f"{self.files.output} is of a finished training with other arguments: {', '.join(differing)}: "
                f"{START_ANEW}, or name another --output"
            )
        self.history = [EpochFigures.from_dict(record) for record in self.files.read_figures()]
