"""Damaged and made-up files for every reader of wsloc: an error of its own for each, in time, and nothing else.

    python tests/benchmarks/fuzz.py [--minutes 60] [--target NAME ...] [--random-seed 0] [--keep DIR] [--only NUMBER]

Each target (--target, all without) gets an equal share of the time. A target runs in a process of its own, so that one
that dies, hangs in C, or prints something is found too. A case is told by its target, random seed and number; what was
wrong is kept in DIR, with the file. Exits with 1 if anything was.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch  # noqa: E402 - below the path and the number of threads

from tests.fuzzing.cases import Cases, Finding, keep  # noqa: E402
from tests.fuzzing.targets import TARGETS  # noqa: E402

LONGEST = (
    300  # seconds after which a process is taken to hang where no signal reaches it, be the machine busy
)
ADDRESSES = 8 << 30  # bytes that a process may ask for on top of what it has
MOST_OF_A_KIND = 3  # findings that are kept


def main() -> int:
    """Fuzz the targets that are asked for, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--target", action="append", choices=list(TARGETS))
    parser.add_argument("--random-seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--only", type=int, help="one case of one target, its file left in --keep")
    given = parser.parse_args()
    names = given.target or list(TARGETS)
    place = given.keep or Path(tempfile.mkdtemp(prefix="wsloc-fuzz-"))
    if given.only is not None:
        return _one(names[0], given.random_seed, given.only, place)
    found = 0
    for name in names:
        count, kinds = _fuzz(name, given.random_seed, 60 * given.minutes / len(names), place / name)
        found += sum(kinds.values())
        print(f"{name:32} {count:9,} inputs, {sum(kinds.values())} findings", flush=True)
        for kind, times in kinds.most_common():
            print(f"    {times:6,} x {kind}", flush=True)
    print(f"findings are in {place}" if found else "nothing found")
    return 1 if found else 0


def _fuzz(name: str, random_seed: int, seconds: float, place: Path) -> tuple[int, Counter[str]]:
    """How many cases were run within the time, and what was found, by kind."""
    deadline, number, kinds = time.monotonic() + seconds, 0, Counter[str]()
    while time.monotonic() < deadline:
        with tempfile.TemporaryDirectory(prefix="wsloc-fuzz-") as folder:
            log = Path(folder) / "log"
            process = os.fork()
            if not process:
                _run_cases(name, random_seed, number, deadline, Path(folder), place)
            _, status = os.waitpid(process, 0)
            lines = log.read_text(encoding="utf-8").splitlines()
            kinds.update(line for line in lines if not line.isdecimal())
            number = max((int(line) for line in lines if line.isdecimal()), default=number) + 1
            if status:
                said = (Path(folder) / "stderr").read_text(errors="replace")
                kinds[f"died with status {status}"] += 1
                cases = Cases(TARGETS[name], Path(folder) / "again", random_seed)
                keep(cases, Finding("died", said[-6000:], f"died with status {status}"), number - 1, place)
    return number, kinds


def _run_cases(name: str, random_seed: int, number: int, deadline: float, folder: Path, place: Path) -> None:
    """In a child: run cases to the deadline and log each; never returns."""
    torch.set_num_threads(1)
    stream = (folder / "log").open("w", encoding="utf-8", buffering=1)
    faults = (folder / "stderr").open("w")
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + ADDRESSES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    printed = os.open(folder / "printed", os.O_RDWR | os.O_CREAT)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    faulthandler.enable(faults)
    cases = Cases(TARGETS[name], folder / "case", random_seed)
    kept: Counter[str] = Counter()
    try:
        while time.monotonic() < deadline:
            stream.write(f"{number}\n")
            faulthandler.dump_traceback_later(LONGEST, exit=True, file=faults)
            finding = cases.run(number)
            sys.stdout.flush()
            sys.stderr.flush()
            if finding is None and os.fstat(printed).st_size:
                finding = Finding(
                    "", os.pread(printed, 2000, 0).decode(errors="replace"), "printed something"
                )
            os.ftruncate(printed, 0)
            os.lseek(printed, 0, os.SEEK_SET)
            if finding is not None:
                stream.write(f"{finding.key}\n")
                kept[finding.key] += 1
                if kept[finding.key] <= MOST_OF_A_KIND:
                    keep(cases, finding, number, place)
            number += 1
        faulthandler.cancel_dump_traceback_later()
        os._exit(0)
    except BaseException:  # noqa: BLE001 - of the fuzzer itself
        faulthandler.dump_traceback(faults)
        import traceback

        traceback.print_exc(file=faults)
        faults.flush()
        os._exit(3)


def _one(name: str, random_seed: int, number: int, place: Path) -> int:
    """Run a single case here, and leave its files."""
    cases = Cases(TARGETS[name], place / f"{name}-{number}", random_seed)
    finding = cases.run(number)
    print(cases.write(number))
    print("nothing found" if finding is None else finding.what)
    return 0 if finding is None else 1


if __name__ == "__main__":
    sys.exit(main())
