"""Small pictures for a page: a JPEG inside an SVG, with true and predicted boxes drawn over it."""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image

from wsloc.errors import ImageError
from wsloc.inputs.images import decode
from wsloc.outputs.markup import joined, tag
from wsloc.outputs.report_records import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsloc.outputs.markup import Markup
    from wsloc.outputs.report_records import Case
    from wsloc.records import Box

LONGEST_SIDE = 260  # pixels of a thumbnail
MOST_BYTES = 12_000  # of a thumbnail, so that a hundred of them are no burden
QUALITIES = (82, 70, 55, 40, 25)  # of the JPEG: the first that is small enough
MOST_A_RUN = 24
MOST_ALTOGETHER = 120


def shown_cases(cases: Sequence[Case], runs: int) -> tuple[Case, ...]:
    """The cases of a run that a page has room for: the first of each kind, as many of one as of another.

    Args:
        cases: of one run.
        runs: that share the page.
    """
    room = min(MOST_A_RUN, MOST_ALTOGETHER // runs) // len(KINDS)
    groups = ([case for case in cases if case.kind == kind][:room] for kind in KINDS)
    return tuple(case for group in groups for case in group)


def case_picture(case: Case) -> Markup:
    """An svg of a case in the image's own frame; the ground stays empty where there is no picture.

    True boxes are `.truth`, the predicted one `.predicted`: each is drawn twice, dark and wide below, so that it
    is seen on any ground.
    """
    height, width = case.image_size
    boxes = [_outline(box, "truth") for box in case.truth]
    if case.predicted is not None:
        boxes.append(_outline(case.predicted, "predicted"))
    words = f"{case.class_name}, IoU {case.iou:.2f}: {case.words or _counted(case)}"
    ground = tag("rect", width=width, height=height, class_="ground")
    return tag(
        "svg",
        ground,
        _photograph(case),
        joined(boxes),
        viewBox=f"0 0 {width} {height}",
        role="img",
        aria_label=words,
    )


def thumbnail(picture: Image.Image, longest: int = LONGEST_SIDE) -> bytes:
    """A JPEG of at most `longest` pixels a side and, but for pure noise, of at most 12,000 bytes."""
    small = picture.convert("RGB")
    small.thumbnail((longest, longest), Image.Resampling.BOX)
    content = b""
    for quality in QUALITIES:
        stream = BytesIO()
        small.save(stream, format="JPEG", quality=quality, optimize=True)
        content = stream.getvalue()
        if len(content) <= MOST_BYTES:
            break
    return content


def _photograph(case: Case) -> Markup | None:
    """The picture, stretched over the frame; None where there is none or it cannot be read any more."""
    picture = case.picture
    if picture is None and case.path is not None:
        with suppress(ImageError):  # the figures stand without it
            picture = decode(case.path)
    if picture is None:
        return None
    height, width = case.image_size
    longest = 2 * LONGEST_SIDE if case.words else LONGEST_SIDE  # two panels
    address = "data:image/jpeg;base64," + b64encode(thumbnail(picture, longest)).decode("ascii")
    return tag("image", href=address, width=width, height=height, preserveAspectRatio="none")


def _outline(box: Box, name: str) -> Markup:
    """A box in the image's frame, twice: what is drawn last lies on top."""
    x0, y0, x1, y1 = box
    edges = {"x": f"{x0:.1f}", "y": f"{y0:.1f}", "width": f"{x1 - x0:.1f}", "height": f"{y1 - y0:.1f}"}
    return joined(tag("rect", class_=style, **edges) for style in ("under", name))


def _counted(case: Case) -> str:
    """What is drawn, in words."""
    boxes = f"{len(case.truth)} true box{'' if len(case.truth) == 1 else 'es'}"
    return boxes + (" and the predicted one" if case.predicted is not None else ", none predicted")
