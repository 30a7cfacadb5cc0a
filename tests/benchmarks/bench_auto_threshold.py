"""Thresholds that need no ground truth against the best one there is: what `--foreground auto` was chosen from.

    python tests/benchmarks/bench_auto_threshold.py MASKS HELD_BACK.csv DEV.csv CHECKPOINT[:MAP] ...

MASKS holds `<image name>.png` in VOC's numbers, the CSVs each image's labels (`bench_ficklenet_seeds.py lists` writes
them); the checkpoints know VOC's animals. Seeds are those of the image's own labels, whatever no class claims is
background, and objects of other classes are, too. mIoU is of one confusion matrix, void left out. `oracle` is the one
threshold for all images (in steps of 0.02) that is best on the held-back images. Choose by these alone; dev is what
comes of it.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wsloc.inputs.annotations.labels_csv import read
from wsloc.inputs.image_labels import labels_of_images
from wsloc.inputs.loading import LoadedImage
from wsloc.inputs.loading import load as load_image
from wsloc.inputs.mask_classes import VOC_NAMES
from wsloc.inputs.masks import read_mask
from wsloc.loader import load
from wsloc.metrics.segmentation import ConfusionMatrix
from wsloc.records import ImageFile
from wsloc.regions.frames import maps_to_image
from wsloc.regions.seeds import normalized
from wsloc.seeding.observing import ImageMaps, observe_batch
from wsloc.seeding.request import SeedRequest, plan_seeds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from wsloc.localizer import Localizer

    Map = npt.NDArray[np.float32]  # (H, W), 0-1
    Masks = npt.NDArray[np.uint8]

LEVELS = 200  # of histograms
GRID = np.arange(0, 1, 0.02)


def histogram(cells: Map) -> npt.NDArray[np.float64]:
    """Shares of the pixels by level."""
    return np.histogram(cells, LEVELS, (0, 1))[0] / cells.size


def mean(cells: Map, _mirrored: Map) -> float:
    """The map's own mean: `auto`."""
    return float(cells.mean())


def otsu(cells: Map, _mirrored: Map) -> float:
    """Otsu (1979): the split with the largest variance between both sides."""
    shares, levels = histogram(cells), (np.arange(LEVELS) + 0.5) / LEVELS
    below, moment = shares.cumsum(), (shares * levels).cumsum()
    between = (moment[-1] * below - moment) ** 2 / np.maximum(below * (1 - below), 1e-12)
    return (int(between.argmax()) + 1) / LEVELS


def half_otsu(cells: Map, mirrored: Map) -> float:
    """Half of it."""
    return otsu(cells, mirrored) / 2


def li(cells: Map, _mirrored: Map) -> float:
    """Li and Lee (1993): the split with the least cross entropy, by Li and Tam's iteration."""
    values = cells.ravel().astype(np.float64) + 1e-3
    threshold, step = values.mean(), 1.0
    while step > 1e-4:
        high, low = values[values > threshold], values[values <= threshold]
        if not len(high) or not len(low):
            break
        new = (high.mean() - low.mean()) / (np.log(high.mean()) - np.log(low.mean()))
        threshold, step = new, abs(new - threshold)
    return float(threshold)


def kapur(cells: Map, _mirrored: Map) -> float:
    """Kapur, Sahoo and Wong (1985): the split with the largest entropy of both sides."""
    shares = histogram(cells)
    below = shares.cumsum().clip(1e-12, 1 - 1e-12)
    entropy = -(shares * np.log(shares.clip(1e-12))).cumsum()
    total = np.log(below) + entropy / below + np.log(1 - below) + (entropy[-1] - entropy) / (1 - below)
    return (int(total[:-1].argmax()) + 1) / LEVELS


def stable(cells: Map, mirrored: Map) -> float:
    """The threshold at which foreground and background agree best with those of the mirror image's map."""
    agreement = []
    for threshold in GRID[1:-5]:
        one, other = cells > threshold, mirrored > threshold
        both, either = (one & other).sum(), (one | other).sum()
        agreement.append(min(both / max(either, 1), (one.size - either) / max(one.size - both, 1)))
    return float(GRID[1:][int(np.argmax(agreement))])


