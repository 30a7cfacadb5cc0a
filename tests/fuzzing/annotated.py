"""Small valid data sets, one in every annotation format."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from wsloc.inputs.mask_classes import VOC_NAMES
from wsloc.inputs.masks import voc_palette

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OBJECT = (
    "<object><name>{name}</name><difficult>0</difficult>"
    "<bndbox><xmin>2</xmin><ymin>3</ymin><xmax>20</xmax><ymax>15</ymax></bndbox></object>"
)
XML = (
    '<?xml version="1.0"?>\n<annotation>\n<folder>a</folder><filename>{file}</filename>\n'
    "<size><width>24</width><height>17</height><depth>3</depth></size>\n{objects}\n</annotation>\n"
)
MASK_CLASSES = {
    "schema_version": 1,
    "background": 0,
    "ignore": 255,
    "classes": [
        {"value": 1, "class_id": "cat", "class_name": "cat"},
        {"value": 2, "class_id": "dog", "class_name": "a dog"},
    ],
}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_mask(path: Path, *, palette: bool = True) -> None:
    """A mask of 24 x 17 pixels with the values 0, 1, 2 and 255."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = Image.fromarray(np.random.default_rng(0).choice(np.array([0, 1, 2, 255], np.uint8), (17, 24)))
    if palette:
        mask.putpalette(voc_palette())
    mask.save(path)


def _tiny_imagenet(root: Path) -> None:
    write(root / "val_annotations.txt", "a.JPEG n01443537 0 1 20 15\nb.JPEG n01629819 3 4 5 6\n")
    write(root / "images/none.txt", "")


def _tiny_train(root: Path) -> None:
    write(root / "wnids.txt", "n01443537\n")
    write(root / "words.txt", "n01443537\tgoldfish, Carassius auratus\n")
    write(root / "train/n01443537/n01443537_boxes.txt", "a.JPEG\t0\t1\t20\t15\nb.JPEG\t3\t4\t5\t6\n")


def _wsol(root: Path) -> None:
    write(root / "image_ids.txt", "val/a.jpg\nval/b.jpg\n")
    write(root / "class_labels.txt", "val/a.jpg,1\nval/b.jpg,0\n")
    write(root / "image_sizes.txt", "val/a.jpg,24,17\nval/b.jpg,24,17\n")
    write(root / "localization.txt", "val/a.jpg,0,1,20,15\nval/a.jpg,1,1,2,2\nval/b.jpg,3,4,5,6\n")


def _wsol_masks(root: Path) -> None:
    _wsol(root)
    write(
        root / "localization.txt",
        "val/a.jpg,masks/a.png,masks/a.png\nval/a.jpg,masks/a.png,\nval/b.jpg,masks/b.png,\n",
    )
    write_mask(root / "masks/a.png", palette=False)
    write_mask(root / "masks/b.png", palette=False)


def _devkit(root: Path) -> None:
    write(root / "data/ILSVRC2012_validation_ground_truth.txt", "2\n1\n3\n")
    write(
        root / "data/map_clsloc.txt", "n02119789 1 kit_fox\nn02100735 2 English_setter\nn02096294 3 terrier\n"
    )


def _imagenet_csv(root: Path) -> None:
    rows = "ILSVRC2012_val_00000001,n01751748 11 10 14 19 n01751748 1 3 9 20\nb,n01443537 3 4 5 6\n"
    write(root / "LOC_val_solution.csv", f"ImageId,PredictionString\n{rows}")


def _imagenet_xml(root: Path) -> None:
    for number in (1, 2):
        name = f"ILSVRC2012_val_0000000{number}"
        objects = "\n".join(OBJECT.format(name=name) for name in ("n01443537", "n01629819"))
        write(root / f"{name}.xml", XML.format(file=name, objects=objects))


def _voc(root: Path) -> None:
    for name in "ab":
        objects = "\n".join(OBJECT.format(name=name) for name in VOC_NAMES[:2])
        write(root / f"Annotations/{name}.xml", XML.format(file=f"{name}.jpg", objects=objects))
        write_mask(root / f"SegmentationClass/{name}.png")


def _voc_list(root: Path) -> None:
    _voc(root)
    write(root / "ImageSets/Main/cat_val.txt", "a  1\nb -1\n")


def _coco(root: Path) -> None:
    content = {
        "images": [{"id": n, "file_name": f"{n}.jpg", "width": 24, "height": 17} for n in (1, 2)],
        "categories": [{"id": 3, "name": "cat"}, {"id": 4, "name": "dog", "supercategory": "pet"}],
        "annotations": [
            {
                "id": 7,
                "image_id": 1,
                "category_id": 3,
                "bbox": [1.5, 2, 10, 9.25],
                "iscrowd": 0,
                "area": 92.5,
            },
            {
                "id": 8,
                "image_id": 2,
                "category_id": 4,
                "bbox": [0, 0, 24, 17],
                "segmentation": [[1, 1, 2, 2, 3, 1]],
            },
        ],
    }
    write(root / "instances.json", json.dumps(content))


def _labels_csv(root: Path) -> None:
    write(root / "labels.csv", 'image,label,note\na.jpg,cat;dog,\n"b,c.jpg",dog,"said ""so"""\nd/e.jpg,1,\n')


def _masks(root: Path) -> None:
    write_mask(root / "masks/a.png", palette=False)
    write_mask(root / "masks/b/c.png")
    write(root / "classes.json", json.dumps(MASK_CLASSES))
    write(root / "val.txt", "a.jpg\nb/c\n")


# Format -> what writes a data set, and which file or folder of it is named.
DATA_SETS: dict[str, tuple[Callable[[Path], None], str]] = {
    "tiny-imagenet": (_tiny_imagenet, ""),
    "tiny-imagenet-train": (_tiny_train, ""),
    "wsol": (_wsol, ""),
    "wsol-masks": (_wsol_masks, ""),
    "imagenet-devkit": (_devkit, ""),
    "imagenet-csv": (_imagenet_csv, ""),
    "imagenet-xml": (_imagenet_xml, ""),
    "voc": (_voc, ""),
    "voc-list": (_voc_list, "ImageSets/Main/cat_val.txt"),
    "coco": (_coco, "instances.json"),
    "labels-csv": (_labels_csv, "labels.csv"),
    "masks": (_masks, ""),
    "masks-list": (_masks, "val.txt"),
}
