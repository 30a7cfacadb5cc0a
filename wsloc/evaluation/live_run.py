"""An evaluation of live images from its arguments to its report: tuning, scoring, ten crops, in whichever process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wsloc.evaluation.annotated import AnnotatedImages, annotated_images
from wsloc.evaluation.live import add_kept, score_images
from wsloc.evaluation.protocol import live_protocol
from wsloc.evaluation.reporting import evaluation_of
from wsloc.evaluation.run_keys import BoxRule, RunKey
from wsloc.evaluation.scores import Scores
from wsloc.evaluation.stages import batches_of, stages
from wsloc.evaluation.ten_crop import (
    add_kept_ten_crops,
    add_ten_crops,
    count_crop_batches,
    keep_ten_crops,
)
from wsloc.evaluation.tuning import tune, tuning_scores
from wsloc.inputs.annotations.label_indices import resolve_labels
from wsloc.methods import MAPS
from wsloc.metrics.score_maps import THRESHOLD_STEP
from wsloc.outputs.report_records import ChosenOn
from wsloc.request import Request
from wsloc.running.shards import Shard, count_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from wsloc.evaluation.annotated import Annotated
    from wsloc.evaluation.reporting import Evaluation
    from wsloc.evaluation.stages import Batches, Stage
    from wsloc.localizer import Localizer
    from wsloc.records import ImageFile


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """What is asked of an evaluation of live images.

    Attributes:
        maps: keys of `MAPS`; empty for the network's own.
        rules: how boxes are taken; empty for each map's own rule (mass 0.98, or threshold 0.2).
        tune_on: another annotated set: the value that is best there is scored too, for each map and kind of rule.
        tune_images: pictures of that set; None for those that its annotations name.
        threshold_step: of the MaxBoxAcc curves, fraction of the maximum.
        ten_crop: whether classification is also scored over ten crops of each image.
        batch_size: images through the network at once.
        workers: processes that decode and resize.
        arguments: of the command, for the report.
        random_seed: of the bootstrap.
        shard: the part of the images that is scored.
    """

    maps: Sequence[str] = ()
    rules: Sequence[BoxRule] = ()
    tune_on: Annotated | None = None
    tune_images: Sequence[str | Path] | None = None
    threshold_step: float = THRESHOLD_STEP
    ten_crop: bool = False
    batch_size: int = 16
    workers: int = 0
    arguments: Mapping[str, Any] | None = None
    random_seed: int = 0
    shard: Shard = field(default_factory=Shard)


@dataclass(frozen=True, slots=True)
class LiveRun:
    """What is scored, read and found to fit: from here on only images can fail.

    Attributes:
        localizer: from `wsloc.load`.
        annotated: what is scored against.
        options: what is asked.
        found: the pictures, with their annotations.
        tuning: those of the tuning set, or None without one.
        runs: the maps and rules that are asked for.
        blacklist: ids of images that are left out of localization.
    """

    localizer: Localizer
    annotated: Annotated
    options: LiveOptions
    found: AnnotatedImages
    tuning: AnnotatedImages | None
    runs: tuple[RunKey, ...]
    blacklist: frozenset[str] = field(repr=False)

    @classmethod
    def prepared(
        cls,
        localizer: Localizer,
        images: Sequence[str | Path] | None,
        annotated: Annotated,
        options: LiveOptions,
    ) -> LiveRun:
        """Read the annotations and find the pictures; what does not fit is found out here, before the work.

        Args:
            localizer: from `wsloc.load`.
            images: files, folders or `@list.txt`; None for the pictures that the annotations name.
            annotated: what to score against.
            options: what is asked.

        Raises:
            DataError: if annotations and images, or labels and classes, do not fit.
            ImageError: if a place is not there, or holds no image.
            UnsupportedError: if a map does not fit the network.
        """
        names = list(dict.fromkeys(options.maps)) or [localizer.default_map()]
        for name in names:
            localizer.check(Request(map=name))
        runs = [RunKey(name, rule) for name in names for rule in options.rules or [default_rule(name)]]
        found = annotated_images(images, annotated, localizer.classes)
        resolve_labels([sample for _, sample in found.matching.pairs], localizer.classes)
        tuning = None
        if options.tune_on is not None:
            tuning = annotated_images(
                options.tune_images, options.tune_on, localizer.classes, "--tune-images"
            )
            tuning_scores(
                localizer.classes, tuning.matching.pairs, runs, threshold_step=options.threshold_step
            )
        blacklist = annotated.listed([file.image for file in found.files])
        return cls(localizer, annotated, options, found, tuning, tuple(dict.fromkeys(runs)), blacklist)

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many batches there are to score, to tune on, and of ten crops; they stand in a journal in this order."""
        images, size = len(self.found.files), self.options.batch_size
        return (
            count_batches(images, size),
            0 if self.tuning is None else count_batches(len(self.tuning.files), size),
            count_crop_batches(images, size) if self.options.ten_crop else 0,
        )

    @property
    def batches(self) -> tuple[int, ...]:
        """Numbers of the batches of the shard, in that order."""
        return batches_of(self.counts, self.options.shard)

    @property
    def own_files(self) -> list[ImageFile]:
        """The images of the shard."""
        files, size = self.found.files, self.options.batch_size
        numbers = self.options.shard.batches(self.counts[0])
        return [file for number in numbers for file in files[number * size : (number + 1) * size]]

    def score(self, on_batch: Callable[[int], None] | None = None) -> Scores:
        """Do all of it in this process, and keep nothing but the scores.

        Args:
            on_batch: called with the number of images done since the last call.

        Raises:
            DataError: if no picture is of the size that its annotation says.
            ImageError: if the folder of the images vanishes.
        """
        scores = self._tuned_scores(None)
        files, options = self.found.files, self.options
        size, workers = options.batch_size, options.workers
        score_images(self.localizer, files, scores, on_batch=on_batch, batch_size=size, workers=workers)
        if options.ten_crop:
            add_ten_crops(self.localizer, files, self._maps, scores, batch_size=size, workers=workers)
        return scores

    def score_share(
        self, work: Batches, on_batch: Callable[[int], None] | None = None
    ) -> Callable[[], Scores]:
        """Do the batches of this process, and keep what they come to.

        Args:
            work: of this process; its batches are those of `batches`.
            on_batch: called with the number of images scored since the last call.

        Returns:
            What makes the scores of all batches, once all processes have done theirs.

        Raises:
            ImageError: if the folder of the images vanishes.
            OutputError: if a batch cannot be kept.
            RunError: if another process of the run is gone.
        """
        scoring, tuning, crops = stages(work, *self.counts)
        scores = self._tuned_scores(tuning)
        files, options = self.found.files, self.options
        size, workers = options.batch_size, options.workers
        score_images(
            self.localizer, files, scores, stage=scoring, on_batch=on_batch, batch_size=size, workers=workers
        )
        if options.ten_crop:
            keep_ten_crops(self.localizer, files, self._maps, crops, batch_size=size, workers=workers)

        def joined() -> Scores:
            add_kept(scores, scoring)
            if options.ten_crop:
                add_kept_ten_crops(scores, self._maps, crops)
            return scores

        return joined

    def evaluation(self, scores: Scores) -> Evaluation:
        """The figures and the report of filled scores."""
        options, chosen = self.options, dict.fromkeys(self.runs, ChosenOn.NOTHING)
        if scores.tuned is not None:
            chosen |= dict.fromkeys(scores.tuned.runs, scores.tuned.chosen_on)
        tune_on = None if options.tune_on is None else options.tune_on.path
        return evaluation_of(
            scores,
            chosen,
            [self.found.matching],
            self.annotated,
            blacklist=self.blacklist,
            protocol=live_protocol(self.localizer, scores, tune_on=tune_on),
            arguments=options.arguments,
            random_seed=options.random_seed,
            notes=self.found.notes,
        )

    @property
    def _maps(self) -> list[str]:
        return list(dict.fromkeys(run.map for run in self.runs))

    def _tuned_scores(self, stage: Stage | None) -> Scores:
        """Empty scores of the runs that are asked for, and of those that the tuning set has chosen."""
        options, tuned = self.options, None
        if self.tuning is not None:
            tuned = tune(
                self.localizer,
                self.tuning.files,
                self.tuning.matching.pairs,
                self.runs,
                scored=self.found.files,
                threshold_step=options.threshold_step,
                batch_size=options.batch_size,
                workers=options.workers,
                stage=stage,
            )
        runs = dict.fromkeys([*self.runs, *(tuned.runs if tuned is not None else ())])
        pairs, step = self.found.matching.pairs, options.threshold_step
        scores = Scores(pairs, self.localizer.classes, list(runs), threshold_step=step)
        scores.tuned = tuned
        return scores


def default_rule(name: str) -> BoxRule:
    """A map's own rule: mass 0.98 for entropy maps, threshold 0.2 for the others."""
    return BoxRule("mass", 0.98) if MAPS[name].box_rule == "mass" else BoxRule("threshold", 0.2)
