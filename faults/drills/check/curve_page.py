"""Detection curves as one HTML file that needs nothing else, and as comma-separated values."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterator
from html import escape

from faults.drills.check import curve_words as words
from faults.drills.check.curve import Curve, Curves
from faults.drills.check.curve_picture import curve_picture
from faults.drills.check.result import Range
from faults.drills.report.markup import heading, page, paragraph, scrolling, table

_COLUMNS = ("alert", "group", "fault", "parameter", "intensity", "fired", "tries")
_TIMES = (
    "detection_least_s",
    "detection_median_s",
    "detection_most_s",
    "reset_least_s",
    "reset_median_s",
    "reset_most_s",
)


def curve_html(curves: Curves) -> str:
    """Return the curves as one page, with their picture in it."""
    return page(words.title(curves), _body(curves))


def _body(curves: Curves) -> Iterator[str]:
    yield heading(1, words.title(curves))
    yield paragraph(f"{words.about(curves)}.", "soft")
    for curve in curves.curves:
        yield paragraph(f"{words.threshold(curve, curves)}.")
    painted = base64.b64encode(curve_picture(curves, "png")).decode()
    alternative = escape(f"{words.title(curves)}: detection and reset time; the same as the tables below")
    yield scrolling(
        "detection curves", f'<img alt="{alternative}" style="max-width:100%" src="data:image/png;base64,{painted}">'
    )
    for curve in curves.curves:
        yield from _table(curve, curves)
    for note in curves.notes:
        yield paragraph(f"Note: {note}.", "soft")
    engine = f" Evaluated by {escape(curves.engine)}." if curves.engine else ""
    yield f"<footer>Made by Firedrill on a virtual clock.{engine} Rules: {escape(', '.join(curves.files))}.</footer>"


def _table(curve: Curve, curves: Curves) -> Iterator[str]:
    yield heading(2, curve.alert)
    for note in curve.notes:
        yield paragraph(f"Note: {note}.", "warn")
    rows = [
        (words.intensity(one.intensity, curves), words.fired(one), words.span(one.detection_s), words.reset(one))
        for one in curve.points
    ]
    head = (curves.parameter, "fired", "from the fault to firing", "from its end to resolved")
    yield table(head, rows, kinds=("n", "", "range", "range"), label=f"{curve.alert} by intensity")


def curve_csv(curves: Curves) -> str:
    """Return one line for each alert and intensity; times in seconds, empty where there is none."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow((*_COLUMNS, *_TIMES))
    for curve in curves.curves:
        for one in curve.points:
            about = (curve.alert, curve.place.group, curves.fault, curves.parameter)
            detection = _times(one.detection_s, one.detection_median_s)
            reset = _times(one.reset_s, one.reset_median_s)
            writer.writerow((*about, f"{one.intensity:g}", one.fired, one.tries, *detection, *reset))
    return stream.getvalue()


def _times(span: Range | None, median: float | None) -> tuple[str, str, str]:
    if span is None or median is None:
        return "", "", ""
    return f"{span.least:g}", f"{median:g}", f"{span.most:g}"
