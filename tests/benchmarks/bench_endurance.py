"""`wsloc boxes`, or `wsloc seeds`, over 500 and over 20,000 images: peak memory, open files and processes.

    PYTHONPATH=. python tests/benchmarks/bench_endurance.py IMAGES [--command boxes] [--many 20000] \
        [--few 500] [--overlays]

IMAGES is a folder of real pictures, for example Tiny ImageNet's; links to them, each many times, are the data set. The
peak of the main process is the kernel's own, up to its end (when libraries page in what they need to end: a look
every half a second would miss that in one run and see it in another). A watcher looks every half a second at its
anonymous memory, at the sum over all processes, at how many files it has open, and how many processes there are.
Exits with 1 if the peak at the many is more than 10 % above that at the few, or files or processes grow.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
EXTENSIONS = {".jpg", ".jpeg", ".png"}


@dataclass
class Peaks:
    """The most that was seen of a run: MiB, files, processes; and how long it took."""

    main: float = 0
    anonymous: float = 0
    together: float = 0
    files: int = 0
    processes: int = 0
    seconds: float = 0

    def look(self, pid: int) -> None:
        """Look at a process and its children."""
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        sizes = [self._resident(child, "VmRSS") for child in (pid, *map(int, children))]
        self.anonymous = max(self.anonymous, self._resident(pid, "RssAnon"))
        self.together = max(self.together, sum(sizes))
        self.files = max(self.files, sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()))
        self.processes = max(self.processes, 1 + len(children))

    @staticmethod
    def _resident(pid: int, field: str) -> float:
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:  # it has just ended
            return 0
        return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:"))


def link_images(source: Path, folder: Path, count: int) -> None:
    """`count` links to the pictures below a folder, each used again and again."""
    pictures = sorted(path.resolve() for path in source.rglob("*") if path.suffix.lower() in EXTENSIONS)[
        :1000
    ]
    if not pictures:
        raise SystemExit(f"no pictures in {source}")
    for number in range(count):
        picture = pictures[number % len(pictures)]
        path = folder / f"{number // 1000:02}" / f"{number:05}{picture.suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(picture)


def watched(images: Path, out: Path, options: argparse.Namespace) -> Peaks:
    """The peaks of one run."""
    command = [
        *(
            sys.executable,
            "-m",
            "wsloc",
            options.command,
            str(images),
            "--checkpoint",
            options.checkpoint,
            "-q",
        ),
        *("-o", str(out), "--device", "cpu", "--workers", str(options.workers)),
        "--overlays" if options.overlays else "--no-overlays",
    ]
    peaks, start = Peaks(), time.monotonic()
    pid = os.posix_spawn(sys.executable, command, os.environ)
    ended = status = 0
    while not ended:
        with suppress(OSError):
            peaks.look(pid)
        time.sleep(0.5)
        ended, status, usage = os.wait4(pid, os.WNOHANG)
    if status:
        raise SystemExit(os.waitstatus_to_exitcode(status))
    peaks.main, peaks.seconds = usage.ru_maxrss / 1024, time.monotonic() - start
    return peaks


def main() -> int:
    """Print the peaks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", type=Path)
    parser.add_argument("--command", choices=("boxes", "seeds"), default="boxes")
    parser.add_argument("--many", type=int, default=20_000)
    parser.add_argument("--few", type=int, default=500)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--checkpoint", default=str(ROOT / "assets/demo-ep.pt"))
    parser.add_argument("--overlays", action="store_true")
    options = parser.parse_args()
    found: list[Peaks] = []
    with tempfile.TemporaryDirectory() as place:
        for count in (options.few, options.many):
            images = Path(place, f"images-{count}")
            link_images(options.images, images, count)
            found.append(watched(images, Path(place, f"out-{count}"), options))
            peaks = found[-1]
            print(
                f"{count} images in {peaks.seconds:.0f} s: main process {peaks.main:.0f} MiB "
                f"({peaks.anonymous:.0f} MiB anonymous), all together {peaks.together:.0f} MiB, {peaks.files} files "
                f"open, {peaks.processes} processes",
                flush=True,
            )
    few, many = found
    print(f"peak memory: {many.main / few.main:.3f} x")
    return int(many.main > 1.1 * few.main or many.files > few.files + 2 or many.processes > few.processes)


if __name__ == "__main__":
    sys.exit(main())
