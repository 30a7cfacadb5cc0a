from __future__ import annotations

import json
import os
import pickle
import shutil
import time
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import CLASSES, SCENES
from tests.running.fake_store import fake_ranks
from wsloc.errors import DataError, ImageError, OutputError, UnsupportedError, UsageError
from wsloc.inputs.image_labels import ImageLabels
from wsloc.inputs.images import find_images
from wsloc.inputs.mask_classes import read_mask_classes
from wsloc.outputs.seed_files.formats import SEED_FORMATS
from wsloc.outputs.seed_files.seed_log import SeedLine, lines_of, read_seed_log
from wsloc.records import Classes, Failure
from wsloc.regions.frames import maps_to_image
from wsloc.regions.seed_rules import parse_background, parse_foreground
from wsloc.regions.seeds import make_seeds
from wsloc.running.plans import logged_images
from wsloc.running.shards import Shard
from wsloc.seeder import SeedOptions, SeedSummary, run_seeds
from wsloc.seeding.request import SeedRequest

if TYPE_CHECKING:
    import numpy.typing as npt

    from wsloc.localizer import Localizer
    from wsloc.running.ranks import Ranks

STEMS = ("a/star", "a/tall", "b/fish", "key")
OF_A_RUN = ("seeds.jsonl", "list.txt", "classes.json", "manifest.json")
LABELS = {"a/star.png": (0, 4), "a/tall.png": (1,), "b/fish.jpg": (2, 5), "key.png": (3,)}


def run(
    localizer: Localizer,
    images: Path,
    folder: Path,
    request: SeedRequest | None = None,
    **options: Any,
) -> SeedSummary:
    summary = run_seeds(
        localizer, find_images([images]), request or SeedRequest(), SeedOptions(folder, **options)
    )
    assert summary is not None
    return summary


