from typing import Any

import pytest

from tests.outputs import report_examples as examples
from tests.outputs.page_reading import Element, Page
from wsloc.outputs import report_sections as sections
from wsloc.outputs.report_records import Curve, EvaluationRun, Unmatched
from wsloc.records import Failure

BARE: dict[str, Any] = {
    "metrics": {"miou": 40.0},
    "intervals": {},
    "thresholds": {},
    "curves": {},
    "iou_histogram": None,
    "per_class": (),
    "size_bins": (),
    "cases": (),
}


def page(markup: str | None) -> Page:
    assert markup is not None
    return Page(markup)


def tiles(run: EvaluationRun) -> dict[str, Element]:
    found = page(sections.headline(run, named=False)).all("div", "tile")
    names = [element.text for element in page(sections.headline(run, named=False)).all("h3")]
    return dict(zip(names, found, strict=True))


def test_a_tile_a_figure_with_interval_and_ground_truth() -> None:
    found = tiles(examples.run())
    assert len(found) == len(examples.METRICS)
    known = found["GT-known Loc error"].text
    assert known.startswith("GT-known Loc error43.49%95 % interval 41.87 to 45.12")
    assert "lower is better" in known
    assert known.endswith("Threshold: ✓ no ground truth")
    assert found["MaxBoxAcc"].text.endswith("Threshold: ▲ ground truth of these images")
    assert "Threshold" not in found["Top-1 classification error"].text
    assert "interval" not in found["Top-1 classification error"].text


def test_figures_that_were_not_computed_have_no_tile() -> None:
    assert list(tiles(examples.run(**BARE))) == ["Mean IoU of masks"]
    assert sections.headline(examples.run(**BARE | {"metrics": {}}), named=False) is None


def test_an_interval_is_drawn_on_its_scale() -> None:
    (first, *_) = page(sections.headline(examples.run(), named=False)).all("div", "scale")
    assert first.attributes["style"] == "--low:41.87%;--high:45.12%;--at:43.49%"


def test_the_first_of_several_runs_is_named() -> None:
    heading = page(sections.headline(examples.run(), named=True)).all("h2")[0].text
    assert heading == "Figures: entropy-class, mass 0.98"


def test_runs_are_compared_in_a_table_and_two_plots() -> None:
    runs = [examples.run(), examples.run("cam", "threshold 0.2"), examples.run("cam", "threshold 0.1")]
    found = page(sections.comparison(runs))
    assert len(found.all("table", "runs")) == 1
    assert len(found.all("svg", "plot")) == 2
    assert len(found.all("path", "whisker")) == 3
    in_plot = [element for element in found.all("path", "line") if element.parents[-2:] == ("figure", "svg")]
    assert len(in_plot) == 2  # curves are the map's, whatever its boxes
    assert sections.comparison(runs[:1]) is None


def test_a_comparison_without_curves_and_intervals_does_without() -> None:
    runs = [examples.run(**BARE), examples.run("cam", **BARE | {"metrics": {}})]
    found = page(sections.comparison(runs))
    assert found.all("svg") == []
    assert found.all("p")[0].text == "The best of each column is bold."


def test_which_figures_used_ground_truth_is_said() -> None:
    found = page(sections.thresholds([examples.run()]))
    assert len(found.all("span", "scored-set")) == 2
    assert len(found.all("span", "nothing")) == 1
    assert found.all("p")[-1].text == "Without a threshold: Top-1 classification error, Top-1 Loc error."
    assert sections.thresholds([examples.run(**BARE)]) is None


def test_details_hold_curves_histogram_sizes_cases_and_classes() -> None:
    found = page(sections.details([examples.run()], 0))
    assert [element.text for element in found.all("h3")] == [
        "Box accuracy against the map threshold",
        "IoU of the boxes",
        "Object size",
        "Best, median and worst cases",
        "Classes",
    ]
    assert found.all("h2")[0].text == "In detail"
    assert len(found.all("svg", "plot")) == 3
    assert "467 of 730 boxes (64.0 %) have IoU of 0.5 or more." in found.all("section")[0].text
    assert [element.text for element in found.all("h4")] == ["Best", "Median", "Worst"]


@pytest.mark.parametrize(
    ("field", "heading"),
    [
        ("curves", "Box accuracy against the map threshold"),
        ("iou_histogram", "IoU of the boxes"),
        ("size_bins", "Object size"),
        ("cases", "Best, median and worst cases"),
        ("per_class", "Classes"),
    ],
)
def test_a_part_that_was_not_computed_is_absent(field: str, heading: str) -> None:
    run = examples.run(**{field: BARE[field]})
    headings = [element.text for element in page(sections.details([run], 0)).all("h3")]
    assert heading not in headings
    assert len(headings) == 4


