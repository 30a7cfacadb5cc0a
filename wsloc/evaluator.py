"""A data set to figures: what `wsloc eval` does, from live images, a predictions file, or map files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsloc.errors import DataError, UnsupportedError
from wsloc.evaluation.figures import evaluation_run, run_figures
from wsloc.evaluation.left_out import left_out
from wsloc.evaluation.live import score_images
from wsloc.evaluation.pictures import add_sizes, with_pictures, with_sizes
from wsloc.evaluation.ready_made import score_guesses, score_map_files
from wsloc.evaluation.scores import BoxRule, RunKey, Scores
from wsloc.evaluation.ten_crop import ten_crop_guesses
from wsloc.evaluation.vocabulary import vocabulary_of_guesses, vocabulary_of_samples
from wsloc.inputs.annotations.formats import read_annotations
from wsloc.inputs.annotations.matching import Matching, match, read_blacklist
from wsloc.inputs.guesses import read_guesses
from wsloc.inputs.images import find_images
from wsloc.inputs.map_files import find_maps, other_maps
from wsloc.methods import MAPS
from wsloc.metrics.imagenet import NO_CLASS
from wsloc.metrics.score_maps import THRESHOLD_STEP
from wsloc.outputs.images_csv import ImageRow, images_csv
from wsloc.outputs.manifest import versions
from wsloc.outputs.report_html import write_report_html
from wsloc.outputs.report_json import write_report_json
from wsloc.outputs.report_records import ChosenOn, Report, Unmatched
from wsloc.records import ImageFile
from wsloc.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wsloc.evaluation.figures import RunFigures
    from wsloc.localizer import Localizer
    from wsloc.records import Sample

PROTOCOL = (
    ("Classification", "one view of each image: the whole picture at the network's input size"),
    (
        "Localization",
        (
            "an image is right if any of its guesses (one for Top-1, five for Top-5) names its class and overlaps "
            "any true box of that class with an IoU of 0.5 or more; each box is a guess, so several of one class are "
            "several guesses, and only the first five count; GT-known: the class is given, and its first box counts"
        ),
    ),
    (
        "MaxBoxAcc",
        (
            "maps at 224 x 224, min-max normalised; the largest contour's box at the threshold that suits the data "
            "set best. V2: every contour's box, mean over IoU 0.3, 0.5 and 0.7"
        ),
    ),
    ("Failures", "an image that cannot be used counts as wrong everywhere"),
    ("Intervals", "95 %, percentile bootstrap over images"),
)


@dataclass(frozen=True, slots=True)
class Annotated:
    """What to score against.

    Attributes:
        path: file or folder of annotations.
        annotation_format: of `ANNOTATION_FORMATS`, or `auto`.
        blacklist: file of images that are left out of localization, or None.
    """

    path: Path
    annotation_format: str = "auto"
    blacklist: Path | None = None

    def read(self) -> list[Sample]:
        """The labelled samples.

        Raises:
            DataError: if the annotations cannot be read, or none has a label.
        """
        samples = [sample for sample in read_annotations(self.path, self.annotation_format) if sample.labels]
        if not samples:
            raise DataError(f"{self.path}: no image in it has a label: nothing can be scored")
        return samples

    def listed(self, ids: Sequence[str]) -> frozenset[str]:
        """The ids that the blacklist names."""
        return frozenset() if self.blacklist is None else read_blacklist(self.blacklist, ids)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An evaluation that has run: its report, and what its files are written from."""

    report: Report
    scores: Scores
    figures: Mapping[RunKey, RunFigures] = field(repr=False)

    def write(self, folder: Path) -> None:
        """Write report.json, report.html and images.csv.

        Raises:
            OutputError: if one of them cannot be written.
        """
        self._write_images(folder)
        write_report_json(self.report, folder)
        write_report_html(self.report, folder)

    def _write_images(self, folder: Path) -> None:
        scores, names = self.scores, self.scores.classes
        columns = ["iou", *dict.fromkeys(key for run in self.figures.values() for key in run.by_image)]
        columns = ["iou", *(key.removesuffix("_error") + "_right" for key in columns[1:])]
        errors = {failure.image: failure.error for failure in scores.failures}
        with images_csv(folder, columns, [run.label for run in scores.runs]) as write:
            for row, image in enumerate(scores.ids):
                for place, label in enumerate(scores.labels(row), start=scores.truth.labels_of(row).start):
                    values = [_row_figures(run, row, place) for run in self.figures.values()]
                    error = errors.get(image, "")
                    write(ImageRow(image, names.ids[label], names.names[label], values, error))


def _row_figures(run: RunFigures, row: int, place: int) -> dict[str, Any]:
    values: dict[str, Any] = {
        key.removesuffix("_error") + "_right": not wrong[row]
        for key, (wrong, counted) in run.by_image.items()
        if counted[row]
    }
    if run.overlaps is not None and run.counted[place]:
        values["iou"] = float(run.overlaps[place])
    return values


