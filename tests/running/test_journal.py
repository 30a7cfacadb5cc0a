from __future__ import annotations

import errno
import json
import os
import random
from io import FileIO
from typing import TYPE_CHECKING, Any

import pytest

from wsloc.errors import DataError, OutputError
from wsloc.running import journal as module
from wsloc.running.journal import Journal, copy_lines, read_entries, read_images

if TYPE_CHECKING:
    from pathlib import Path


def lines(*images: str) -> list[bytes]:
    return [json.dumps({"image": image, "note": '{"batch": 1}'}).encode() + b"\n" for image in images]


def filled(path: Path) -> bytes:
    """A journal of three batches, one of them empty, and a fourth without its mark."""
    with Journal(path) as journal:
        for number, images in ((4, ("a", "b")), (7, ()), (2, ("c",))):
            journal.write(number, lines(*images))
            journal.close_batch({"flat": number})
        journal.write(9, lines("d", "e"))
    return path.read_bytes()


def test_whole_batches_are_found_again(tmp_path: Path) -> None:
    path = tmp_path / "rank-0.jsonl"
    filled(path)
    entries = list(read_entries(path))
    assert [entry.batch for entry in entries] == [4, 7, 2]
    assert [entry.tallies for entry in entries] == [{"flat": 4}, {"flat": 7}, {"flat": 2}]
    assert list(copy_lines(reversed(entries))) == [b"".join(lines("c")), b"", b"".join(lines("a", "b"))]
    assert list(read_images(path)) == ["a", "b", "c", "d", "e"]
    assert list(read_images(path, of_done_batches=False)) == ["d", "e"]


def test_without_the_file_nothing_was_done(tmp_path: Path) -> None:
    path = tmp_path / "rank-0.jsonl"
    assert list(read_entries(path)) == []
    assert list(read_images(path)) == []
    assert list(read_images(path, of_done_batches=False)) == []


def test_what_is_torn_is_cut_off_wherever_it_is_torn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power loss may leave any beginning of the file: whole batches stay, and writing goes on behind them."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)  # a thousand of them take their time
    path = tmp_path / "rank-0.jsonl"
    content = filled(path)
    ends = [entry.closed for entry in read_entries(path)]
    for length in range(len(content) + 1):
        path.write_bytes(content[:length])
        whole = sum(end <= length for end in ends)
        assert len(list(read_entries(path))) == whole
        images = list(read_images(path))
        with Journal(path) as journal:
            journal.write(11, lines("x"))
            journal.close_batch({})
        assert [entry.batch for entry in read_entries(path)] == [*[4, 7, 2][:whole], 11]
        assert list(read_images(path)) == [*images, "x"]  # whose files may be there


def test_what_is_damaged_counts_for_nothing(tmp_path: Path) -> None:
    """A page of the file that never reached the disk reads as zeros; any byte may be another one."""
    path = tmp_path / "rank-0.jsonl"
    content = filled(path)
    entries = list(read_entries(path))
    draw = random.Random(0)
    for place in range(entries[-1].closed):
        other = bytes([draw.choice([byte for byte in (0, 10, 32, 49, 255) if byte != content[place]])])
        path.write_bytes(content[:place] + other + content[place + 1 :])
        assert list(read_entries(path)) == [entry for entry in entries if entry.closed <= place]


def test_a_mark_is_not_taken_from_another_place(tmp_path: Path) -> None:
    """Two batches of one length: the mark of the second does not close the first."""
    path = tmp_path / "rank-0.jsonl"
    with Journal(path) as journal:
        for number, image in ((0, "a"), (1, "b")):
            journal.write(number, lines(image))
            journal.close_batch({})
    parts = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(parts[0] + parts[3])
    assert list(read_entries(path)) == []


def test_lines_that_are_done_again_stay_known(tmp_path: Path) -> None:
    """Killed again and again in one batch: its files are known as its own all the same."""
    path = tmp_path / "rank-0.jsonl"
    filled(path)
    for _ in range(3):
        with Journal(path):
            assert list(read_images(path, of_done_batches=False)) == []
    with Journal(path) as journal:
        journal.write(9, lines("d", "f"))
        journal.close_batch({})
    assert [entry.batch for entry in read_entries(path)] == [4, 7, 2, 9]
    assert list(copy_lines(read_entries(path)))[-1] == b"".join(lines("d", "f"))
    assert list(read_images(path)) == ["a", "b", "c", "d", "e", "d", "f"]


def test_an_exception_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "rank-0.jsonl"

    def interrupted(journal: Journal) -> None:
        journal.write(0, lines("a"))
        assert journal._stream is not None
        journal._stream.write(b'{"image": "to')
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Journal(path) as journal:
        interrupted(journal)
    assert path.read_bytes() == b"".join(lines("a"))


