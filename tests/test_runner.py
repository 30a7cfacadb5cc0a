from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests.example_localizers import tiny_localizer
from wsloc.errors import ImageError, OutputError, UnsupportedError, UsageError
from wsloc.inputs import images, loading
from wsloc.inputs.images import find_images
from wsloc.outputs.predictions import read_predictions
from wsloc.records import Failure, Localization
from wsloc.request import Request
from wsloc.runner import ALL_FORMATS, RunOptions, RunSummary, run_boxes
from wsloc.running.plans import logged_images
from wsloc.running.shards import Shard

if TYPE_CHECKING:
    from wsloc.localizer import Localizer

IMAGES = ("a/star.png", "a/tall.png", "b/fish.jpg", "key.png")


def run(
    localizer: Localizer, images: Path, folder: Path, request: Request | None = None, **options: Any
) -> RunSummary:
    summary = run_boxes(localizer, find_images([images]), request or Request(), RunOptions(folder, **options))
    assert summary is not None
    return summary


def content(folder: Path) -> dict[str, bytes]:
    """Every file below, by its path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def results(folder: Path) -> dict[str, Any]:
    """The same, the manifest without what differs between two runs."""
    found: dict[str, Any] = content(folder)
    manifest = json.loads(found["manifest.json"])
    del manifest["started"], manifest["seconds"]
    return {name: value for name, value in found.items() if "unbroken" not in name} | {
        "manifest.json": manifest
    }


def interrupted(localizer: Localizer, images: Path, folder: Path, *, after: int, **options: Any) -> None:
    """A run in batches of one that Ctrl-C ends after some images."""
    done: list[int] = []

    def interrupt(images: int) -> None:
        done.append(images)
        if len(done) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_boxes(
            localizer,
            find_images([images]),
            Request(),
            RunOptions(folder, batch_size=1, **options),
            interrupt,
        )


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are decoded from now on."""
    names: list[str] = []

    def decode(path: Path) -> Image.Image:
        names.append(path.name)
        return images.decode(path)

    monkeypatch.setattr(loading, "decode", decode)
    return names


def with_bad_image(scenes: Path, folder: Path) -> Path:
    shutil.copytree(scenes, folder)
    (folder / "a/bad.jpg").write_bytes(b"no image")
    return folder


def test_everything_is_written(ep: Localizer, scenes: Path, tmp_path: Path) -> None:
    summary = run(ep, scenes, tmp_path / "new/out", formats=ALL_FORMATS, batch_size=3)
    stems = ("a/star", "a/tall", "b/fish", "key")
    assert set(content(tmp_path / "new/out")) == {
        "predictions.jsonl",
        "predictions.csv",
        "coco.json",
        "manifest.json",
        "yolo/classes.txt",
        *(f"overlays/{image}.jpg" for image in IMAGES),
        *(f"maps/{image}.npz" for image in IMAGES),
        *(f"voc/{stem}.xml" for stem in stems),
        *(f"yolo/{stem}.txt" for stem in stems),
    }
    assert summary.images == 4
    assert summary.failures == ()
    assert summary.manifest == tmp_path / "new/out/manifest.json"
    assert sum(summary.classes.values()) == 4
    assert [record.image for record in summary.first] == list(IMAGES)
    assert all(record.activation_maps is None and record.renderer is None for record in summary.first)
    written = list(read_predictions(tmp_path / "new/out/predictions.jsonl"))
    assert written == [replace(record, class_indices=()) for record in summary.first]
    with np.load(tmp_path / "new/out/maps/a/star.png.npz") as arrays:
        assert arrays["maps"].shape == (1, 48, 48)
        assert arrays["maps"].max() == 1
    with Image.open(tmp_path / "new/out/overlays/a/star.png.jpg") as overlay:
        assert overlay.width / overlay.height == pytest.approx(90 / 60, rel=0.02)


def test_the_same_again_byte_for_byte(ep: Localizer, scenes: Path, tmp_path: Path) -> None:
    """Into a new folder and over the earlier run, with and without workers; only the manifest has times."""
    images = with_bad_image(scenes, tmp_path / "images")
    request = Request(classes=5, map="entropy-class")
    for folder, workers in (("one", 0), ("two", 2), ("one", 0)):
        run(ep, images, tmp_path / folder, request, formats=ALL_FORMATS, batch_size=2, workers=workers)
        results = content(tmp_path / folder)
        del results["manifest.json"]
        assert len(results) == 4 + 4 * 4  # two lists and two logs; four files an image
        if folder == "one" and workers == 0:
            first = results
        assert results == first


