from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsloc.errors import OutputError
from wsloc.outputs.paths import output_path, refuse_clashes, stem

FOLDER = Path("out")


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("b.jpg", "out/b.jpg.npz"),
        ("a/b.jpg", "out/a/b.jpg.npz"),
        ("a/b", "out/a/b.npz"),
        ("/a/b.jpg", "out/a/b.jpg.npz"),
        ("//a//./b.jpg", "out/a/b.jpg.npz"),
        ("../a/../b.jpg", "out/__/a/__/b.jpg.npz"),
        ("C:/a/b.jpg", "out/a/b.jpg.npz"),
        ("..\\a.jpg", "out/.._a.jpg.npz"),
        ("12:30.jpg", "out/12:30.jpg.npz"),
        ("..", "out/__.npz"),
        ("", "out/__.npz"),
    ],
)
def test_ids_become_files_inside_the_folder(image: str, expected: str) -> None:
    assert output_path(FOLDER, image, ".npz") == Path(expected)


@given(st.text(alphabet="./\\ab:C", max_size=20))
def test_no_id_leaves_the_folder(image: str) -> None:
    path = output_path(FOLDER, image, ".jpg")
    assert path.parts[0] == "out"
    assert len(path.parts) > 1
    assert ".." not in path.parts


def test_a_long_name_is_cut_and_stays_distinct(tmp_path: Path) -> None:
    paths = [output_path(tmp_path, "ü" * 125 + end, ".jpg") for end in ("a.png", "b.png")]
    assert paths[0] != paths[1]
    for path in paths:
        path.write_bytes(b"fits")


def test_the_stem_drops_the_last_extension_only() -> None:
    assert stem("a.b/c.tar.jpg") == "a.b/c.tar"
    assert stem("a.b/c") == "a.b/c"
    assert stem("/a/b.jpg") == "/a/b"
    assert stem("") == ""


def test_two_images_with_one_stem_are_refused_by_name() -> None:
    refuse_clashes(lambda: ["a/x.jpg", "b/x.jpg", "x.jpg", "y.png"], FOLDER, ".xml")
    with pytest.raises(OutputError, match=r"x\.jpg and x\.png would both be written to out/x\.xml"):
        refuse_clashes(lambda: ["x.jpg", "y.jpg", "a/x.jpg", "x.png"], FOLDER, ".xml")


def test_a_format_keeps_its_own_file() -> None:
    refuse_clashes(lambda: ["a/classes.jpg"], FOLDER, ".txt", own="classes.txt")
    with pytest.raises(OutputError, match=r"classes\.jpg"):
        refuse_clashes(lambda: ["classes.jpg"], FOLDER, ".txt", own="classes.txt")


def test_no_images_clash_with_nothing() -> None:
    refuse_clashes(list, FOLDER, ".xml")


@pytest.mark.parametrize(
    ("image", "name"), [("a\0b.jpg", "a_b.jpg"), ("\ud800/a", "_/a"), ("\udcff", "\udcff")]
)
def test_what_no_file_can_be_called(tmp_path: Path, image: str, name: str) -> None:
    """Ids come from logs too, which anybody may have written; a byte that is no UTF-8 can stand in a name."""
    path = output_path(tmp_path, image, ".npz")
    assert path == tmp_path / f"{name}.npz"
    path.unlink(missing_ok=True)