def evaluate_localization(
    localizer: Localizer,
    images: Sequence[str | Path] | None,
    annotations: Annotated | str | Path,
    *,
    maps: Sequence[str] = (),
    rules: Sequence[BoxRule] = (),
    tune_on: Annotated | None = None,
    threshold_step: float = THRESHOLD_STEP,
    ten_crop: bool = False,
    batch_size: int = 16,
    workers: int = 0,
    arguments: Mapping[str, Any] | None = None,
    random_seed: int = 0,
    on_batch: Callable[[int], None] | None = None,
) -> Evaluation:
    """Score a network's maps and boxes against annotations, all maps and rules from one forward pass an image.

    Args:
        localizer: from `wsloc.load`.
        images: files, folders or `@list.txt`; None for the pictures that the annotations name.
        annotations: what to score against: a path, or one with its format and blacklist.
        maps: keys of `MAPS`; empty for the network's own.
        rules: how boxes are taken; empty for each map's own rule (mass 0.98, or threshold 0.2).
        tune_on: another annotated set with pictures: the map threshold that is best there is scored here too.
        threshold_step: of the MaxBoxAcc curves, fraction of the maximum.
        ten_crop: whether classification is also scored over ten crops of each image.
        batch_size: images through the network at once.
        workers: processes that decode and resize.
        arguments: of the command, for the report.
        random_seed: of the bootstrap.
        on_batch: called with the number of images done since the last call.

    Raises:
        DataError: if annotations and images, or labels and classes, do not fit.
        UnsupportedError: if a map does not fit the network.
    """
    annotated = annotations if isinstance(annotations, Annotated) else Annotated(Path(annotations))
    files = None if images is None else find_images(images)
    names = list(dict.fromkeys(maps)) or [localizer.default_map()]
    for name in names:
        localizer.check(Request(map=name))
    runs = {RunKey(name, rule): ChosenOn.NOTHING for name in names for rule in rules or [default_rule(name)]}
    if tune_on is not None:
        tuned = _tuned(
            localizer, tune_on, names, threshold_step=threshold_step, batch_size=batch_size, workers=workers
        )
        runs |= {run: ChosenOn.TUNING_SET for run in tuned if run not in runs}
    matched_files, matching = _matched(files, annotated)
    scores = Scores(matching.pairs, localizer.classes, list(runs), threshold_step=threshold_step)
    blacklist = annotated.listed(scores.ids)  # a bad one is found out before the work; a pipe is read once
    score_images(localizer, matched_files, scores, batch_size=batch_size, workers=workers, on_batch=on_batch)
    if ten_crop:
        for name in names:
            scores.ten_crop[name] = ten_crop_guesses(
                localizer, matched_files, name, batch_size=batch_size, workers=workers
            )
        failed = {failure.image for failure in scores.failures}  # of another size than annotated, maybe
        for best in scores.ten_crop.values():
            best[[image in failed for image in scores.ids]] = NO_CLASS
    return _evaluation(
        scores, runs, [matching], annotated, blacklist, arguments=arguments, random_seed=random_seed
    )


def evaluate_predictions(
    path: Path,
    annotated: Annotated,
    *,
    images: Sequence[str | Path] | None = None,
    synsets: Sequence[str] | None = None,
    arguments: Mapping[str, Any] | None = None,
    random_seed: int = 0,
) -> Evaluation:
    """Score a file of guesses; neither pictures nor a checkpoint are needed.

    Args:
        path: predictions.jsonl or predictions.csv of wsloc, a Kaggle submission, or a text of guesses.
        annotated: what to score against.
        images: files, folders or `@list.txt`: pictures that give sizes and are shown as cases; None for those that
            the annotations name, if any.
        synsets: wnids in the devkit's order, for ILSVRC's official text alone.
        arguments: of the command, for the report.
        random_seed: of the bootstrap.

    Raises:
        DataError: if the file cannot be read, or does not fit the annotations.
    """
    samples, pictures = with_pictures(annotated.read(), images)
    order = sorted(sample.image for sample in samples)
    guesses = list(read_guesses(path, validation_order=order, synsets=synsets))
    if not guesses:
        raise DataError(f"{path}: holds no predictions, only its header")
    matching = match(samples, [guess.image for guess in guesses], "predictions")
    rows = {image: row for row, (image, _) in enumerate(matching.pairs)}
    missing = set(matching.unmatched_samples)
    # An annotated image without a line is wrong, not absent.
    pairs = [*matching.pairs, *((sample.image, sample) for sample in samples if sample.image in missing)]
    words = vocabulary_of_guesses(samples, guesses)
    run = RunKey(path.name, None)
    scores = Scores(pairs, words.classes, [run], with_maps=False, label_indices=words.of_labels)
    score_guesses(guesses, rows, run, scores, words.of_guesses)
    add_sizes(scores)
    return _evaluation(
        scores,
        {run: ChosenOn.NOTHING},
        [matching, *([pictures] if pictures else [])],
        annotated,
        annotated.listed(scores.ids),
        arguments=arguments,
        random_seed=random_seed,
        notes=words.notes,
    )