def content(folder: Path) -> dict[str, bytes]:
    """Every file below, by its path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def results_of(found: dict[str, Any]) -> dict[str, Any]:
    """The same, the manifest without what differs between two runs, in its order."""
    manifest = json.loads(found["manifest.json"])
    del manifest["started"], manifest["seconds"]
    kept = {name: value for name, value in found.items() if "unbroken" not in name}
    return kept | {"manifest.json": list(manifest.items())}


def results(folder: Path) -> dict[str, Any]:
    return results_of(content(folder))


def interrupted(localizer: Localizer, images: Path, folder: Path, *, after: int, **options: Any) -> None:
    """A run that Ctrl-C ends after some batches."""
    done: list[int] = []

    def interrupt(images: int) -> None:
        done.append(images)
        if len(done) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_seeds(localizer, find_images([images]), SeedRequest(), SeedOptions(folder, **options), interrupt)


def test_everything_is_written(gap: Localizer, scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "new/out"
    summary = run(gap, scenes, out, formats=SEED_FORMATS, overlays=True, batch_size=3)
    assert set(content(out)) == {
        *OF_A_RUN,
        "coco.json",
        "localization_cues.pickle",
        *(f"{name}/{stem}.png" for stem in STEMS for name in ("png", "gray")),
        *(f"{name}/{stem}.npy" for stem in STEMS for name in ("irn", "psa")),
        *(f"npz/{stem}.npz" for stem in STEMS),
        *(f"overlays/{image}.jpg" for image in SCENES),
    }
    assert (summary.images, summary.failures, summary.predicted) == (4, (), 4)
    assert summary.coverage.images == 4
    assert summary.coverage.pixels == sum(height * width for height, width in SCENES.values())
    assert (out / "list.txt").read_text() == "a/star\na/tall\nb/fish\nkey\n"
    assert [entry.value for entry in read_mask_classes(out / "classes.json")] == [1, 2, 3, 4, 5, 6]


def test_all_formats_tell_the_same_seeds_as_the_library(gap: Localizer, scenes: Path, tmp_path: Path) -> None:
    """Made again from the localizer's maps, with other hands; numbers are class_index + 1."""
    rules = {"foreground": "max:0.6", "background": "confidence:0.6,0.3"}
    request = SeedRequest(
        ImageLabels(LABELS),
        None,
        parse_foreground(rules["foreground"]),
        parse_background(rules["background"]),
    )
    run(gap, scenes, tmp_path, request, formats=SEED_FORMATS, batch_size=2)
    with (tmp_path / "localization_cues.pickle").open("rb") as stream:
        cues = pickle.load(stream)  # noqa: S301 - made here
    for row, (image, stem) in enumerate(zip(SCENES, STEMS, strict=True)):
        record = gap.localize(scenes / image, classes=list(LABELS[image]), map="cam")
        order = np.argsort(record.class_indices)
        assert record.activation_maps is not None
        maps = maps_to_image(record.activation_maps[order], SCENES[image])
        values = [index + 1 for index in sorted(record.class_indices)]
        expected = make_seeds(maps, values, **rules)  # type: ignore[arg-type]  # names of rules
        for name in ("png", "gray"):
            found = np.array(Image.open(tmp_path / name / f"{stem}.png"))
            assert (found != expected).mean() < 0.001  # a batch of one rounds otherwise
        written = np.array(Image.open(tmp_path / f"png/{stem}.png"))
        irn = np.load(tmp_path / f"irn/{stem}.npy", allow_pickle=True).item()
        assert (irn["keys"] + 1).tolist() == values
        np.testing.assert_allclose(irn["high_res"], maps / maps.max(axis=(1, 2), keepdims=True), atol=1e-4)
        assert (make_seeds(irn["high_res"], values, **rules) == written).all()  # type: ignore[arg-type]  # names of rules
        psa = np.load(tmp_path / f"psa/{stem}.npy", allow_pickle=True).item()
        assert [key + 1 for key in psa] == values
        assert (np.stack(list(psa.values())) == irn["high_res"]).all()
        with np.load(tmp_path / f"npz/{stem}.npz") as npz:
            table = np.zeros(256, np.uint8)
            table[[*range(1, 1 + len(values)), 255]] = [*values, 255]
            assert (table[npz["seeds"]] == written).all()
        assert cues[f"{row}_labels"].tolist() == values
        held = cues[f"{row}_cues"]
        height, width = SCENES[image]
        rows, columns = ((held[axis] * 2 + 1) * side // 82 for axis, side in ((1, height), (2, width)))
        assert (written[rows, columns] == held[0]).all()
    for line in lines_of(tmp_path / "seeds.jsonl")():
        assert (line.seed_mask() == np.array(Image.open(tmp_path / f"png/{line.name}.png"))).all()


def test_vocs_own_numbers_where_all_names_are_vocs(gap: Localizer, scenes: Path, tmp_path: Path) -> None:
    names = ("sheep", "dog", "cat", "cow", "person", "tvmonitor")
    localizer = replace(gap, classes=Classes(names, names))
    run(localizer, scenes, tmp_path, SeedRequest(ImageLabels(LABELS)), formats=("png", "irn"))
    assert [entry.value for entry in read_mask_classes(tmp_path / "classes.json")] == [17, 12, 8, 10, 15, 20]
    found = np.array(Image.open(tmp_path / "png/a/star.png"))
    assert {15, 17} <= set(np.unique(found)) <= {0, 15, 17, 255}
    assert np.load(tmp_path / "irn/a/star.npy", allow_pickle=True).item()["keys"].tolist() == [16, 14]


def test_the_same_again_byte_for_byte(gap: Localizer, scenes: Path, tmp_path: Path) -> None:
    """Into a new folder and over the earlier run, with and without workers; only the manifest has times."""
    images = tmp_path / "images"
    shutil.copytree(scenes, images)
    (images / "a/bad.jpg").write_bytes(b"no image")
    first: dict[str, bytes] = {}
    for folder, workers in (("one", 0), ("two", 2), ("one", 0)):
        run(
            gap, images, tmp_path / folder, formats=SEED_FORMATS, overlays=True, batch_size=2, workers=workers
        )
        results = content(tmp_path / folder)
        del results["manifest.json"]
        first = first or results
        assert len(results) == 5 + 6 * 4
        assert results == first


def test_scales_and_mirror_images_change_the_seeds(gap: Localizer, scenes: Path, tmp_path: Path) -> None:
    from wsloc.views import Views

    run(gap, scenes, tmp_path / "one")
    run(replace(gap, views=Views((1.0, 0.5), flip=True)), scenes, tmp_path / "four")
    one, four = (content(tmp_path / name) for name in ("one", "four"))
    assert set(one) == set(four)
    assert any(one[f"png/{stem}.png"] != four[f"png/{stem}.png"] for stem in STEMS)


def test_ficklenets_seeds(fickle: Localizer, scenes: Path, tmp_path: Path) -> None:
    summary = run(fickle, scenes, tmp_path, SeedRequest(ImageLabels(LABELS)), formats=("png", "npz"))
    assert summary.foreground == "stochastic:0.35"
    maximum, mean = (
        fickle.localize(scenes / "key.png", classes=[3], map=name).activation_maps
        for name in ("stochastic", "stochastic-mean")
    )
    assert maximum is not None
    assert mean is not None
    expected = make_seeds(maps_to_image(maximum, (48, 72)), [4], mean=maps_to_image(mean, (48, 72)))
    assert (np.array(Image.open(tmp_path / "png/key.png")) != expected).mean() < 0.001


def test_a_crf_wants_the_pictures_and_draws_none(
    gap: Localizer, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def smooth(
        mask: npt.NDArray[np.uint8], picture: npt.NDArray[np.uint8], _classes: int
    ) -> npt.NDArray[np.uint8]:
        sizes.append(picture.shape[:2])
        return mask[:, ::-1]

    run(gap, scenes, tmp_path / "without")
    monkeypatch.setattr("wsloc.seeding.request.require_dense_crf", lambda: None)
    monkeypatch.setattr("wsloc.seeding.making.smoothed_seeds", smooth)
    run(gap, scenes, tmp_path / "with", SeedRequest(crf=True))
    assert sorted(sizes) == sorted(SCENES.values())
    assert not (tmp_path / "with/overlays").exists()
    assert json.loads((tmp_path / "with/manifest.json").read_text())["crf"] is True
    for stem in STEMS:
        one, other = (
            np.array(Image.open(tmp_path / name / f"png/{stem}.png")) for name in ("without", "with")
        )
        assert (one == other[:, ::-1]).all()


def test_failures_are_counted_and_the_run_goes_on(gap: Localizer, scenes: Path, tmp_path: Path) -> None:
    """A picture that is none, one without a label, and one whose saliency has another size."""
    images, salient = tmp_path / "images", tmp_path / "saliency"
    shutil.copytree(scenes, images)
    (images / "a/bad.jpg").write_bytes(b"no image")
    for name, (height, width) in SCENES.items():
        (salient / name).parent.mkdir(parents=True, exist_ok=True)
        size = (width, height) if name != "key.png" else (5, 5)
        Image.new("L", size, 200).save((salient / name).with_suffix(".png"))
    labels = ImageLabels(
        {**LABELS, "a/bad.jpg": (1,)}, {"a/tall.png": "a/tall.png: labels.csv has no label for it"}
    )
    del labels.by_image["a/tall.png"]  # type: ignore[attr-defined]  # a dict here
    done: list[int] = []
    summary = run_seeds(
        gap,
        find_images([images]),
        SeedRequest(labels, background=parse_background(f"saliency:{salient}")),
        SeedOptions(tmp_path / "out", ("png", "sec", "coco"), batch_size=2),
        done.append,
    )
    assert summary is not None
    assert done == [2, 2, 1]
    assert [failure.image for failure in summary.failures] == ["a/bad.jpg", "a/tall.png", "key.png"]
    errors = [failure.error for failure in summary.failures]
    assert "bad.jpg: is not an image" in errors[0]
    assert errors[1] == "a/tall.png: labels.csv has no label for it"
    assert "this saliency map is of 5 x 5 pixels, its image of 72 x 48" in errors[2]
    assert all("\n" not in error for error in errors)
    lines = list(read_seed_log(tmp_path / "out/seeds.jsonl"))
    assert [type(line) for line in lines] == [Failure, SeedLine, Failure, SeedLine, Failure]
    assert (tmp_path / "out/list.txt").read_text() == "a/star\nb/fish\n"
    assert {name for name in content(tmp_path / "out") if name.startswith("png")} == {
        "png/a/star.png",
        "png/b/fish.png",
    }
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["counts"] == {"images": 5, "done": 2, "failed": 3}


def test_the_manifest_says_what_was_run(
    gap: Localizer, gap_checkpoint: Path, scenes: Path, tmp_path: Path
) -> None:
    run(gap, scenes, tmp_path, arguments={"foreground": None, "output": tmp_path}, checkpoint=gap_checkpoint)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert (manifest["map"], manifest["foreground"], manifest["background"]) == (
        "cam",
        "max:0.2",
        "constant:0.2",
    )
    assert manifest["predicted"] == 4
    assert manifest["coverage"]["images"] == 4
    assert {entry["class_name"] for entry in manifest["coverage"]["classes"]} <= set(CLASSES.names)
    assert sum(entry["images"] for entry in manifest["coverage"]["classes"]) == 4
    assert len(manifest["checkpoint"]["sha256"]) == 64


def test_what_an_earlier_run_left_is_removed_and_nothing_else(
    gap: Localizer, scenes: Path, tmp_path: Path
) -> None:
    out, fewer = tmp_path / "out", tmp_path / "fewer"
    run(gap, scenes, out, formats=SEED_FORMATS, overlays=True)
    theirs = ("png/a/mine.png", "notes.txt", "irn/mine.npy")
    for name in theirs:
        (out / name).write_text("mine")
    fewer.mkdir()
    shutil.copy(scenes / "key.png", fewer)
    run(gap, fewer, out, overwrite=True)
    assert set(content(out)) == {*OF_A_RUN, "png/key.png", *theirs}


def test_nothing_is_touched_if_the_request_cannot_be_met(
    gap: Localizer, scenes: Path, tmp_path: Path
) -> None:
    run(gap, scenes, tmp_path)
    before = content(tmp_path)
    with pytest.raises(UnsupportedError, match="carries no class"):
        run(gap, scenes, tmp_path, SeedRequest(map="entropy"))
    twins = tmp_path.parent / f"{tmp_path.name}-twins"
    twins.mkdir()
    shutil.copy(scenes / "key.png", twins / "key.png")
    shutil.copy(scenes / "key.png", twins / "key.jpg")
    with pytest.raises(OutputError, match=r"key.jpg and key.png would both be written to .*key: rename one"):
        run(gap, twins, tmp_path, formats=("sec",))
    names = tuple(map(str, range(300)))
    crowded = replace(gap, classes=Classes(names, names))
    with pytest.raises(OutputError, match="a byte a pixel holds 254 classes"):
        run(crowded, scenes, tmp_path)
    assert content(tmp_path) == before


def test_unknown_formats_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match="unknown format 'tfrecord': choose from png, gray, irn, psa, sec, coco, npz"
    ):
        SeedOptions(tmp_path, formats=("png", "tfrecord"))
    with pytest.raises(UsageError, match="no format is named"):
        SeedOptions(tmp_path, formats=())


def test_a_full_disk_ends_the_run_with_whole_files(
    gap: Localizer, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third image finds no room: what was done before stands, as whole files and lines."""
    write = Path.write_bytes

    def fill(path: Path, data: bytes) -> int:
        if "fish" in path.name:
            write(path, data[:9])
            raise OSError(28, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(OutputError, match=r"cannot write .*b/fish\.png: No space left on device"):
        run(gap, scenes, tmp_path, batch_size=1)
    monkeypatch.undo()
    assert not (tmp_path / "seeds.jsonl").exists()
    assert list(logged_images(tmp_path))[:3] == list(SCENES)[:3]
    assert not [name for name in content(tmp_path) if ".partial." in name]
    run(gap, scenes, tmp_path, batch_size=1)
    run(gap, scenes, tmp_path / "unbroken", batch_size=1)
    assert results(tmp_path) == results(tmp_path / "unbroken")


def test_an_interrupt_keeps_what_is_done(gap: Localizer, scenes: Path, tmp_path: Path) -> None:
    def interrupt(_done: int) -> None:
        raise KeyboardInterrupt

    options = SeedOptions(tmp_path, ("png", "sec"), batch_size=1, workers=2)
    with pytest.raises(KeyboardInterrupt):
        run_seeds(gap, find_images([scenes]), SeedRequest(), options, interrupt)
    assert [name for name in content(tmp_path) if name.startswith("png")] == ["png/a/star.png"]
    assert list(logged_images(tmp_path)) == ["a/star.png"]


@pytest.mark.parametrize("after", [1, 2, 4])
def test_an_interrupted_run_is_gone_on_with(gap: Localizer, scenes: Path, tmp_path: Path, after: int) -> None:
    """What is done is not done again, but for the batch whose mark is missing; all bytes are the same."""
    out = tmp_path / "out"
    options: dict[str, Any] = {"formats": SEED_FORMATS, "overlays": True, "batch_size": 1}
    interrupted(gap, scenes, out, after=after, **options)
    again = run(gap, scenes, out, **options)
    assert (again.images, again.skipped, again.coverage.images) == (4, after - 1, 4)
    run(gap, scenes, tmp_path / "unbroken", **options)
    assert results(out) == results(tmp_path / "unbroken")
    assert {path.name for path in out.iterdir()} == {path.name for path in (tmp_path / "unbroken").iterdir()}


def test_what_counts_is_told_by_the_refusal(gap: Localizer, scenes: Path, tmp_path: Path) -> None:
    interrupted(gap, scenes, tmp_path, after=2, batch_size=1)
    before = content(tmp_path)
    for request, options, words in (
        (SeedRequest(map="gradcam"), {}, "map (cam there, gradcam here)"),
        (
            SeedRequest(foreground=parse_foreground("max:0.20001")),
            {},
            "foreground (max:0.2 there, max:0.20001 here)",
        ),
        (
            SeedRequest(background=parse_background("rest")),
            {},
            "background (constant:0.2 there, rest here)",
        ),
        (SeedRequest(2), {}, "classes (None there, 2 here)"),
        (SeedRequest(ImageLabels(LABELS)), {}, "labels (None there, "),
        (SeedRequest(), {"batch_size": 2}, "batch size (1 there, 2 here)"),
        (SeedRequest(), {"overlays": True}, "overlays (False there, True here)"),
        (SeedRequest(), {"formats": ("png", "irn")}, "formats (png there, irn,png here)"),
        (SeedRequest(), {"shard": Shard(1, 2)}, "shard (None there, 1/2 here)"),
        (SeedRequest(), {"arguments": {"random_seed": 3}}, "random seed (None there, 3 here)"),
    ):
        with pytest.raises(UsageError) as caught:
            run(gap, scenes, tmp_path, request, **{"batch_size": 1, **options})
        assert f"holds an interrupted run with other arguments, {words}" in str(caught.value)
    assert content(tmp_path) == before
    assert run(gap, scenes, tmp_path, batch_size=1, workers=2, arguments={"workers": 2}).skipped == 1


def test_a_complete_run_is_not_done_again(gap: Localizer, scenes: Path, tmp_path: Path) -> None:
    """Unless a file of it is gone, or an image or its saliency map has changed since."""
    salient, out = tmp_path / "saliency", tmp_path / "out"
    for name, (height, width) in SCENES.items():
        (salient / name).parent.mkdir(parents=True, exist_ok=True)
        size = (width, height) if name != "key.png" else (5, 5)
        Image.new("L", size, 200).save((salient / name).with_suffix(".png"))
    request = SeedRequest(background=parse_background(f"saliency:{salient}"))
    first = run(gap, scenes, out, request, formats=("png", "coco"))
    before = content(out)
    again = run(gap, scenes, out, request, formats=("png", "coco"))
    assert content(out) == before
    assert (len(first.failures), first.skipped, again.skipped) == (1, 0, 4)
    assert replace(again, skipped=0, seconds=first.seconds) == first
    with pytest.raises(UsageError, match=r"holds the results of another run, formats \(coco,png there, png"):
        run(gap, scenes, out, request)
    for gone in ("png/a/star.png", "coco.json", "list.txt", "classes.json", "a saliency map"):
        if gone in before:
            (out / gone).unlink()
        else:
            os.utime(salient / "b/fish.png", (time.time() + 10, time.time() + 10))
        assert run(gap, scenes, out, request, formats=("png", "coco")).skipped == 0
        assert results(out) == results_of(before)
    assert run(gap, scenes, out, overwrite=True).skipped == 0


def test_seeds_of_an_earlier_version_are_kept(gap: Localizer, scenes: Path, tmp_path: Path) -> None:
    (tmp_path / "seeds.jsonl").write_bytes(b'{"image": "a.png", "error": "x"}\n')
    with pytest.raises(UsageError, match="holds results of a run whose arguments are not known: give --over"):
        run(gap, scenes, tmp_path)
    run(gap, scenes, tmp_path, overwrite=True)
    assert len(list(read_seed_log(tmp_path / "seeds.jsonl"))) == 4


def test_two_processes_write_what_one_does(gap: Localizer, scenes: Path, tmp_path: Path) -> None:
    """The processes are threads here; tests/benchmarks/bench_kills.py takes real ones."""
    options: dict[str, Any] = {"formats": SEED_FORMATS, "overlays": True, "batch_size": 1}
    said: dict[int, SeedSummary | None] = {}

    def work(ranks: Ranks) -> None:
        said[ranks.rank] = run_seeds(
            gap,
            find_images([scenes]),
            SeedRequest(),
            SeedOptions(tmp_path / "two", **options),
            ranks=ranks,
        )

    threads = [Thread(target=work, args=(ranks,)) for ranks in fake_ranks(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run(gap, scenes, tmp_path / "one", **options)
    assert results(tmp_path / "two") == results(tmp_path / "one")
    assert said[1] is None
    assert said[0] is not None
    assert said[0].images == 4


def test_images_whose_folder_vanishes_are_not_taken_for_damaged(
    gap: Localizer, scenes: Path, tmp_path: Path
) -> None:
    images, out = tmp_path / "images", tmp_path / "out"
    shutil.copytree(scenes, images)

    def pull(_done: int) -> None:
        if (images / "b").is_dir():  # its picture is the third; two have been read when the first is done
            (images / "b").rename(tmp_path / "elsewhere")

    with pytest.raises(ImageError, match=r"the folder .*images/b is no longer there: bring it back, and run"):
        run_seeds(gap, find_images([images]), SeedRequest(), SeedOptions(out, batch_size=1), pull)
    (tmp_path / "elsewhere").rename(images / "b")
    assert run(gap, images, out, batch_size=1).failures == ()


def test_a_manifest_that_tells_too_little_is_named(gap: Localizer, scenes: Path, tmp_path: Path) -> None:
    run(gap, scenes / "key.png", tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    del manifest["coverage"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=r"manifest\.json is not as `wsloc seeds` wrote it \(KeyError\('cov"):
        run(gap, scenes / "key.png", tmp_path)


def test_long_and_strange_ids_stay_inside_the_folder(gap: Localizer, scenes: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    names = [f"{'x' * 240}.png", "[red]:star:.png", "tab\tline\n.png", "ünï 金魚.png"]
    for name in names:
        shutil.copy(scenes / "key.png", images / name)
    summary = run(gap, images, tmp_path / "out", formats=SEED_FORMATS, overlays=True)
    assert summary.failures == ()
    assert len(list((tmp_path / "out/png").iterdir())) == 4
    assert len((tmp_path / "out/list.txt").read_text(encoding="utf-8").splitlines()) == 4


def test_one_localizer_gives_boxes_and_seeds_of_the_same_maps(
    gap: Localizer, scenes: Path, tmp_path: Path
) -> None:
    """What is above 0.2 of the map's maximum lies inside the boxes of its components."""
    run(gap, scenes / "key.png", tmp_path, SeedRequest((3,)))
    found = np.array(Image.open(tmp_path / "png/key.png")) == 4
    record = gap.localize(scenes / "key.png", classes=3, map="cam", box="threshold", boxes_per_class=99)
    inside = np.zeros_like(found)
    for prediction in record.predictions:
        x0, y0, x1, y1 = prediction.box
        inside[max(0, int(y0) - 1) : int(np.ceil(y1)) + 1, max(0, int(x0) - 1) : int(np.ceil(x1)) + 1] = True
    assert found.any()
    assert not (found & ~inside).any()