RULES: dict[str, Callable[[Map, Map], float]] = {
    "above 0.2": lambda _cells, _mirrored: 0.2,
    "above the map's mean": mean,
    "Otsu": otsu,
    "half of Otsu": half_otsu,
    "least cross entropy": li,
    "largest entropy": kapur,
    "stable under mirroring": stable,
}


def labelled(maps: Map, thresholds: npt.NDArray[np.float64], labels: tuple[int, ...]) -> Masks:
    """The highest of those above their thresholds; 0 where none is."""
    claims = maps > thresholds.astype(np.float32)[:, None, None]
    best = np.array(labels, np.uint8)[np.where(claims, maps, -1).argmax(axis=0)]
    return np.where(claims.any(axis=0), best, np.uint8(0))


def look(
    localizer: Localizer, csv: Path, masks: Path, name: str | None
) -> Iterator[tuple[Map, Map, tuple[int, ...], Masks]]:
    """Each image's maps, those of its mirror image, its labels and its true mask, at its own size."""
    samples = read(csv)
    ids = [sample.image for sample in samples]
    request = SeedRequest(
        labels_of_images(samples, ids, localizer.classes, str(csv), others_allowed=False), name
    )
    plan = plan_seeds(localizer, request)
    table = np.zeros(256, np.uint8)
    table[255] = 255
    for index, word in enumerate(localizer.classes.names):
        table[VOC_NAMES.index(word) + 1] = index + 1
    for sample in samples:
        assert sample.path is not None
        image = load_image(ImageFile(sample.image, sample.path), localizer.preprocessing, with_picture=False)
        assert isinstance(image, LoadedImage)
        mirrored = replace(image, pixels=image.pixels[:, ::-1].copy())
        one, other = observe_batch(localizer, [image, mirrored], request, plan)
        assert isinstance(one, ImageMaps)
        assert isinstance(other, ImageMaps)
        maps, flipped = (normalized(maps_to_image(seen.maps, seen.image_size)) for seen in (one, other))
        labels = tuple(index + 1 for index in one.class_indices)
        yield maps, flipped[:, :, ::-1], labels, table[read_mask(masks / f"{sample.path.stem}.png")]


def score(
    localizer: Localizer, csv: Path, masks: Path, name: str | None
) -> tuple[dict[str, float], list[float]]:
    """mIoU in percent of each rule, and of each threshold of the grid."""
    classes = len(localizer.classes)
    by_rule = {rule: ConfusionMatrix(classes) for rule in RULES}
    by_threshold = [ConfusionMatrix(classes) for _ in GRID]
    for maps, flipped, labels, truth in look(localizer, csv, masks, name):
        for rule, matrix in by_rule.items():
            pairs = zip(maps, flipped, strict=True)
            thresholds = np.array([RULES[rule](cells, mirrored) for cells, mirrored in pairs])
            matrix.update(truth, labelled(maps, thresholds, labels))
        for threshold, matrix in zip(GRID, by_threshold, strict=True):
            matrix.update(truth, labelled(maps, np.full(len(maps), threshold), labels))
    rules = {rule: matrix.figures().miou() for rule, matrix in by_rule.items()}
    return rules, [matrix.figures().miou() for matrix in by_threshold]


def main() -> None:
    """Print a table a checkpoint, Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("masks", type=Path)
    parser.add_argument("held_back", type=Path)
    parser.add_argument("dev", type=Path)
    parser.add_argument("checkpoints", nargs="+", metavar="CHECKPOINT[:MAP]")
    arguments = parser.parse_args()
    columns: list[str] = []
    rows: dict[str, list[str]] = {}
    for text in arguments.checkpoints:
        path, _, name = text.partition(":")
        localizer = load(path, device="cpu")
        columns.append(f"{Path(path).stem} {name}".strip())
        (tuned, curve), (rules, on_dev) = (
            score(localizer, csv, arguments.masks, name or None)
            for csv in (arguments.held_back, arguments.dev)
        )
        place = int(np.argmax(curve))
        oracle = f"{curve[place]:.1f} / {on_dev[place]:.1f} ({GRID[place]:.2f})"
        rows.setdefault("oracle, one for all images", []).append(oracle)
        for rule in RULES:
            rows.setdefault(rule, []).append(f"{tuned[rule]:.1f} / {rules[rule]:.1f}")
    print(f"| threshold | {' | '.join(columns)} |")
    print(f"| --- {'| --- ' * len(columns)}|")
    for rule, cells in rows.items():
        print(f"| {rule} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
