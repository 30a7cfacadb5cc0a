"""The sections of report.html: what is seen of each part of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsloc.outputs.case_pictures import case_picture, shown_cases
from wsloc.outputs.markup import joined, tag
from wsloc.outputs.report_records import IOU_BINS, KINDS, figure_of, in_order
from wsloc.outputs.report_tables import (
    CONTOURS,
    badge,
    class_table,
    comparison_table,
    optimum_table,
    shown,
    size_table,
    threshold_table,
)
from wsloc.outputs.svg_plots import STYLES, Interval, Line, bar_plot, interval_plot, line_plot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wsloc.outputs.markup import Markup
    from wsloc.outputs.report_records import Case, Curve, EvaluationRun, Report

MOST_LISTED = 50  # names a list shows; report.json has them all
MOST_COMPARED = 12  # rows of the plot of intervals
DECISIVE = ("gt_known_localization_error", "top1_localization_error", "max_box_acc_v2", "px_ap", "miou")
SHORT_LIST = 8  # lists up to here stand open
ARROWS = {"lower": "↓", "higher": "↑"}
MASKS = "miou"  # key of the masks' curve, and of its only line
THRESHOLD_AXIS, BOXES_AXIS = "map threshold, fraction of the maximum", "boxes with IoU ≥ 0.5 (%)"
RIGHT = 0.5  # IoU from which on a box is right
THRESHOLD_WORDS = (
    "A threshold that was chosen with the annotations of the very images it is scored on makes a figure look better "
    "than anyone could do without them. Such figures compare maps, not complete methods."
)


def headline(run: EvaluationRun, *, named: bool) -> Markup | None:
    """A tile a figure: value, 95 % interval, direction, and what chose its threshold; None without figures.

    Args:
        run: whose figures they are.
        named: whether to say which run, because there are others.
    """
    tiles = [_tile(run, key) for key in in_order(run.metrics)]
    heading = f"Figures: {run.label}" if named else "Figures"
    return _section(heading, tag("div", *tiles, class_="tiles")) if tiles else None


def comparison(runs: Sequence[EvaluationRun]) -> Markup | None:
    """All runs in one table and, for up to seven maps, their curves in one plot; None for a single run."""
    if len(runs) < 2:
        return None
    words = "The best of each column is bold."
    if any(run.intervals for run in runs):
        words += " Below each value its 95 % interval: where two overlap much, the order may be chance."
    if any(run.thresholds for run in runs):
        words += " The signs are those of “Thresholds and ground truth”."
    plots = _side_by_side(
        _compared_intervals(runs),
        _compared_curves(
            runs, "max_box_acc", "0.5", "Boxes of the largest contour right at IoU 0.5", BOXES_AXIS
        ),
        _compared_curves(runs, MASKS, MASKS, "Mean IoU of masks", "mean IoU (%)"),
    )
    return _section("Side by side", tag("p", words), comparison_table(runs), plots)


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


def details(runs: Sequence[EvaluationRun], place: int) -> Markup | None:
    """Everything about one run that is no headline; None if there is nothing.

    Args:
        runs: all that share the page.
        place: of the one that is shown, from 0.
    """
    run = runs[place]
    parts = [
        _mask_curve(run.curves.get(MASKS)),
        _curves({key: curve for key, curve in run.curves.items() if key != MASKS}),
        _side_by_side(
            _histogram(run.iou_histogram),
            _part("Object size", size_table(run.size_bins)) if run.size_bins else None,
        ),
        _cases(shown_cases(run.cases, len(runs))),
        _part("Classes", class_table(run.per_class, place)) if run.per_class else None,
    ]
    if not any(parts):
        return None
    heading = run.label if len(runs) > 1 else "In detail"
    return tag("section", tag("h2", heading), joined(parts), class_="run")


def protocol(report: Report) -> Markup | None:
    """How everything was measured, in words; None if nothing is said."""
    return _section("Protocol", _definitions(report.protocol)) if report.protocol else None


def images(report: Report) -> Markup:
    """What became of the images: failures, and what found no partner."""
    counts = [(key.replace("_", " "), f"{count:,}") for key, count in report.counts.items()]
    failed = [
        tag("li", tag("b", failure.image), f": {failure.error}") for failure in report.failures[:MOST_LISTED]
    ]
    parts = [_names("Failed; they count as wrong", failed, len(report.failures))] if failed else []
    parts += [
        _names(side.words, [tag("li", name) for name in side.first], side.count) for side in report.unmatched
    ]
    whole = tag("p", "Every image was used.") if not parts else None
    return _section("Images", _definitions(counts, "counts") if counts else None, *parts, whole)


def notes(report: Report) -> Markup | None:
    """What must be known before a figure is trusted; None if there is nothing."""
    if not report.notes:
        return None
    return tag(
        "aside", tag("ul", *(tag("li", note) for note in report.notes)), class_="notes", aria_label="Notes"
    )


def provenance(report: Report) -> Markup:
    """Options and versions, for those who repeat the run."""
    tables = [
        tag("div", tag("h3", heading), _definitions((key, _plain(value)) for key, value in values.items()))
        for heading, values in (("Options", report.arguments), ("Versions", report.versions))
        if values
    ]
    return tag("details", tag("summary", "Options and versions"), tag("div", *tables, class_="pair"))


def _tile(run: EvaluationRun, key: str) -> Markup:
    """One figure."""
    figure, value = figure_of(key), run.metrics[key]
    number = tag("p", shown(figure, value), tag("small", figure.sign or None), class_="value")
    parts: list[Markup | None] = [tag("h3", figure.name), number, _interval(run, key)]
    direction = tag("span", f"{ARROWS[figure.better]} {figure.better} is better")
    parts.append(tag("p", figure.words, " ", direction, class_="words"))
    if key in run.thresholds:
        parts.append(tag("p", "Threshold: ", badge(run.thresholds[key].chosen_on), class_="chosen"))
    return tag("div", *parts, class_="tile")


def _interval(run: EvaluationRun, key: str) -> Markup | None:
    """The 95 % interval in words and, for percents, on a scale from 0 to 100."""
    if key not in run.intervals:
        return None
    figure = figure_of(key)
    low, high = run.intervals[key]
    words = tag("p", f"95 % interval {shown(figure, low)} to {shown(figure, high)}", class_="interval")
    if figure.unit == "number":
        return words
    ends = ";".join(
        f"--{name}:{value * figure.scale:.2f}%"
        for name, value in (("low", low), ("high", high), ("at", run.metrics[key]))
    )
    return joined([tag("div", class_="scale", style=ends, aria_hidden="true"), words])


def _compared_intervals(runs: Sequence[EvaluationRun]) -> Markup | None:
    """The figure that most tells maps apart, with its intervals if it has some; None if less than two runs have one."""
    keys = in_order(key for run in runs for key in run.metrics)
    key = next((key for key in DECISIVE if key in keys), keys[0] if keys else "")
    scored = [run for run in runs if key in run.metrics][:MOST_COMPARED]
    if len(scored) < 2:
        return None
    figure = figure_of(key)
    rows = []
    for run in scored:
        low, high = run.intervals.get(key, (run.metrics[key],) * 2)
        rows.append(Interval(run.label, *(end * figure.scale for end in (run.metrics[key], low, high))))
    unit = f" ({figure.sign})" if figure.sign else ""
    has_intervals = any(key in run.intervals for run in scored)  # figures of all pixels together have none
    what = figure.name + (" with 95 % intervals" if has_intervals else "")
    plot = interval_plot(
        rows,
        title=f"{what}: " + "; ".join(f"{row.name} {row.value:.2f}" for row in rows),
        x_label=f"{figure.name}{unit}, {figure.better} is better",
    )
    return tag("figure", tag("figcaption", what), plot)


def _compared_curves(
    runs: Sequence[EvaluationRun], key: str, line: str, what: str, y_label: str
) -> Markup | None:
    """One curve of each map; None unless several have it.

    Args:
        runs: whose curves they are.
        key: of the curves.
        line: which of a curve's lines is drawn.
        what: it shows, in words.
        y_label: beside the plot.
    """
    found: dict[str, Curve] = {}
    for run in runs:
        curve = run.curves.get(key)
        if curve is not None and line in curve.percent:
            found.setdefault(run.map, curve)
    names = list(found)[:STYLES]
    if len(names) < 2:
        return None
    plot = line_plot(
        [Line(name, found[name].thresholds, found[name].percent[line]) for name in names],
        title=f"{what} against the map threshold, for {', '.join(names)}",
        x_label=THRESHOLD_AXIS,
        y_label=y_label,
    )
    caption = tag("figcaption", f"{what}; a dot marks the best threshold")
    return tag("figure", caption, plot, _legend(names))


def _mask_curve(curve: Curve | None) -> Markup | None:
    """The masks' mean IoU against the map threshold; None without one."""
    if curve is None:
        return None
    threshold, percent = curve.best(MASKS)
    plot = line_plot(
        [Line("mean IoU", curve.thresholds, curve.percent[MASKS])],
        title=f"Mean IoU of masks against the map threshold, at most {percent:.2f} % at {threshold:g}",
        x_label=THRESHOLD_AXIS,
        y_label="mean IoU (%)",
    )
    words = (
        f"Highest at {threshold:g}: {percent:.2f} %. That threshold was chosen on the truth: it says what the maps "
        "allow, not what one gets without masks."
    )
    return _part(
        "Mean IoU of masks against the map threshold",
        tag("figure", plot, tag("figcaption", words), class_="wide"),
    )


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
            x_label=THRESHOLD_AXIS,
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
    words = f"{right:,} of {total:,} boxes ({100 * right / total:.1f} %) have IoU of {RIGHT} or more."
    return _part("IoU of the boxes", tag("figure", plot, tag("figcaption", words), class_="wide"))


