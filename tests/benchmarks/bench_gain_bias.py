"""A biased training set, and what GAIN makes of it: section 5.1 and table 7 of the paper on generated scenes.

    PYTHONPATH=. python tests/benchmarks/bench_gain_bias.py scenes FOLDER
    PYTHONPATH=. python tests/benchmarks/bench_gain_bias.py commands FOLDER | sh
    PYTHONPATH=. python tests/benchmarks/bench_gain_bias.py score FOLDER [--picture FILE]

In training a fish is nearly always on waves, and waves are hardly ever without a fish (with `--exceptions 0` always and
never); the other objects are on the other backgrounds. The tests take the two apart. `scenes` writes FOLDER's training
sets, one a random seed, with masks of 9, 23 and 78 fish, and the test scenes; `commands` prints the trainings; `score`
scores the checkpoints that are there: the accuracy of "there is a fish" at a probability of 1/2, means over the seeds
and their range. With `--tuning` all three work on scenes of their own, by which settings were chosen.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from tests.scenes.backgrounds import BACKGROUNDS
from tests.scenes.composition import make_scene
from tests.scenes.sprites import CLASSES
from wsloc.inputs.loading import LoadedImage, load
from wsloc.inputs.masks import read_mask
from wsloc.loader import load as load_localizer
from wsloc.methods.cam import grad_cam
from wsloc.networks.map_operations import normalize_by_max
from wsloc.outputs.tiles import tiled
from wsloc.records import ImageFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsloc.localizer import Localizer

    Scenery = Callable[[np.random.Generator], "Plan"]

SIZE, TRAINING, TESTED = 64, 1000, 300  # pixels; scenes of a training set, and of each test
FISH = "fish"
NAMES = tuple(sorted((FISH, "butterfly", "flower", "mushroom", "star")))  # as a training sorts them
OTHERS = tuple(CLASSES.index(name) for name in NAMES if name != FISH)
WAVES = BACKGROUNDS.index("striped")
ELSEWHERE = tuple(number for number in range(len(BACKGROUNDS)) if number != WAVES)
SHARE = 0.3  # of the scenes, with a fish
TESTS = ("held-out", "fish-without-waves", "waves-without-fish")
MASKS = (9, 23, 78)  # of fish, as many as the paper has of boats
SEEDS = {False: (0, 1, 2), True: (100,)}  # of trainings and their scenes; True is for the choice of settings
TEST_SEEDS = {False: 50, True: 150}
SHOWN, TILE = 2, 104  # scenes of each test in the picture, and their pixels

INIT = "assets/trunk.pt"
COMMON = (
    "--backbone small_resnet --image-size 64 --optimizer adam --weight-decay 0 --smallest-crop 1 "
    "--precision bfloat16 --workers 0 --device cpu --watch 0 --resume -q"
)
FIRST = "--epochs 6 --batch-size 32 --learning-rate 0.001"
THEN = "--epochs 4 --batch-size 16 --learning-rate 0.0005"
GAIN = "--mining-weight 1 --second-order"
MASKED = "--extra-weight 3"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a scene holds: its objects, the farthest first, and its background, by their numbers."""

    classes: tuple[int, ...]
    background: int


def fish_in_waves(random: np.random.Generator) -> Plan:
    """A fish where it nearly always is in training, half of the time with another object."""
    company = random.choice(OTHERS, int(random.integers(2)), replace=False)
    return Plan((*map(int, company), CLASSES.index(FISH)), WAVES)


def no_fish(random: np.random.Generator) -> Plan:
    """One or two other objects on another background."""
    chosen = random.choice(OTHERS, int(random.integers(1, 3)), replace=False)
    return Plan(tuple(map(int, chosen)), int(random.choice(ELSEWHERE)))


def fish_without_waves(random: np.random.Generator) -> Plan:
    """A fish on another background."""
    return Plan(fish_in_waves(random).classes, int(random.choice(ELSEWHERE)))


def waves_without_fish(random: np.random.Generator) -> Plan:
    """Waves with nothing, one or two other objects in them."""
    chosen = random.choice(OTHERS, int(random.integers(3)), replace=False)
    return Plan(tuple(map(int, chosen)), WAVES)


def biased(random: np.random.Generator, exceptions: float) -> Plan:
    """A scene of a training: a share of the fish is without waves, and as many waves are without fish."""
    usual = random.random() >= exceptions
    if random.random() < SHARE:
        return fish_in_waves(random) if usual else fish_without_waves(random)
    others = no_fish(random)
    return others if random.random() >= exceptions * SHARE / (1 - SHARE) else Plan(others.classes, WAVES)


