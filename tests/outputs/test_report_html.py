import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import pytest

from tests.outputs import report_examples as examples
from tests.outputs.page_reading import Page
from wsloc.errors import OutputError
from wsloc.outputs.case_pictures import MOST_ALTOGETHER, MOST_BYTES
from wsloc.outputs.report_html import report_page, write_report_html
from wsloc.outputs.report_records import ClassFigures, Report, SizeBin, Unmatched
from wsloc.records import Failure

HOSTILE = examples.HOSTILE


@pytest.fixture(scope="module")
def text() -> str:
    return report_page(examples.report(examples.run(), examples.run("cam", "threshold 0.2")))


def hostile_report() -> Report:
    """Every word that comes from outside tries to be markup."""
    case = examples.case(image=HOSTILE, class_name=HOSTILE)
    run = examples.run(
        HOSTILE,
        HOSTILE,
        metrics={HOSTILE: 1.0, "px_ap": 5.0},
        per_class=(ClassFigures(HOSTILE, HOSTILE, 1, {"px_ap": 1.0}),),
        size_bins=(SizeBin(HOSTILE, 1, {"px_ap": 1.0}),),
        curves={HOSTILE: examples.curve(count=9), "max_box_acc": examples.curve(count=9)},
        cases=(case,),
    )
    return examples.report(
        run,
        replace(run, map="cam"),
        title=HOSTILE,
        protocol=((HOSTILE, HOSTILE),),
        counts={HOSTILE: 1},
        notes=(HOSTILE,),
        failures=(Failure(HOSTILE, HOSTILE),),
        unmatched=(Unmatched(HOSTILE, 1, (HOSTILE,)),),
        arguments={HOSTILE: [HOSTILE]},
        versions={HOSTILE: HOSTILE},
    )


def test_the_page_is_well_formed_and_whole(text: str) -> None:
    page = Page(text)
    assert text.startswith("<!doctype html>")
    assert page.all("html")[0].attributes["lang"] == "en"
    assert page.all("title")[0].text == page.all("h1")[0].text == "Localization on a made-up set"
    assert [element.text for element in page.all("h2")] == [
        "Figures: entropy-class, mass 0.98",
        "Side by side",
        "Thresholds and ground truth",
        "entropy-class, mass 0.98",
        "cam, threshold 0.2",
        "Protocol",
        "Images",
    ]
    assert page.all("header")[0].text.endswith("1,000 annotated · 998 scored · 2 failed · 2 maps")
    assert "Classes the network does not know: 3." in page.all("aside")[0].text


def test_nothing_is_fetched_from_anywhere(text: str) -> None:
    assert not re.search(r"https?:|src=|url\(|@import|//[a-z]|xmlns", text.replace("\n// ", "\n"))
    for element in Page(text).elements:
        assert element.name not in ("link", "iframe", "object", "embed", "base", "form", "a")
        assert not any(name.startswith("on") for name in element.attributes)
        if "href" in element.attributes:
            assert (element.attributes["href"] or "").startswith("data:image/jpeg;base64,")


def test_the_browser_may_run_the_own_script_only(text: str) -> None:
    (script,) = Page(text).all("script")
    digest = b64encode(sha256(script.text.encode()).digest()).decode()
    (policy,) = [
        element.attributes["content"] or ""
        for element in Page(text).all("meta")
        if element.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")


def test_words_from_outside_never_become_markup() -> None:
    text = report_page(hostile_report())
    page = Page(text)
    assert len(page.all("script")) == len(page.all("style")) == 1
    assert "alert" not in page.all("script")[0].text
    assert "<script>alert" not in text
    shown = HOSTILE.replace("\u202e", "\\u202e")
    assert page.all("h1")[0].text == page.all("title")[0].text == shown
    assert shown in page.all("table", "classes")[0].text
    assert page.all("span", "file")[0].attributes["title"] == shown
    assert shown in page.all("footer")[0].text
    # 22 places at least, and in each of them the words have come through as words.
    assert sum(words.count(shown) for words in page.all("body")[0].words) >= 22


def test_tables_are_made_sortable_by_the_script(text: str) -> None:
    page = Page(text)
    assert len(page.all("table", "sortable")) == 3
    assert len(page.all("th", "number")) > 6
    script = page.all("script")[0].text
    assert 'querySelectorAll("table.sortable")' in script
    assert {"aria-sort", "button", "ArrowRight", "tablist"} <= set(re.findall(r"[\w-]+", script))


def test_what_the_script_and_the_style_look_for_is_there(text: str) -> None:
    used = {
        name for element in Page(text).elements for name in (element.attributes.get("class") or "").split()
    }
    style = files("wsloc.outputs").joinpath("report.css").read_text(encoding="utf-8")
    by_script = {"filter", "tabs"}
    known = set(re.findall(r"\.([a-z][\w-]*)", style)) | {"sortable", "line", "run"}
    assert used - known == set()
    styled_lines = {f"line-{number}" for number in range(7)}
    assert (
        set(re.findall(r"\.([a-z][\w-]*)", style))
        - used
        - by_script
        - styled_lines
        - {"tuning-set", "run", "panels"}
        == set()
    )


def test_dark_light_and_paper_are_thought_of() -> None:
    style = files("wsloc.outputs").joinpath("report.css").read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in style
    assert "@media print" in style
    assert "@media (max-width" in style
    assert set(re.findall(r"var\((--[\w-]+)\)", style)) <= set(re.findall(r"(--[\w-]+)\s*:", style)) | {
        "--low",
        "--high",
        "--at",
        "--share",
    }


def test_a_figure_that_was_not_computed_is_nowhere() -> None:
    bare = examples.run(metrics={"px_ap": 50.0}, intervals={}, thresholds={}, curves={}, iou_histogram=None)
    words = Page(report_page(examples.report(replace(bare, per_class=(), size_bins=(), cases=()))))
    main = words.all("main")[0].text
    assert "PxAP" in main
    assert not [word for word in ("MaxBoxAcc", "Top-1", "nan", "None", "interval") if word in main.split()]
    assert words.all("table") == []


def test_a_page_of_many_runs_and_classes_stays_small() -> None:
    classes = tuple(
        ClassFigures(f"n{number:08d}", "a class of many words", 50, {"mean_iou": 0.5, "px_ap": 1.0})
        for number in range(1000)
    )
    runs = [examples.run(f"map {number}", cases=(), per_class=classes) for number in range(8)]
    words = len(report_page(examples.report(*runs)).encode())
    pictures = MOST_ALTOGETHER * MOST_BYTES * 4 / 3  # in base 64
    assert words + pictures < 3_000_000


def test_the_file_is_written_whole(tmp_path: Path) -> None:
    path = write_report_html(examples.report(title="Käse \udce9"), tmp_path / "new")
    assert path == tmp_path / "new" / "report.html"
    assert "<title>Käse \\udce9</title>" in path.read_text(encoding="utf-8")
    assert list(path.parent.iterdir()) == [path]


def test_the_same_report_gives_the_same_bytes() -> None:
    assert report_page(examples.report()) == report_page(examples.report())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match=r"report\.html"):
        write_report_html(examples.report(), tmp_path / "taken")