def test_only_what_is_asked_for(ep: Localizer, scenes: Path, tmp_path: Path) -> None:
    run(ep, scenes, tmp_path, overlays=False)
    assert set(content(tmp_path)) == {"predictions.jsonl", "manifest.json"}
    run(ep, scenes, tmp_path, overlays=False, formats=("npz",), overwrite=True)
    assert set(content(tmp_path)) == {
        "predictions.jsonl",
        "manifest.json",
        *(f"maps/{i}.npz" for i in IMAGES),
    }


def test_what_an_earlier_run_left_is_removed_and_nothing_else(
    ep: Localizer, scenes: Path, tmp_path: Path
) -> None:
    out, fewer = tmp_path / "out", tmp_path / "fewer"
    run(ep, scenes, out, formats=ALL_FORMATS)
    theirs = ("overlays/a/mine.jpg", "maps/mine.npz", "yolo/mine.txt", "notes.txt", "b/fish.jpg")
    for name in theirs:
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text("mine")
    fewer.mkdir()
    shutil.copy(scenes / "key.png", fewer)
    run(ep, fewer, out, overwrite=True)
    assert set(content(out)) == {"predictions.jsonl", "manifest.json", "overlays/key.png.jpg", *theirs}
    assert all((out / name).read_text() == "mine" for name in theirs)
    assert not (out / "voc").exists()
    assert not (out / "overlays/b").exists()


@pytest.mark.parametrize("version", ["this", "0.1"])
def test_an_interrupted_run_is_cleared_too(ep: Localizer, scenes: Path, tmp_path: Path, version: str) -> None:
    if version == "this":
        interrupted(ep, scenes, tmp_path, after=3)
    else:
        run(ep, scenes, tmp_path)
        (tmp_path / "predictions.jsonl").rename(tmp_path / "predictions.jsonl.partial")
    (tmp_path / "b").mkdir()
    shutil.copy(scenes / "key.png", tmp_path / "b")
    run(ep, tmp_path / "b", tmp_path, overwrite=True)
    names = {"predictions.jsonl", "manifest.json", "overlays/key.png.jpg", "b/key.png"}
    assert set(content(tmp_path)) == names


def test_a_folder_without_an_earlier_run_keeps_everything(
    ep: Localizer, scenes: Path, tmp_path: Path
) -> None:
    names = ("coco.json", "predictions.csv", "yolo/classes.txt", "overlays/a/tall.png.jpg.bak")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("mine")
    run(ep, scenes, tmp_path)
    assert all((tmp_path / name).read_text() == "mine" for name in names)


@pytest.mark.parametrize("log", [b"not JSON\n", b'{"image": "../../a/star.png", "error": "x"}\n\xff\n', b""])
def test_a_strange_log_in_the_folder_does_no_harm(
    ep: Localizer, scenes: Path, tmp_path: Path, log: bytes
) -> None:
    images = tmp_path / "images"
    shutil.copytree(scenes, images)
    out = images / "b/out"  # from its overlays, ../../a/star.png would be an input
    out.mkdir()
    (out / "predictions.jsonl").write_bytes(log)
    with pytest.raises(UsageError, match="holds results of a run whose arguments are not known: give --over"):
        run(ep, scenes, out)
    assert (out / "predictions.jsonl").read_bytes() == log
    run(ep, scenes, out, overwrite=True)
    assert len(list(read_predictions(out / "predictions.jsonl"))) == 4
    assert (images / "a/star.png").exists()


def test_failures_are_counted_and_the_run_goes_on(ep: Localizer, scenes: Path, tmp_path: Path) -> None:
    images = with_bad_image(scenes, tmp_path / "images")
    done: list[int] = []
    files = find_images([images])
    summary = run_boxes(ep, files, Request(), RunOptions(tmp_path / "out", batch_size=2), done.append)
    assert summary is not None
    assert done == [2, 2, 1]
    (failure,) = summary.failures
    assert failure.image == "a/bad.jpg"
    assert "bad.jpg: is not an image" in failure.error
    lines = list(read_predictions(tmp_path / "out/predictions.jsonl"))
    assert [line.image for line in lines] == ["a/bad.jpg", *IMAGES]
    assert [type(line) for line in lines] == [Failure] + [Localization] * 4
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["counts"] == {"images": 5, "done": 4, "failed": 1}
    assert not (tmp_path / "out/overlays/a/bad.jpg.jpg").exists()


