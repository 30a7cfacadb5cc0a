"""What decides the bytes of a live evaluation's report, to know an interrupted one again."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from wsloc.image_run import SAID_OTHERWISE as OF_A_NETWORK
from wsloc.image_run import network_entries
from wsloc.running.identity import digest, images_identity, run_identity

if TYPE_CHECKING:
    from pathlib import Path

    from wsloc.evaluation.annotated import AnnotatedImages
    from wsloc.evaluation.live_run import LiveRun
    from wsloc.running.identity import Identity

# Arguments of the command whose meaning is among what `live_identity` adds.
SAID_OTHERWISE = OF_A_NETWORK | {"compare", "excess", "map_threshold", "mass", "tune_format"}


def live_identity(run: LiveRun, *, checkpoint: Path | None = None, model: str | None = None) -> Identity:
    """The identity of an evaluation: two with one identity write the same report.

    Args:
        run: what is scored.
        checkpoint: the weights file, known by its SHA-256; None where no file was read.
        model: the model's name; where neither is known, the network counts by its weights.

    Raises:
        CheckpointError: if the checkpoint cannot be read.
    """
    options, tuning = run.options, run.tuning
    entries = {
        **network_entries(run.localizer, checkpoint, model, (options.arguments or {}).get("weights")),
        "maps": ",".join(dict.fromkeys(key.map for key in run.runs)),
        "box_rules": " and ".join(key.box for key in run.runs),
        "annotations": _annotations_digest(run.found),
        "blacklist": digest(sorted(run.blacklist)) if run.annotated.blacklist is not None else None,
        "tune_on": None if tuning is None else _annotations_digest(tuning),
        "tune_images": None if tuning is None else images_identity(tuning.files)["image_files"],
        "threshold_step": options.threshold_step,
        "ten_crop": options.ten_crop,
        "batch_size": options.batch_size,
        "random_seed": options.random_seed,
    }
    arguments = {
        name: value for name, value in (options.arguments or {}).items() if name not in SAID_OTHERWISE
    }
    return run_identity("eval", arguments, files=run.found.files, shard=options.shard, **entries)


def _annotations_digest(found: AnnotatedImages) -> str:
    """Of everything that is said of the pictures, and of what was left out; not of what masks show."""
    said = chain((repr(pair) for pair in found.matching.pairs), found.matching.notes(), found.notes)
    return digest(said)
