"""Files that were damaged on their way: bits, bytes, ends and parts, with checksums that fit where they have some."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from tests.fuzzing.texts import mutated_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

TEXTS = frozenset({".json", ".jsonl", ".xml", ".csv", ".txt"})
ARCHIVES = frozenset({".npz", ".pt"})
HEADER = 96  # bytes at a file's beginning that are hit more often than others
ODD_NUMBERS = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x10000,
    0x7FFFFFFF,
    0xFFFFFFFF,
    1 << 40,
    (1 << 63) - 1,
)
PNG = b"\x89PNG\r\n\x1a\n"


def mutated(name: str, content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """A damaged file.

    Args:
        name: of the file: its extension tells what kind it is.
        content: of the sound file.
        others: contents of sound files of the same kind, to splice with.
        random: decides.
    """
    suffix, chance = PurePosixPath(name).suffix, random.random()
    if suffix in TEXTS and chance < 0.8:
        return mutated_text(content, random)
    if suffix in ARCHIVES and chance < 0.6:
        return _in_archive(content, random)
    if content.startswith(PNG) and chance < 0.5:
        return _in_png(content, random)
    for _ in range(random.choice((1, 1, 2, 4))):
        content = _damaged(content, others, random)
    return content


def _damaged(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    data = bytearray(content)
    start = random.randrange(min(HEADER, len(data)) if random.random() < 0.5 and data else len(data) + 1)
    end = min(len(data), start + random.choice((1, 2, 4, 16, 256)))
    what = random.randrange(9)
    if what == 0 and data:
        for place in random.choices(range(len(data)), k=random.choice((1, 3, 20))):
            data[place] ^= 1 << random.randrange(8)
    elif what == 1:
        data[start:end] = bytes([random.choice((0, 1, 0x7F, 0x80, 0xFF))]) * (end - start)
    elif what == 2:
        width = random.choice(("B", "<H", ">H", "<I", ">I", "<Q", ">Q"))
        number = random.choice(ODD_NUMBERS) & ((1 << 8 * struct.calcsize(width)) - 1)
        data[start : start + struct.calcsize(width)] = struct.pack(width, number)
    elif what == 3:
        del data[start:]
    elif what == 4:
        del data[start:end]
    elif what == 5:
        data[start:start] = data[start:end] * random.choice((1, 2, 500))
    elif what == 6:
        data[start:start] = random.randbytes(random.choice((1, 4, 64)))
    elif what == 7 and others:
        other = random.choice(others)
        data[start:] = other[random.randint(0, len(other)) if random.random() < 0.5 else start :]
    else:
        data[start:end] = random.randbytes(end - start)
    return bytes(data)


def _in_archive(content: bytes, random: Random) -> bytes:
    """A zip archive one of whose entries is damaged, or renamed or lost, with checksums that fit."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(stream, "w") as written:
        names = archive.namelist()
        chosen = random.choice([name for name in names if name.endswith("data.pkl")] * len(names) + names)
        for name in names:
            data, called = archive.read(name), name
            if name == chosen:
                data = _damaged(data, [archive.read(other) for other in names], random)
                if random.random() < 0.1:
                    called = random.choice((names[0], name + "x", "../x.npy", "x"))
            if called not in written.namelist():
                written.writestr(called, data)
    return stream.getvalue()


def _in_png(content: bytes, random: Random) -> bytes:
    """A PNG one of whose chunks is damaged, repeated or lost, with checksums that fit."""
    chunks: list[tuple[bytes, bytes]] = []
    place = len(PNG)
    while place < len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        chunks.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + length]))
        place += length + 12
    chosen = random.randrange(len(chunks))
    kind, data = chunks[chosen]
    if kind == b"IDAT" and random.random() < 0.5:
        data = zlib.compress(_damaged(zlib.decompress(data), (), random))
    else:
        data = _damaged(data, (), random)
    kind = random.choice(
        (kind, kind, kind, b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"eXIf", b"iCCP", b"zTXt", b"acTL")
    )
    chunks[chosen : chosen + 1] = [(kind, data)] * random.choice((1, 1, 1, 0, 2))
    return PNG + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
