"""`wsloc inspect`: what a checkpoint holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from wsloc.cli.console import Talk
from wsloc.cli.options import JsonOption
from wsloc.errors import UnsupportedError

# What a batch norm counts, rather than learns.
COUNTED = ("running_mean", "running_var", "num_batches_tracked")


def inspect(
    checkpoint: Annotated[
        str, typer.Argument(metavar="FILE", help="A checkpoint, or `demo`.", show_default=False)
    ],
    as_json: JsonOption = False,
) -> None:
    """Describe a checkpoint: method, backbone, classes, preprocessing and how it was trained."""
    # torch is loaded here, not at the top: `wsloc --help` must answer at once.
    from wsloc.loader import checkpoint_path
    from wsloc.networks.backbones import backbone_family
    from wsloc.networks.checkpoints import load_checkpoint

    talk = Talk(as_json=as_json)
    path = checkpoint_path(checkpoint)
    found = load_checkpoint(path)
    try:
        stride = backbone_family(found.backbone).stride
    except (
        UnsupportedError
    ) as error:  # of a newer wsloc, or a stranger's: what it holds can be told all the same
        stride = None
        talk.note(f"{path.name} cannot be used here: {error}")
    parameters = sum(value.numel() for name, value in found.weights.items() if not name.endswith(COUNTED))
    content = {
        "file": str(path),
        "bytes": Path(path).stat().st_size,
        "method": found.method,
        "task": found.task,
        "backbone": found.backbone,
        "stride": stride,
        "parameters": parameters,
        "classes": len(found.classes),
        "class_ids": list(found.classes.ids),
        "class_names": list(found.classes.names),
        "preprocessing": found.preprocessing.to_dict(),
        "options": found.options,
        "recipe": found.recipe,
        "data": found.data,
    }
    talk.table(path.name, ["", "content"], _rows(content))
    talk.document(content)


def _rows(content: dict[str, Any]) -> list[list[str]]:
    """Name and words of each value; nested values have a row each, `recipe: epochs`."""
    rows: list[list[str]] = []
    for name, value in content.items():
        if isinstance(value, dict):
            rows += [[f"{name}: {inner}", words] for inner, words in _rows(value)]
        elif name != "class_ids":
            rows.append([name, _words(value)])
    return rows


def _words(value: object) -> str:
    """A value for people: long lists cut."""
    if isinstance(value, list):
        cut = [_words(inner) for inner in value[:10]]
        return ", ".join(cut) + (f", ... ({len(value)})" if len(value) > 10 else "")
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)
