"""The rules of seeds as they are named: `max:0.2`, `confidence:0.35,0.17`, `saliency:DIR:0.06`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsloc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

# name -> the values that it has where none are given.
FOREGROUND_RULES: dict[str, tuple[float, ...]] = {
    "max": (0.2,),
    "pixels": (0.3,),
    "stochastic": (0.35,),
    "auto": (),
}
BACKGROUND_RULES: dict[str, tuple[float, ...]] = {
    "constant": (0.2,),
    "confidence": (0.35, 0.17),
    "saliency": (0.06,),
    "rest": (),
    "none": (),
}


@dataclass(frozen=True, slots=True)
class SeedRule:
    """One rule of seeds.

    Attributes:
        name: key of `FOREGROUND_RULES` or `BACKGROUND_RULES`.
        values: its thresholds, 0-1.
        folder: of saliency maps; empty for other rules.
    """

    name: str
    values: tuple[float, ...] = ()
    folder: str = ""

    def __str__(self) -> str:
        numbers = ",".join(str(value).removesuffix(".0") for value in self.values)
        return ":".join(filter(None, (self.name, self.folder, numbers)))


def parse_foreground(text: str) -> SeedRule:
    """The foreground rule that a text names: `max:T`, `pixels:SHARE`, `stochastic:T` or `auto`.

    Raises:
        UsageError: if the rule is not known, or its value is no number in 0-1.
    """
    return _parse(text, "foreground", FOREGROUND_RULES)


def parse_background(text: str) -> SeedRule:
    """The background rule that a text names: `constant:T`, `confidence:HIGH,LOW`, `saliency:[DIR:]T`, `rest`, `none`.

    Raises:
        UsageError: if the rule is not known, a value is no number in 0-1, or HIGH is below LOW.
    """
    rule = _parse(text, "background", BACKGROUND_RULES)
    if rule.name == "confidence" and rule.values[0] < rule.values[1]:
        raise UsageError(
            f"background {text}: the first number, for foreground, is below the second: give the higher one first"
        )
    return rule


def _parse(text: str, kind: str, known: Mapping[str, tuple[float, ...]]) -> SeedRule:
    name, _, rest = text.strip().partition(":")
    if name not in known:
        raise UsageError(f"unknown {kind} rule {text!r}: choose from {', '.join(known)}")
    folder = ""
    if name == "saliency":
        folder, colon, last = rest.rpartition(":")
        if not colon and not _numbers(last):  # `saliency:DIR`
            folder, rest = last, ""
        else:
            rest = last
    values = _numbers(rest) if rest else known[name]
    if len(values) != len(known[name]) or not all(0 <= value <= 1 for value in values):
        pattern = {"saliency": "saliency:DIR:"}.get(name, f"{name}:" if known[name] else name)
        example = pattern + ",".join(f"{value:g}" for value in known[name])
        raise UsageError(f"{kind} {text}: such as {example}, with numbers in 0-1, is expected")
    return SeedRule(name, values, folder)


def _numbers(text: str) -> tuple[float, ...]:
    """Numbers by commas; none where one of them is not one."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        return ()
