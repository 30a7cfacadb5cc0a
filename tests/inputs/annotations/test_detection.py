"""Each format's data is taken for that format, and for no other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from wsloc.inputs.annotations.formats import ANNOTATION_FORMATS, read_annotations
from wsloc.inputs.masks import voc_palette

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Files = Mapping[str, str | bytes]
WNID = "n01751748"
KIT = {"ILSVRC2012_validation_ground_truth.txt": "1\n", "map_clsloc.txt": f"{WNID} 1 snake\n"}
TABLE = {"LOC_val_solution.csv": f"ImageId,PredictionString\na,{WNID} 1 2 3 4 \n"}
SPLIT = {"image_ids.txt": "val/a.JPEG\n", "class_labels.txt": "val/a.JPEG,65\n"}
INSTANCES = {
    "images": [{"id": 1, "file_name": "a.jpg"}],
    "categories": [{"id": 1, "name": "dog"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}],
}


def mask() -> bytes:
    """A PNG of one pixel, VOC's dog."""
    stream, picture = BytesIO(), Image.frombytes("P", (1, 1), b"\x0c")
    picture.putpalette(voc_palette())
    picture.save(stream, format="PNG")
    return stream.getvalue()


def under(folder: str, files: Files) -> Files:
    return {f"{folder}/{name}": text for name, text in files.items()}


def examples(make_xml: Callable[..., str]) -> dict[str, tuple[str, str, Files]]:
    """Name -> (format, path to read, files)."""
    imagenet = {f"{WNID}_1.xml": make_xml(f"{WNID}_1", ((WNID, (1, 2, 3, 4)),))}
    voc = {"Annotations/1.xml": make_xml("1.jpg", (("dog", (1, 2, 3, 4)),)), "JPEGImages/1.jpg": ""}
    lists = {"ImageSets/Main/val.txt": "1\n"}
    kaggle = {
        **under(f"Annotations/CLS-LOC/train/{WNID}", imagenet),
        f"Data/CLS-LOC/train/{WNID}/{WNID}_1.JPEG": "",
        "ImageSets/CLS-LOC/val.txt": "a 1\n",
    }
    val_annotations = {"val_annotations.txt": f"a.JPEG\t{WNID}\t1\t2\t3\t4\n", "images/a.JPEG": ""}
    return {
        "tiny-imagenet val": ("tiny-imagenet", "", val_annotations),
        "tiny-imagenet list": ("tiny-imagenet", "val_annotations.txt", val_annotations),
        "tiny-imagenet train": ("tiny-imagenet", "", {f"{WNID}/{WNID}_boxes.txt": "a.JPEG 1 2 3 4\n"}),
        "wsol split": ("wsol", "", SPLIT),
        "wsol set": ("wsol", "", under("val", SPLIT)),
        "devkit": ("imagenet-devkit", "", {**under("data", KIT), "evaluation/demo.m": ""}),
        "devkit data": ("imagenet-devkit", "", KIT),
        "devkit file": ("imagenet-devkit", "ILSVRC2012_validation_ground_truth.txt", KIT),
        "csv": ("imagenet-csv", "LOC_val_solution.csv", TABLE),
        "kaggle": ("imagenet-csv", "", {**TABLE, **under("ILSVRC", kaggle)}),
        "kaggle without the table": ("imagenet-xml", "", kaggle),
        "xml": ("imagenet-xml", "", imagenet),
        "xml in folders": ("imagenet-xml", "", under(f"train/{WNID}", imagenet)),
        "xml of other names": ("imagenet-xml", "", {"1.xml": make_xml("1", ((WNID, (1, 2, 3, 4)),))}),
        "voc": ("voc", "", {**voc, **lists}),
        "voc kit": ("voc", "", under("VOC2012", voc)),
        "voc list": ("voc", "ImageSets/Main/val.txt", {**voc, **lists}),
        "voc xml": ("voc", "Annotations", voc),
        "coco": ("coco", "instances.json", {"instances.json": json.dumps(INSTANCES)}),
        "labels": ("labels-csv", "labels.csv", {"labels.csv": "image,label\na.jpg,dog\n"}),
        "masks": ("masks", "", {"masks/a.png": mask(), "images/a.jpg": "", "dev.txt": "a\n"}),
        "masks list": ("masks", "dev.txt", {"masks/a.png": mask(), "images/a.jpg": "", "dev.txt": "a\n"}),
        "folder": ("folder", "", {"dog/a.jpg": "", "cat/b.jpg": ""}),
        "deep folder": ("folder", "", {"dog/a/b/c/d.jpg": ""}),
    }


NAMES = tuple(examples(lambda *_: ""))


@pytest.mark.parametrize("name", NAMES)
def test_only_its_own_format_recognizes_it(tmp_path: Path, make_xml: Callable[..., str], name: str) -> None:
    annotation_format, place, files = examples(make_xml)[name]
    for file, text in files.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    root = tmp_path / place
    recognizing = [name for name, reader in ANNOTATION_FORMATS.items() if reader.matches(root)]
    if annotation_format != "folder" and recognizing[-1:] == ["folder"]:
        recognizing.pop()  # it takes whatever has sub-folders, and so comes last
    if name == "kaggle":
        recognizing.remove("imagenet-xml")  # its XML files are there too: of both parts, and slower to read
    assert recognizing == [annotation_format]
    assert read_annotations(root) == read_annotations(root, annotation_format) != []


def test_every_format_has_an_example() -> None:
    found = {annotation_format for annotation_format, _, _ in examples(lambda *_: "").values()}
    assert found == set(ANNOTATION_FORMATS)


@pytest.mark.parametrize(
    ("name", "annotation_format", "images"),
    [
        ("wsol-parity/slice", "wsol", 200),
        ("tiny-imagenet-20/val", "tiny-imagenet", 1000),
        ("voc-2007-train", "voc", 311),
        ("voc-2007-train/Annotations", "voc", 311),
        ("voc-2007-train/ImageSets/Segmentation/train.txt", "voc", 311),
        ("voc-animals", "masks", 3129),
        ("voc-animals/dev.txt", "masks", 437),
    ],
)
def test_real_data_sets(
    real_data: Callable[[str], Path], name: str, annotation_format: str, images: int
) -> None:
    root = real_data(name)
    recognizing = [name for name, reader in ANNOTATION_FORMATS.items() if reader.matches(root)]
    assert recognizing[0] == annotation_format
    assert set(recognizing) <= {annotation_format, "folder"}
    assert len(read_annotations(root)) == images
