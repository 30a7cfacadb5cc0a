"""report.html: an evaluation for people, in one file that opens without a network."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from wsloc.files import write_bytes
from wsloc.outputs import report_sections as sections
from wsloc.outputs.markup import Markup, joined, tag, text

if TYPE_CHECKING:
    from pathlib import Path

    from wsloc.outputs.report_records import Report


def write_report_html(report: Report, folder: Path) -> Path:
    """Write `folder/report.html`, whole or not at all, and return its path.

    Pictures of the cases are read now, those with a path; one that cannot be read any more is left empty.

    Raises:
        OutputError: if the file cannot be written.
    """
    path = folder / "report.html"
    write_bytes(path, report_page(report).encode())
    return path


def report_page(report: Report) -> str:
    """The whole page: style, script, plots and pictures inside, nothing that is fetched from anywhere."""
    script = _own_file("report.js")
    # The browser runs this script and no other, should a name ever slip through unescaped.
    digest = b64encode(sha256(script.encode()).digest()).decode("ascii")
    return Template(_own_file("report.html.template")).substitute(
        title=text(report.title),
        script_hash=f"sha256-{digest}",
        style=_own_file("report.css"),
        header=_header(report),
        main=_main(report),
        footer=sections.provenance(report),
        script=script,
    )


def _header(report: Report) -> Markup:
    """Title, what was scored, and how many images."""
    maps = list(dict.fromkeys(run.map for run in report.runs))
    facts = [f"{count:,} {key.replace('_', ' ')}" for key, count in report.counts.items()]
    facts.append(maps[0] if len(maps) == 1 else f"{len(maps)} maps")
    return joined([tag("h1", report.title), tag("p", " · ".join(facts))])


def _main(report: Report) -> Markup:
    """The sections, the most important first."""
    several = len(report.runs) > 1
    return joined(
        [
            sections.notes(report),
            sections.headline(report.runs[0], named=several),
            sections.comparison(report.runs),
            sections.thresholds(report.runs),
            *(sections.details(report.runs, place) for place in range(len(report.runs))),
            sections.protocol(report),
            sections.images(report),
        ]
    )


def _own_file(name: str) -> str:
    """A file that lies beside this one in the package."""
    return files("wsloc.outputs").joinpath(name).read_text(encoding="utf-8")
