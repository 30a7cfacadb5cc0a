"""Text files that a person, a script or another system got wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.fuzzing.trees import mutated_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

ODD_NUMBERS = (
    *(
        "NaN",
        "nan",
        "inf",
        "-inf",
        "Infinity",
        "1e400",
        "-1",
        "0",
        "00",
        "+-5",
        "--3",
        "1.5",
        "1e3",
        "0x10",
        "1_0",
    ),
    *(
        "",
        "9" * 20,
        "9" * 400,
        "9" * 5000,
        "-" + "9" * 400,
        "٣",
        "²",
        "true",
        "255",
        "256",
        "65536",
        "2147483648",
    ),
)
ODD_WORDS = (
    *(
        "",
        '"',
        "'",
        '""',
        "null",
        "\0",
        "..",
        ".",
        "/",
        "../../x",
        "/etc/passwd",
        "\\",
        "a" * 300,
        "a" * 140_000,
    ),
    *(
        "\r",
        "\n",
        "\x85",
        "\u2028",
        "\x1b[2J",
        "😀",
        ";",
        ",",
        ",,,,",
        "\t",
        "%s",
        "{}",
        "n01443537",
        "-1",
        "\ufeff",
    ),
)
NESTED = ("[" * 20_000, '{"a":' * 10_000, '{"batch": ' * 10_000, "<annotation>" * 10_000, "(" * 5_000)
DOCTYPES = (
    '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>',
    '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    '<?xml version="1.0" encoding="utf-7"?>',
    '<?xml version="1.0" encoding="utf-16"?>',
    '<?xml version="1.0" encoding="none"?>',
)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_WORD = re.compile(r"[^\W\d]\w*|\"[^\"]*\"")
_ENCODINGS = ("utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1252", "utf-7")


def mutated_text(content: bytes, random: Random) -> bytes:
    """A text file that says something else, or says it in another way."""
    text = content.decode("utf-8", errors="surrogateescape")
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        text = random.choice(_CHANGES)(text, random)
    if random.random() < 0.05:
        return text.encode(random.choice(_ENCODINGS), errors="replace")
    return text.encode("utf-8", errors="surrogatepass")


def _replaced(pattern: re.Pattern[str], odd: tuple[str, ...]) -> Callable[[str, Random], str]:
    def change(text: str, random: Random) -> str:
        found = list(pattern.finditer(text))
        if not found:
            return text + random.choice(odd)
        place = random.choice(found)
        return text[: place.start()] + random.choice(odd) + text[place.end() :]

    return change


def _inserted(text: str, random: Random) -> str:
    place = random.randint(0, len(text))
    what = random.choice((*ODD_WORDS, *ODD_NUMBERS, *DOCTYPES, *NESTED))
    return text[:place] + what + text[place:]


def _begun(text: str, random: Random) -> str:
    return random.choice((*DOCTYPES, *NESTED, "\n", "\ufeff", "#")) + text


def _relined(text: str, random: Random) -> str:
    """Lines that are missing, repeated, exchanged, joined or ended in another way."""
    lines = text.splitlines(keepends=True) or [""]
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    what = random.randrange(6)
    if what == 0:
        del lines[one]
    elif what == 1:
        lines.insert(other, lines[one])
    elif what == 2:
        lines[one], lines[other] = lines[other], lines[one]
    elif what == 3:
        lines[one] = lines[one].rstrip("\r\n")
    elif what == 4:
        lines[one] *= random.choice((2, 3000))
    else:
        return "".join(lines).replace("\n", random.choice(("\r", "\r\n", "\n\n", "\n\r", "\x0b", "")))
    return "".join(lines)


def _fielded(text: str, random: Random) -> str:
    """One field more or less somewhere, or another separator everywhere."""
    one = random.choice((",", ";", " ", "\t", "\n", '"', "<", ">", "{", "}", "[", "]", ":"))
    if one not in text:
        return text
    if random.random() < 0.2:
        return text.replace(one, random.choice((",", ";", " ", "\t", '"', "")))
    places = [found.start() for found in re.finditer(re.escape(one), text)]
    place = random.choice(places)
    return text[:place] + random.choice(("", one * 2, '"', ",")) + text[place + 1 :]


def _cut(text: str, random: Random) -> str:
    return text[: random.randint(0, len(text))]


_CHANGES = (
    *(_replaced(_NUMBER, ODD_NUMBERS), _replaced(_WORD, ODD_WORDS), _replaced(_WORD, ODD_NUMBERS)),
    *(_replaced(_NUMBER, ODD_NUMBERS), mutated_json, mutated_json, mutated_json),
    *(_inserted, _begun, _relined, _fielded, _cut),
)
