from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests.scenes import make_scene
from wsloc.outputs.seed_files.seed_log import SeedLine, read_seed_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Outcome

    Command = Callable[..., Outcome]

ALL = "png,gray,irn,psa,sec,coco,npz"


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Labels of all four scenes."""
    path = tmp_path / "labels.csv"
    rows = ["image,label", "a/star.png,star;flower", "a/tall.png,n02", "b/fish.jpg,fish", "key.png,3"]
    path.write_text("\n".join(rows) + "\n")
    return path


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def masks(folder: Path, name: str = "png") -> dict[str, list[int]]:
    """The numbers that stand in each index PNG."""
    return {
        path.relative_to(folder / name).with_suffix("").as_posix(): np.unique(
            np.array(Image.open(path))
        ).tolist()
        for path in (folder / name).rglob("*.png")
    }


def test_seeds_of_given_labels(
    command: Command, gap_checkpoint: Path, scenes: Path, labels: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ran = command("seeds", scenes, "--checkpoint", gap_checkpoint, "--labels", labels, "-o", out)
    assert (ran.code, ran.stderr) == (0, "")
    assert "Seeds of cam, max:0.2" in ran.stdout
    assert "4 of 4 images" in ran.stdout
    for row in ("star", "donut", "fish", "key", "flower"):
        assert f"\n{row} " in ran.stdout
    found = masks(out)
    assert set(found) == {"a/star", "a/tall", "b/fish", "key"}
    assert set(found["a/star"]) <= {0, 1, 5}
    assert found["a/tall"] == [0, 2]
    assert found["key"] == [0, 4]


def test_the_document(
    command: Command, gap_checkpoint: Path, scenes: Path, labels: Path, tmp_path: Path
) -> None:
    ran = command(
        "seeds",
        *(scenes, "--checkpoint", gap_checkpoint, "--labels", labels, "-o", tmp_path / "out", "--json"),
        *("--format", ALL, "--overlays", "--foreground", "max:0.4", "--background", "confidence:0.5,0.1"),
        *("--map", "gradcam", "--scales", "1,1.5", "--flip"),
    )
    assert (ran.code, ran.stderr) == (0, "")
    content = json.loads(ran.stdout)
    assert content["schema_version"] == 1
    assert (content["map"], content["foreground"], content["background"]) == (
        "gradcam",
        "max:0.4",
        "confidence:0.5,0.1",
    )
    assert (content["images"], content["failed"], content["predicted"]) == (4, 0, 0)
    coverage = content["coverage"]
    assert coverage["foreground"] + coverage["background"] + coverage["ignore"] == pytest.approx(1)
    assert coverage["ignore"] > 0
    assert [entry["class_name"] for entry in coverage["classes"]] == [
        "star",
        "donut",
        "fish",
        "key",
        "flower",
    ]
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["coverage"] == coverage
    assert manifest["arguments"]["scales"] == "1,1.5"
    assert len(files(tmp_path / "out")) == 6 + 6 * 4


def test_predicted_labels_are_said(
    command: Command, gap_checkpoint: Path, scenes: Path, tmp_path: Path
) -> None:
    ran = command("seeds", scenes, "--checkpoint", gap_checkpoint, "-o", tmp_path)
    assert (ran.code, ran.stderr) == (
        0,
        "predicted labels: 4 of 4 images (give --labels where they are known)\n",
    )
    assert all(
        line.predicted for line in read_seed_log(tmp_path / "seeds.jsonl") if isinstance(line, SeedLine)
    )
    quiet = command("seeds", scenes, "--checkpoint", gap_checkpoint, "-o", tmp_path, "-q")
    assert (quiet.code, quiet.stdout, quiet.stderr) == (0, "", "")


def test_a_class_that_all_images_show(
    command: Command, gap_checkpoint: Path, scenes: Path, tmp_path: Path
) -> None:
    ran = command(
        "seeds", scenes, "--checkpoint", gap_checkpoint, "-o", tmp_path, "--class", "moon", "--class", 0
    )
    assert ran.code == 0
    assert all(set(values) <= {0, 1, 6} for values in masks(tmp_path).values())


def test_the_default_is_the_papers_for_entropy_pooling(
    command: Command, ep_checkpoint: Path, scenes: Path, tmp_path: Path
) -> None:
    ran = command("seeds", scenes, "--checkpoint", ep_checkpoint, "-o", tmp_path, "--json", "-q")
    content = json.loads(ran.stdout)
    assert (content["map"], content["foreground"], content["background"]) == (
        "cam",
        "max:0.3",
        "constant:0.2",
    )
    automatic = command(
        "seeds",
        scenes,
        "--checkpoint",
        ep_checkpoint,
        "-o",
        tmp_path,
        "--json",
        "-q",
        "--foreground",
        "auto",
        "--overwrite",
    )
    content = json.loads(automatic.stdout)
    assert (content["foreground"], content["background"]) == ("auto", "rest")
    assert content["coverage"]["ignore"] == 0


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    """A VOC kit of three images: with a cat and a person, with a dog, and with a car alone."""
    root = tmp_path / "VOC"
    for folder in ("Annotations", "JPEGImages"):
        (root / folder).mkdir(parents=True)
    for number, names in enumerate((("cat", "person"), ("dog",), ("car",))):
        picture = make_scene(np.random.default_rng(number), (50, 60), [number]).picture
        Image.fromarray(picture).save(root / f"JPEGImages/{number}.jpg")
        objects = "".join(
            f"<object><name>{name}</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>"
            for name in names
        )
        (root / f"Annotations/{number}.xml").write_text(
            f"<annotation><filename>{number}.jpg</filename><size><width>60</width><height>50</height></size>{objects}"
            "</annotation>"
        )
    return root


@pytest.fixture
def animals(make_checkpoint: Callable[..., Path]) -> Path:
    """A network that knows cats, dogs and sheep."""
    from wsloc.records import Classes

    return make_checkpoint(
        "gap", classes=Classes(("a", "b", "c"), ("dog", "sheep", "cat")), task="multi-label"
    )


def test_labels_of_a_voc_kit_and_vocs_numbers(
    command: Command, kit: Path, animals: Path, tmp_path: Path
) -> None:
    """Its own pictures, as far as they show a class of the network."""
    ran = command(
        "seeds", "--annotations", kit, "--checkpoint", animals, "-o", tmp_path / "out", "--format", "png,sec"
    )
    assert ran.code == 0
    assert "labels that are no class of the network, left out (images): person (1), car (1)" in ran.stderr
    lines = [line for line in read_seed_log(tmp_path / "out/seeds.jsonl") if isinstance(line, SeedLine)]
    assert [[area.value for area in line.classes] for line in lines] == [[8], [12]]
    assert masks(tmp_path / "out") == {"0": [0], "1": [0, 12]}  # these weights' map of a cat is empty
    assert "labels without a pixel: 1 (their maps are empty, or other classes' are higher)" in ran.stderr
    assert (tmp_path / "out/list.txt").read_text() == "0\n1\n"


def test_named_pictures_fail_without_a_class(
    command: Command, kit: Path, animals: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ran = command("seeds", kit / "JPEGImages", "--annotations", kit, "--checkpoint", animals, "-o", out, "-q")
    assert (ran.code, ran.stderr) == (
        3,
        "failed: 2.jpg: none of its labels (car) is a class of the network\n",
    )
    assert set(masks(out)) == {"0", "1"}


def test_pictures_of_a_list_with_absolute_paths(
    command: Command, gap_checkpoint: Path, scenes: Path, tmp_path: Path
) -> None:
    """Their names begin at the folder that all of them share."""
    path = tmp_path / "all.csv"
    path.write_text(f"image,label\n{scenes}/a/star.png,star\n{scenes}/key.png,key\n")
    ran = command("seeds", "--labels", path, "--checkpoint", gap_checkpoint, "-o", tmp_path / "out")
    assert ran.code == 0
    assert (tmp_path / "out/list.txt").read_text() == "a/star\nkey\n"


def test_labels_that_are_too_many_and_too_few(
    command: Command, gap_checkpoint: Path, scenes: Path, labels: Path, tmp_path: Path
) -> None:
    """A line each, exit 3, and what has labels goes through."""
    text = labels.read_text().replace("key.png,3", "kay.png,3")
    labels.write_text(text + "x.jpg,star\n")
    out = tmp_path / "out"
    ran = command("seeds", scenes, "--checkpoint", gap_checkpoint, "--labels", labels, "-o", out)
    assert ran.code == 3
    assert ran.stderr.splitlines() == [
        f"{labels}: labels of 2 images that are not among those given: kay.png, x.jpg",
        f"failed: key.png: {labels} has no label for it",
    ]
    assert set(masks(out)) == {"a/star", "a/tall", "b/fish"}


def test_saliency_of_another_size(
    command: Command, gap_checkpoint: Path, scenes: Path, tmp_path: Path
) -> None:
    """Of one image; the others go through, and what is not salient is background."""
    for name in ("a/star", "a/tall", "b/fish", "key"):
        (tmp_path / f"s/{name}").parent.mkdir(parents=True, exist_ok=True)
        (source,) = scenes.glob(f"{name}.*")
        with Image.open(source) as picture:
            size = picture.size if name != "b/fish" else (9, 9)
        Image.new("L", size, 0).save(tmp_path / f"s/{name}.png")
    out = tmp_path / "out"
    options = ("--background", f"saliency:{tmp_path / 's'}:0.06", "--class", "star", "-q")
    ran = command("seeds", scenes, "--checkpoint", gap_checkpoint, "-o", out, *options)
    assert ran.code == 3
    assert ran.stderr == (
        f"failed: b/fish.jpg: {tmp_path / 's/b/fish.png'}: this saliency map is of 9 x 9 pixels, its image of 64 x 64\n"
    )
    found = masks(out)
    assert set(found) == {"a/star", "a/tall", "key"}
    assert all(set(values) <= {0, 255} for values in found.values())


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--foreground", "max:2"), 2, "foreground max:2: such as max:0.2, with numbers in 0-1, is expected"),
        (
            ("--background", "sky"),
            2,
            "unknown background rule 'sky': choose from constant, confidence, saliency",
        ),
        (("--background", "saliency:0.1"), 2, "name the folder of the saliency maps, saliency:DIR:0.06"),
        (("--background", "saliency:/none:0.1"), 1, "/none: is no folder"),
        (("--format", "png,voc"), 2, "unknown format 'voc': choose from png, gray, irn, psa, sec, coco, npz"),
        (("--format", ""), 2, "no format is named"),
        (("--map", "entropy"), 1, "the map entropy carries no class, and seeds are of classes"),
        (("--map", "stochastic"), 1, "stochastic"),
        (("--foreground", "stochastic:0.3"), 1, "is for the map stochastic (FickleNet), not for cam"),
        (("--class", "zebra"), 1, "no class 'zebra'"),
        (("--labels", "{labels}", "--class", "star"), 2, "--class excludes --labels and --annotations"),
        (
            ("--labels", "{labels}", "--annotations", "{labels}"),
            2,
            "--labels and --annotations exclude one another",
        ),
        (("--annotation-format", "voc"), 2, "--annotation-format goes with --annotations"),
        (("--labels", "none.csv"), 1, "none.csv: no such labels file"),
        (
            ("--labels", "{misspelt}"),
            1,
            "misspelt.csv: key.png: no class 'kex' among the network's 6 classes",
        ),
        (("--labels", "{strange}"), 1, "none of the 4 images is among the 1 annotated ones"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    command: Command,
    gap_checkpoint: Path,
    scenes: Path,
    labels: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    places = {"labels": labels, "misspelt": tmp_path / "misspelt.csv", "strange": tmp_path / "strange.csv"}
    places["misspelt"].write_text("image,label\nkey.png,kex\n")
    places["strange"].write_text("image,label\nother.png,key\n")
    given = [argument.format(**places) for argument in arguments]
    ran = command("seeds", scenes, "--checkpoint", gap_checkpoint, "-o", tmp_path / "out", *given)
    assert ran.code == code
    assert ran.stderr.startswith("wsloc: error: ")
    assert message in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert ran.stdout == ""
    assert not (tmp_path / "out").exists()


def test_images_must_come_from_somewhere(command: Command, gap_checkpoint: Path, tmp_path: Path) -> None:
    ran = command("seeds", "--checkpoint", gap_checkpoint, "-o", tmp_path / "out")
    assert (ran.code, ran.stderr) == (2, "wsloc: error: name the IMAGES\n")
    (tmp_path / "val").mkdir()
    annotations = tmp_path / "val/val_annotations.txt"
    annotations.write_text("val_0.JPEG\tn01\t0\t0\t9\t9\n")
    ran = command("seeds", "--checkpoint", gap_checkpoint, "--labels", annotations, "-o", tmp_path / "out")
    assert ran.code == 3  # they are named, and not there
    assert ran.stderr.startswith("failed: ")
    assert "val_0.JPEG" in ran.stderr
    (tmp_path / "list.json").write_text('{"images": [], "annotations": [], "categories": []}')
    ran = command("seeds", "--checkpoint", gap_checkpoint, "--annotations", tmp_path / "list.json")
    assert ran.code in (1, 2)
    assert ran.stderr.startswith("wsloc: error: ")


def test_a_full_disk_is_one_line(
    command: Command, gap_checkpoint: Path, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def fill(path: Path, data: bytes) -> int:
        if "key" in path.name:
            write(path, data[:9])
            raise OSError(28, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", fill)
    ran = command("seeds", scenes, "--checkpoint", gap_checkpoint, "-o", tmp_path, "-q", "--batch-size", 1)
    assert ran.code == 1
    assert ran.stderr == (
        f"wsloc: error: cannot write {tmp_path / 'png/key.png'}: No space left on device: make room, and give the "
        "command again\n"
    )
    names = {"png/a/star.png", "png/a/tall.png", "png/b/fish.png"}
    assert {name for name in files(tmp_path) if not name.startswith(".wsloc-unfinished/")} == names


def test_its_own_pictures_are_no_images(
    command: Command, gap_checkpoint: Path, scenes: Path, tmp_path: Path
) -> None:
    """As `wsloc seeds .` would find them, with the output beside the images; somebody's own are images."""
    images = tmp_path / "images"
    shutil.copytree(scenes, images)
    out = images / "wsloc-seeds"
    options: tuple[Any, ...] = ("--checkpoint", gap_checkpoint, "-o", out, "--overlays", "--json", "-q")
    counts = []
    for _ in range(2):
        ran = command("seeds", images, *options, "--format", "png,gray")
        counts.append(json.loads(ran.stdout)["images"])
    shutil.copy(scenes / "key.png", out / "png/mine.png")
    counts.append(json.loads(command("seeds", images, *options, "--overwrite").stdout)["images"])
    assert counts == [4, 4, 5]
    named = command("seeds", out / "png/key.png", *options)
    assert named.code == 1
    assert "was drawn by the earlier run" in named.stderr


