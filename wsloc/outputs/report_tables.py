"""The tables of report.html: figures side by side, thresholds, classes, object sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsloc.outputs.markup import Markup, joined, tag
from wsloc.outputs.report_records import ChosenOn, figure_of, in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wsloc.outputs.report_records import ClassFigures, Curve, EvaluationRun, Figure, SizeBin, Threshold

ABSENT = "\N{EN DASH}"
CONTOURS = {"max_box_acc": "Largest contour", "max_box_acc_multi": "Every contour"}
BADGES = {
    ChosenOn.NOTHING: ("✓", "no ground truth"),
    ChosenOn.TUNING_SET: ("◆", "ground truth of a tuning set"),
    ChosenOn.SCORED_SET: ("▲", "ground truth of these images"),
}
MOST_CELLS = 40_000  # of the class tables of all runs: beyond, a page gets slow


def badge(chosen_on: ChosenOn) -> Markup:
    """Whether ground truth chose a threshold: a sign, a colour and words."""
    sign, words = BADGES[chosen_on]
    return tag("span", tag("span", sign, aria_hidden="true"), f" {words}", class_=f"badge {chosen_on}")


def shown(figure: Figure, value: float | None) -> str:
    """A value as it is read: percent with two decimals, other numbers with three; a dash if it is absent."""
    if value is None:
        return ABSENT
    return f"{value:.3f}" if figure.unit == "number" else f"{value * figure.scale:.2f}"


def comparison_table(runs: Sequence[EvaluationRun]) -> Markup:
    """A row a run, a column a figure, with intervals; the best of each column is marked."""
    keys = in_order(key for run in runs for key in run.metrics)
    best = {key: _best(figure_of(key), [run.metrics.get(key) for run in runs]) for key in keys}
    rows = []
    for run in runs:
        cells = [_scored_cell(run, key, best=best[key]) for key in keys]
        rows.append(tag("tr", tag("th", run.map, scope="row"), tag("td", run.box or ABSENT), *cells))
    heads = [("Map", None), ("Box", None), *(_head(key) for key in keys)]
    return _table(heads, rows, sortable=True, class_="runs")


def threshold_table(runs: Sequence[EvaluationRun]) -> Markup:
    """Each figure with its threshold and what that was chosen on; runs that agree share a row."""
    groups: dict[tuple[str, Threshold], list[str]] = {}
    for run in runs:
        for key in in_order(run.thresholds):
            groups.setdefault((key, run.thresholds[key]), []).append(run.label)
    rows = []
    for key in in_order(key for key, _ in groups):
        for (member, threshold), labels in groups.items():
            if member != key:
                continue
            whose = "all" if len(labels) == len(runs) else "; ".join(labels)
            cells = [tag("td", whose)] if len(runs) > 1 else []
            cells += [tag("td", threshold.words or ABSENT), tag("td", badge(threshold.chosen_on))]
            rows.append(tag("tr", tag("th", figure_of(key).name, scope="row"), *cells))
    heads = ["Figure", *(["Runs"] if len(runs) > 1 else []), "Threshold", "Chosen with"]
    return _table([(head, None) for head in heads], rows, class_="thresholds")


def optimum_table(curves: Mapping[str, Curve]) -> Markup:
    """Where each curve is highest: a row an IoU, two columns a way of taking contours."""
    ious = dict.fromkeys(iou for curve in curves.values() for iou in curve.percent)
    rows = []
    for iou in ious:
        cells = []
        for curve in curves.values():
            threshold, percent = curve.best(iou) if iou in curve.percent else (None, None)
            cells.append(_number(ABSENT if percent is None else f"{percent:.2f}"))
            cells.append(_number(ABSENT if threshold is None else f"{threshold:g}"))
        rows.append(tag("tr", tag("th", f"IoU {iou}", scope="row"), *cells))
    heads: list[tuple[str, str | None]] = [("Best of the curve", None)]
    for key in curves:
        heads += [(f"{CONTOURS.get(key, key)} (%)", "number"), ("at threshold", "number")]
    return _table(heads, rows)


def size_table(bins: Sequence[SizeBin]) -> Markup:
    """A row a bin of object sizes, with bars in the cells of fractions and percents."""
    keys = in_order(key for row in bins for key in row.metrics)
    rows = [
        tag(
            "tr",
            tag("th", row.label, scope="row"),
            _number(f"{row.images:,}"),
            *(_bar_cell(figure_of(key), row.metrics.get(key)) for key in keys),
        )
        for row in bins
    ]
    return _table([("Object size", None), ("Images", "number"), *(_head(key) for key in keys)], rows)


def class_table(rows: Sequence[ClassFigures], place: int) -> Markup:
    """A row a class, sortable; a sentence instead where the tables of all runs would make the page slow.

    Args:
        rows: the classes of one run.
        place: of the run among those of the page, from 0; the first ones have the room.
    """
    keys = in_order(key for row in rows for key in row.metrics)
    if len(rows) * (len(keys) + 3) * (place + 1) > MOST_CELLS:
        return tag("p", f"The figures of {len(rows):,} classes stand in report.json: too many for this page.")
    body = [
        tag(
            "tr",
            tag("th", row.class_name, scope="row"),
            tag("td", row.class_id),
            tag("td", f"{row.images:,}"),
            *(tag("td", shown(figure_of(key), row.metrics.get(key))) for key in keys),
        )
        for row in rows
    ]
    heads = [("Class", None), ("Id", None), ("Images", "number"), *(_head(key) for key in keys)]
    return _table(heads, body, sortable=True, class_="classes")


def _best(figure: Figure, values: Iterable[float | None]) -> float | None:
    """The best of the values that are there; None where all are the same."""
    present = [value for value in values if value is not None]
    if len(set(present)) < 2:
        return None
    return min(present) if figure.better == "lower" else max(present)


def _scored_cell(run: EvaluationRun, key: str, *, best: float | None) -> Markup:
    """A figure with its interval, and the sign of its threshold."""
    figure, value = figure_of(key), run.metrics.get(key)
    if value is None:
        return _number(ABSENT)
    number = tag("strong" if value == best else "span", shown(figure, value))
    parts: list[Markup | None] = [number]
    if key in run.thresholds:
        chosen_on = run.thresholds[key].chosen_on
        sign, words = BADGES[chosen_on]
        parts.append(tag("span", sign, class_=f"sign {chosen_on}", role="img", aria_label=words, title=words))
    if key in run.intervals:
        parts.append(tag("small", " to ".join(shown(figure, end) for end in run.intervals[key])))
    return _number(*parts)


def _bar_cell(figure: Figure, value: float | None) -> Markup:
    """A figure with a bar behind its number."""
    if value is None or figure.unit == "number":
        return _number(shown(figure, value))
    return tag(
        "td", shown(figure, value), class_="number share", style=f"--share:{value * figure.scale:.1f}%"
    )


def _number(*children: object) -> Markup:
    """A cell that is aligned as numbers are; the class tables, which are long, leave that to the style sheet."""
    return tag("td", *children, class_="number")


def _head(key: str) -> tuple[Markup, str]:
    """Words and kind of a figure's column."""
    figure = figure_of(key)
    sign = f" ({figure.sign})" if figure.sign else ""
    direction = tag("small", f"{figure.better} is better")
    return joined([tag("span", f"{figure.name}{sign}"), direction]), "number"


def _table(
    heads: Sequence[tuple[str | Markup, str | None]],
    rows: Sequence[Markup],
    *,
    sortable: bool = False,
    class_: str = "",
) -> Markup:
    """A table that scrolls sideways on its own where the page is narrow."""
    cells = (
        tag("th", words if isinstance(words, Markup) else tag("span", words), scope="col", class_=kind)
        for words, kind in heads
    )
    head = tag("tr", *cells)
    classes = " ".join(filter(None, ("sortable" if sortable else "", class_)))
    table = tag("table", tag("thead", head), tag("tbody", *rows), class_=classes or None)
    return tag("div", table, class_="scroll", tabindex="0")
