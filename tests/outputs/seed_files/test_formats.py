from __future__ import annotations

from pathlib import Path

from wsloc.outputs.seed_files.formats import (
    EIGHT_BITS,
    FROM_LABELS,
    FROM_MAPS,
    OF_A_RUN,
    SEED_FORMATS,
    SUFFIXES,
    seed_path,
)


def test_every_format_is_written_in_one_place() -> None:
    ways = (FROM_LABELS, FROM_MAPS, OF_A_RUN)
    assert sorted(name for way in ways for name in way) == sorted(SEED_FORMATS)
    assert set(SUFFIXES) == {*FROM_LABELS, *FROM_MAPS}
    assert set(EIGHT_BITS) <= set(SUFFIXES)


def test_where_files_go() -> None:
    out = Path("out")
    assert seed_path(out, "png", "a/b.jpg") == out / "png/a/b.png"
    assert seed_path(out, "irn", "a/b.jpg") == out / "irn/a/b.npy"
    assert seed_path(out, "overlays", "a/b.jpg") == out / "overlays/a/b.jpg.jpg"
    assert seed_path(out, "npz", "../../b.jpg") == out / "npz/__/__/b.npz"
