"""A data set to figures: what `wsloc eval` does, from live images, a predictions file, or map files."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsloc.errors import DataError
from wsloc.evaluation.figures import evaluation_run, run_figures
from wsloc.evaluation.live import score_images
from wsloc.evaluation.protocol import common_protocol, live_protocol, maps_protocol, predictions_protocol
from wsloc.evaluation.ready_made import classes_of_guesses, score_guesses, score_map_files
from wsloc.evaluation.scores import BoxRule, RunKey, Scores
from wsloc.evaluation.ten_crop import ten_crop_guesses
from wsloc.evaluation.tuning import tune
from wsloc.files import replacing_together
from wsloc.inputs.annotations.formats import read_annotations
from wsloc.inputs.annotations.matching import match, read_blacklist
from wsloc.inputs.guesses import read_guesses
from wsloc.inputs.imagenet import imagenet_classes
from wsloc.inputs.images import decode, find_images
from wsloc.inputs.map_files import find_maps
from wsloc.methods import MAPS
from wsloc.metrics.score_maps import THRESHOLD_STEP
from wsloc.outputs.images_csv import ImageRow, images_csv
from wsloc.outputs.manifest import versions
from wsloc.outputs.report_html import write_report_html
from wsloc.outputs.report_json import write_report_json
from wsloc.outputs.report_records import ChosenOn, Report, Unmatched
from wsloc.records import Classes, ImageFile
from wsloc.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wsloc.evaluation.figures import RunFigures
    from wsloc.evaluation.scores import Tuned
    from wsloc.inputs.annotations.matching import Matching
    from wsloc.localizer import Localizer
    from wsloc.records import Sample


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
        """Write report.json, report.html and images.csv: all of them, or none.

        Raises:
            OutputError: if one of them cannot be written.
        """
        with replacing_together(folder) as temporary:
            self._write_images(temporary)
            write_report_json(self.report, temporary)
            write_report_html(self.report, temporary)

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
    tune_images: Sequence[str | Path] | None = None,
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
        tune_on: another annotated set: the value that is best there is scored too, for each map and kind of rule.
        tune_images: pictures of that set; None for those that its annotations name.
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
    matched_files, matching = _matched(files, annotated)
    annotated.listed([file.image for file in matched_files])  # a bad blacklist is found out before the work
    tuned = None
    if tune_on is not None:
        tuned = _tuned(
            localizer,
            _matched(None if tune_images is None else find_images(tune_images), tune_on, "--tune-images"),
            list(runs),
            matched_files,
            threshold_step=threshold_step,
            batch_size=batch_size,
            workers=workers,
        )
        runs |= dict.fromkeys(tuned.runs, tuned.chosen_on)
    scores = Scores(matching.pairs, localizer.classes, list(runs), threshold_step=threshold_step)
    scores.tuned = tuned
    score_images(localizer, matched_files, scores, batch_size=batch_size, workers=workers, on_batch=on_batch)
    pools: dict[bool, str] = {}  # the maps that stand for both ways of pooling
    for name in names if ten_crop else ():
        same = pools.setdefault(MAPS[name].entropy_pooled, name)
        scores.ten_crop[name] = (
            scores.ten_crop[same]
            if same in scores.ten_crop
            else ten_crop_guesses(localizer, matched_files, name, batch_size=batch_size, workers=workers)
        )
    protocol = live_protocol(localizer, scores, tune_on=None if tune_on is None else tune_on.path)
    return _evaluation(
        scores, runs, matching, annotated, protocol, arguments=arguments, random_seed=random_seed
    )


def evaluate_predictions(
    path: Path,
    annotated: Annotated,
    *,
    synsets: Sequence[str] | None = None,
    arguments: Mapping[str, Any] | None = None,
    random_seed: int = 0,
) -> Evaluation:
    """Score a file of guesses; neither pictures nor a checkpoint are needed.

    Args:
        path: predictions.jsonl or predictions.csv of wsloc, a Kaggle submission, or a text of guesses.
        annotated: what to score against.
        synsets: wnids in the devkit's order, for ILSVRC's official text alone.
        arguments: of the command, for the report.
        random_seed: of the bootstrap.

    Raises:
        DataError: if the file cannot be read, or does not fit the annotations.
    """
    samples = annotated.read()
    order = sorted(sample.image for sample in samples)
    guesses = list(read_guesses(path, validation_order=order, synsets=synsets))
    matching = match(samples, [guess.image for guess in guesses])
    rows = {image: row for row, (image, _) in enumerate(matching.pairs)}
    missing = set(matching.unmatched_samples)
    # An annotated image without a line is wrong, not absent.
    pairs = [*matching.pairs, *((sample.image, sample) for sample in samples if sample.image in missing)]
    classes = classes_of_guesses(samples, (label for guess in guesses for label in guess.labels))
    run = RunKey(path.name, None)
    scores = Scores(pairs, classes, [run], with_maps=False)
    score_guesses(guesses, rows, run, scores)
    runs, protocol = {run: ChosenOn.NOTHING}, predictions_protocol(path, scores)
    return _evaluation(
        scores, runs, matching, annotated, protocol, arguments=arguments, random_seed=random_seed
    )


def evaluate_maps(
    folder: Path,
    annotated: Annotated,
    *,
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
        annotated: what to score against; must carry image sizes.
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
    samples = [_with_size(sample) for sample in annotated.read()]
    annotated.listed([sample.image for sample in samples])  # a bad blacklist is found out before the work
    paths = find_maps(folder, [sample.image for sample in samples])
    runs = {
        RunKey(folder.name or "maps", rule): ChosenOn.NOTHING for rule in rules or [BoxRule("threshold", 0.2)]
    }
    pairs = [(sample.image, sample) for sample in samples]
    scores = Scores(pairs, _label_classes(samples), list(runs), threshold_step=threshold_step)
    score_map_files(paths, scores, normalize=normalize, resize=resize)
    protocol = maps_protocol(scores, normalize=normalize, resize=resize)
    return _evaluation(scores, runs, None, annotated, protocol, arguments=arguments, random_seed=random_seed)


def default_rule(name: str) -> BoxRule:
    """A map's own rule: mass 0.98 for entropy maps, threshold 0.2 for the others."""
    return BoxRule("mass", 0.98) if MAPS[name].box_rule == "mass" else BoxRule("threshold", 0.2)


