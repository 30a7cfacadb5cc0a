"""The readers that are fuzzed: each with sound small files, and how a folder is read with one of them damaged."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.fuzzing import annotated, networks, pictures, runs
from tests.fuzzing.mutations import mutated
from wsloc.errors import ImageError
from wsloc.evaluation.mask_truth import MaskTruth
from wsloc.inputs.annotations.formats import classes_of, read_annotations
from wsloc.inputs.annotations.label_indices import resolve_labels
from wsloc.inputs.annotations.matching import match, read_blacklist
from wsloc.inputs.class_labels import read_labels
from wsloc.inputs.extra_supervision import ExtraSource, find_extra
from wsloc.inputs.guesses import read_guesses
from wsloc.inputs.image_labels import labels_of_images
from wsloc.inputs.images import find_images, picture_size
from wsloc.inputs.loading import load
from wsloc.inputs.map_files import MAP_EXTENSIONS, find_maps, read_map
from wsloc.inputs.mask_classes import read_mask_classes
from wsloc.inputs.masks import has_voc_palette, read_mask
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.inputs.seed_files import find_seeds
from wsloc.networks.importing import read_class_names
from wsloc.records import Classes, Failure, ImageFile, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from random import Random

CLASSES = Classes(
    ("n01443537", "n01629819", "cat", "dog", "aeroplane"), ("goldfish", "1", "cat", "a dog", "plane")
)


@dataclass(frozen=True, slots=True)
class Target:
    """Something that reads files.

    Attributes:
        write: writes valid files into a folder.
        read: reads a folder, one of whose files, the second argument, is damaged.
        change: damages a file: (its name, its content, contents of other such files, what decides) -> its content.
    """

    write: Callable[[Path], None]
    read: Callable[[Path, Path], object]
    change: Callable[[str, bytes, Sequence[bytes], Random], bytes] = mutated


# --- pictures ---


def read_picture(_: Path, path: Path) -> None:
    """As `wsloc boxes` does: a failure is a record, and the header never tells another size than the pixels."""
    loaded = load(ImageFile(path.name, path), Preprocessing(image_size=16), with_picture=True)
    try:
        size = picture_size(path)
    except ImageError:
        size = None
    if not isinstance(loaded, Failure):
        assert size == loaded.image_size
    elif str(path) not in loaded.error:
        raise AssertionError(f"the record does not name the file: {loaded.error}")


def _write_list(root: Path) -> None:
    annotated.write(root / "images.txt", "# pictures\na.jpg\nb/c.png\n/d.jpg\n")


def _read_list(root: Path, _: Path) -> None:
    for file in find_images([f"@{root / 'images.txt'}"])[:50]:
        load(file, Preprocessing(image_size=16), with_picture=False)


# --- annotations ---


def read_data_set(named: str, root: Path, _: Path) -> None:
    """A data set as `wsloc eval` uses it: read, matched, its labels resolved, its masks opened."""
    samples = read_annotations(root / named if named else root)
    match(samples, [sample.image for sample in samples])
    own = classes_of(samples, root)
    numbers = {
        label: number for number, label in enumerate({label for sample in samples for label in sample.labels})
    }
    truth = MaskTruth.of(samples, numbers)
    for sample in samples[:8]:
        if truth is not None and len(sample.masks) == 1:
            truth.read(sample)
        for mask in (*sample.masks, *filter(None, [sample.ignore_mask])):
            read_mask(mask)
    for classes in (own, CLASSES):
        labels_of_images(
            samples, [sample.image for sample in samples], classes, str(root), others_allowed=True
        )
    resolve_labels(samples, own)


def _write_lists(root: Path) -> None:
    annotated.write(root / "blacklist.txt", "1\n36\nILSVRC2012_val_00000050\na/b.JPEG\n")
    annotated.write(root / "labels.csv", "image,label\na.jpg,goldfish;cat\nb.jpg,3\nc.jpg,n01443537\n")
    annotated.write(root / "val_annotations.txt", "a.JPEG n01443537 0 1 20 15\nb.JPEG n01629819 3 4 5 6\n")
    annotated.write(root / "names.txt", "n01443537\tgoldfish\nn01629819\tsalamander\n")
    annotated.write(root / "more-names.txt", "n01443537,goldfish\nn01629819,salamander\n")


def _read_a_list(_: Path, path: Path) -> object:
    if path.name == "blacklist.txt":
        return read_blacklist(path, ["ILSVRC2012_val_00000001.JPEG", "a/b.JPEG"])
    if path.name.endswith("names.txt"):
        return read_class_names(path)
    return read_labels(path, CLASSES)


def _write_mask_files(root: Path) -> None:
    annotated.write_mask(root / "palette.png")
    annotated.write_mask(root / "gray.png", palette=False)
    pictures.write_pictures(root)
    annotated.write(root / "classes.json", json.dumps(annotated.MASK_CLASSES))


def _read_mask_file(_: Path, path: Path) -> object:
    if path.name == "classes.json":
        return read_mask_classes(path)
    has_voc_palette(path)
    return read_mask(path)


def _write_extra(root: Path) -> None:
    annotated._masks(root)
    annotated._labels_csv(root)
    annotated._coco(root)
    for name in "12":
        annotated.write_mask(root / f"saliency/{name}.png", palette=False)
    annotated.write(root / "masks/classes.json", json.dumps(annotated.MASK_CLASSES))


def _read_extra(root: Path, _: Path) -> None:
    classes = Classes(("cat", "dog"), ("cat", "dog"))
    samples = [Sample(name, None, ("cat",)) for name in ("a.jpg", "b/c.jpg", "1.jpg", "2.jpg")]
    source = ExtraSource(root / "masks", root / "instances.json", root / "saliency")
    for extra in find_extra(samples, classes, source):
        extra.regions((17, 24))
        extra.salient((17, 24))


# --- maps, seeds and guesses ---


def _write_maps(root: Path) -> None:
    random = np.random.default_rng(0)
    values = random.random((5, 6))
    for kind in ("f2", "f4", "f8", ">f4", "f16", "u1", "i8", "?"):
        np.save(root / f"{kind.strip('>?') or 'bool'}{len(kind)}.npy", values.astype(kind))
    np.save(root / "columns.npy", np.asfortranarray(values))
    np.savez(root / "one.npz", map=values)
    np.savez_compressed(root / "packed.npz", values)
    words: dict[str, Any] = {
        "class_id": np.array(["n01443537", "cat"]),
        "class_name": np.array(["goldfish", "cat"]),
    }
    np.savez(
        root / "classes.npz",
        maps=random.random((2, 5, 6)).astype("f2"),
        class_index=np.array([0, 2]),
        **words,
    )
    pictures.write_pictures(root)
    for path in root.iterdir():
        if path.suffix not in MAP_EXTENSIONS:
            path.unlink()


def _read_a_map(root: Path, path: Path) -> None:
    find_maps(root, [path.stem])
    for wanted in ({}, {"class_index": 2}, {"label": "cat"}, {"label": "7"}):
        try:
            values = read_map(path, **wanted)
        except Exception as error:
            if wanted == {"label": "7"} or type(error).__module__ != "wsloc.errors":
                raise
        else:
            assert values.dtype == np.float64
            assert np.isfinite(values).all()


def _write_seeds(root: Path) -> None:
    annotated.write_mask(root / "png/a.png")
    annotated.write_mask(root / "png/b/c.png", palette=False)
    annotated.write(root / "classes.json", json.dumps(annotated.MASK_CLASSES))


def _read_seeds(root: Path, _: Path) -> None:
    for path in find_seeds(root, ["a.jpg", "b/c.jpg"]).paths.values():
        read_mask(path)


def _read_guesses(_: Path, path: Path) -> None:
    order, synsets = ("val_1", "val_2"), ("n02119789", "n02100735", "n01443537")
    if path.suffix in (".jsonl", ".csv"):
        list(read_guesses(path))
    else:
        list(read_guesses(path, validation_order=order, synsets=synsets))


TARGETS: dict[str, Target] = {
    "pictures": Target(pictures.write_pictures, read_picture),
    "image-lists": Target(_write_list, _read_list),
    **{
        f"annotations-{name}": Target(write, partial(read_data_set, named))
        for name, (write, named) in annotated.DATA_SETS.items()
    },
    "lists": Target(_write_lists, _read_a_list),
    "mask-files": Target(_write_mask_files, _read_mask_file),
    "extra-supervision": Target(_write_extra, _read_extra),
    "maps": Target(_write_maps, _read_a_map),
    "seeds": Target(_write_seeds, _read_seeds),
    "guesses": Target(runs.write_guesses, _read_guesses),
    "predictions": Target(runs.write_results, runs.read_results),
    "journals": Target(runs.write_journals, runs.read_journals),
    "shards": Target(runs.write_shards, runs.read_shard_folders),
    "checkpoints": Target(networks.write_checkpoints, networks.read_a_checkpoint, networks.changed),
    "checkpoint-contents": Target(networks.write_networks, networks.read_network, networks.changed),
    "state-dicts": Target(networks.write_state_dicts, networks.read_state_dict, networks.changed),
    "training-states": Target(networks.write_training, networks.read_training, networks.changed),
}