def test_a_full_disk_is_told_and_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "rank-0.jsonl"

    class Full(FileIO):
        def write(self, content: Any) -> int:
            return super().write(content[:10])

    def fill(journal: Journal) -> None:
        journal.write(0, lines("a"))
        journal.close_batch({})
        assert journal._stream is not None
        journal._stream.close()
        journal._stream = Full(path, "r+b")
        journal._stream.seek(0, os.SEEK_END)
        journal.write(1, lines("b"))

    with pytest.raises(OutputError, match="disk full"), Journal(path) as journal:
        fill(journal)
    assert [entry.batch for entry in read_entries(path)] == [0]
    assert path.read_bytes().endswith(b"}\n")


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_journal_that_is_taken_away_is_noticed(tmp_path: Path, how: str) -> None:
    path = tmp_path / "rank-0.jsonl"

    def take(journal: Journal) -> None:
        journal.write(0, lines("a"))
        path.unlink()
        if how == "replaced":
            (tmp_path / "other").touch()
            path.touch()
        journal.close_batch({})

    with (
        pytest.raises(OutputError, match="No such file" if how == "removed" else "another file"),
        Journal(path) as j,
    ):
        take(j)


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"cannot write .*gone/rank-0\.jsonl: No such file"),
        Journal(tmp_path / "gone/rank-0.jsonl"),
    ):
        pass


def test_it_can_be_closed_before_its_block_ends(tmp_path: Path) -> None:
    with Journal(tmp_path / "rank-0.jsonl") as journal:
        journal.write(0, lines("a"))
        journal.close_batch({})
        journal.close()
        journal.close()
    with pytest.raises(ValueError, match="with block"):
        journal.write(1, [])


def test_what_does_not_reach_the_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OutputError, match="Input/output error"), Journal(tmp_path / "rank-0.jsonl"):
        monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(KeyboardInterrupt), Journal(tmp_path / "rank-0.jsonl"):
        raise KeyboardInterrupt  # which is what matters


def test_it_is_used_in_its_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "rank-0.jsonl")
    with pytest.raises(ValueError, match="with block"):
        journal.write(0, [])
    with journal:
        with pytest.raises(ValueError, match="no batch"):
            journal.close_batch({})
        journal.write(0, [])
        with pytest.raises(ValueError, match="has not been closed"):
            journal.write(1, [])


def test_the_files_folders_are_on_disk_before_the_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rank-0.jsonl"
    synced: list[tuple[Path, int]] = []
    monkeypatch.setattr(module, "sync_folder", lambda folder: synced.append((folder, path.stat().st_size)))
    with Journal(path) as journal:
        journal.write(0, lines("a"))
        journal.close_batch({}, [tmp_path / "overlays"])
    assert synced == [(tmp_path / "overlays", len(lines("a")[0]))]


def test_a_journal_that_shrinks_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "rank-0.jsonl"
    filled(path)
    entries = list(read_entries(path))
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(DataError, match="has become shorter"):
        list(copy_lines(entries))
    path.unlink()
    with pytest.raises(DataError, match="cannot read"):
        list(copy_lines(entries))


@pytest.mark.parametrize(
    "line", [b'{"batch": ' + b"[" * 100_000, b"[" * 100_000, b'{"batch": ' + b"9" * 5000]
)
def test_lines_that_cannot_be_parsed_are_torn_ones(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "rank-0.jsonl"
    content = filled(path)
    path.write_bytes(content + line + b"\n")
    assert len(list(read_entries(path))) == 3
    assert list(read_images(path)) == ["a", "b", "c", "d", "e"]
    with Journal(path) as journal:  # which goes on behind it
        journal.write(9, lines("d"))
        journal.close_batch({})
    assert [entry.batch for entry in read_entries(path)] == [4, 7, 2, 9]
    assert list(read_images(path)) == ["a", "b", "c", "d", "e", "d"]


def test_another_process_reads_what_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rank-0.jsonl"
    synced: list[int] = []
    with Journal(path) as journal:
        journal.write(4, lines("a"))
        journal.close_batch({})
        monkeypatch.setattr(os, "fsync", synced.append)
        journal.sync()
        assert len(synced) == 1
        assert [entry.batch for entry in read_entries(path)] == [4]
        monkeypatch.setattr(os, "fsync", _no_space)
        with pytest.raises(OutputError, match=r"cannot write .*: No space left"):
            journal.sync()
        monkeypatch.undo()


def _no_space(_descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