def _cases(cases: Sequence[Case]) -> Markup | None:
    """Best, median and worst cases as small pictures."""
    if not cases:
        return None
    rows = []
    for kind in KINDS:
        group = [_case(case) for case in cases if case.kind == kind]
        if group:
            style = "cases panels" if cases[0].words else "cases"
            rows += [tag("h4", kind.capitalize()), tag("div", *group, class_=style)]
    swatches = (
        tag("li", _swatch("truth"), "truth (dashed)"),
        tag("li", _swatch("predicted"), "prediction (solid)"),
    )
    words = f"{cases[0].words.capitalize()}; a colour a class, ignored pixels nearly white."
    legend = tag("p", words) if cases[0].words else tag("ul", *swatches, class_="legend")
    return _part("Best, median and worst cases", legend, *rows)


def _case(case: Case) -> Markup:
    """A picture with its caption."""
    caption = tag(
        "figcaption",
        tag("b", f"IoU {case.iou:.2f}"),
        case.class_name,
        tag("span", tag("bdi", case.image), class_="file", title=case.image),
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


def _definitions(pairs: Iterable[tuple[str, str]], style: str | None = None) -> Markup:
    """Names and what is said of them."""
    parts = (part for name, words in pairs for part in (tag("dt", name), tag("dd", words)))
    return tag("dl", *parts, class_=style)


def _plain(value: object) -> str:
    """An option's value for people."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "none" if value is None else str(value)


def _side_by_side(*parts: Markup | None) -> Markup | None:
    """Parts in columns where the page is wide enough; None if there is none."""
    return tag("div", *parts, class_="pair") if any(parts) else None


def _section(heading: str, *parts: Markup | None) -> Markup:
    """A section of the page."""
    return tag("section", tag("h2", heading), *parts)


def _part(heading: str, *parts: Markup | None) -> Markup:
    """A part of a section."""
    return tag("div", tag("h3", heading), *parts, class_="part")