def _with_size(sample: Sample) -> Sample:
    """The sample with its picture's size, where the annotation carries none and names the picture."""
    if sample.image_size is not None or sample.path is None or not sample.path.is_file():
        return sample
    picture = decode(sample.path)
    return replace(sample, image_size=(picture.height, picture.width))


def _label_classes(samples: Sequence[Sample]) -> Classes:
    """The classes that samples speak of; ImageNet's where labels are their indices."""
    labels = dict.fromkeys(label for sample in samples for label in sample.labels)
    if all(label.isdecimal() and int(label) < 1000 for label in labels):
        return imagenet_classes()
    ids = tuple(dict.fromkeys([*labels, *(label for sample in samples for label, _ in sample.boxes)]))
    return Classes(ids, ids)


def _matched(
    files: Sequence[ImageFile] | None, annotated: Annotated, option: str = "IMAGES"
) -> tuple[list[ImageFile], Matching]:
    """The images that are annotated, and how they were matched."""
    samples = annotated.read()
    if files is None:
        files = [ImageFile(sample.image, sample.path) for sample in samples if sample.path is not None]
        if not files:
            raise DataError(f"{annotated.path}: its annotations name no pictures: give them too, as {option}")
    matching = match(samples, [file.image for file in files])
    by_id = {file.image: file for file in files}
    # The picture that is shown is the one that was scored; most formats name none.
    pairs = tuple((image, replace(sample, path=by_id[image].path)) for image, sample in matching.pairs)
    return [by_id[image] for image, _ in pairs], replace(matching, pairs=pairs)


def _tuned(
    localizer: Localizer,
    tuning: tuple[list[ImageFile], Matching],
    runs: Sequence[RunKey],
    scored: Sequence[ImageFile],
    *,
    threshold_step: float,
    batch_size: int,
    workers: int,
) -> Tuned:
    """What the tuning set chooses, and whether any of its pictures are among those that are scored."""
    files, matching = tuning
    tuned = tune(
        localizer,
        files,
        matching.pairs,
        runs,
        threshold_step=threshold_step,
        batch_size=batch_size,
        workers=workers,
    )
    shared = {file.path.resolve() for file in files} & {file.path.resolve() for file in scored}
    return replace(tuned, chosen_on=ChosenOn.SCORED_SET) if shared else tuned


def _evaluation(
    scores: Scores,
    runs: Mapping[RunKey, ChosenOn],
    matching: Matching | None,
    annotated: Annotated,
    protocol: tuple[tuple[str, str], ...],
    *,
    arguments: Mapping[str, Any] | None,
    random_seed: int,
) -> Evaluation:
    """Figures and report of filled scores."""
    blacklist = annotated.listed(scores.ids)
    figures = {run: run_figures(scores, run, blacklist) for run in runs}
    unmatched = _unmatched(matching)
    counts = {"annotated": len(scores.ids), "failed": len(scores.failures), "blacklisted": len(blacklist)}
    counts["with_boxes"] = int(scores.truth.image_has_box().sum())
    report = Report(
        title=f"wsloc eval: {annotated.path.name}",
        protocol=(*protocol, *common_protocol(annotated.blacklist, len(blacklist))),
        counts=counts,
        runs=tuple(
            evaluation_run(scores, run, figures[run], chosen_on, random_seed)
            for run, chosen_on in runs.items()
        ),
        notes=() if matching is None else tuple(matching.notes()),
        failures=tuple(scores.failures),
        unmatched=unmatched,
        arguments=dict(arguments or {}),
        versions=versions(),
    )
    return Evaluation(report, scores, figures)


def _unmatched(matching: Matching | None) -> tuple[Unmatched, ...]:
    if matching is None:
        return ()
    sides = (
        ("annotations without an image", matching.unmatched_samples),
        ("images without an annotation", matching.unmatched_images),
    )
    return tuple(Unmatched(words, len(names), tuple(names[:10])) for words, names in sides if names)
