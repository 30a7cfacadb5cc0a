from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import imagenet_literal as literal
from wsloc.metrics.imagenet import GuessTable, Judgement, Truth, judge, known_boxes, known_overlaps
from wsloc.records import Box, Sample

CLASSES = 5
WNIDS = {f"n{index}": index for index in range(CLASSES)}


def half_open(corners: literal.Corners) -> Box:
    return (corners[0], corners[1], corners[2] + 1, corners[3] + 1)


def tables(cases: list[literal.Case], top: int = 5) -> tuple[Truth, GuessTable]:
    """The same cases as the flat arrays and the table; the rows are filled from the last to the first."""
    samples = [
        Sample(
            str(row),
            None,
            tuple(f"n{label}" for label in case.labels),
            (20, 20),
            tuple((f"n{label}", half_open(box)) for label, box in case.boxes),
        )
        for row, case in enumerate(cases)
    ]
    table = GuessTable(len(cases), top)
    for row, case in reversed(list(enumerate(cases))):
        if case.guesses is not None:
            shared = None if case.shared_box is None else half_open(case.shared_box)
            labels, boxes = [label for label, _ in case.guesses], [half_open(box) for _, box in case.guesses]
            table.put(row, labels, boxes, shared)
    return Truth.of(samples, WNIDS), table


# Few places, so that an IoU of exactly a half is common.
edges = st.tuples(st.integers(0, 3), st.integers(0, 3)).map(sorted)
corners = st.tuples(edges, edges).map(lambda pair: (pair[0][0], pair[1][0], pair[0][1], pair[1][1]))
names = st.integers(0, CLASSES - 1)
named_boxes = st.tuples(names, corners)
cases = st.builds(
    literal.Case,
    labels=st.lists(names, min_size=1, max_size=3, unique=True).map(tuple),
    boxes=st.lists(named_boxes, max_size=4).map(tuple),
    guesses=st.none() | st.lists(named_boxes, max_size=5).map(tuple),
    shared_box=st.none() | corners,
)


@settings(max_examples=100, deadline=None)
@given(st.lists(cases, min_size=1, max_size=4), st.sampled_from([1, 2, 5]))
def test_it_is_the_definition(images: list[literal.Case], top: int) -> None:
    truth, table = tables(images)
    judgement = judge(table, truth)
    assert judgement.wrong_class(top).tolist() == [literal.class_is_wrong(case, top) for case in images]
    assert judgement.wrong_box(top).tolist() == [literal.box_is_wrong(case, top) for case in images]
    pairs = [(case, label) for case in images for label in case.labels]
    known = known_boxes(table, truth)
    wrong = known_overlaps(known.boxes, truth) < 0.5
    assert wrong.tolist() == [literal.known_box_is_wrong(*pair) for pair in pairs]
    assert known.complete == all(literal.has_known_box(*pair) for pair in pairs)
    boxed = [any(label == other for other, _ in case.boxes) for case, label in pairs]
    assert truth.label_has_box().tolist() == boxed


WHOLE, HALF, OTHER = (0, 0, 9, 9), (0, 0, 4, 9), (15, 15, 18, 18)


def judged(case: literal.Case) -> Judgement:
    truth, table = tables([case])
    return judge(table, truth)


def test_any_box_of_the_class_will_do_and_a_half_is_enough() -> None:
    judgement = judged(literal.Case((2,), ((2, OTHER), (2, WHOLE)), ((2, HALF),)))
    assert judgement.overlaps[0].tolist() == [0.5, 0, 0, 0, 0]
    assert not judgement.wrong_box(1)[0]
    assert judgement.wrong_box(1, iou_threshold=0.51)[0]


def test_a_box_of_another_class_does_not_help() -> None:
    judgement = judged(literal.Case((2,), ((3, WHOLE), (2, OTHER)), ((2, WHOLE), (3, WHOLE))))
    assert judgement.right_class[0].tolist() == [True, False, False, False, False]
    assert judgement.wrong_box(5)[0]
    assert not judgement.overlaps.any()


def test_the_fifth_guess_counts_for_top_5_alone() -> None:
    guesses = ((0, WHOLE), (1, WHOLE), (3, WHOLE), (4, WHOLE), (2, WHOLE), (2, WHOLE))
    judgement = judged(literal.Case((2,), ((2, WHOLE),), guesses))
    assert judgement.wrong_box(1)[0]
    assert judgement.wrong_class(4)[0]
    assert not judgement.wrong_box(5)[0]
    assert judged(literal.Case((2,), ((2, WHOLE),), (*guesses[:4], (0, WHOLE), guesses[5]))).wrong_box()[0]


