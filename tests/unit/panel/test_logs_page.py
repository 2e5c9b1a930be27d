"""The Logs page against the canned stack, the list of records as HTML, and what can be taken along."""

from __future__ import annotations

import csv
import io
import json

from canned_logs import record
from canned_pages import Open, said
from canned_stack import World
from canned_worlds import lively

from panel.logbook import export, table
from panel.logbook.chart import counts_chart
from panel.logbook.looks import look
from panel.timeline.story import Story
from panel.trace_list import table as trace_table
from stack.clients.jaeger_v1 import RawTrace, trace_of
from stack.clients.logs import LogCounts, LogLine

NASTY = '<img src=x onerror=alert(1)> & "quoted"'


def line(body: str = "request_completed", severity: str = "INFO", **attributes: str) -> LogLine:
    """Return a record."""
    return LogLine(1_700_000_000.25, severity, body, "firedrill", "ab" * 16, "cd" * 8, attributes, {"host": "h"})


def test_the_page_lists_what_matches_and_says_how_much_there_is(open_page: Open) -> None:
    """All records of the range, then those that the filters in the address leave; the store is asked with them."""
    world = lively()
    assert "8 records of 8, newest first" in said(open_page(world, "logs"))
    test = open_page(world, "logs", text="failed", severity="error", request="r2", in_trace="f" * 32)
    assert not test.exception
    asked = [each.query for each in world.asked if each.path == "/api/logs/search"][-1]
    assert (asked["text"], asked["severity"], asked["traceID"]) == ("failed", "17", "f" * 32)
    assert asked["attribute"] == "request_id:r2"
    assert "No record matches" in said(test)
    assert (test.text_input("text").value, test.selectbox("severity").value) == ("failed", "ERROR")


def test_a_list_that_is_cut_says_so(open_page: Open) -> None:
    """More match than are shown: the page gives both numbers."""
    world = lively()
    world.logs = [record(world.now - each / 10, "INFO", f"said {each}") for each in range(150)]
    assert "100 records of 150, newest first; the list is cut" in said(open_page(world, "logs", show="100"))


def test_no_logs_and_no_store_are_said_plainly(open_page: Open) -> None:
    """An empty store, one that is away, and a trace id that the store refuses."""
    assert "No record matches" in said(open_page(World(), "logs"))
    away = open_page(lively(), "logs", silent=("tracestore",))
    assert not away.exception
    assert "The log store is unreachable" in said(away)
    assert "firedrill up" in said(away)


def test_filters_of_traces_and_journal_stand_in_the_address(open_page: Open) -> None:
    """Opened by an address, both pages show and use what it names."""
    world = lively()
    test = open_page(world, "traces", errors="true", fault="latency", least="5", limit="50")
    search = [each.query for each in world.asked if each.path == "/api/traces"][-1]
    assert (search["limit"], search["minDuration"]) == ("50", "5000us")
    assert json.loads(search["tags"]) == {"error": "true", "fault.kind": "latency"}
    assert int(search["end"]) - int(search["start"]) < 310e6  # the time range that is usual at this pace
    assert test.toggle("errors").value
    journal = open_page(world, "journal", words="drill", when="last hour")
    assert (journal.text_input("words").value, journal.selectbox("when").value) == ("drill", "last hour")


def test_a_record_opens_to_its_attributes_and_its_trace() -> None:
    """Everything that came from outside is escaped, long texts are cut with their length, ids are linked."""
    made = table.records([line(NASTY, severity="WARN", note=NASTY, path="/x"), line("y" * 30_000)])
    assert "<img" not in made
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; &quot;quoted&quot;" in made
    assert f'<a href="traces?trace={"ab" * 16}" data-follow>' in made
    assert "! warning" in made
    assert "(10,000 more characters)" in made
    assert "resource.host" in made


def test_a_trace_in_the_list_is_escaped_too() -> None:
    """Operation and service are names that somebody else chose."""
    span = {
        "traceID": 'a"b', "spanID": "1", "operationName": NASTY, "startTime": 1, "duration": 5, "processID": "p",
    }  # fmt: skip
    raw = {"traceID": 'a"b', "spans": [span], "processes": {"p": {"serviceName": NASTY}}}
    made = trace_table([trace_of(RawTrace.model_validate(raw))])
    assert "<img" not in made
    assert 'href="traces?trace=a%22b"' in made


def test_records_are_taken_along_whole() -> None:
    """JSON lines give back what was there; the table has one line each, and no formula."""
    kept = [line("=1+1", a="1"), line('with "quotes"\nand a new line')]
    first, second = (json.loads(text) for text in export.json_lines(kept).decode().splitlines())
    assert (first["body"], first["time"], first["attributes"]) == ("=1+1", "2023-11-14T22:13:20.250Z", {"a": "1"})
    assert second["body"] == 'with "quotes"\nand a new line'
    head, one, two = csv.reader(io.StringIO(export.comma_separated(kept).decode(), newline=""))
    assert head[:4] == ["time", "severity", "service", "body"]
    assert one[3] == "'=1+1"
    assert two[3] == 'with "quotes"\nand a new line'


def test_the_counts_are_drawn_gravest_first_with_the_story() -> None:
    """A bar per slot and severity over the same range, errors at the bottom, and room for the faults' names."""
    counts = LogCounts(1000.0, 5.0, 1000.0, 3, (("INFO", (3, 0, 2)), ("ERROR", (0, 1, 0))))
    figure = counts_chart(counts, Story(1000.0, 1015.0))
    assert [bar.name for bar in figure.data] == ["error", "info"]
    assert list(figure.data[0].y) == [0, 1, 0]
    assert figure.layout.barmode == "stack"
    nothing = counts_chart(LogCounts(1000.0, 5.0, 1000.0, 3, ()), None)
    assert len(nothing.data) == 0
    assert nothing.layout.xaxis.range == figure.layout.xaxis.range
    assert (look("warning").word, look("CRITICAL").word, look("").word, look("odd").word) == (
        "warning", "fatal", "unset", "unknown",
    )  # fmt: skip
