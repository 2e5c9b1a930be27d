"""A comparison of two runs as a self-contained HTML page and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from faults.drills.evidence import Evidence
from faults.drills.report.compare import Comparison, Pair, compare
from faults.drills.report.markdown import block, plain, rows
from faults.drills.report.markup import Cell, Html, code_block, heading, page, paragraph, scrolling, table
from faults.drills.report.svg import svg
from faults.drills.report.timeline import alarm_scene


def compare_html(first: Evidence, second: Evidence) -> str:
    """Return the comparison of two runs as one page, with the pictures of both."""
    comparison = compare(first, second)
    return page(comparison.title, _body(comparison, first, second))


def _body(comparison: Comparison, first: Evidence, second: Evidence) -> Iterator[str]:
    yield heading(1, comparison.title)
    yield paragraph(f"First: {comparison.first}. Second: {comparison.second}.", "soft")
    for name, evidence in (("First", first), ("Second", second)):
        picture = svg(alarm_scene(evidence))
        if picture:
            yield heading(2, f"{name}: {evidence.run.title}")
            yield scrolling(f"timeline of the {name.lower()} run", picture)
    for part in comparison.parts:
        yield heading(2, part.title)
        if part.lines:
            yield code_block("\n".join(part.lines))
        if part.pairs:
            cells = [(pair.name, *_both(pair), pair.difference) for pair in part.pairs]
            yield table(("what", "first", "second", "difference"), cells, kinds=("name", "", "", "n"), label=part.title)


def _both(pair: Pair) -> tuple[Cell, Cell]:
    """Return both values, strong where they differ."""
    if not pair.differs:
        return pair.first, pair.second
    return Html(f"<b>{escape(pair.first)}</b>"), Html(f"<b>{escape(pair.second)}</b>")


def compare_markdown(first: Evidence, second: Evidence) -> str:
    """Return the comparison of two runs as Markdown; what differs is strong."""
    comparison = compare(first, second)
    lines = [
        f"# {plain(comparison.title)}",
        "",
        f"First: {plain(comparison.first)}. Second: {plain(comparison.second)}.",
    ]
    for part in comparison.parts:
        lines += ["", f"## {plain(part.title)}", ""]
        if part.lines:
            lines.append(block("\n".join(part.lines), "diff"))
        if part.pairs:
            body = ([plain(one.name), *_marked(one), one.difference] for one in part.pairs)
            lines += list(rows(("", "first", "second", "difference"), body))[:-1]
    return "\n".join(lines) + "\n"


def _marked(pair: Pair) -> tuple[str, str]:
    first, second = plain(pair.first), plain(pair.second)
    return (f"**{first}**" if first else "", f"**{second}**" if second else "") if pair.differs else (first, second)