def test_random_weights_are_said(command: Command, scenes: Path, tmp_path: Path) -> None:
    """And a thousand classes do not fit into a byte."""
    options = ("--model", "squeezenet1_1", "--weights", "none", "--image-size", 64, "-o", tmp_path)
    ran = command("seeds", scenes / "key.png", *options)
    assert (ran.code, ran.stdout) == (1, "")
    assert "--format png: a byte a pixel holds 254 classes, and the network has 1000" in ran.stderr
    ran = command("seeds", scenes / "key.png", *options, "--format", "irn,coco,sec,npz,psa", "--class", 999)
    assert ran.code == 0
    assert "squeezenet1_1 has random weights: its seeds mean nothing" in ran.stderr
    assert np.load(tmp_path / "irn/key.npy", allow_pickle=True).item()["keys"].tolist() == [999]


def test_a_run_is_gone_on_with_refused_and_done_anew(
    command: Command, gap_checkpoint: Path, scenes: Path, labels: Path, tmp_path: Path
) -> None:
    options = (scenes, "--checkpoint", gap_checkpoint, "--labels", labels, "-o", tmp_path / "out")
    first = command("seeds", *options)
    again = command("seeds", *options, "--workers", 0)
    assert (again.code, again.stderr) == (
        0,
        f"nothing is left to do: {tmp_path / 'out'} holds this run; --overwrite does it anew\n",
    )
    assert again.stdout.splitlines()[:-1] == first.stdout.splitlines()[:-1]
    other = command("seeds", *options, "--foreground", "max:0.5")
    assert (other.code, other.stdout) == (2, "")
    assert "holds the results of another run, foreground (max:0.2 there, max:0.5 here): give" in other.stderr
    anew = command("seeds", *options, "--foreground", "max:0.5", "--overwrite", "--json")
    assert (anew.code, json.loads(anew.stdout)["skipped"]) == (0, 0)
