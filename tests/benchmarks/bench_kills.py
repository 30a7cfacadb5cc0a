"""Runs that are killed at random moments, gone on with, and compared with one that was not: byte for byte.

    PYTHONPATH=. python tests/benchmarks/bench_kills.py [--command boxes] [--kills 50] [--processes 1] [--torchrun] \
        [--images 48]

Each round starts `wsloc boxes`, `wsloc seeds` or `wsloc eval` in an empty folder, sends SIGKILL at a random moment (to
all processes, or to one of several: the launcher then ends the others), and starts the same command again, which may be
killed again; the last one is left to end. All files must be those of the unbroken run, times in the manifest aside,
and none may be left over.

Without --torchrun, processes are forked from one that has loaded torch: a start takes milliseconds, and most kills
hit work. Exits with 1 if a byte differs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("OMP_NUM_THREADS", "1")  # what torchrun gives its processes: bytes depend on it

from tests.scenes import CLASSES, make_scene  # noqa: E402 - below the path that it is found by
from wsloc.cli.app import LOADED, main  # noqa: E402

# What is asked of each command: all files that it can write.
COMMANDS = {
    "boxes": ["boxes", "--format", "jsonl,csv,coco,voc,yolo,npz"],
    "seeds": ["seeds", "--format", "png,gray,irn,psa,sec,coco,npz", "--overlays"],
    "eval": [
        *(
            "eval",
            "--compare",
            "cam,entropy-class",
            "--annotations",
            "{annotations}",
            "--tune-on",
            "{annotations}",
        ),
        *("--tune-images", "{images}", "--threshold-step", "0.01", "--ten-crop"),
    ],
}
COMMANDS["eval-shard"] = [*COMMANDS["eval"], "--shard", "1/2"]
LONGEST = 1200  # seconds that a run may take


def write_images(folder: Path, count: int, annotations: Path) -> None:
    """Pictures of several sizes in two folders, one of them damaged, and their boxes as COCO's JSON."""
    images, boxes = [{"id": count, "file_name": "b/damaged.jpg", "width": 9, "height": 9}], []
    for number in range(count):
        size = ((64, 96), (80, 80), (120, 60))[number % 3]
        scene = make_scene(np.random.default_rng(number), size, [number % len(CLASSES)])
        path = folder / "ab"[number % 2] / f"{number:04}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene.picture).save(path)
        name = path.relative_to(folder).as_posix()
        images.append({"id": number, "file_name": name, "width": size[1], "height": size[0]})
        (x0, y0, x1, y1) = scene.boxes[0][1]
        box = {"bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0), "iscrowd": 0}
        boxes.append({"id": number + 1, "image_id": number, "category_id": number % len(CLASSES) + 1, **box})
    boxes.append({**boxes[0], "id": count + 1, "image_id": count, "bbox": [0, 0, 5, 5], "area": 25})
    (folder / "b/damaged.jpg").write_bytes(b"no picture")
    categories = [{"id": index, "name": name} for index, name in enumerate(CLASSES, 1)]
    annotations.write_text(json.dumps({"images": images, "annotations": boxes, "categories": categories}))


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its path, without the folder's own; the manifest without times."""
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes().replace(str(folder).encode(), b"OUT")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    if "manifest.json" in found:
        manifest = json.loads(found["manifest.json"])
        del manifest["started"], manifest["seconds"]
        found["manifest.json"] = json.dumps(manifest).encode()
    return found


def free_port() -> int:
    """A port that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Launcher:
    """Starts one command in one or several processes, and ends them as torchrun would.

    Args:
        arguments: of `wsloc`.
        processes: how many.
        torchrun: whether torchrun starts them.
        log: where their words go.
    """

    def __init__(self, arguments: list[str], processes: int, *, torchrun: bool, log: Path) -> None:
        self.ranks: list[int] = []
        self.agent: subprocess.Popen[bytes] | None = None
        self.code = 0
        if torchrun:
            with log.open("ab") as words:
                self.agent = subprocess.Popen(
                    [
                        *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes)),
                        *("--master-port", str(free_port()), "-m", "wsloc", *arguments),
                    ],
                    stdout=words,
                    stderr=words,
                    start_new_session=True,
                )
            return
        port = free_port()
        for rank in range(processes):
            environment = {
                "RANK": str(rank),
                "WORLD_SIZE": str(processes),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
            }
            self.ranks.append(self._fork(arguments, environment if processes > 1 else {}, log))

    @staticmethod
    def _fork(arguments: list[str], environment: dict[str, str], log: Path) -> int:
        child = os.fork()
        if child:
            return child
        code = 70
        try:
            os.setsid()
            os.environ.update(environment)
            descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            sys.argv = ["wsloc", *arguments]
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
        finally:
            sys.stderr.flush()
            os._exit(code)

    def kill(self) -> None:
        """SIGKILL to all processes or one of them; the others are ended, and all are waited for."""
        if self.agent is not None:
            self._kill_under_agent(self.agent)
            return
        victims = self.ranks if random.random() < 0.5 else [random.choice(self.ranks)]
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        if victims is not self.ranks:
            time.sleep(0.05)
        for pid in self.ranks:
            if pid not in victims and not self._has_ended(pid):
                os.kill(pid, signal.SIGTERM)
        self.wait()

    @staticmethod
    def _kill_under_agent(agent: subprocess.Popen[bytes]) -> None:
        listing = Path(f"/proc/{agent.pid}/task/{agent.pid}/children").read_text().split()
        if listing and random.random() < 0.5:
            os.kill(int(random.choice(listing)), signal.SIGKILL)
        else:
            for pid in [*map(int, listing), agent.pid]:
                os.kill(pid, signal.SIGKILL)
        agent.wait()

    def _has_ended(self, pid: int) -> bool:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            self._note(pid, status)
        return bool(ended)

    def _note(self, pid: int, status: int) -> None:
        self.ranks.remove(pid)
        self.code = max(self.code, abs(os.waitstatus_to_exitcode(status)))

    @property
    def running(self) -> bool:
        """Whether a process is still at work."""
        if self.agent is not None:
            return self.agent.poll() is None
        for pid in list(self.ranks):
            self._has_ended(pid)
        return bool(self.ranks)

    def wait(self) -> int:
        """The highest exit code, once all have ended."""
        deadline = time.monotonic() + LONGEST
        while self.running:
            if time.monotonic() > deadline:
                raise TimeoutError("a run hangs")
            time.sleep(0.005)
        return self.code if self.agent is None else int(self.agent.returncode)


def one_round(
    arguments: list[str], out: Path, options: argparse.Namespace, duration: float, log: Path
) -> int:
    """A run that is killed at least once, and gone on with until it ends; how often it was killed."""
    kills = 0
    while True:
        launcher = Launcher(
            [*arguments, "-o", str(out)], options.processes, torchrun=options.torchrun, log=log
        )
        if kills == 0 or random.random() < 0.3:
            deadline = time.monotonic() + random.uniform(0, duration)
            while time.monotonic() < deadline and launcher.running:
                time.sleep(0.002)
            if launcher.running:
                launcher.kill()
                kills += 1
                continue
        code = launcher.wait()
        expected = 1 if options.torchrun else 3  # torchrun's own code is 1 whatever its processes say
        if code != expected:
            raise RuntimeError(f"exit code {code}: {log.read_text(errors='replace')}")
        if kills:
            return kills
        shutil.rmtree(out)  # it was too quick


def compare(expected: dict[str, bytes], found: dict[str, bytes]) -> list[str]:
    """What differs, in words."""
    missing = [f"{name} is missing" for name in expected.keys() - found.keys()]
    extra = [f"{name} is left over" for name in found.keys() - expected.keys()]
    other = [f"{name} differs" for name in expected.keys() & found.keys() if expected[name] != found[name]]
    return sorted(missing + extra + other)


def run() -> int:
    """Kill and compare; print what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--command", choices=COMMANDS, default="boxes")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--torchrun", action="store_true")
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--random-seed", type=int, default=0)
    options = parser.parse_args()
    random.seed(options.random_seed)
    for name in LOADED[COMMANDS[options.command][0]]:
        import_module(name)
    with tempfile.TemporaryDirectory() as place:
        images, log, annotations = Path(place, "images"), Path(place, "log"), Path(place, "boxes.json")
        write_images(images, options.images, annotations)
        asked = [word.format(images=images, annotations=annotations) for word in COMMANDS[options.command]]
        arguments = [
            *(*asked, str(images), "--checkpoint", "demo", "--batch-size", "3"),
            *("--workers", str(options.workers), "--image-size", "64", "--device", "cpu", "-q"),
        ]
        reference = Launcher([*arguments, "-o", f"{place}/unbroken"], 1, torchrun=False, log=log)
        if reference.wait() != 3:
            raise RuntimeError(log.read_text(errors="replace"))
        expected = content(Path(place, "unbroken"))
        start = time.monotonic()
        Launcher(
            [*arguments, "-o", f"{place}/timed"], options.processes, torchrun=options.torchrun, log=log
        ).wait()
        duration = time.monotonic() - start
        differing = compare(expected, content(Path(place, "timed")))
        kills = rounds = 0
        while kills < options.kills and not differing:
            out = Path(place, f"out-{rounds}")
            kills += one_round(arguments, out, options, duration, log)
            differing = compare(expected, content(out))
            rounds += 1
            shutil.rmtree(out)
        words = log.read_text(errors="replace")
    print(
        f"{options.command}: {kills} kills in {rounds} runs of {options.processes} process(es), {duration:.1f} s each: "
        + (
            f"{len(differing)} files differ: {differing[:5]}"
            if differing
            else "all bytes are those of the unbroken run"
        )
    )
    if "Traceback" in words and not options.torchrun:
        print(words)
        return 1
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(run())