def test_a_failed_image_is_wrong_and_counted() -> None:
    good = literal.Case((2,), ((2, WHOLE),), ((2, WHOLE),))
    truth, table = tables([good, literal.Case((0,), ((0, (0, 0, 0, 0)),), None)])
    judgement = judge(table, truth)
    assert (table.failed(), table.fewest()) == (1, 1)
    assert judgement.wrong_class().tolist() == [False, True]
    assert judgement.wrong_box().tolist() == [False, True]
    known = known_boxes(table, truth)
    assert known.complete
    assert known_overlaps(known.boxes, truth).tolist() == [1, 0]


def test_known_boxes_are_the_first_of_the_true_class_then_the_shared_one() -> None:
    case = literal.Case((2,), ((2, WHOLE),), ((1, OTHER), (2, HALF), (2, WHOLE)), OTHER)
    truth, table = tables([case, literal.Case((4,), ((4, OTHER),), ((1, WHOLE),), OTHER)])
    known = known_boxes(table, truth)
    assert known.boxes.tolist() == [[0, 0, 5, 10], [15, 15, 19, 19]]
    assert known.complete
    truth, table = tables([literal.Case((4,), ((4, OTHER),), ((1, WHOLE),))])
    assert not known_boxes(table, truth).complete


def test_truth_without_boxes_or_classes() -> None:
    samples = [
        Sample("a", None, ("n1",), (10, 20), (("n1", (0, 0, 5, 5)), ("n9", (0, 0, 9, 9)))),
        Sample("b", None, (), None, (("n2", (0, 0, 5, 5)),)),
        Sample("c", None, ("n0", "n3"), None, (("n3", (0, 0, 5, 5)),)),
    ]
    truth = Truth.of(samples, WNIDS)
    assert len(truth) == 3
    assert truth.box_labels.tolist() == [1, -1, 2, 3]
    assert truth.label_of_box().tolist() == [0, -1, -1, 2]
    assert truth.label_has_box().tolist() == [True, False, True]
    assert truth.image_has_box().tolist() == [True, False, True]
    assert [truth.labels_of(image) for image in range(3)] == [slice(0, 1), slice(1, 1), slice(1, 3)]
    table = GuessTable(3)
    table.put(1, [2, 99], [(0, 0, 5, 5)] * 2)
    assert judge(table, truth).wrong_class().all()
    with pytest.raises(KeyError):
        Truth.of([Sample("a", None, ("n9",))], WNIDS)


def test_nothing_at_all() -> None:
    truth, table = Truth.of([], WNIDS), GuessTable(0)
    assert judge(table, truth).right_class.shape == (0, 5)
    assert known_overlaps(known_boxes(table, truth).boxes, truth).shape == (0,)
    assert truth.size_bins().shape == (0,)


def test_size_is_the_largest_true_boxs_share_of_the_image() -> None:
    def sample(side: float, **others: tuple[int, int] | None) -> Sample:
        boxes = (("n1", (0, 0, 1, 1)), ("n1", (0, 0, 10, side)), ("n2", (0, 0, 10, 10)))
        return Sample("a", None, ("n1",), others.get("image_size", (10, 10)), boxes)

    sides = [0.9, 1, 2.9, 3, 5.9, 6, 10]
    samples = [
        *(sample(side) for side in sides),
        sample(5, image_size=None),
        Sample("b", None, ("n1",), (9, 9)),
    ]
    assert Truth.of(samples, WNIDS).size_bins().tolist() == [0, 1, 1, 2, 2, 3, 3, -1, -1]


def test_tables_can_be_pickled_and_merged() -> None:
    one, other = GuessTable(3), GuessTable(3)
    one.put(0, [1], [(0, 0, 5, 5)])
    other.put(2, [3, 4], [(0, 0, 5, 5), (1, 1, 2, 2)], (0, 0, 9, 9))
    one.merge(pickle.loads(pickle.dumps(other)))  # noqa: S301 - of this test
    assert one.answered.tolist() == [True, False, True]
    assert one.labels[2].tolist() == [3, 4, -1, -1, -1]
    assert one.shared_boxes[2].tolist() == [0, 0, 9, 9]
    assert one.fewest() == 1
    one.put(2, [0], [(2, 2, 3, 3)])  # a row that is filled again keeps nothing of what was there
    assert one.labels[2].tolist() == [0, -1, -1, -1, -1]
    assert not one.boxes[2, 1:].any()
    assert not one.shared[2]
    with pytest.raises(ValueError, match="cannot be merged"):
        one.merge(GuessTable(2))


def test_guesses_and_truth_must_be_of_the_same_images() -> None:
    truth, _ = tables([literal.Case((2,), ((2, WHOLE),), None)])
    for function in (judge, known_boxes):
        with pytest.raises(ValueError, match="2 images with guesses, 1 with annotations"):
            function(GuessTable(2), truth)
    with pytest.raises(ValueError, match="a box for each of 1 labels"):
        known_overlaps(np.zeros((3, 4)), truth)
