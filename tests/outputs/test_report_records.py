from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from tests.outputs import report_examples as examples
from wsloc.outputs.report_records import (
    FIGURES,
    ChosenOn,
    ClassFigures,
    Curve,
    EvaluationRun,
    Report,
    SizeBin,
    figure_of,
    in_order,
)


def test_a_fraction_is_shown_in_percent_and_a_percent_as_it_is() -> None:
    assert (FIGURES["top1_localization_error"].scale, FIGURES["top1_localization_error"].sign) == (100, "%")
    assert (FIGURES["max_box_acc"].scale, FIGURES["max_box_acc"].sign) == (1, "%")
    assert (FIGURES["mean_iou"].scale, FIGURES["mean_iou"].sign) == (1, "")


@pytest.mark.parametrize(
    ("key", "name", "unit", "better"),
    [
        ("top1_error", "Top1 error", "fraction", "lower"),
        ("box_count", "Box count", "number", "higher"),
        ("px_ap", "PxAP", "percent", "higher"),
    ],
)
def test_figures_nobody_knows_are_called_by_their_key(key: str, name: str, unit: str, better: str) -> None:
    figure = figure_of(key)
    assert (figure.name, figure.unit, figure.better) == (name, unit, better)


def test_keys_come_in_the_order_of_the_figures_each_once() -> None:
    keys = ["mine", "px_ap", "top1_localization_error", "px_ap", "also_mine"]
    assert in_order(keys) == ["top1_localization_error", "px_ap", "mine", "also_mine"]


def test_only_what_was_given_beforehand_used_no_ground_truth() -> None:
    assert [choice for choice in ChosenOn if not choice.used_ground_truth] == [ChosenOn.NOTHING]


def test_the_best_of_a_curve_is_its_highest_point_the_first_of_equals() -> None:
    curve = Curve((0.0, 0.1, 0.2, 0.3), {"0.5": (10.0, 40.0, 40.0, 5.0)})
    assert curve.best("0.5") == (0.1, 40.0)


@pytest.mark.parametrize(
    ("thresholds", "percent", "words"),
    [
        ((), {"0.5": ()}, "at least one"),
        ((0.0, 0.1), {"0.3": (1.0, 2.0), "0.5": (1.0,)}, "IoU 0.5: 1 values for 2 thresholds"),
        ((0.0,), {"0.5": (float("nan"),)}, "IoU 0.5: NaN"),
    ],
)
def test_a_curve_that_is_none_is_refused(
    thresholds: tuple[float, ...], percent: dict[str, tuple[float, ...]], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        Curve(thresholds, percent)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("field", ["metrics", "intervals", "per_class", "size_bins", "cases"])
def test_a_figure_is_a_number_or_absent(field: str, bad: float) -> None:
    def with_a_bad_figure() -> EvaluationRun:
        values: dict[str, Any] = {
            "metrics": lambda: {"px_ap": bad},
            "intervals": lambda: {"px_ap": (0.0, bad)},
            "per_class": lambda: (ClassFigures("n1", "tench", 1, {"px_ap": bad}),),
            "size_bins": lambda: (SizeBin("small", 1, {"px_ap": bad}),),
            "cases": lambda: (examples.case(iou=bad),),
        }
        return examples.run(**{field: values[field]()})

    with pytest.raises(ValueError, match="leave out what was not computed"):
        with_a_bad_figure()


def test_the_histogram_has_twenty_bins() -> None:
    with pytest.raises(ValueError, match="expected 20 bins of IoU, got 3"):
        examples.run(iou_histogram=(1, 2, 3))


def test_a_run_is_called_by_its_map_and_its_box() -> None:
    assert examples.run("cam", "threshold 0.2").label == "cam, threshold 0.2"
    assert examples.run("seeds", "").label == "seeds"


def test_a_report_has_a_run_and_a_protocol_of_different_names() -> None:
    with pytest.raises(ValueError, match="at least one run"):
        Report("t", (), {}, ())
    with pytest.raises(ValueError, match="one name"):
        examples.report(protocol=(("Boxes", "a"), ("Boxes", "b")))


def test_records_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        examples.report().title = "other"  # type: ignore[misc]  # that it cannot be set is what is shown
