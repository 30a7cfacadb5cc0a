"""Nested values - JSON's, or what torch files hold - with something in them that does not belong there."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 255, 256, 2**31, 2**63, -(2**63), 10**30, 10**400),
    *(0.5, -0.0, 1e308, math.nan, math.inf, -math.inf),
    *(
        "",
        "0",
        "nan",
        "\0",
        "a\nb",
        "\ud800",
        "../../x",
        "a" * 300,
        [],
        {},
        [[]],
        [None],
        {"": None},
        {"a": {"b": []}},
    ),
)
ODD_KEYS = ("", "error", "image", "classes", "width", "\ud800", "a" * 300)


DEEPEST = 50  # what was damaged once may hold itself


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where each value stands, the whole first; lists are looked into as far as their tenth entry."""
    yield path
    if len(path) == DEEPEST:
        return
    inner = (
        value.items() if isinstance(value, dict) else enumerate(value[:10]) if isinstance(value, list) else ()
    )
    for key, entry in inner:
        yield from places(entry, (*path, key))


def mutated_tree(value: Any, random: Random, odd_values: Sequence[Any] = ODD_VALUES) -> Any:
    """A copy of nested dicts and lists in which one place differs."""
    return _changed(value, random.choice(list(places(value))), random, odd_values)


def _changed(value: Any, path: tuple[Any, ...], random: Random, odd_values: Sequence[Any]) -> Any:
    if path:
        copy = value.copy()
        copy[path[0]] = _changed(value[path[0]], path[1:], random, odd_values)
        return copy
    if random.random() < 0.4 and isinstance(value, dict | list) and value:
        return _rearranged(value.copy(), random, odd_values)
    if random.random() < 0.1:
        return [value] if random.random() < 0.5 else {"a": value}
    return random.choice(odd_values)


def _rearranged(value: Any, random: Random, odd_values: Sequence[Any]) -> Any:
    """A dict or list with an entry less, more, or in another place."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    one, other, what = random.choice(keys), random.choice(keys), random.randrange(4)
    if what == 0:
        del value[one]
    elif what == 1:
        value[one], value[other] = value[other], value[one]
    elif isinstance(value, list):
        value.insert(one, value[other] if what == 2 else random.choice(odd_values))
    elif what == 2:
        value[random.choice(ODD_KEYS)] = random.choice(odd_values)
    else:
        value[one] = value[other]
    return value


def mutated_json(text: str, random: Random) -> str:
    """JSON, or lines of JSON, that say something else; text that is no JSON is left as it is."""
    lines = text.splitlines(keepends=True)
    try:
        return _dumped(mutated_tree(json.loads(text), random))
    except (ValueError, RecursionError):
        pass
    place = random.randrange(len(lines)) if lines else 0
    try:
        lines[place] = _dumped(mutated_tree(json.loads(lines[place]), random)) + "\n"
    except (ValueError, IndexError, RecursionError):
        return text
    return "".join(lines)


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
