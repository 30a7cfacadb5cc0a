"""The command line of the scenes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tests.scenes.files import write_demo, write_scenes

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.scenes", description="Write synthetic scenes with masks and boxes."
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write to")
    parser.add_argument("--images", type=int, default=500, help="how many, over all classes")
    parser.add_argument("--size", type=int, default=96, help="side in pixels")
    parser.add_argument("--random-seed", type=int, default=0)
    parser.add_argument("--mixed", action="store_true", help="one to three classes an image, and labels.csv")
    parser.add_argument(
        "--demo", action="store_true", help="the demo's pictures; the other options do not apply"
    )
    options = parser.parse_args(arguments)
    if options.demo:
        write_demo(options.out)
    else:
        write_scenes(options.out, options.images, options.size, options.random_seed, mixed=options.mixed)


if __name__ == "__main__":
    main()