def evaluate_maps(
    folder: Path,
    annotated: Annotated,
    *,
    images: Sequence[str | Path] | None = None,
    rules: Sequence[BoxRule] = (),
    threshold_step: float = THRESHOLD_STEP,
    normalize: bool = False,
    resize: bool = False,
    arguments: Mapping[str, Any] | None = None,
    random_seed: int = 0,
) -> Evaluation:
    """Score a folder of map files, each as the map of its image's true class.

    Args:
        folder: of npy, npz or PNG maps.
        annotated: what to score against; must carry image sizes, if there are no pictures.
        images: files, folders or `@list.txt`: pictures that give sizes and are shown as cases; None for those that
            the annotations name, if any.
        rules: how boxes are taken; empty for threshold 0.2.
        threshold_step: of the MaxBoxAcc curves, fraction of the maximum.
        normalize: whether to stretch each map's range to 0-1.
        resize: whether to bring maps of another size to 224 x 224.
        arguments: of the command, for the report.
        random_seed: of the bootstrap.

    Raises:
        DataError: if nothing fits, or a file cannot be read.
        MapError: if a map cannot be scored as it is.
    """
    samples, pictures = with_pictures(annotated.read(), images)
    samples, broken = with_sizes(samples)
    blacklist = annotated.listed([sample.image for sample in samples])
    paths = find_maps(folder, [sample.image for sample in samples])
    runs = {
        RunKey(folder.name or "maps", rule): ChosenOn.NOTHING for rule in rules or [BoxRule("threshold", 0.2)]
    }
    pairs = [(sample.image, sample) for sample in samples]
    words = vocabulary_of_samples(samples)
    scores = Scores(
        pairs, words.classes, list(runs), threshold_step=threshold_step, label_indices=words.of_labels
    )
    score_map_files(paths, scores, normalize=normalize, resize=resize, broken=broken)
    without = tuple(sample.image for sample in samples if sample.image not in paths)
    matching = Matching(tuple(pairs), without, other_maps(folder, paths.values()), "maps")
    matchings = [matching, *([pictures] if pictures else [])]
    return _evaluation(
        scores, runs, matchings, annotated, blacklist, arguments=arguments, random_seed=random_seed
    )


def default_rule(name: str) -> BoxRule:
    """A map's own rule: mass 0.98 for entropy maps, threshold 0.2 for the others."""
    return BoxRule("mass", 0.98) if MAPS[name].box_rule == "mass" else BoxRule("threshold", 0.2)


def _matched(files: Sequence[ImageFile] | None, annotated: Annotated) -> tuple[list[ImageFile], Matching]:
    """The images that are annotated, and how they were matched."""
    samples = annotated.read()
    if files is None:
        files = [ImageFile(sample.image, sample.path) for sample in samples if sample.path is not None]
        if not files:
            raise DataError(f"{annotated.path}: its annotations name no pictures: give the images too")
    matching = match(samples, [file.image for file in files])
    by_id = {file.image: file for file in files}
    return [by_id[image] for image, _ in matching.pairs], matching


def _tuned(
    localizer: Localizer,
    tune_on: Annotated,
    names: Sequence[str],
    *,
    threshold_step: float,
    batch_size: int,
    workers: int,
) -> list[RunKey]:
    """For each map the threshold whose largest contour is right most often (IoU 0.5) on the tuning set."""
    files, matching = _matched(None, tune_on)
    runs = [RunKey(name, None) for name in names]
    scores = Scores(matching.pairs, localizer.classes, runs, threshold_step=threshold_step)
    if not scores.has_boxes:
        raise UnsupportedError(f"{tune_on.path}: carries no boxes to tune a threshold on")
    score_images(localizer, files, scores, batch_size=batch_size, workers=workers)
    return [
        RunKey(name, BoxRule("threshold", scores.curves[name].best("single")[0.5].threshold))
        for name in names
    ]


def _evaluation(
    scores: Scores,
    runs: Mapping[RunKey, ChosenOn],
    matchings: Sequence[Matching],
    annotated: Annotated,
    blacklist: frozenset[str],
    *,
    arguments: Mapping[str, Any] | None,
    random_seed: int,
    notes: tuple[str, ...] = (),
) -> Evaluation:
    """Figures and report of filled scores."""
    figures = {run: run_figures(scores, run, blacklist) for run in runs}
    unmatched = tuple(
        Unmatched(words, len(names), tuple(names[:10]))
        for matching in matchings
        for words, names in matching.sides()
    )
    counts = {"annotated": len(scores.ids), "failed": len(scores.failures), "blacklisted": len(blacklist)}
    counts["with_boxes"] = int(scores.truth.image_has_box().sum())
    report = Report(
        title=f"wsloc eval: {annotated.path.name}",
        protocol=PROTOCOL,
        counts=counts,
        runs=tuple(
            evaluation_run(scores, run, figures[run], chosen_on, random_seed)
            for run, chosen_on in runs.items()
        ),
        notes=(
            *notes,
            *(note for matching in matchings for note in matching.notes()),
            *(line for run in runs for line in left_out(scores, run, figures[run])),
        ),
        failures=tuple(scores.failures),
        unmatched=unmatched,
        arguments=dict(arguments or {}),
        versions=versions(),
    )
    return Evaluation(report, scores, figures)
