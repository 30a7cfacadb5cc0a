"""The sections of report.html: what is seen of each part of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsloc.outputs.case_pictures import case_picture, shown_cases
from wsloc.outputs.markup import joined, tag
from wsloc.outputs.report_records import IOU_BINS, KINDS, figure_of, in_order
from wsloc.outputs.report_tables import (
    ARROWS,
    CONTOURS,
    badge,
    class_table,
    comparison_table,
    optimum_table,
    shown,
    size_table,
    threshold_table,
)
from wsloc.outputs.svg_plots import STYLES, Line, bar_plot, line_plot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wsloc.outputs.markup import Markup
    from wsloc.outputs.report_records import Case, Curve, EvaluationRun, Report

MOST_LISTED = 50  # names a list shows; report.json has them all
SHORT_LIST = 8  # lists up to here stand open
RIGHT = 0.5  # IoU from which on a box is right
THRESHOLD_WORDS = (
    "A threshold that was chosen with the annotations of the very images it is scored on makes a figure look better "
    "than anyone could do without them. Such figures compare maps, not complete methods."
)


def headline(run: EvaluationRun, *, named: bool) -> Markup:
    """A tile a figure: value, 95 % interval, direction, and whether ground truth chose its threshold.

    Args:
        run: whose figures they are.
        named: whether to say which run, because there are others.
    """
    tiles = [_tile(run, key) for key in in_order(run.metrics)]
    heading = f"Figures: {run.label}" if named else "Figures"
    return _section(heading, tag("div", *tiles, class_="tiles"))


def comparison(runs: Sequence[EvaluationRun]) -> Markup | None:
    """All runs in one table and, for up to seven maps, their curves in one plot; None for a single run."""
    if len(runs) < 2:
        return None
    words = tag(
        "p",
        "Values with their 95 % intervals; the best of each column is bold. Where two intervals overlap much, the "
        "order may be chance. Signs as under “Thresholds and ground truth”.",
    )
    return _section("Side by side", words, comparison_table(runs), _compared_curves(runs))


def thresholds(runs: Sequence[EvaluationRun]) -> Markup | None:
    """Which figures used ground truth to choose a threshold, and which did not; None if none has a threshold."""
    keys = {key for run in runs for key in run.thresholds}
    if not keys:
        return None
    free = [
        figure_of(key).name for key in in_order(key for run in runs for key in run.metrics) if key not in keys
    ]
    without = tag("p", f"Without a threshold: {', '.join(free)}.") if free else None
    return _section("Thresholds and ground truth", tag("p", THRESHOLD_WORDS), threshold_table(runs), without)


def details(run: EvaluationRun, runs: int) -> Markup | None:
    """Everything about one run that is no headline; None if there is nothing.

    Args:
        run: what is shown.
        runs: that share the page.
    """
    parts = [
        _curves(run.curves),
        _histogram(run.iou_histogram),
        _part("Object size", size_table(run.size_bins)) if run.size_bins else None,
        _cases(shown_cases(run.cases, runs)),
        _part("Classes", class_table(run.per_class, runs)) if run.per_class else None,
    ]
    if not any(parts):
        return None
    heading = run.label if runs > 1 else "In detail"
    return tag("section", tag("h2", heading), joined(parts), class_="run")


def protocol(report: Report) -> Markup | None:
    """How everything was measured, in words; None if nothing is said."""
    pairs = [part for name, words in report.protocol for part in (tag("dt", name), tag("dd", words))]
    return _section("Protocol", tag("dl", *pairs)) if pairs else None


def images(report: Report) -> Markup:
    """What became of the images: failures, and what found no partner."""
    counts = [
        part
        for key, count in report.counts.items()
        for part in (tag("dt", key.replace("_", " ")), tag("dd", f"{count:,}"))
    ]
    failed = [tag("li", tag("b", failure.image), f": {failure.error}") for failure in report.failures]
    parts = [_names("Failed; they count as wrong", failed, len(failed))] if failed else []
    for side in report.unmatched:
        parts.append(_names(side.words, [tag("li", name) for name in side.first], side.count))
    whole = tag("p", "Every image was used.") if not parts else None
    return _section("Images", tag("dl", *counts, class_="counts") if counts else None, *parts, whole)


def notes(report: Report) -> Markup | None:
    """What must be known before a figure is trusted; None if there is nothing."""
    if not report.notes:
        return None
    return tag(
        "aside", tag("ul", *(tag("li", note) for note in report.notes)), class_="notes", aria_label="Notes"
    )


def provenance(report: Report) -> Markup:
    """Options and versions, for those who repeat the run."""
    tables = []
    for heading, values in (("Options", report.arguments), ("Versions", report.versions)):
        pairs = [part for key, value in values.items() for part in (tag("dt", key), tag("dd", _plain(value)))]
        if pairs:
            tables.append(tag("div", tag("h3", heading), tag("dl", *pairs)))
    return tag("details", tag("summary", "Options and versions"), tag("div", *tables, class_="pair"))


def _tile(run: EvaluationRun, key: str) -> Markup:
    """One figure."""
    figure, value = figure_of(key), run.metrics[key]
    number = tag("p", shown(figure, value), tag("small", figure.sign or None), class_="value")
    parts: list[Markup | None] = [tag("h3", figure.name), number, _interval(run, key)]
    direction = f"{figure.words} {ARROWS[figure.better]} {figure.better} is better".strip()
    parts.append(tag("p", direction, class_="words"))
    if key in run.thresholds:
        parts.append(tag("p", "Threshold: ", badge(run.thresholds[key].chosen_on), class_="words"))
    return tag("div", *parts, class_="tile")


def _interval(run: EvaluationRun, key: str) -> Markup | None:
    """The 95 % interval in words and, for percents, on a scale from 0 to 100."""
    if key not in run.intervals:
        return None
    figure = figure_of(key)
    low, high = run.intervals[key]
    words = tag("p", f"95 % interval {shown(figure, low)} – {shown(figure, high)}", class_="interval")
    if figure.unit == "number":
        return words
    ends = ";".join(
        f"--{name}:{value * figure.scale:.2f}%"
        for name, value in (("low", low), ("high", high), ("at", run.metrics[key]))
    )
    return joined([tag("div", class_="scale", style=ends, aria_hidden="true"), words])


def _compared_curves(runs: Sequence[EvaluationRun]) -> Markup | None:
    """MaxBoxAcc's curve at IoU 0.5 for each map; None unless several have one."""
    found: dict[str, Curve] = {}
    for run in runs:
        curve = run.curves.get("max_box_acc")
        if curve is not None and "0.5" in curve.percent:
            found.setdefault(run.map, curve)
    names = list(found)[:STYLES]
    if len(names) < 2:
        return None
    plot = line_plot(
        [Line(name, found[name].thresholds, found[name].percent["0.5"]) for name in names],
        title=f"Box accuracy at IoU 0.5 against the map threshold, for {', '.join(names)}",
        x_label="map threshold, fraction of the maximum",
        y_label="boxes with IoU ≥ 0.5 (%)",
    )
    caption = tag("figcaption", "Largest contour, IoU 0.5; a dot marks the best threshold.")
    return joined([_legend(names), tag("figure", plot, caption, class_="wide")])


