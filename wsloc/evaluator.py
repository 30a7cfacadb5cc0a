"""A data set to figures: what `wsloc eval` does, from live images, a predictions file, map files, or seeds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsloc.errors import DataError
from wsloc.evaluation.annotated import Annotated
from wsloc.evaluation.live_identity import live_identity
from wsloc.evaluation.live_run import LiveOptions, LiveRun
from wsloc.evaluation.pictures import add_sizes, with_pictures, with_sizes
from wsloc.evaluation.protocol import maps_protocol, predictions_protocol
from wsloc.evaluation.ready_made import score_guesses, score_map_files
from wsloc.evaluation.report_folder import ReportResults
from wsloc.evaluation.reporting import evaluation_of
from wsloc.evaluation.run_keys import BoxRule, RunKey
from wsloc.evaluation.scores import Scores
from wsloc.evaluation.scoring import score_into
from wsloc.evaluation.seed_reporting import seed_evaluation_of
from wsloc.evaluation.seed_scores import SeedScores
from wsloc.evaluation.seed_vocabulary import seed_vocabulary
from wsloc.evaluation.vocabulary import vocabulary_of_guesses, vocabulary_of_samples
from wsloc.inputs.annotations.matching import Matching, match
from wsloc.inputs.guesses import read_guesses
from wsloc.inputs.map_files import find_maps, other_maps
from wsloc.inputs.seed_files import find_seeds
from wsloc.metrics.score_maps import THRESHOLD_STEP
from wsloc.outputs.report_records import ChosenOn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wsloc.evaluation.reporting import Evaluation
    from wsloc.evaluation.seed_reporting import SeedEvaluation
    from wsloc.localizer import Localizer
    from wsloc.running.ranks import Ranks
    from wsloc.running.unfinished import Work


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
        localizer: from `wsloc.load`; with scales or mirror images, which maps are averaged over, one pass each.
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
    options = LiveOptions(
        maps=maps,
        rules=rules,
        tune_on=tune_on,
        tune_images=tune_images,
        threshold_step=threshold_step,
        ten_crop=ten_crop,
        batch_size=batch_size,
        workers=workers,
        arguments=arguments,
        random_seed=random_seed,
    )
    annotated = annotations if isinstance(annotations, Annotated) else Annotated(Path(annotations))
    run = LiveRun.prepared(localizer, images, annotated, options)
    return run.evaluation(run.score(on_batch))


def evaluate_into(
    folder: Path,
    run: LiveRun,
    *,
    checkpoint: Path | None = None,
    model: str | None = None,
    overwrite: bool = False,
    on_batch: Callable[[int], None] | None = None,
    ranks: Ranks | None = None,
) -> Evaluation | None:
    """Score a network, alone or with other processes, and write the report; an interrupted evaluation is gone on with.

    A complete report in the folder is replaced, once the new one is complete.

    Args:
        folder: where the report goes.
        run: what is scored.
        checkpoint: the weights file, to know the evaluation again; None where no file was read.
        model: the model's name, likewise.
        overwrite: whether another interrupted evaluation in the folder is given up.
        on_batch: called with the number of images done, by any process, since the last call.
        ranks: this process among those of the evaluation; None for the only one.

    Returns:
        The evaluation; None in a process that does not lead.

    Raises:
        UsageError: if the folder holds another interrupted run, and is not to be overwritten.
        OutputError: if something cannot be written.
        DataError: if no picture is of the size that its annotation says.
        ImageError: if the folder of the images vanishes, or a process that decodes is killed.
        RunError: if another process of the evaluation is gone.
    """

    def finish(work: Work, joined: Callable[[], Scores]) -> Evaluation:
        try:
            evaluation = run.evaluation(joined())
        except DataError:  # of all images together: to go on would find the same
            work.finish()
            raise
        evaluation.write(folder)
        work.finish()
        return evaluation

    identity = live_identity(run, checkpoint=checkpoint, model=model)
    return score_into(
        *(folder, run, identity, ReportResults(folder), finish),
        overwrite=overwrite,
        on_batch=on_batch,
        ranks=ranks,
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
    return evaluation_of(
        scores,
        {run: ChosenOn.NOTHING},
        [matching, *([pictures] if pictures else [])],
        annotated,
        blacklist=annotated.listed(scores.ids),
        protocol=predictions_protocol(path, scores),
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
    return evaluation_of(
        scores,
        runs,
        [matching, *([pictures] if pictures else [])],
        annotated,
        blacklist=blacklist,
        protocol=maps_protocol(scores, normalize=normalize, resize=resize),
        arguments=arguments,
        random_seed=random_seed,
    )


def evaluate_seeds(
    folder: Path,
    annotated: Annotated,
    *,
    images: Sequence[str | Path] | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> SeedEvaluation:
    """Score seeds, or any label maps, against true masks; neither pictures nor a checkpoint are needed.

    Args:
        folder: what `wsloc seeds` wrote, or a folder of index PNGs.
        annotated: what to score against: VOC's kit, or a folder of masks.
        images: files, folders or `@list.txt`: pictures that are shown under the masks; None for those that the
            annotations name, if any.
        arguments: of the command, for the report.

    Raises:
        DataError: if the annotations have no masks, or seeds and annotations have no image or class in common.
    """
    samples, pictures = with_pictures(annotated.read(), images)
    masked = [sample for sample in samples if sample.masks and sample.mask_labels]
    if not masked:
        raise DataError(
            f"{annotated.path}: its annotations have no masks of classes: name VOC's kit, or a folder of masks"
        )
    seeds = find_seeds(folder, [sample.image for sample in masked])
    words = seed_vocabulary(masked, seeds, annotated.classes)
    kept = [sample for sample in masked if sample.image in seeds.paths or words.numbers_of(sample)]
    scores = SeedScores(words.truth, words.table)
    for sample in kept:
        scores.add(sample, seeds.paths.get(sample.image), words.numbers_of(sample))
    scores.require_any()
    notes = [*words.notes]
    if len(kept) < len(masked):
        notes.append(
            f"{len(masked) - len(kept):,} annotated images show no class of the seeds, have no seeds, and are left out"
        )
    if len(masked) < len(samples):
        notes.append(f"{len(samples) - len(masked):,} annotated images have no mask and are left out")
    without = tuple(sample.image for sample in kept if sample.image not in seeds.paths)
    return seed_evaluation_of(
        scores,
        words.classes,
        folder.resolve().name,
        annotated,
        matchings=[Matching((), without, seeds.others, "seeds"), *([pictures] if pictures else [])],
        arguments=arguments,
        notes=notes,
    )
