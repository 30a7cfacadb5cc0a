from wsloc.outputs.class_names import unique_names
from wsloc.records import Classes


def test_names_shared_by_classes_are_told_apart() -> None:
    classes = Classes(("n1", "n2", "n3", "n4"), ("crane", "fish", "crane", ""))
    assert unique_names(classes) == ("crane (n1)", "fish", "crane (n3)", "(n4)")


def test_a_name_takes_one_line() -> None:
    assert unique_names(Classes(("n1",), ("great\n white\tshark ",))) == ("great white shark",)


def test_a_name_is_no_command_to_a_terminal() -> None:
    assert unique_names(Classes(("n1", "\x1b"), ("\x1b[2Jfish", ""))) == (r"\x1b[2Jfish", r"(\x1b)")