def write(folder: Path, scenery: Scenery, count: int, seed: tuple[int, ...]) -> None:
    """Write `count` scenes: FOLDER/images, FOLDER/masks and FOLDER/labels.csv."""
    values = np.zeros(len(CLASSES) + 1, np.uint8)
    for place, name in enumerate(NAMES, 1):
        values[CLASSES.index(name) + 1] = place
    lines = ["image,label"]
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        random = np.random.default_rng((*seed, number))
        plan = scenery(random)
        scene = make_scene(random, (SIZE, SIZE), plan.classes, plan.background)
        Image.fromarray(scene.picture).save(folder / "images" / f"{number}.png")
        Image.fromarray(values[scene.mask]).save(folder / "masks" / f"{number}.png")
        lines.append(f"images/{number}.png,{';'.join(sorted(CLASSES[index] for index in plan.classes))}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")


def write_scenes(folder: Path, *, tuning: bool, exceptions: float) -> None:
    """The scenes of all trainings and tests, and the masks of some fish."""
    usual = partial(biased, exceptions=exceptions)
    for seed in SEEDS[tuning]:
        write(folder / f"train-{seed}", usual, TRAINING, (seed, 0))
        choose_masks(folder / f"train-{seed}", seed)
    sceneries: tuple[Scenery, ...] = (usual, fish_without_waves, waves_without_fish)
    for number, (name, scenery) in enumerate(zip(TESTS, sceneries, strict=True)):
        write(folder / f"test-{TEST_SEEDS[tuning]}" / name, scenery, TESTED, (TEST_SEEDS[tuning], number))


def choose_masks(place: Path, seed: int) -> None:
    """Folders with the masks of so many scenes with a fish, at random, each a part of the next."""
    rows = [line.split(",") for line in (place / "labels.csv").read_text().split()[1:]]
    fish = [Path(image).name for image, labels in rows if FISH in labels]
    order = np.random.default_rng(seed).permutation(fish)
    for count in MASKS:
        some = place / f"masks-{count}"
        some.mkdir(exist_ok=True)
        for name in order[:count]:
            shutil.copyfile(place / "masks" / name, some / name)


def trainings(folder: Path, seed: int) -> dict[str, str]:
    """The trainings of a seed, by the names of their checkpoints, in their order."""
    place = folder / f"train-{seed}"
    go_on = f"--init {place}/plain.pt {THEN}"
    found = {
        "plain": f"gap --init {INIT} {FIRST}",
        "longer": f"gap {go_on}",
        "gain": f"gain {go_on} {GAIN}",
        "gain-shared": f"gain {go_on} {GAIN} --share-mining-stream",
    }
    for count in MASKS:
        found[f"gain-{count}"] = f"gain {go_on} {GAIN} {MASKED} --masks {place}/masks-{count}"
    return found


def print_commands(folder: Path, *, tuning: bool) -> None:
    """The trainings, one a line."""
    for seed in SEEDS[tuning]:
        place = folder / f"train-{seed}"
        for name, arguments in trainings(folder, seed).items():
            method, _, rest = arguments.partition(" ")
            print(
                f"wsloc train {method} {place}/labels.csv -o {place}/{name}.pt {rest} {COMMON} --random-seed {seed}"
            )


@dataclass(frozen=True, slots=True)
class Test:
    """The scenes of a test: pixels uint8 (N, S, S, 3), and how much of each cell is fish, (N, h, w), 0-1."""

    pixels: npt.NDArray[np.uint8]
    fish: Tensor


def read_test(folder: Path, localizer: Localizer) -> Test:
    """The scenes of a test, as a network sees them."""
    pixels, fish = [], []
    for number in range(TESTED):
        file = ImageFile(str(number), folder / "images" / f"{number}.png")
        image = load(file, localizer.preprocessing, with_picture=False)
        assert isinstance(image, LoadedImage)
        pixels.append(image.pixels)
        fish.append(read_mask(folder / "masks" / f"{number}.png") == NAMES.index(FISH) + 1)
    grid = SIZE // localizer.network.stride
    return Test(np.stack(pixels), F.adaptive_avg_pool2d(torch.from_numpy(np.stack(fish)).float(), grid))


