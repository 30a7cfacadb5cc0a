from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from wsloc.errors import OutputError
from wsloc.files import (
    lock_file,
    remove_abandoned,
    replacing,
    replacing_together,
    sync_folder,
    write_bytes,
    write_pieces,
    write_text,
)


def test_text_and_bytes_are_written(tmp_path: Path) -> None:
    write_text(tmp_path / "new/a.txt", "ä\nb\n")
    assert (tmp_path / "new/a.txt").read_bytes() == b"\xc3\xa4\nb\n"  # line feeds on every system
    write_bytes(tmp_path / "b.bin", b"\x00\xff")
    write_bytes(tmp_path / "b.bin", b"\x01")
    assert (tmp_path / "b.bin").read_bytes() == b"\x01"
    write_pieces(tmp_path / "c.bin", iter([b"a", b"b\n"]))
    assert (tmp_path / "c.bin").read_bytes() == b"ab\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.bin", "c.bin", "new"]


def test_files_have_the_usual_permissions(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_text(tmp_path / "a.txt", "a")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o644


def test_writers_that_look_at_the_extension_see_it(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.b.jpg") as temporary:
        assert temporary.suffix == ".jpg"
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
        temporary.touch()
    assert (tmp_path / "a.b.jpg").exists()


@pytest.mark.parametrize("error", [KeyError("x"), KeyboardInterrupt()])
def test_an_error_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half of the n")
            assert path.read_text() == "old"
            raise error

    with pytest.raises(type(error)):
        fail()
    assert [other.name for other in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


def test_a_full_disk_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: Path, _content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write_bytes(tmp_path / "a.bin", b"old")
    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(
        OutputError, match=r"cannot write .*a\.bin: No space left on device: make room, and give the com"
    ):
        write_bytes(tmp_path / "a.bin", b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_a_full_disk_at_the_last_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems tell it only when the bytes are synced."""

    def refuse(_number: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OutputError, match=r"a\.bin: Disk quota exceeded"):
        write_bytes(tmp_path / "a.bin", b"new")
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*file/a\.txt"):
        write_text(tmp_path / "file/a.txt", "a")
    with pytest.raises(OutputError, match=r"cannot write .*folder"):
        write_text(tmp_path / "folder", "a")
    with pytest.raises(OutputError, match="File name too long"):
        write_text(tmp_path / ("x" * 300), "a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
    assert list((tmp_path / "folder").iterdir()) == []


def test_the_bytes_are_synced_before_the_name_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    sync, rename = os.fsync, Path.replace

    def record_sync(number: int) -> None:
        order.append("sync")
        sync(number)

    def record(self: Path, target: Path) -> Path:
        order.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(Path, "replace", record)
    write_text(tmp_path / "a.txt", "a")
    assert order == ["sync", "rename"]


def test_files_of_one_stem_can_be_written_at_once(tmp_path: Path) -> None:
    names = [f"{stem}{suffix}" for stem in ("a", "b") for suffix in (".jpg", ".png", "")]
    with ThreadPoolExecutor(6) as pool:
        for _ in range(20):
            list(pool.map(lambda name: write_text(tmp_path / name, name), names))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {name: name for name in names}


def test_what_a_killed_process_left_goes(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        dead = process.pid
    alive = os.getppid()
    mine = (
        f".a.jpg.{alive}.partial.jpg",
        ".a.partial.jpg",
        f"a.jpg.{dead}.partial.jpg",
        f".a.{dead}.partial.jpg.b",
    )
    theirs = (
        f".a.jpg.{dead}.partial.jpg",
        f".c.{dead}.partial",
        f".b.{os.getpid()}.partial.npz",
        f".d.{10**30}.partial.txt",
    )
    for name in (*mine, *theirs):
        (tmp_path / name).touch()
    remove_abandoned(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(mine)
    remove_abandoned(tmp_path / "gone")


def write_both(folder: Path, words: str) -> None:
    with replacing_together(folder) as temporary:
        write_text(temporary / "a.txt", words)
        write_text(temporary / "b.txt", words)


def test_the_folder_that_a_killed_process_left_goes(tmp_path: Path) -> None:
    left, own = tmp_path / ".999999999.partial", tmp_path / f".{os.getpid()}.partial"
    for folder in (left, own):
        folder.mkdir()
        (folder / "report.json").write_text("{")
    other = tmp_path / "partial"
    other.mkdir()
    remove_abandoned(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["partial"]


def test_files_that_belong_together_are_replaced_together(tmp_path: Path) -> None:
    for words in ("old", "new"):
        write_both(tmp_path / "folder", words)
        assert {path.name: path.read_text() for path in (tmp_path / "folder").iterdir()} == {
            "a.txt": words,
            "b.txt": words,
        }


def test_no_file_is_replaced_if_one_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("old")
    (tmp_path / "b.txt").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*b\.txt: it is a folder"):
        write_both(tmp_path, "new")
    (tmp_path / "b.txt").rmdir()

    def refuse(_number: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OutputError, match=r"a\.txt: No space left on device"):
        write_both(tmp_path, "new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.txt": "old"}


def test_together_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write to .*file"):
        write_both(tmp_path / "file", "new")


def test_folders_are_synced_where_that_can_be_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    sync_folder(tmp_path)
    assert len(synced) == 1
    with pytest.raises(OSError, match="Bad file descriptor"):  # it was closed
        os.fstat(synced[0])
    sync_folder(tmp_path / "gone")
    assert len(synced) == 1


def test_a_lock_is_one_processs_own_and_goes_with_it(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from wsloc.files import lock_file\n"
        "with open(sys.argv[1], 'ab') as stream:\n"
        "    print(lock_file(stream), flush=True)\n"
        "    sys.stdin.read()\n"
    )

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "lock")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    with (tmp_path / "lock").open("ab") as stream:
        assert lock_file(stream)
        with start() as other:
            assert other.communicate()[0] == "False\n"
    with start() as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        other.kill()
    with (tmp_path / "lock").open("ab") as stream:
        assert lock_file(stream)


@pytest.mark.parametrize(("code", "locked"), [("EAGAIN", False), ("EACCES", False), ("ENOLCK", True)])
def test_drives_without_locks_are_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, locked: bool
) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_: object) -> None:
        raise OSError(getattr(errno, code), code)

    monkeypatch.setattr(fcntl, "lockf", refuse)
    with (tmp_path / "lock").open("ab") as stream:
        assert lock_file(stream) is locked
