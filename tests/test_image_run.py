from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.example_localizers import tiny_localizer
from wsloc.errors import ImageError
from wsloc.image_run import ImageRun, ImageRunOptions
from wsloc.records import ImageFile
from wsloc.running.identity import run_differences
from wsloc.running.shards import Shard

if TYPE_CHECKING:
    from collections.abc import Mapping

FILES = [ImageFile(f"{name}.jpg", Path("in", f"{name}.jpg")) for name in "abcde"]


def run(**options: Any) -> ImageRun:
    return ImageRun(tiny_localizer(), FILES, ImageRunOptions(Path("out"), batch_size=2, **options))


def test_batches_are_cut_from_all_images_and_shards_take_whole_ones() -> None:
    assert [list(run(shard=Shard(number, 2)).batches) for number in (1, 2)] == [[0, 2], [1]]
    assert [file.image for file in run(shard=Shard(1, 2)).own_files] == ["a.jpg", "b.jpg", "e.jpg"]
    assert run().own_files == FILES


def test_the_network_counts_by_its_name_or_its_weights() -> None:
    one = run().network_identity("boxes", map="cam")
    assert (one["command"], one["map"], one["device"], one["batch_size"]) == ("boxes", "cam", "cpu", 2)
    other = run()
    weights = other.localizer.network.model.get_parameter("fc.bias")
    weights.data += 1
    assert [
        words.split(" (")[0] for words in run_differences(one, other.network_identity("boxes", map="cam"))
    ] == ["model"]
    named = run(model="resnet50")
    assert named.network_identity("boxes")["model"] == "resnet50"


def test_arguments_count_unless_they_are_said_otherwise() -> None:
    found = run(arguments={"random_seed": 3, "scales": "1,2", "quiet": True}).network_identity("seeds")
    assert found["random_seed"] == 3
    assert not {"scales", "quiet"} & set(found)


@pytest.mark.parametrize("which", ["images", "beside"])
def test_a_folder_that_vanishes_ends_the_run(tmp_path: Path, which: str) -> None:
    for folder in ("images", "beside"):
        (tmp_path / folder).mkdir()
    files = [ImageFile("a.jpg", tmp_path / "images/a.jpg"), ImageFile("b.jpg", tmp_path / "images/b.jpg")]
    beside: Mapping[str, Path] = {"b.jpg": tmp_path / "beside/b.png"}
    whole = replace(run(), files=files)
    batches = whole.while_there([0], iter([["fine", "failed"]]), lambda item: item == "failed", beside)
    assert list(batches) == [["fine", "failed"]]  # damaged, in a folder that is there

    def vanishing() -> Any:
        (tmp_path / which).rmdir()
        yield ["fine", "failed"]

    with pytest.raises(ImageError, match=rf"the folder .*{which} is no longer there"):
        list(whole.while_there([0], vanishing(), lambda item: item == "failed", beside))