def test_a_run_without_details_has_no_section() -> None:
    assert sections.details([examples.run(**BARE)], 0) is None
    assert sections.details([examples.run(**BARE | {"iou_histogram": (0,) * 20})], 0) is None


def test_of_several_runs_each_is_named() -> None:
    runs = [examples.run(), examples.run("cam", "threshold 0.2")]
    assert page(sections.details(runs, 1)).all("h2")[0].text == "cam, threshold 0.2"


def test_long_lists_are_closed_cut_and_counted() -> None:
    failures = tuple(Failure(f"{number}.jpg", "is empty") for number in range(1200))
    report = examples.report(failures=failures, unmatched=(Unmatched("boxes without image", 9, ("a",)),))
    found = page(sections.images(report))
    assert [element.text for element in found.all("summary")] == [
        "Failed; they count as wrong: 1,200",
        "Boxes without image: 9",
    ]
    assert len(found.all("li")) == 51
    assert "and 1,150 more" in found.all("details")[0].text
    assert all("open" not in element.attributes for element in found.all("details"))


def test_short_lists_stand_open() -> None:
    (failed, _) = page(sections.images(examples.report())).all("details")
    assert "open" in failed.attributes
    assert [words for words in failed.words if "jpg" in words] == ["bad.jpg", "c/gone.jpg"]


def test_that_every_image_was_used_is_said() -> None:
    found = page(sections.images(examples.report(failures=(), unmatched=())))
    assert found.all("p")[0].text == "Every image was used."


def test_nothing_to_note_and_no_protocol_leave_no_frame() -> None:
    report = examples.report(notes=(), protocol=())
    assert (sections.notes(report), sections.protocol(report)) == (None, None)


def test_options_and_versions_are_listed() -> None:
    found = page(sections.provenance(examples.report()))
    assert [element.text for element in found.all("dt")] == [
        "map",
        "mass",
        "checkpoint",
        "wsloc",
        "safetensors",
    ]
    assert [element.text for element in found.all("dd")] == ["entropy-class", "0.98", "none", "0.1.0", "none"]


OF_MASKS = Curve((0.0, 0.5), {"miou": (40.0, 55.25)})


def test_the_curve_of_masks_says_what_its_best_threshold_was_chosen_on() -> None:
    run = examples.run(**BARE | {"curves": {"miou": OF_MASKS}})
    found = page(sections.details([run], 0))
    assert [element.text for element in found.all("h3")] == ["Mean IoU of masks against the map threshold"]
    assert len(found.all("path", "line")) == 1
    (caption,) = found.all("figcaption")
    assert caption.text.startswith("Highest at 0.5: 55.25 %. That threshold was chosen on the truth")
    both = page(
        sections.details([examples.run(curves={"miou": OF_MASKS, "max_box_acc": examples.curve()})], 0)
    )
    assert [element.text for element in both.all("h3")][:2] == [
        "Mean IoU of masks against the map threshold",
        "Box accuracy against the map threshold",
    ]
    assert "IoU miou" not in both.all("section")[0].text


def test_curves_of_masks_are_compared() -> None:
    runs = [examples.run(name, **BARE | {"curves": {"miou": OF_MASKS}}) for name in ("cam", "gradcam")]
    found = page(sections.comparison(runs))
    assert "Mean IoU of masks; a dot marks the best threshold" in [
        element.text for element in found.all("figcaption")
    ]
    assert len([line for line in found.all("path", "line") if line.parents[-2:] == ("figure", "svg")]) == 2


def test_figures_without_intervals_do_not_claim_any() -> None:
    for intervals, words in (
        ({}, "Mean IoU of masks"),
        ({"miou": (30.0, 50.0)}, "Mean IoU of masks with 95 % intervals"),
    ):
        runs = [
            examples.run(name, **BARE | {"metrics": {"miou": 40.0}, "intervals": intervals})
            for name in ("cam", "gradcam")
        ]
        assert [element.text for element in page(sections.comparison(runs)).all("figcaption")] == [words]


def test_cases_of_masks_are_panels() -> None:
    case = examples.case(truth=(), predicted=None, words="the true mask left, the seeds right")
    found = page(sections.details([examples.run(**BARE | {"cases": (case,)})], 0))
    assert len(found.all("div", "panels")) == 1
    assert "The true mask left, the seeds right; a colour a class" in found.all("section")[0].text
    assert "dashed" not in found.all("section")[0].text
