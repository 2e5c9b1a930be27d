"""A table panel as HTML, and the values of any panel as CSV. Everything given is escaped."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from panel import markup
from panel.dashboards import tiles
from panel.dashboards.answers import NO_DATA, Answer, lines_of
from panel.dashboards.board import VALUE, Look, Panel
from panel.timeline.range import Grid

TIME = "Time"
MOST_ROWS = 200


def columns_of(panel: Panel, answers: Sequence[Answer]) -> list[tuple[str, str]]:
    """Return the columns as (label, heading): those that the panel names first, then what else the series carry."""
    carried = sorted({label for line in lines_of(answers) for label in line.labels})
    named = [label for label in panel.columns if label not in panel.hidden and label != TIME]
    rest = [label for label in (*carried, VALUE) if label not in panel.columns and label not in panel.hidden]
    return [(label, panel.columns.get(label, label)) for label in (*named, *rest)]


def table(panel: Panel, answers: Sequence[Answer], height_px: int) -> str:
    """Return one row per series: its labels, and its newest value in the panel's unit, colour and words."""
    columns, lines = columns_of(panel, answers), lines_of(answers)
    if not lines:
        return tiles.box(f'<div class="fd-nothing">{markup.text(panel.look.nothing or NO_DATA)}</div>', height_px)
    rows = [
        tuple(
            _value_cell(line.look(panel), line.last) if label == VALUE else markup.text(line.labels.get(label, ""))
            for label, _ in columns
        )
        for line in lines[:MOST_ROWS]
    ]
    drawn = markup.table([heading for _, heading in columns], rows)
    more = f"<p>{len(lines) - MOST_ROWS} rows more are in the CSV.</p>" if len(lines) > MOST_ROWS else ""
    return tiles.box(f"{drawn}{more}", height_px, panel.title)


def values_csv(answers: Sequence[Answer], grid: Grid) -> str:
    """Return every value of a panel: one row per moment and series, its time (UTC), name, labels and value."""
    text = io.StringIO()
    labels = sorted({label for line in lines_of(answers) for label in line.labels})
    writer = csv.writer(text)
    writer.writerow(["time", "series", *labels, "value"])
    writer.writerows(_rows(answers, grid, labels))
    return text.getvalue()


def _rows(answers: Sequence[Answer], grid: Grid, labels: Sequence[str]) -> Iterator[list[str]]:
    for answer in answers:
        for line in answer.lines:
            begin = grid.end if answer.query.instant else grid.start
            for at, value in enumerate(line.values):
                if value is not None:
                    moment = datetime.fromtimestamp(begin + at * grid.step_s, tz=UTC).isoformat(timespec="milliseconds")
                    yield [moment, line.name, *(line.labels.get(label, "") for label in labels), repr(value)]


def _value_cell(look: Look, value: float | None) -> str:
    sign = tiles.sign_of(look.color(value)) if len(look.steps) > 1 or look.texts else ""
    shown = markup.text(f"{sign} {tiles.value_text(look, value)}".strip())
    return f'<b style="border-bottom:3px solid {tiles.color_of(look, value)}">{shown}</b>' if sign else shown
