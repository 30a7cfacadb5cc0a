import pytest

from tests.outputs import report_examples as examples
from tests.outputs.page_reading import Page
from wsloc.outputs.report_records import FIGURES, ChosenOn, ClassFigures, SizeBin, Threshold
from wsloc.outputs.report_tables import (
    ABSENT,
    badge,
    class_table,
    comparison_table,
    optimum_table,
    shown,
    size_table,
    threshold_table,
)


def rows(markup: str) -> list[list[str]]:
    """The words of a table, row by row, its head first."""
    found: list[list[str]] = []
    for element in Page(markup).elements:
        if element.name == "tr":
            found.append([])
        elif element.name in ("th", "td"):
            found[-1].append(element.text)
    return found


def test_values_are_shown_in_their_unit() -> None:
    error, accuracy, mean = (
        FIGURES[key] for key in ("gt_known_localization_error", "max_box_acc", "mean_iou")
    )
    assert [shown(error, 0.43494), shown(accuracy, 63.256), shown(mean, 0.5)] == ["43.49", "63.26", "0.500"]
    assert shown(error, 0.0) == "0.00"
    assert shown(error, None) == ABSENT


def test_a_badge_says_in_words_what_its_colour_says() -> None:
    assert [Page(badge(choice)).elements[0].text for choice in ChosenOn] == [
        "✓ no ground truth",
        "◆ ground truth of a tuning set",
        "▲ ground truth of these images",
    ]


def test_runs_stand_side_by_side_and_the_best_is_marked() -> None:
    metrics = {"gt_known_localization_error": 0.3, "max_box_acc": 70.0}
    markup = comparison_table([examples.run(), examples.run("cam", "threshold 0.2", metrics=metrics)])
    head, first, second = rows(markup)
    assert head[:3] == ["Map", "Box", "Top-1 classification error (%)lower is better"]
    assert first[:3] == ["entropy-class", "mass 0.98", "35.12"]
    assert second[2] == ABSENT
    assert "43.49✓41.87 to 45.12" in first
    assert [element.text for element in Page(markup).all("strong")] == ["30.00", "70.00"]


def test_where_all_are_the_same_none_is_best() -> None:
    assert not Page(comparison_table([examples.run(), examples.run("cam")])).all("strong")


def test_runs_that_agree_on_a_threshold_share_a_row() -> None:
    tuned = {"max_box_acc": Threshold(ChosenOn.TUNING_SET, "0.3")}
    other = examples.run("cam", "threshold 0.3", thresholds=tuned)
    table = rows(threshold_table([examples.run(), examples.run("ep"), other]))
    assert table[0] == ["Figure", "Runs", "Threshold", "Chosen with"]
    assert table[2:4] == [
        [
            "MaxBoxAcc",
            "entropy-class, mass 0.98; ep, mass 0.98",
            "0.25, the best of 1,000",
            "▲ ground truth of these images",
        ],
        ["MaxBoxAcc", "cam, threshold 0.3", "0.3", "◆ ground truth of a tuning set"],
    ]


def test_a_lone_run_needs_no_name_in_its_thresholds() -> None:
    table = rows(threshold_table([examples.run()]))
    assert table[:2] == [
        ["Figure", "Threshold", "Chosen with"],
        ["GT-known Loc error", "0.98 of the mass, given", "✓ no ground truth"],
    ]


def test_the_best_of_each_curve_is_listed() -> None:
    curve = examples.curve(60.0, count=100)
    table = rows(optimum_table({"max_box_acc": curve}))
    assert table[0] == ["Best of the curve", "Largest contour (%)", "at threshold"]
    assert table[2] == ["IoU 0.5", "60.00", "0.25"]


def test_sizes_have_bars_of_their_share() -> None:
    bins = [
        SizeBin("small", 1200, {"gt_known_localization_error": 0.81, "mean_iou": 0.4}),
        SizeBin("large", 3, {"mean_iou": 0.7}),
    ]
    markup = size_table(bins)
    assert rows(markup)[1:] == [["small", "1,200", "81.00", "0.400"], ["large", "3", ABSENT, "0.700"]]
    (bar,) = Page(markup).all("td", "share")
    assert bar.attributes["style"] == "--share:81.0%"


def test_classes_are_listed_and_absent_figures_are_absent() -> None:
    markup = class_table(examples.run().per_class, 0)
    assert rows(markup)[1:] == [
        ["goldfish", "n01443537", "50", "25.00", ABSENT],
        ["beer bottle", "n02823428", "48", "50.00", "0.512"],
    ]
    (table,) = Page(markup).all("table", "sortable")
    assert "classes" in (table.attributes["class"] or "")
    (frame,) = Page(markup).all("div", "scroll")
    assert frame.attributes["tabindex"] == "0"  # keys scroll it


def test_class_tables_that_would_make_the_page_slow_are_left_to_the_json(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wsloc.outputs.report_tables.MOST_CELLS", 80)
    many = [ClassFigures(f"n{number}", "x", 1, {"mean_iou": 0.5}) for number in range(10)]
    assert Page(class_table(many, 1)).all("table")
    (words,) = Page(class_table(many, 2)).elements
    assert words.text == "The figures of 10 classes stand in report.json: too many for this page."
