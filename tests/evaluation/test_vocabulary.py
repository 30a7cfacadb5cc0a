from __future__ import annotations

import pytest

from wsloc.errors import DataError
from wsloc.evaluation.vocabulary import vocabulary_of_guesses, vocabulary_of_samples
from wsloc.inputs.guesses import Guesses
from wsloc.records import Box, Sample

BOX: Box = (0.0, 0.0, 10.0, 10.0)


def sample(name: str, *labels: str) -> Sample:
    return Sample(name, None, labels=labels)


def guess(*classes: tuple[str, int, str]) -> Guesses:
    """As wsloc's own files have it: id, index, name."""
    ids, indices, names = zip(*classes, strict=True)
    return Guesses("a", ids, (BOX,) * len(ids), indices=indices, names=names)


def plain(*ids: str) -> Guesses:
    return Guesses("a", ids, (BOX,) * len(ids))


def pairs(samples: list[Sample], guesses: list[Guesses]) -> list[tuple[str, str]]:
    """Each label and the id of the class that it is."""
    words = vocabulary_of_guesses(samples, guesses)
    return [(label, words.classes.ids[number]) for label, number in words.of_labels.items()]


def test_integer_labels_are_indices_of_the_network_that_guessed() -> None:
    samples = [sample("a", "7"), sample("b", "3"), sample("c", "5")]
    guesses = [guess(("n01685808", 3, "lizard"), ("n02099601", 7, "golden retriever"))]
    assert pairs(samples, guesses) == [("7", "n02099601"), ("3", "n01685808"), ("5", "5")]
    words = vocabulary_of_guesses(samples, guesses)
    assert words.classes.names == ("golden retriever", "lizard", "5")
    assert words.of_guesses == {"n01685808": 1, "n02099601": 0}
    assert words.notes == ()
    # An index that is never guessed is an index all the same: everything is wrong, and that is certain.
    assert pairs([sample("a", "9")], guesses) == [("9", "9")]


def test_wnids_and_words_meet_ids_and_names_in_any_case() -> None:
    guesses = [guess(("n07753592", 954, "banana"), ("n02099601", 3, "golden retriever"))]
    samples = [sample("a", "Banana"), sample("b", "n02099601", "dog")]
    assert pairs(samples, guesses) == [("Banana", "n07753592"), ("n02099601", "n02099601"), ("dog", "dog")]
    assert pairs([sample("a", "DOG")], [plain("dog", "cat")]) == [("DOG", "dog")]


def test_plain_wnids_are_imagenets() -> None:
    samples = [sample("a", "1"), sample("b", "2")]
    words = vocabulary_of_guesses(samples, [plain("n01443537")])
    assert words.classes.ids == ("n01443537", "n01484850")
    assert words.classes.names[0] == "goldfish"
    assert "taken for ImageNet's" in words.notes[0]
    torchvision = [guess(("n01443537", 1, "goldfish"))]
    assert pairs(samples, torchvision) == [("1", "n01443537"), ("2", "n01484850")]
    assert vocabulary_of_guesses(samples, torchvision).notes == ()
    assert pairs([sample("a", "Banana")], [plain("n07753592")]) == [("Banana", "n07753592")]


def test_ids_that_are_numbers_are_no_indices() -> None:
    guesses = [guess(("10", 1, "ten"), ("1", 0, "one"))]
    assert pairs([sample("a", "1"), sample("b", "0")], guesses) == [("1", "1"), ("0", "0")]


@pytest.mark.parametrize(
    ("labels", "guesses", "words"),
    [
        (("dog",), [plain("n01443537")], "no class in common: n01443537 against dog"),
        (("5",), [plain("n01443537")], "no class in common"),
        (("crane",), [guess(("n02012849", 134, "crane"), ("n03126707", 517, "crane"))], "several classes"),
        (("a",), [guess(("a", 1, "a"), ("b", 1, "b"))], "one network's predictions"),
        (("a",), [guess(("a", 1, "a")), guess(("a", 2, "a"))], "one network's predictions"),
    ],
)
def test_what_does_not_fit(labels: tuple[str, ...], guesses: list[Guesses], words: str) -> None:
    with pytest.raises(DataError, match=words):
        vocabulary_of_guesses([sample("a", *labels)], guesses)


def test_no_guess_at_all_leaves_the_annotations_classes() -> None:
    words = vocabulary_of_guesses([sample("a", "dog")], [Guesses("a", (), (), error="broken")])
    assert words.classes.ids == ("dog",)


def test_annotations_alone() -> None:
    boxed = Sample("b", None, labels=("n01443537",), boxes=(("thing", BOX),))
    words = vocabulary_of_samples([sample("a", "1"), boxed])
    assert words.classes.ids == ("1", "n01443537", "thing")
    assert words.classes.names == ("1", "goldfish", "thing")  # 1 may be any data set's
    assert vocabulary_of_samples([sample("val/ILSVRC2012_val_00000001.JPEG", "1")]).classes.names == (
        "goldfish",
    )
