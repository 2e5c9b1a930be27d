"""What can be taken along of a check: results by the renderers of the command line, and which tests are worth making.

Nothing is rendered before somebody asks for it. No Streamlit.
"""

from __future__ import annotations

import io
import zipfile
from collections import defaultdict
from collections.abc import Mapping

from faults.drills.check.curve import Curves
from faults.drills.check.curve_page import curve_csv, curve_html
from faults.drills.check.curve_picture import curve_picture
from faults.drills.check.html import html
from faults.drills.check.junit import junit
from faults.drills.check.matrix import Matrix
from faults.drills.check.matrix_page import matrix_csv, matrix_html
from faults.drills.check.matrix_picture import matrix_picture
from faults.drills.check.result import AlertResult, CheckResult
from faults.drills.check.scenarios import STEADY
from faults.drills.check.standing import DEFAULT, read_fail_on
from panel.downloads import Download

MOST_TESTED = 40
"""Alerts in one test file: promtool evaluates every one of them at every time."""


def of_check(result: CheckResult, stem: str) -> tuple[Download, ...]:
    """Return a check as files whose names begin with ``stem``."""
    return (
        Download("HTML", f"{stem}-check.html", "text/html", lambda: html(result).encode()),
        Download("JSON", f"{stem}-check.json", "application/json", lambda: result.model_dump_json(indent=2).encode()),
        Download(
            "JUnit", f"{stem}-check.xml", "application/xml", lambda: junit(result, read_fail_on(DEFAULT)).encode()
        ),
    )


def of_matrix(matrix: Matrix, stem: str) -> tuple[Download, ...]:
    """Return a matrix as files."""
    return (
        Download("HTML", f"{stem}-matrix.html", "text/html", lambda: matrix_html(matrix).encode()),
        Download("CSV", f"{stem}-matrix.csv", "text/csv", lambda: matrix_csv(matrix).encode()),
        Download("PNG", f"{stem}-matrix.png", "image/png", lambda: matrix_picture(matrix, "png")),
        Download("SVG", f"{stem}-matrix.svg", "image/svg+xml", lambda: matrix_picture(matrix, "svg")),
    )


def of_curves(curves: Curves, stem: str) -> tuple[Download, ...]:
    """Return curves as files."""
    return (
        Download("HTML", f"{stem}-curve.html", "text/html", lambda: curve_html(curves).encode()),
        Download("CSV", f"{stem}-curve.csv", "text/csv", lambda: curve_csv(curves).encode()),
        Download("PNG", f"{stem}-curve.png", "image/png", lambda: curve_picture(curves, "png")),
        Download("SVG", f"{stem}-curve.svg", "image/svg+xml", lambda: curve_picture(curves, "svg")),
    )


def wanted_tests(result: CheckResult) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return which alerts to test in which scenario: each in the fault for which it fires soonest, all in the calm.

    An alert that does not fire in every try makes no test that always passes, and is left out of the faults.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for alert in result.alerts:
        if alert.quiet and len(found[STEADY]) < MOST_TESTED:
            found[STEADY].append(alert.place.rule)
        best = _soonest(alert)
        if best is not None:
            found[best].append(alert.place.rule)
    ordered = (name for name in result.scenarios if found.get(name))
    return tuple((name, tuple(dict.fromkeys(found[name]))) for name in ordered)


def _soonest(alert: AlertResult) -> str | None:
    if alert.quiet is False:
        return None
    sure = [one for one in alert.responses if one.scenario != STEADY and one.fired == one.tries and one.detection_s]
    best = min(sure, key=lambda one: one.detection_s.most if one.detection_s else 0.0, default=None)
    return None if best is None else best.scenario


def zipped(files: Mapping[str, str]) -> bytes:
    """Return text files as one archive, the same bytes for the same files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return stream.getvalue()