def test_the_manifest_says_what_was_run(
    ep: Localizer, ep_checkpoint: Path, scenes: Path, tmp_path: Path
) -> None:
    run(ep, scenes, tmp_path, arguments={"mass": 0.9, "output": tmp_path}, checkpoint=ep_checkpoint)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["arguments"] == {"mass": 0.9, "output": str(tmp_path)}
    assert len(manifest["checkpoint"]["sha256"]) == 64
    assert manifest["device"] == "cpu"
    assert 0 < manifest["seconds"] < 60


def test_maps_that_say_nothing_are_counted(scenes: Path, tmp_path: Path) -> None:
    """On a grid of one cell all entropies are equal; a constant map is flat whatever its height."""
    from wsloc.inputs.preprocessing import Preprocessing

    one_cell = tiny_localizer(preprocessing=Preprocessing(image_size=2))
    assert run(one_cell, scenes, tmp_path / "1", Request(map="entropy")).flat == 4
    assert run(one_cell, scenes, tmp_path / "1", Request(map="entropy")).flat == 4  # nothing left to do
    assert run(one_cell, scenes, tmp_path / "2", Request(map="entropy-class"), overlays=False).flat == 4
    larger = tiny_localizer()
    summary = run(larger, scenes, tmp_path / "3", Request(map="entropy"))
    assert (summary.flat, summary.without_mass) == (0, 0)


def test_empty_maps_are_counted(monkeypatch: pytest.MonkeyPatch, scenes: Path, tmp_path: Path) -> None:
    from wsloc.methods import MAPS, MapKind

    kind = MapKind(
        lambda _n, observation, _c: observation.logits[:, :1, None, None] * 0, "mass", "none", per_class=False
    )
    monkeypatch.setitem(MAPS, "entropy", kind)
    summary = run(tiny_localizer(), scenes, tmp_path, Request(map="entropy"))
    assert (summary.flat, summary.without_mass) == (0, 4)


def test_unknown_formats_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match="unknown format 'tfrecord': choose from jsonl, csv, coco, voc, yolo, npz"
    ):
        RunOptions(tmp_path, formats=("csv", "tfrecord"))


def test_nothing_is_touched_if_the_request_cannot_be_met(ep: Localizer, scenes: Path, tmp_path: Path) -> None:
    run(ep, scenes, tmp_path)
    before = content(tmp_path)
    with pytest.raises(UnsupportedError, match="carries no class"):
        run(ep, scenes, tmp_path, Request(map="entropy", classes=(1,)))
    twins = tmp_path.parent / f"{tmp_path.name}-twins"
    twins.mkdir()
    shutil.copy(scenes / "key.png", twins / "key.png")
    shutil.copy(scenes / "key.png", twins / "key.jpg")
    for name in ("voc", "yolo"):
        with pytest.raises(OutputError, match=r"key.jpg and key.png would both be written"):
            run(ep, twins, tmp_path, formats=(name,))
    assert content(tmp_path) == before


def test_the_output_is_no_file(ep: Localizer, scenes: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="file is a file: name a folder for the results"):
        run(ep, scenes, tmp_path / "file")
    with pytest.raises(OutputError, match=r"cannot write to .*out: Not a directory"):
        run(ep, scenes, tmp_path / "file/out")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_that_must_not_be_written(
    ep: Localizer, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match=r"cannot write to .*out: Permission denied"):
        run(ep, scenes, tmp_path / "out")


