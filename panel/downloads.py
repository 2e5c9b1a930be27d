"""The report of runs as files to take along, by the renderers that the command line uses. No Streamlit.

Nothing is rendered before somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from faults.drills.evidence import Evidence
from faults.drills.report.batch import Batch
from faults.drills.report.html import html
from faults.drills.report.junit import junit
from faults.drills.report.markdown import markdown
from faults.drills.report.pictures import pictures
from faults.drills.report.series import series


@dataclass(frozen=True)
class Download:
    """One file: ``content`` renders it."""

    label: str
    name: str
    mime: str
    content: Callable[[], bytes]


def of_batch(batch: Batch, stem: str) -> tuple[Download, ...]:
    """Return the files that tell of all drills of ``batch``; their names begin with ``stem``."""
    return (
        Download("HTML", f"{stem}.html", "text/html", lambda: html(batch).encode()),
        Download("Markdown", f"{stem}.md", "text/markdown", lambda: markdown(batch).encode()),
        Download("JUnit", f"{stem}.xml", "application/xml", lambda: junit(batch).encode()),
        Download("JSON", f"{stem}.json", "application/json", lambda: batch.model_dump_json(indent=2).encode()),
    )


def of_run(evidence: Evidence, batch: Batch, stem: str) -> tuple[Download, ...]:
    """Return the files of one run: those of its ``batch``, with its own data, series and pictures."""
    page, text, suites, _ = of_batch(batch, stem)
    plain = Download(
        "JSON", f"{stem}.json", "application/json", lambda: evidence.model_dump_json(indent=2, by_alias=True).encode()
    )
    table = Download("CSV", f"{stem}.csv", "text/csv", lambda: series(evidence).encode())
    return (page, text, suites, plain, table, *_pictures(evidence, stem))


def _pictures(evidence: Evidence, stem: str) -> Iterator[Download]:
    def painted(name: str) -> Callable[[], bytes]:
        return lambda: pictures(evidence, "png").get(name, b"")

    yield Download("PNG of the alarm", f"{stem}-alarm.png", "image/png", painted("alarm"))
    if evidence.faults or evidence.signals:
        yield Download("PNG of the service", f"{stem}-service.png", "image/png", painted("service"))
