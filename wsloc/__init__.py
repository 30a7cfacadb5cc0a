"""wsloc: weakly-supervised localization and explanation, from image-level labels alone.

    >>> import wsloc
    >>> localizer = wsloc.load("checkpoint.pt")              # doctest: +SKIP
    >>> record = localizer.localize("photo.jpg")             # doctest: +SKIP
    >>> record.predictions[0].box, record.overlay()          # doctest: +SKIP

The public names are imported when they are first used: `import wsloc` itself does not load torch.
"""

from __future__ import annotations

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsloc.errors import WslocError
    from wsloc.evaluator import evaluate_localization
    from wsloc.inputs.preprocessing import Preprocessing
    from wsloc.loader import load
    from wsloc.localizer import Localizer
    from wsloc.methods.rib import FineTuning
    from wsloc.records import Classes, Localization, Prediction
    from wsloc.regions.rectangle import Rectangle, smallest_rectangle
    from wsloc.regions.seeds import make_seeds
    from wsloc.trainer import Recipe, train

__version__ = metadata.version("wsloc")

_HOMES = {
    "Classes": "wsloc.records",
    "FineTuning": "wsloc.methods.rib",
    "Localization": "wsloc.records",
    "Localizer": "wsloc.localizer",
    "Prediction": "wsloc.records",
    "Preprocessing": "wsloc.inputs.preprocessing",
    "Recipe": "wsloc.trainer",
    "Rectangle": "wsloc.regions.rectangle",
    "WslocError": "wsloc.errors",
    "evaluate_localization": "wsloc.evaluator",
    "load": "wsloc.loader",
    "make_seeds": "wsloc.regions.seeds",
    "smallest_rectangle": "wsloc.regions.rectangle",
    "train": "wsloc.trainer",
}

__all__ = [
    "Classes",
    "FineTuning",
    "Localization",
    "Localizer",
    "Prediction",
    "Preprocessing",
    "Recipe",
    "Rectangle",
    "WslocError",
    "__version__",
    "evaluate_localization",
    "load",
    "make_seeds",
    "smallest_rectangle",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'wsloc' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