@pytest.mark.parametrize("what", ["overlay", "maps"])
def test_a_full_disk_ends_the_run_with_whole_lines(
    ep: Localizer, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The third picture finds no room: what was done before stands, as whole files and lines."""
    written: list[Path] = []
    write = getattr(__import__("wsloc.runner", fromlist=["x"]), f"save_{what}")

    def fill(path: Path, *rest: object) -> None:
        if path.name.startswith("fish"):
            raise OutputError(f"cannot write {path}: No space left on device")
        write(path, *rest)
        written.append(path)

    monkeypatch.setattr(f"wsloc.runner.save_{what}", fill)
    with pytest.raises(OutputError, match=r"fish\.jpg\.\w+: No space left on device"):
        run(ep, scenes, tmp_path, formats=("npz",), batch_size=1)
    assert not (tmp_path / "predictions.jsonl").exists()
    assert not (tmp_path / "manifest.json").exists()
    assert list(logged_images(tmp_path))[:3] == list(IMAGES[:3])
    assert len(written) in (2, 3)
    assert not [path for path in content(tmp_path) if ".partial." in path]
    monkeypatch.undo()
    run(ep, scenes, tmp_path, formats=("npz",), batch_size=1)
    run(ep, scenes, tmp_path / "unbroken", formats=("npz",), batch_size=1)
    assert results(tmp_path) == results(tmp_path / "unbroken")


def test_an_interrupt_keeps_what_is_done(ep: Localizer, scenes: Path, tmp_path: Path) -> None:
    interrupted(ep, scenes, tmp_path, after=1, workers=2)
    assert list(logged_images(tmp_path)) == [IMAGES[0]]
    assert [path for path in content(tmp_path) if "overlays" in path] == [f"overlays/{IMAGES[0]}.jpg"]
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("after", [1, 2, 4])
def test_an_interrupted_run_is_gone_on_with(
    ep: Localizer, scenes: Path, tmp_path: Path, after: int, decoded: list[str]
) -> None:
    """What is done is not done again, but for the batch whose mark is missing; all bytes are the same."""
    out = tmp_path / "out"
    interrupted(ep, scenes, out, after=after, formats=ALL_FORMATS)
    decoded.clear()
    summary = run(ep, scenes, out, formats=ALL_FORMATS, batch_size=1)
    assert decoded == [Path(image).name for image in IMAGES[after - 1 :]]
    assert (summary.images, summary.skipped) == (4, after - 1)
    run(ep, scenes, tmp_path / "unbroken", formats=ALL_FORMATS, batch_size=1)
    assert results(out) == results(tmp_path / "unbroken")
    assert sorted(path.name for path in out.iterdir()) == sorted(
        path.name for path in (tmp_path / "unbroken").iterdir()
    )


def test_what_counts_is_told_by_the_refusal(ep: Localizer, scenes: Path, tmp_path: Path) -> None:
    interrupted(ep, scenes, tmp_path, after=2)
    before = content(tmp_path)
    for request, options, words in (
        (Request(map="cam"), {}, "map (entropy-class there, cam here)"),
        (Request(mass=0.9), {}, "mass (0.98 there, 0.9 here)"),
        (Request(), {"batch_size": 2}, "batch size (1 there, 2 here)"),
        (Request(), {"overlays": False}, "overlays (True there, False here)"),
        (Request(), {"formats": ("csv",)}, "formats (jsonl there, csv,jsonl here)"),
        (Request(), {"shard": Shard(1, 2)}, "shard (None there, 1/2 here)"),
        (Request(classes={"key.png": (1,)}), {}, "classes (1 there, None here), labels (None there, "),
        (Request(), {"arguments": {"random_seed": 3}}, "random seed (None there, 3 here)"),
        (Request(), {"arguments": {"weights": "none"}}, "weights (None there, none here)"),
    ):
        with pytest.raises(UsageError) as caught:
            run(ep, scenes, tmp_path, request, **{"batch_size": 1, **options})
        assert f"holds an interrupted run with other arguments, {words}" in str(caught.value).replace(
            "box (mass there, threshold here), ", ""
        )
    with pytest.raises(UsageError, match=r"arguments, images \(4 there, 2 here\): give the same to go on"):
        run(ep, scenes / "a", tmp_path, batch_size=1)
    with pytest.raises(UsageError, match=r"other arguments, .*network classes|model \("):
        run(tiny_localizer(), scenes, tmp_path, batch_size=1)
    assert content(tmp_path) == before
    again = run(ep, scenes, tmp_path, batch_size=1, workers=2, arguments={"workers": 2, "quiet": True})
    assert again.skipped == 1


def test_a_complete_run_is_not_done_again(
    ep: Localizer, scenes: Path, tmp_path: Path, decoded: list[str]
) -> None:
    images, out = with_bad_image(scenes, tmp_path / "images"), tmp_path / "out"
    first = run(ep, images, out, formats=("csv", "npz"))
    before = content(out)
    decoded.clear()
    again = run(ep, images, out, formats=("csv", "npz"))
    assert decoded == []
    assert content(out) == before
    assert (first.skipped, again.skipped) == (0, 5)
    assert replace(again, skipped=0, seconds=first.seconds) == first
    with pytest.raises(
        UsageError, match=r"holds the results of another run, formats \(csv,jsonl,npz there, "
    ):
        run(ep, images, out)
    assert content(out) == before
    assert run(ep, images, out, formats=("csv", "npz"), overwrite=True).skipped == 0
    assert len(decoded) == 5


@pytest.mark.parametrize("name", ["overlays/key.png.jpg", "maps/a/star.png.npz", "predictions.csv", "image"])
def test_a_complete_run_is_done_again_where_it_is_not_whole(
    ep: Localizer, scenes: Path, tmp_path: Path, name: str
) -> None:
    """A file of it is gone, or an image has changed since."""
    images, out = tmp_path / "images", tmp_path / "out"
    shutil.copytree(scenes, images)
    run(ep, images, out, formats=("csv", "npz"))
    before = results(out)
    if name == "image":
        os.utime(images / "key.png", (time.time() + 10, time.time() + 10))
    else:
        (out / name).unlink()
    assert run(ep, images, out, formats=("csv", "npz")).skipped == 0
    assert results(out) == before


def test_images_whose_folder_vanishes_are_not_taken_for_damaged(
    ep: Localizer, scenes: Path, tmp_path: Path
) -> None:
    images, out = tmp_path / "images", tmp_path / "out"
    shutil.copytree(scenes, images)

    def pull(_done: int) -> None:  # while the next batches are read already
        if images.is_dir():
            images.rename(tmp_path / "elsewhere")

    options = RunOptions(out, batch_size=1)
    with pytest.raises(
        ImageError, match=r"the folder .*images(/b)? is no longer there: bring it back, and run"
    ):
        run_boxes(ep, find_images([images]), Request(), options, pull)
    (tmp_path / "elsewhere").rename(images)
    assert run(ep, images, out, batch_size=1).failures == ()


@pytest.mark.parametrize("what", ["folder", "permission"])
def test_an_output_folder_that_changes_under_a_run_is_one_line(
    ep: Localizer, scenes: Path, tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    def change(_done: int) -> None:
        if what == "folder":
            out.rename(tmp_path / "elsewhere")
        else:  # whoever runs the tests may be allowed everything
            monkeypatch.setattr(os, "fsync", refuse)

    def refuse(_descriptor: int) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    words = "No such file or directory" if what == "folder" else "Permission denied"
    with pytest.raises(OutputError, match=rf"cannot write .*: {words}"):
        run_boxes(ep, find_images([scenes]), Request(), RunOptions(out, batch_size=1), change)


def test_labels_are_those_of_the_whole_list_in_every_shard(
    ep: Localizer, scenes: Path, tmp_path: Path
) -> None:
    """`x.png` names no image of its own once `b/x.png` is there, be they in different shards."""
    images = tmp_path / "images"
    for name in ("a/x.png", "b/x.png"):
        (images / name).parent.mkdir(parents=True)
        shutil.copy(scenes / "key.png", images / name)
    for number in (1, 2):
        shard = {"shard": Shard(number, 2), "batch_size": 1}
        summary = run(ep, images, tmp_path / f"{number}", Request(classes={"x.png": (1,)}), **shard)
        assert len(summary.failures) == 1
        assert summary.failures[0].error.endswith("the labels file has no label for it")


def test_long_and_strange_ids_stay_inside_the_folder(ep: Localizer, scenes: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    names = [f"{'x' * 240}.png", "[red]:star:.png", "tab\tline\n.png", "ünï 金魚.png"]
    for name in names:
        shutil.copy(scenes / "key.png", images / name)
    summary = run(ep, images, tmp_path / "out", formats=ALL_FORMATS)
    assert summary.failures == ()
    assert {record.image for record in summary.first} == set(names)
    assert len(list((tmp_path / "out/overlays").iterdir())) == 4
    run(ep, scenes, tmp_path / "out", overwrite=True)
    assert {path.name for path in (tmp_path / "out/overlays").iterdir()} == {"a", "b", "key.png.jpg"}