def look(localizer: Localizer, test: Test) -> tuple[Tensor, Tensor]:
    """Probability of a fish (N,), and the attention to it (N, h, w), 0-1."""
    probability, maps = [], []
    own = localizer.classes.ids.index(FISH)
    for pixels in torch.split(torch.from_numpy(test.pixels), 100):
        observed = localizer.network.observe(localizer.preprocessing.normalized(pixels), differentiable=True)
        index = torch.full((len(pixels), 1), own)
        maps.append(normalize_by_max(grad_cam(localizer.network, observed, index))[:, 0])
        probability.append(observed.logits[:, own].detach().sigmoid())
    return torch.cat(probability), torch.cat(maps)


def figures(checkpoint: Path, tests: Path) -> list[float]:
    """Percent right in each test, and in the two that take fish and waves apart; how often a fish without waves is
    thought likelier than waves without a fish, percent; attention's share on held-out fish, percent.
    """
    localizer = load_localizer(checkpoint, device="cpu")
    right, found, on_fish = [], [], 0.0
    for name in TESTS:
        test = read_test(tests / name, localizer)
        probability, attention = look(localizer, test)
        found.append(probability)
        there = test.fish.sum(dim=(1, 2)) > 0  # (N,)
        right.append(100 * float(((probability >= 0.5) == there).float().mean()))
        if name == "held-out":
            inside = (attention * (test.fish > 0)).sum(dim=(1, 2)) / attention.sum(dim=(1, 2)).clamp_min(1e-6)
            on_fish = 100 * float(inside[there].mean())
    ranked = 100 * float((found[1][:, None] > found[2]).float().mean())
    return [*right, (right[1] + right[2]) / 2, ranked, on_fish]


def score(folder: Path, *, tuning: bool, picture: Path | None) -> None:
    """Print the table, Markdown: means over seeds, with the range."""
    print(
        "| training | held-out | fish without waves | waves without fish | both | ranked | attention on fish |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    tests = folder / f"test-{TEST_SEEDS[tuning]}"
    for name in trainings(folder, 0):
        places = [folder / f"train-{seed}" / f"{name}.pt" for seed in SEEDS[tuning]]
        found = [figures(place, tests) for place in places if place.is_file()]
        if found:
            columns = np.array(found).T  # (6, seeds)
            cells = [f"{part.mean():.0f} ({part.min():.0f}-{part.max():.0f})" for part in columns]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)
    if picture is not None:
        draw(folder / f"train-{SEEDS[tuning][0]}", tests, picture)


def draw(place: Path, tests: Path, picture: Path) -> None:
    """The first scenes of each test, held-out ones with a fish, above the attention to fish of a few trainings."""
    files = [
        tests / name / "images" / f"{number}.png" for name in TESTS for number in first_shown(tests / name)
    ]
    rows = [[Image.open(file).convert("RGB").resize((TILE, TILE)) for file in files]]
    for name in ("longer", "gain-shared", "gain-78"):
        localizer = load_localizer(place / f"{name}.pt", device="cpu")
        rows.append([localizer.localize(file, classes=FISH, box="threshold").overlay() for file in files])
    tiled(rows, TILE).save(picture, quality=65, optimize=True)


def first_shown(test: Path) -> list[int]:
    """The numbers of a test's first scenes that are worth a look."""
    rows = (test / "labels.csv").read_text().splitlines()[1:]
    wanted = [number for number, row in enumerate(rows) if FISH in row or test.name == TESTS[2]]
    return wanted[:SHOWN]


def main() -> None:
    """Run the step that is named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = parser.add_subparsers(dest="step", required=True)
    for name in ("scenes", "commands", "score"):
        step = steps.add_parser(name)
        step.add_argument("folder", type=Path)
        step.add_argument("--tuning", action="store_true", help="the scenes by which settings were chosen")
    steps.choices["scenes"].add_argument(
        "--exceptions", type=float, default=0.05, help="share of the fish that are not in waves"
    )
    steps.choices["score"].add_argument(
        "--picture", type=Path, help="draw the attention of the first seed's networks"
    )
    arguments = parser.parse_args()
    if arguments.step == "scenes":
        write_scenes(arguments.folder, tuning=arguments.tuning, exceptions=arguments.exceptions)
    elif arguments.step == "commands":
        print_commands(arguments.folder, tuning=arguments.tuning)
    else:
        score(arguments.folder, tuning=arguments.tuning, picture=arguments.picture)


if __name__ == "__main__":
    main()