def _curves(curves: Mapping[str, Curve]) -> Markup | None:
    """A plot for each way of taking contours, and where the curves are highest."""
    if not curves:
        return None
    figures = []
    for key, curve in curves.items():
        name = CONTOURS.get(key, key)
        plot = line_plot(
            [
                Line(f"IoU {iou}", curve.thresholds, percent, mark=iou)
                for iou, percent in curve.percent.items()
            ],
            title=f"Box accuracy against the map threshold, {name.lower()}",
            x_label="map threshold, fraction of the maximum",
            y_label="boxes right (%)",
        )
        figures.append(tag("figure", tag("figcaption", name), plot))
    ious = dict.fromkeys(iou for curve in curves.values() for iou in curve.percent)
    parts = (
        _legend([f"IoU ≥ {iou}" for iou in ious]),
        tag("div", *figures, class_="pair"),
        optimum_table(curves),
    )
    return _part("Box accuracy against the map threshold", *parts)


def _histogram(counts: Sequence[int] | None) -> Markup | None:
    """How well the boxes fit, image by image."""
    if not counts or not sum(counts):
        return None
    total, right = sum(counts), sum(counts[round(RIGHT * IOU_BINS) :])
    plot = bar_plot(
        counts,
        split=RIGHT,
        title=f"Histogram of IoU over {total} images, {right} of them at {RIGHT} or more",
        x_label="IoU with the best true box",
        y_label="images",
    )
    words = f"{right:,} of {total:,} boxes ({right / total:.1%}) have IoU of {RIGHT} or more."
    return _part("IoU of the boxes", tag("figure", plot, tag("figcaption", words), class_="wide"))


def _cases(cases: Sequence[Case]) -> Markup | None:
    """Best, median and worst cases as small pictures."""
    if not cases:
        return None
    rows = []
    for kind in KINDS:
        group = [_case(case) for case in cases if case.kind == kind]
        if group:
            rows += [tag("h4", kind.capitalize()), tag("div", *group, class_="cases")]
    swatches = (
        tag("li", _swatch("truth"), "truth (dashed)"),
        tag("li", _swatch("predicted"), "prediction (solid)"),
    )
    return _part("Best, median and worst cases", tag("ul", *swatches, class_="legend"), *rows)


def _case(case: Case) -> Markup:
    """A picture with its caption."""
    caption = tag(
        "figcaption",
        tag("b", f"IoU {case.iou:.2f}"),
        f" {case.class_name}",
        tag("span", case.image, class_="file", title=case.image),
    )
    return tag("figure", case_picture(case), caption)


def _names(heading: str, items: Sequence[Markup], count: int) -> Markup:
    """A list that opens on demand, with how many there are in all."""
    listed = items[:MOST_LISTED]
    more = count - len(listed)
    rest = tag("p", f"and {more:,} more") if more > 0 else None
    summary = tag("summary", f"{heading[:1].upper()}{heading[1:]}: {count:,}")
    return tag("details", summary, tag("ul", *listed), rest, open=count <= SHORT_LIST)


def _legend(names: Sequence[str]) -> Markup:
    """Line styles and what they stand for."""
    items = (tag("li", _swatch(f"line line-{number}"), name) for number, name in enumerate(names))
    return tag("ul", *items, class_="legend")


def _swatch(style: str) -> Markup:
    """A short piece of a line."""
    return tag("svg", tag("path", d="M1 5H31", class_=style), viewBox="0 0 32 10", aria_hidden="true")


def _plain(value: object) -> str:
    """An option's value for people."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "–" if value is None else str(value)


def _section(heading: str, *parts: Markup | None) -> Markup:
    """A section of the page."""
    return tag("section", tag("h2", heading), *parts)


def _part(heading: str, *parts: Markup | None) -> Markup:
    """A part of a section."""
    return tag("div", tag("h3", heading), *parts, class_="part")
