"""The errors wsloc raises on purpose: every one names the file or option and the remedy.

    WslocError
    ├── ImageError        an image that cannot be found, decoded or used
    ├── DataError         a data set, list or annotation file that is malformed or does not fit
    ├── CheckpointError   a weights file that cannot be read, trusted or matched
    ├── UnsupportedError  a network and a map, or an option and a map, that do not go together
    │   └── MemoryLimitError  inputs that do not fit into the network's memory
    ├── MapError          an activation map that no region can be taken from (NaN, negative, wrong shape)
    ├── OutputError       a place that results cannot be written to
    ├── RunError          a run that cannot go on: a process of it is gone, or shards that do not fit together
    ├── TrainingError     a training that cannot start or go on
    └── UsageError        options that do not go together (exit code 2)

The command line prints any of them as one line, `wsloc: error: ...`, and exits with 1,
or with 2 where the usage is wrong.
"""


class WslocError(Exception):
    """Base of every error that wsloc raises on purpose."""


class ImageError(WslocError):
    """An image that cannot be found, decoded or used; names the image."""


class DataError(WslocError):
    """A data set, list or annotation file that is malformed or does not fit; names file and line."""


class CheckpointError(WslocError):
    """A weights file that cannot be read, trusted or matched to a network; names the file."""


class UnsupportedError(WslocError):
    """A network and a map, or an option and a map, that do not go together; names what does."""


class MemoryLimitError(UnsupportedError):
    """Inputs that do not fit into the memory of the network's device; names how many and how large."""


class MapError(WslocError):
    """An activation map that no region can be taken from: NaN, infinite, negative or of a wrong shape."""


class OutputError(WslocError):
    """A place that results cannot be written to; names the path."""


class RunError(WslocError):
    """A run that cannot go on: a process of it is gone, or its shards do not fit together."""


class TrainingError(WslocError):
    """A training that cannot start or go on; names the reason and what to change."""


class UsageError(WslocError):
    """Options of a command that do not go together; names the options."""
